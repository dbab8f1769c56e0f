"""What the screen remembers of a person from one visit to the next: one small file outside of workspaces."""

import os
from pathlib import Path

from msgspec import Struct

from engine.records import record


class LastVisit(Struct, frozen=True, kw_only=True):
    """What was chosen last."""

    theme: str = ""
    place: str = ""
    """Where the last visit ended."""
    workspace: str = ""
    """Of that visit: another one begins at Home."""


def path() -> Path:
    """``$XDG_STATE_HOME/atft-tui/cockpit.json``, as a desktop's rules have it."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "atft-tui" / "cockpit.json"


def remembered() -> LastVisit:
    """Nothing before the first choice. RecordError for a file that cannot be read."""
    return record.read_if_there(path(), LastVisit) or LastVisit()


def remember(memory: LastVisit) -> None:
    """Keep it for the next visit. EngineError or OSError where that cannot be written."""
    path().parent.mkdir(parents=True, exist_ok=True)
    record.write(path(), memory)
