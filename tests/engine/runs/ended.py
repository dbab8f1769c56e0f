"""A run that ended well, for tests of what is read of it."""

from pathlib import Path

from engine.config.file import resolve
from engine.runs.events import Noted, RunFinished
from engine.runs.sink import JsonlSink
from engine.runs.store import Run, RunStore


def ended_run(workspace: Path) -> Run:
    """It told one thing and that it was done."""
    made = RunStore(workspace / "runs").create("train", resolve([]).config)
    sink = JsonlSink(made.events_path)
    for event in (Noted(message="one"), RunFinished(status="done")):
        sink.emit(event)
    sink.close()
    return made
