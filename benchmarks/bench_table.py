"""A table of 8,000 rows and 8 columns in a real terminal, against Textual's own DataTable.

From the shell to the first painted row, and from a key to the other end of the table and back.
"""

import statistics
import sys

from benchmarks.options import read_options, say
from benchmarks.pairs import compare
from benchmarks.terminal import Terminal

OURS = """
from textual.app import App
from atft_tui.widgets.column import TableColumn
from atft_tui.widgets.table import BrowseTable

class Host(App):
    CSS_PATH = None
    def compose(self):
        columns = [TableColumn(name=f"c{c}", cell=lambda r, c=c: f"row{r}-{c}", width=12) for c in range(8)]
        yield BrowseTable(columns, key=str, id="rows")
    def on_mount(self):
        self.query_one(BrowseTable).set_rows(range(ROWS))
        self.query_one(BrowseTable).focus()
Host().run()
"""
PEER = """
from textual.app import App
from textual.widgets import DataTable

class Host(App):
    def compose(self):
        yield DataTable(cursor_type="row")
    def on_mount(self):
        table = self.query_one(DataTable)
        for c in range(8):
            table.add_column(f"c{c}", width=12)
        for r in range(ROWS):
            table.add_row(*[f"row{r}-{c}" for c in range(8)])
        table.focus()
Host().run()
"""


def host(code: str, rows: int) -> Terminal:
    command = [sys.executable, "-c", f"ROWS = {rows}\n{code}"]
    return Terminal(command, columns=120, lines=40)


def first_row(code: str, rows: int) -> None:
    with host(code, rows) as terminal:
        terminal.wait(b"row0-0")


def jumps(terminal: Terminal, count: int, keys: tuple[bytes, bytes], last: bytes) -> list[float]:
    end, home = keys
    times = []
    for _ in range(count):
        times.append(terminal.reaction(end, last))
        times.append(terminal.reaction(home, b"row0-0"))
    return times


def main(arguments: list[str] | None = None) -> int:
    options = read_options(__doc__, arguments, rows=(8000, 60), pairs=(7, 1), jumps=(10, 1))
    rows, last = options.rows, f"row{options.rows - 1}-0".encode()
    compare(
        f"{rows:,} rows: start to first row",
        lambda: first_row(OURS, rows),
        {"DataTable": lambda: first_row(PEER, rows)},
        pairs=options.pairs,
    )
    keys = {"ours": (OURS, b"\x1b[F", b"\x1b[H"), "DataTable": (PEER, b"\x1b[1;5F", b"\x1b[1;5H")}
    for name, (code, end, home) in keys.items():
        with host(code, rows) as terminal:
            terminal.wait(b"row0-0")
            times = jumps(terminal, options.jumps, (end, home), last)
        worst = sorted(times)[int(0.95 * len(times))]
        say(
            f"{name:<10} key to the other end: median {statistics.median(times) * 1e3:.0f} ms, "
            f"p95 {worst * 1e3:.0f} ms"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
