"""From the shell to the first painted screen in a terminal, against an empty Textual application."""

import os
import pty
import select
import subprocess
import sys
import tempfile
import time

from benchmarks.pairs import compare

PATIENCE_S = 20.0
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
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    seen, end = b"", time.monotonic() + PATIENCE_S
    while wanted not in seen and time.monotonic() < end:
        if select.select([master], [], [], 0.05)[0]:
            seen += os.read(master, 65536)
    process.kill()
    process.wait()
    os.close(master)
    assert wanted in seen, seen[-500:]


def main() -> None:
    with tempfile.TemporaryDirectory() as workspace:
        ours = [sys.executable, "-m", "atft_tui", "--workspace", workspace]
        empty = [sys.executable, "-c", EMPTY]
        compare(
            "start to first painted screen",
            lambda: first_paint(ours, b"No runs in this"),
            {"empty Textual app": lambda: first_paint(empty, b"hello")},
            pairs=15,
        )


if __name__ == "__main__":
    main()
