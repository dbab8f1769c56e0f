"""How a run is asked to end at its next step."""

from typing import Protocol


class StopSignal(Protocol):
    @property
    def requested(self) -> bool: ...


class TrainingStopped(Exception):  # noqa: N818 - a way out of the loop, not a fault
    """The stop flag was seen at the end of a step; a resumable checkpoint has been written."""
