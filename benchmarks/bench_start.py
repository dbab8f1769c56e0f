"""From the shell to the first painted screen in a terminal, against an empty Textual application."""

import sys
import tempfile

from benchmarks.options import read_options
from benchmarks.pairs import compare
from benchmarks.terminal import Terminal

EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App):
    def compose(self):
        yield Static("hello there")

Empty().run()
"""


def first_paint(command: list[str], wanted: bytes) -> None:
    """Run the command in a terminal of its own until ``wanted`` is on the screen, then end it."""
    with Terminal(command, columns=120, lines=40) as terminal:
        terminal.wait(wanted)


def main(arguments: list[str] | None = None) -> int:
    options = read_options(__doc__, arguments, pairs=(15, 1))
    with tempfile.TemporaryDirectory() as workspace:
        ours = [sys.executable, "-m", "atft_tui", "--workspace", workspace]
        empty = [sys.executable, "-c", EMPTY]
        compare(
            "start to first painted screen",
            lambda: first_paint(ours, b"See it work"),  # the heading over Home's first steps
            {"empty Textual app": lambda: first_paint(empty, b"hello")},
            pairs=options.pairs,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
