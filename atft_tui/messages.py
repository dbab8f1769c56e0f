"""What workers tell the screens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from engine.runs.state import RunState


@dataclass
class RunUpdated(Message):
    """New events were folded, or the run's process came or went."""

    state: "RunState"
    status: str
    """created, running, done, stopped, failed or crashed."""
    last_words: str = ""
    """End of ``log.txt`` of a crashed run."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of the run list."""

    id: str
    command: str
    status: str
    progress: str
    validation: str
    test: str
    verdict: str


@dataclass
class RunsListed(Message):
    rows: tuple[RunRow, ...]
