"""From the shell to the first painted screen, against an empty Textual application."""

import subprocess
import sys
import tempfile

from benchmarks.pairs import compare

LEAVE = """
import sys
from pathlib import Path

async def leave(pilot):
    await pilot.pause()
    pilot.app.exit()
"""
OURS = f"""{LEAVE}
from atft_tui.app import CockpitApp
CockpitApp(Path(sys.argv[1])).run(headless=True, auto_pilot=leave)
"""
EMPTY = f"""{LEAVE}
from textual.app import App
App().run(headless=True, auto_pilot=leave)
"""


def run(code: str, workspace: str) -> None:
    subprocess.run([sys.executable, "-c", code, workspace], check=True, capture_output=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as workspace:
        compare(
            "start to first screen, whole process",
            lambda: run(OURS, workspace),
            {"empty Textual app": lambda: run(EMPTY, workspace)},
            pairs=9,
        )


if __name__ == "__main__":
    main()
