"""`delete`: runs that nobody needs any more, after saying what else names them."""

import sys
from collections.abc import Sequence

import click

from engine.errors import GateError, Interrupted, LockedError, UsageError
from engine.runs import deletion
from engine.runs.events import Noted
from engine.runs.mentions import Mentions, mentions
from engine.runs.store import Run
from engine.stages.context import Outcome, StageContext

MIB = 2**20


def delete(context: StageContext, *, run: Sequence[str], yes: bool = False) -> Outcome:
    """Delete the runs, each whole or not at all; none if one of them may not be deleted.

    A run at work is a LockedError, the source of the champion a GateError. Without ``yes`` it asks on a
    terminal; elsewhere that is a UsageError that says what would have been deleted.
    """
    found = list({one.id: one for one in map(context.store.open, run)}.values())
    named = mentions(context.workspace, [one.id for one in found])
    for one in found:
        _allowed(one, named[one.id])
    question = _question(found, named)
    if not yes:
        _ask(question)
    freed = []
    for one in found:
        freed.append({"run_id": one.id, "bytes": deletion.delete(one)})
        for sentence in named[one.id].sentences():
            context.sink.emit(Noted(message=f"{one.id}: {sentence}"))
    total = sum(int(str(row["bytes"])) for row in freed)
    answer = {
        "deleted": freed,
        "named_by": {one.id: [*named[one.id].seals, *named[one.id].others] for one in found},
    }
    ids = ", ".join(one.id for one in found)
    return Outcome(json=answer, text=f"deleted {ids}: {total / MIB:,.1f} MiB freed")


def _allowed(run: Run, named: Mentions) -> None:
    if run.is_alive():
        raise LockedError(f"{run.id} is running", hint=f"`atft-tui stop {run.id}` first")
    if named.champion:
        raise GateError(
            f"{run.id} is the source of the champion: it stays while that trades",
            hint="promote another run, or `atft-tui champion rollback`, then delete it",
        )


def _question(runs: Sequence[Run], named: dict[str, Mentions]) -> str:
    lines = []
    for run in runs:
        lines.append(f"{run.id}  {deletion.used_bytes(run) / MIB:,.1f} MiB  {run.status()}")
        lines += [f"  {sentence}" for sentence in named[run.id].sentences()]
    return "\n".join(lines)


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"not deleted, nobody was asked:\n{question}",
            hint="give --yes where nobody can be asked",
        )
    sys.stderr.write(f"{question}\n")
    if not click.confirm("Delete for good?", default=False, err=True):
        raise Interrupted("nothing was deleted")
