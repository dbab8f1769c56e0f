"""What a person asks of a run at work, as files in its ``control/``: checkpoint, rollback, pause.

A file that is there is a wish. The training looks at the end of every step, carries the wish out and removes
the file with its answer in the events; only ``pause`` lasts as long as the file does. Nothing is lost or
half asked when either side is killed, and a new process starts without the wishes of the one before.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from engine.errors import UsageError
from engine.files import write_bytes
from engine.runs.store import Run

Wish = Literal["checkpoint", "rollback", "pause"]
_WISHES: tuple[Wish, ...] = get_args(Wish)
_PAUSED = "paused"
"""The training's own mark that it waits."""
_STEPPING = ("train", "walkforward", "trial", "demo")
"""Commands whose process takes the steps; a search or a comparison leaves them to its runs."""


@dataclass(frozen=True, slots=True)
class ControlFiles:
    directory: Path

    @classmethod
    def of(cls, run: Run) -> "ControlFiles":
        return cls(run.path("control"))

    def asked(self) -> frozenset[Wish]:
        """The wishes that are open. A few microseconds: asked at the end of every step."""
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return frozenset()
        return frozenset(wish for wish in _WISHES if wish in names) if names else frozenset()

    def ask(self, wish: Wish) -> None:
        write_bytes(self.directory / wish, b"")

    def withdraw(self, wish: Wish) -> None:
        (self.directory / wish).unlink(missing_ok=True)

    def mark_paused(self) -> None:
        write_bytes(self.directory / _PAUSED, b"")

    def unmark_paused(self) -> None:
        (self.directory / _PAUSED).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything that was asked of an earlier process."""
        for name in (*_WISHES, _PAUSED):
            (self.directory / name).unlink(missing_ok=True)


def request(run: Run, wish: Wish) -> None:
    """Leave a wish with a run; UsageError where nobody would read it."""
    _require_stepping(run)
    files = ControlFiles.of(run)
    if wish == "pause" and wish in files.asked():
        raise UsageError(
            f"{run.id}: is paused already", hint=f"`atft-tui continue {run.id}` lets it go on"
        )
    files.ask(wish)


def go_on(run: Run) -> None:
    """Let a paused run go on."""
    _require_stepping(run)
    files = ControlFiles.of(run)
    if "pause" not in files.asked():
        raise UsageError(f"{run.id}: is not paused", hint=f"its status is {run.status()}")
    files.withdraw("pause")


def _require_stepping(run: Run) -> None:
    if run.command not in _STEPPING:
        raise UsageError(
            f"{run.id}: a {run.command} run takes no steps of its own",
            hint="ask one of the runs it has started; `atft-tui runs` lists them",
        )
    if not run.is_alive():
        raise UsageError(f"{run.id}: nobody is working on it", hint=f"its status is {run.status()}")
