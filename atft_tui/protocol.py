"""What the screens ask of the application."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from engine.errors import EngineError


@runtime_checkable
class Cockpit(Protocol):
    """The application as its screens know it."""

    workspace: Path
    chosen_run: str | None
    """The run that Train, Replay and Backtest show; None means the newest that fits."""

    def go(self, place: str) -> None:
        """Show one of the eight places."""

    def open_run(self, run_id: str, place: str = "train") -> None:
        """Choose a run and go where it is shown."""

    def ask(self, command: str, given: Mapping[str, str] | None = None) -> None:
        """Open the form of a command, some of its parameters filled in; its answer becomes a job."""

    def start_job(self, words: Sequence[str]) -> None:
        """Carry out ``atft-tui WORDS`` in a process of its own; its end is told in a toast."""

    def confirm(self, question: str, then: Callable[[], None]) -> None:
        """Ask before something that cannot be taken back."""

    def refuse(self, error: EngineError) -> None:
        """Say what was not done, and the way out."""

    def stop_run(self, run_id: str) -> None:
        """Ask a run to stop at the end of its step, after a confirmation."""

    def resume_run(self, run_id: str) -> None:
        """Go on with a run that was stopped, failed or died."""
