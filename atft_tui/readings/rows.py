"""Values that are read off the main thread and shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of a short run list, in words."""

    id: str
    command: str
    status: str
    progress: str
    validation: str
    test: str
    verdict: str
