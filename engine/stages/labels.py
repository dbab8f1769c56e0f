"""`tag` and `note`: what people say about a run."""

from collections.abc import Sequence

from engine.errors import UsageError
from engine.records.run import Labels
from engine.runs.labels import add_tags, read_labels, remove_tags, set_note
from engine.runs.store import Run
from engine.stages.context import Outcome, StageContext


def tag(context: StageContext, *, run: str, tags: Sequence[str], remove: bool = False) -> Outcome:
    """Add the tags to what the run has, or take them away."""
    found = context.store.open(run)
    labels = remove_tags(found, tags) if remove else add_tags(found, tags)
    return _answer(found, labels, f"tags: {' '.join(labels.tags) or 'none'}")


def note(
    context: StageContext, *, run: str, text: str | None = None, clear: bool = False
) -> Outcome:
    """Write the note, take it away, or show it."""
    found = context.store.open(run)
    if clear and text:
        raise UsageError("note: a text and --clear contradict each other")
    labels = set_note(found, text or "") if clear or text is not None else read_labels(found)
    return _answer(found, labels, f"note: {labels.note or 'none'}")


def _answer(run: Run, labels: Labels, text: str) -> Outcome:
    answer = {"run_id": run.id, "tags": list(labels.tags), "note": labels.note}
    return Outcome(json=answer, text=f"{run.id}  {text}")
