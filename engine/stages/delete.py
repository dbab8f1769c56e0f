"""`delete`: runs that nobody needs any more, after saying what else names them."""

import sys
from collections.abc import Sequence

import click

from engine.errors import Interrupted, UsageError
from engine.plain_text import clean_lines
from engine.runs import deletion
from engine.runs.events import Noted
from engine.stages.context import Outcome, StageContext


def delete(context: StageContext, *, run: Sequence[str], yes: bool = False) -> Outcome:
    """Delete the runs, each whole or not at all; none if one of them may not be deleted.

    Without ``yes`` it asks on a terminal; elsewhere that is a UsageError that says what would have been
    deleted.
    """
    plan = deletion.plan(context.workspace, [context.store.open(name) for name in run])
    if not yes:
        _ask(plan.question)
    freed = {}
    for one in plan.runs:
        for sentence in plan.named[one.id].sentences():
            context.sink.emit(Noted(message=f"{one.id}: {sentence}"))
        freed[one.id] = deletion.delete(one)
    answer = {
        "deleted": [{"run_id": run_id, "bytes": size} for run_id, size in freed.items()],
        "named_by": {run_id: [*named.seals, *named.others] for run_id, named in plan.named.items()},
    }
    total = sum(freed.values()) / deletion.MIB
    return Outcome(json=answer, text=f"deleted {', '.join(freed)}: {total:,.1f} MiB freed")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"not deleted, nobody was asked:\n{question}",
            hint="give --yes where nobody can be asked",
        )
    sys.stderr.write(f"{clean_lines(question)}\n")
    if not click.confirm("Delete for good?", default=False, err=True):
        raise Interrupted("nothing was deleted")
