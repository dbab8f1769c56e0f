"""Everything about one run that is not in its line of the table."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atft_tui.readings.run_events import Course
from engine.files import read_json
from engine.runs.store import Run
from engine.runs.summary import RunSummary

_MAX_FILES = 200


@dataclass(frozen=True, slots=True)
class FileEntry:
    name: str
    """A folder ends with a slash; its size is of all that is in it."""
    size: int


@dataclass(frozen=True, slots=True)
class GateVerdict:
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
    about: RunSummary
    versions: tuple[tuple[str, str], ...]
    commit: str
    python: str
    platform: str
    extra: tuple[tuple[str, str], ...]
    """Study, trial, comparison, variant ... of the manifest."""
    course: Course
    files: tuple[FileEntry, ...]
    last_words: str
    gate: GateVerdict | None


_KNOWN = (
    "id", "command", "created", "python", "platform", "packages", "git_commit", "config_digest",
    "settings",
)  # fmt: skip


def read_details(
    workspace: Path, run: Run, about: RunSummary, course: Course, words: str
) -> RunDetails:
    manifest = run.manifest
    packages = manifest.get("packages")
    return RunDetails(
        about=about,
        versions=_pairs(packages if isinstance(packages, dict) else {}),
        commit=str(manifest.get("git_commit") or ""),
        python=str(manifest.get("python", "")),
        platform=str(manifest.get("platform", "")),
        extra=_pairs({k: v for k, v in manifest.items() if k not in _KNOWN and v is not None}),
        course=course,
        files=files_of(run.directory),
        last_words=words,
        gate=_gate(workspace, run.id),
    )


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


def _pairs(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), str(value)) for key, value in values.items())
