"""Deleting a run: renamed out of the store first, then removed, so that it is there whole or not at all.

    runs/.deleting-<id>/    what a killed deletion left; the next command removes it
    runs/deleted.json       run -> how many trials it stood for

Its trials stay counted (see `engine.runs.trials`): throwing away failures must not make the deflated
Sharpe ratio of what is kept any better.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from engine.errors import EnvironmentProblem, GateError, LockedError
from engine.files import sync_directory
from engine.records import record
from engine.runs import trials
from engine.runs.labels import held
from engine.runs.store import TRASH, Run

MIB = 2**20


_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Mentions:
    """Who else names a run: asked before it is deleted."""

    champion: bool = False
    """The networks that trade now were packed from this run."""
    seals: tuple[str, ...] = ()
    """Sealed signals of networks that were packed from this run."""
    others: tuple[str, ...] = ()
    """Comparisons and searches."""

    def sentences(self) -> list[str]:
        """What deleting the run does to each, for the question and the answer."""
        lines = []
        if self.champion:
            lines.append("it is the source of the champion")
        if self.seals:
            lines.append(
                f"sealed signals rest on it: {_few(self.seals)}; they keep a copy of its networks and can "
                "be replayed, but its training can no longer be looked at"
            )
        if self.others:
            lines.append(
                f"part of {_few(self.others)}; the figures stay, to go on with it trains the run again"
            )
        return lines


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """What would be deleted, and what else names it."""

    runs: tuple[Run, ...]
    named: Mapping[str, _Mentions]

    @property
    def question(self) -> str:
        """One line for each run, and what deleting it does to others."""
        lines = []
        for run in self.runs:
            lines.append(f"{run.id}  {_used_bytes(run) / MIB:,.1f} MiB  {run.status()}")
            lines += [f"  {sentence}" for sentence in self.named[run.id].sentences()]
        return "\n".join(lines)


def plan(workspace: Path, runs: Sequence[Run]) -> DeletionPlan:
    """All of the runs or none: one at work is a LockedError, the source of the champion a GateError."""
    each = {run.id: run for run in runs}
    named = _mentions(workspace, each)
    for run in each.values():
        if run.is_alive():
            raise _at_work(run)
        if named[run.id].champion:
            raise GateError(
                f"{run.id} is the source of the champion: it stays while that trades",
                hint="promote another run, or `atft-tui champion rollback`, then delete it",
            )
    return DeletionPlan(tuple(each.values()), named)


def delete(run: Run) -> int:
    """Delete a run that nobody works on; the number of bytes that it took.

    LockedError for a run at work. If files cannot be removed, the run is gone from the store all the
    same, and the EnvironmentProblem says where the rest lies.
    """
    root = run.directory.parent
    if run.is_alive():
        raise _at_work(run)
    try:
        with run.lock(), held(run):
            size = _used_bytes(run)
            trials.remember_deleted(run)
            trash = root / f"{TRASH}{run.id}"
            run.directory.rename(trash)
    except LockedError as error:
        raise _at_work(run) from error
    sync_directory(root)
    _remove(trash)
    return size


def _used_bytes(run: Run) -> int:
    """Bytes of all the run's files."""
    total = 0
    for folder, _, names in os.walk(run.directory):
        for name in names:
            total += os.lstat(os.path.join(folder, name)).st_size
    return total


def _mentions(workspace: Path, run_ids: Iterable[str]) -> dict[str, _Mentions]:
    """Mentions of each run. A file that cannot be read is an EngineError: nothing is deleted on a guess."""
    champions = record.read_if_there(workspace / "models" / "champion.json", _Champions)
    history = champions.history if champions is not None else ()
    made = [(entry.model, entry.run) for entry in history if entry.run]
    reigns = [entry.model for entry in history if entry.action in ("promoted", "rolled back")]
    reign = next((run for model, run in reversed(made) if model in reigns[-1:]), "")
    paths = sorted((workspace / "signals").glob("[0-9]*/manifest.json"))
    seals = [(path.parent.name, record.read(path, _Seal).model) for path in paths]
    wholes = _wholes(workspace)
    found = {}
    for run_id in run_ids:
        own = {model for model, run in made if run == run_id}
        named = tuple(name for name, model in seals if model in own)
        others = tuple(name for name, parts in wholes if run_id in parts)
        found[run_id] = _Mentions(reign == run_id, named, others)
    return found


class _Champion(Struct):
    model: str
    action: str
    run: str | None = None


class _Champions(Struct):
    history: tuple[_Champion, ...] = ()


class _Seal(Struct):
    model: str = ""


class _Part(Struct):
    run_id: str | None = None
    runs: dict[str, str] = {}


class _Comparison(Struct):
    run_id: str = ""
    runs: tuple[_Part, ...] = ()
    variants: tuple[_Part, ...] = ()


class _Search(Struct):
    run_id: str = ""
    trials: tuple[_Part, ...] = ()


def _wholes(workspace: Path) -> list[tuple[str, set[str | None]]]:
    """Name of every comparison and search, and the runs it is made of."""
    found = []
    for path in sorted((workspace / "compare").glob("*.json")):
        one = record.read(path, _Comparison)
        parts = {run for variant in one.variants for run in variant.runs.values()}
        runs = {part.run_id for part in one.runs}
        found.append((f"comparison {path.stem}", {one.run_id, *runs, *parts}))
    for path in sorted((workspace / "tune").glob("*/study.json")):
        study = record.read(path, _Search)
        runs = {part.run_id for part in study.trials}
        found.append((f"search {path.parent.name}", {study.run_id, *runs}))
    return found


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _remove(trash: Path) -> None:
    try:
        shutil.rmtree(trash)
    except FileNotFoundError:
        return  # another command swept it at the same moment
    except OSError as error:
        raise EnvironmentProblem(
            f"{trash}: cannot be removed ({error.strerror}); the run is deleted, its files lie there",
            hint="the next command tries again",
        ) from error


def _at_work(run: Run) -> LockedError:
    pid = run.holder()
    who = f"process {pid}" if pid else "a process"
    return LockedError(
        f"{run.id}: {who} works on it", hint=f"`atft-tui stop {run.id}`, then delete it"
    )
