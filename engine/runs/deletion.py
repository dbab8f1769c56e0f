"""Deleting a run: renamed out of the store first, then removed, so that it is there whole or not at all.

    runs/.deleting-<id>/    what a killed deletion left; the next command removes it
    runs/deleted.json       run -> how many trials it stood for

Its trials stay counted (see `engine.runs.trials`): throwing away failures must not make the deflated
Sharpe ratio of what is kept any better.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EnvironmentProblem, GateError, LockedError
from engine.runs import trials
from engine.runs.labels import held
from engine.runs.mentions import Mentions, mentions
from engine.runs.store import TRASH, Run

MIB = 2**20


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """What would be deleted, and what else names it."""

    runs: tuple[Run, ...]
    named: Mapping[str, Mentions]

    @property
    def question(self) -> str:
        """One line for each run, and what deleting it does to others."""
        lines = []
        for run in self.runs:
            lines.append(f"{run.id}  {used_bytes(run) / MIB:,.1f} MiB  {run.status()}")
            lines += [f"  {sentence}" for sentence in self.named[run.id].sentences()]
        return "\n".join(lines)


def plan(workspace: Path, runs: Sequence[Run]) -> DeletionPlan:
    """All of the runs or none: one at work is a LockedError, the source of the champion a GateError."""
    each = {run.id: run for run in runs}
    named = mentions(workspace, each)
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
            size = used_bytes(run)
            trials.remember_deleted(run)
            trash = root / f"{TRASH}{run.id}"
            run.directory.rename(trash)
    except LockedError as error:
        raise _at_work(run) from error
    _sync(root)
    _remove(trash)
    return size


def used_bytes(run: Run) -> int:
    """Of all its files."""
    total = 0
    for folder, _, names in os.walk(run.directory):
        for name in names:
            total += os.lstat(os.path.join(folder, name)).st_size
    return total


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


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
