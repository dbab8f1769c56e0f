"""Everything about one run that is not in its line of the table."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atft_tui.readings.run_events import Course
from engine.files import read_json
from engine.records.run import RunManifest, RunSummary
from engine.runs.store import Run

_MAX_FILES = 200


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file or folder of a run."""

    name: str
    """A folder ends with a slash; its size is of all that is in it."""
    size: int


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What the gate said last of a run."""

    at: str
    action: str
    """promoted or refused."""
    reason: str
    rows: tuple[tuple[bool, str, str], ...]
    """Passed, condition, evidence."""
    reigns: bool
    """The champion was packed from this run."""


@dataclass(frozen=True, slots=True)
class RunDetails:
    """All that is known of one run."""

    about: RunSummary
    manifest: RunManifest
    course: Course
    files: tuple[FileEntry, ...]
    last_words: str
    gate: GateVerdict | None


def read_details(
    workspace: Path, run: Run, about: RunSummary, course: Course, words: str
) -> RunDetails:
    """What the details panel shows of a run, beside its line and how it went."""
    gate = _gate(workspace, run.id)
    return RunDetails(about, run.manifest, course, files_of(run.directory), words, gate)


def files_of(directory: Path) -> tuple[FileEntry, ...]:
    """Files and folders of a run with their sizes, the largest first."""
    found = []
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            found.append(FileEntry(f"{entry.name}/", _size(entry.path)))
        else:
            found.append(FileEntry(entry.name, entry.stat(follow_symlinks=False).st_size))
    return tuple(sorted(found, key=lambda file: (-file.size, file.name))[:_MAX_FILES])


def _size(directory: str) -> int:
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue  # a checkpoint that was replaced meanwhile
    return total


def _gate(workspace: Path, run_id: str) -> GateVerdict | None:
    """What the gate said last of this run."""
    path = workspace / "models" / "champion.json"
    if not path.is_file():
        return None
    history: list[dict[str, Any]] = read_json(path)["history"]
    own = [entry for entry in history if entry.get("run") == run_id]
    if not own:
        return None
    reigns = [e for e in history if e["action"] in ("promoted", "rolled back")]
    models = {entry["model"] for entry in own}
    rows = tuple(
        (bool(row.get("passed")), str(row.get("name", "")), str(row.get("detail", "")))
        for row in own[-1].get("gate", ())
    )
    return GateVerdict(
        at=str(own[-1].get("at", "")),
        action=str(own[-1]["action"]),
        reason=str(own[-1].get("reason", "")),
        rows=rows,
        reigns=bool(reigns) and reigns[-1]["model"] in models,
    )
