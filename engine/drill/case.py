"""What a case of the drill is, and the words by which it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from engine.records.preflight import DrillVerdict

if TYPE_CHECKING:
    from engine.drill.bench import Ending, Workbench


class Seen(NamedTuple):
    """How a case ended."""

    verdict: DrillVerdict
    text: str


class NotTriedError(Exception):
    """The case cannot be tried here; the message says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One fault."""

    name: str
    """Begins with the name of its kind: ``kill-train``."""
    done: str
    """What is done to the copy, one sentence."""
    try_it: "Callable[[Workbench], Seen]"

    @property
    def kind(self) -> str:
        """The group it belongs to."""
        return self.name.partition("-")[0]


def survived(text: str) -> Seen:
    """No harm."""
    return Seen("survived", text)


def failed(text: str) -> Seen:
    """Harm that was seen: lost work, a crash, a refusal without a reason."""
    return Seen("failed", text)


def silent(text: str) -> Seen:
    """Harm that nobody would have seen."""
    return Seen("silent", text)


def told(answer: "Ending", subject: str = "") -> Seen | None:
    """A refusal that is no good answer to a fault; None for one that is, and for success.

    ``subject``: what a refusal has to name.
    """
    if answer.code in (0, 6) or (2 <= answer.code <= 5 and subject in answer.text):
        return None
    if 2 <= answer.code <= 5:
        return failed(f"rc {answer.code} without naming {subject}: {answer.words}")
    return failed(f"rc {answer.code}: {answer.words}")
