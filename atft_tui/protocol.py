"""What the screens ask of the application."""

from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class Cockpit(Protocol):
    workspace: Path

    def open_run(self, run_id: str) -> None: ...
    def stop_run(self, run_id: str) -> None: ...
    def resume_run(self, run_id: str) -> None: ...
    def backtest_run(self, run_id: str, strategy: str | None = None) -> None: ...
