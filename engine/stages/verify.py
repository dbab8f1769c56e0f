"""`verify`: every stored file held against the hash it was written with, in signals, runs and workspace."""

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from msgspec import Struct

from engine import hashes
from engine.errors import EngineError, IntegrityError, UsageError
from engine.records import record
from engine.records.database import require_whole
from engine.records.protocol import LOOKS
from engine.records.seal import SealPlace, read_seal, seal_places
from engine.runs.sink import is_whole
from engine.runs.store import Run
from engine.runs.trials import read_looks
from engine.signals.models import ModelStore
from engine.signals.seal import PinStore, SealStore, verify_seal
from engine.stages.context import Outcome, StageContext, waiting_lock
from engine.stages.text import table
from engine.training.pointers import dangling
from engine.tuning.journal import damaged_lines

_ALL = "all"
_PIN_AGE = dt.timedelta(days=7)
"""Least age of a pin that is removed."""
_OWN = ("runs", "signals")
"""Folders of a workspace whose runs and seals are looked at one by one."""


class _SealCheck(Struct, frozen=True, kw_only=True):
    """What was found in one sealed directory."""

    name: str
    seal: str
    """Digest of the manifest."""
    checked: int
    """Files, pins and models that were read; 0 if the seal itself is broken."""
    error: str
    """The first fault; empty without one."""


class _FileCheck(Struct, frozen=True, kw_only=True):
    """What was found in a run or, as ``workspace``, in the files beside runs and signals."""

    name: str
    hashed: bool
    """False for a run of a version before: nothing is known of its files."""
    checked: int
    """Files that are what was written."""
    unhashed: tuple[str, ...]
    """Files of which nothing is known."""
    errors: tuple[str, ...]
    """Damaged and missing files, each with the way to make it again."""

    @property
    def state(self) -> str:
        return "DAMAGED" if self.errors else "ok" if self.hashed else "unhashed"

    @property
    def line(self) -> str:
        words = [*self.errors]
        if not self.errors:
            words = [f"{self.checked} files"] if self.hashed else ["made by a version before"]
            words += [f"{len(self.unhashed)} not hashed"] if self.hashed and self.unhashed else []
        return ", ".join(words)


def verify(context: StageContext, *, name: str | None, prune: bool = False) -> Outcome:
    """Check one signal, one run, or everything (``all``, or no name); exit code 4 when anything is damaged.

    A signal: seal, files, pins and model, each pin and each model once, however many signals rest on it. A
    run: its files and checkpoints, and the sums of its events. The workspace: what else was written into it.
    ``prune``: remove old pins that no signal rests on, if every signal could be read.
    """
    seals, runs, own = _chosen(context, name)
    store = SealStore(context.workspace / "signals")
    pins, models = store.pins, ModelStore(context.workspace / "models")
    opened: dict[str, str] = {}
    signals = [_checked(place, pins, models, opened) for place in seals]
    files = [_check_run(run) for run in runs]
    if own:
        files += [_check_workspace(context.workspace)]
    pruned = _prune(context, store) if prune and not any(row.error for row in signals) else 0
    bad = sum(bool(row.error) for row in signals) + sum(bool(row.errors) for row in files)
    return Outcome(
        json={
            "signals": [record.as_json(row) for row in signals],
            "files": [record.as_json(row) for row in files],
            "damaged": bad,
            "pruned": pruned,
        },
        text=_text(signals, files) + (f"\n{pruned} pins removed" if prune else ""),
        exit_code=IntegrityError.exit_code if bad else 0,
    )


def _prune(context: StageContext, store: SealStore) -> int:
    """Remove what attempts that were not sealed have left; one at work has the lock."""
    with waiting_lock(context, store.root):
        named = {pin for seal in store for pin in seal.inputs().pins()}
        return store.pins.prune(named, context.now() - _PIN_AGE)


def _chosen(context: StageContext, name: str | None) -> tuple[list[SealPlace], list[Run], bool]:
    """The signals and runs that are meant, and whether the workspace's own files are, too."""
    seals = SealStore(context.workspace / "signals")
    if name is None or name == _ALL:
        return seal_places(seals.root), list(context.store), True
    try:
        return [seals.open(name)], [], False
    except UsageError as error:
        if name[:4].isdigit() and name[4:5] == "-":
            raise
        try:
            return [], [context.store.open(name)], False
        except UsageError:
            raise UsageError(
                f"no sealed signal and no run {name!r}",
                hint="`atft-tui verify` lists the signals, `atft-tui runs` the runs",
            ) from error


def _text(signals: list[_SealCheck], files: list[_FileCheck]) -> str:
    lines = [
        [row.name, "DAMAGED" if row.error else "ok", row.error or f"seal {row.seal[:16]}"]
        for row in signals
    ]
    lines += [
        [row.name, row.state, row.line] for row in files if row.hashed or row.name != "workspace"
    ]
    return table(lines) if lines else "nothing is sealed yet, and there is no run"


def _check_run(run: Run) -> _FileCheck:
    """Its listed files, the folders of its checkpoints, and the sum of each line of its events."""
    told, errors = hashes.inventory(run.directory), list[str]()
    try:
        hashed = run.manifest.hashed
    except EngineError as error:
        hashed, errors = True, [error.message] if told is None else []
    if told is None and hashed:
        errors.append(f"{run.directory / hashes.LIST}: is missing; bring it back from a copy")
    if told is not None:
        errors += told.faults
        errors += [f"{run.path(name)}: listed but missing" for name in told.missing]
        if not run.is_alive():  # at work it swaps them
            errors += map(_lost_version, dangling(run.path("checkpoints")))
    built, faults = _built(run.directory)
    return _FileCheck(
        name=run.id,
        hashed=told is not None,
        checked=(told.checked if told else 0) + built,
        unhashed=told.unlisted if told else (),
        errors=(*errors, *faults, *_damaged_events(run, summed=hashed)),
    )


def _lost_version(pointer: Path) -> str:
    """A flipped bit can make a pointer what it was before: its words are known, their version is gone."""
    return f"{pointer}: names a version that is not there; {hashes.way_back(pointer)}"


def _damaged_events(run: Run, *, summed: bool) -> Iterator[str]:
    """The line that a run at work is writing is no damage."""
    lines = run.events_path.read_bytes().split(b"\n") if run.events_path.is_file() else []
    for number, line in enumerate(lines[: -1 if run.is_alive() else None], 1):
        if line.strip() and not is_whole(line, summed=summed):
            yield f"{run.events_path}: line {number} is damaged; it is left out of what is shown"


def _check_workspace(workspace: Path) -> _FileCheck:
    told, built, faults = hashes.inventory(workspace), 0, list[str]()
    folders = workspace.iterdir() if workspace.is_dir() else ()
    for folder in sorted(path for path in folders if path.is_dir() and path.name not in _OWN):
        count, found = _built(folder)
        built += count
        faults += found
    for journal in sorted(workspace.glob("tune/*/journal.jsonl")):
        faults += [f"{journal}: line {n} is damaged" for n in damaged_lines(journal)]
    asked: list[Callable[[], object]] = []
    if (workspace / "runs" / LOOKS).is_file():
        asked.append(partial(read_looks, workspace / "runs"))
    asked += [partial(require_whole, book) for book in sorted(workspace.glob("schedule/*.sqlite"))]
    for ask in asked:
        try:
            ask()
            built += 1
        except EngineError as error:
            faults.append(error.message)
    return _FileCheck(
        name="workspace",
        hashed=told is not None,
        checked=(told.checked if told else 0) + built,
        unhashed=told.unlisted if told else (),
        errors=(*(told.faults if told else ()), *faults),
    )


def _built(folder: Path) -> tuple[int, list[str]]:
    """Files of the folders that were built at once, read and compared; what is wrong with them.

    Snapshots share most of their files: one that was read under another name is not read again.
    """
    seen: set[tuple[int, str]] = set()
    faults: list[str] = []
    for manifest in sorted(folder.rglob(f"*/{hashes.MANIFEST}")):
        if not any(part.startswith(".") for part in manifest.relative_to(folder).parts):
            faults += hashes.faults_of_built(manifest, seen)
    return len(seen), faults


def _checked(
    place: SealPlace, pins: PinStore, models: ModelStore, opened: dict[str, str]
) -> _SealCheck:
    """``opened``: model -> its fault, of the models that were checked already."""
    checked = 0
    try:
        checked = verify_seal(place, pins)
        model = read_seal(place.directory).manifest.model
        if model not in opened:
            opened[model] = _fault(models, model)
        fault = opened[model]
    except IntegrityError as error:
        fault = error.message
    seal = read_seal(place.directory).digest
    return _SealCheck(name=place.name, seal=seal, checked=checked, error=fault)


def _fault(models: ModelStore, name: str) -> str:
    try:
        models.open(name)
    except IntegrityError as error:
        return error.message
    return ""
