"""Tags and a note on a run: what people say about it, beside its files and never in its manifest.

    runs/<id>/labels.json    {"tags": [...], "note": "..."}

Whatever the file holds, what comes out of here is printable text of limited length.
"""

import fcntl
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from engine.errors import IntegrityError, UsageError
from engine.records import record
from engine.records.run import LABELS, MANIFEST, Labels
from engine.runs.store import Run

_TAG = re.compile(r"[\w][\w.+:/-]{0,31}")
_TAG_RULE = (
    "a tag is 1 to 32 letters, digits or one of . _ + : / -, and begins with a letter or digit"
)
_MAX_TAGS = 20
_MAX_NOTE = 1000
"""Characters of a note."""


class _ByAnyHand(Struct):
    """The file may have been written by another hand: only what fits the rules is taken out of it."""

    tags: Any = ()
    note: Any = ""


def read_labels(run: Run) -> Labels:
    """The labels of a run; none if it has no file. RecordError for a file that is no JSON object."""
    found = record.read_if_there(run.path(LABELS), _ByAnyHand) or _ByAnyHand()
    tags, note = found.tags, found.note
    fine = {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()
    kept = sorted(tag for tag in fine if _TAG.fullmatch(tag))[:_MAX_TAGS]
    text = printable(" ".join(note.split())) if isinstance(note, str) else ""
    return Labels(tuple(kept), text[:_MAX_NOTE])


def add_tags(run: Run, tags: Sequence[str]) -> Labels:
    """Add these tags. UsageError for what is no tag or one too many, and nothing changes."""
    wanted = [_tag(tag) for tag in tags]
    with _writing(run):
        known = read_labels(run)
        every = tuple(sorted({*known.tags, *wanted}))
        if len(every) > _MAX_TAGS:
            raise UsageError(
                f"{run.id}: {len(every)} tags, {_MAX_TAGS} is the most",
                hint=f"`atft-tui tag {run.id} TAG --remove` takes one away",
            )
        return _write(run, Labels(every, known.note))


def remove_tags(run: Run, tags: Sequence[str]) -> Labels:
    """Without these tags. One that the run does not have is a UsageError, and nothing changes."""
    unwanted = {_tag(tag) for tag in tags}
    with _writing(run):
        known = read_labels(run)
        unknown = sorted(unwanted - set(known.tags))
        if unknown:
            have = ", ".join(known.tags) or "none"
            raise UsageError(f"{run.id} has no tag {', '.join(unknown)}", hint=f"its tags: {have}")
        kept = tuple(tag for tag in known.tags if tag not in unwanted)
        return _write(run, Labels(kept, known.note))


def set_note(run: Run, text: str) -> Labels:
    """Replace the note; line breaks and tabs become spaces, an empty text takes the note away."""
    note = " ".join(text.split())
    if len(note) > _MAX_NOTE:
        raise UsageError(
            f"the note has {len(note):,} characters, {_MAX_NOTE:,} is the most",
            hint="put longer text into a file and name the file in the note",
        )
    strange = next((c for c in note if not _shown(c)), None)
    if strange is not None:
        raise UsageError(
            f"the note holds U+{ord(strange):04X}, a character that is not shown",
            hint="take control characters, direction marks and escapes out of it",
        )
    with _writing(run):
        return _write(run, Labels(read_labels(run).tags, note))


def _tag(text: str) -> str:
    tag = unicodedata.normalize("NFC", text)
    if not _TAG.fullmatch(tag):
        raise UsageError(f"{printable(text)[:40]!r} cannot be a tag", hint=_TAG_RULE)
    return tag


def printable(text: str) -> str:
    """Without what a terminal would obey instead of show."""
    return "".join(character for character in text if _shown(character))


def _shown(character: str) -> bool:
    """Not a control, a direction mark, a zero-width or unassigned character, or half of a pair."""
    return character.isprintable() or character == " "


def _write(run: Run, labels: Labels) -> Labels:
    record.write(run.path(LABELS), labels)
    return labels


@contextmanager
def _writing(run: Run) -> Iterator[None]:
    """One writer at a time, also beside a run that is at work; waits for the others, who take a moment."""
    with held(run):
        if not run.path(MANIFEST).is_file():
            raise IntegrityError(f"{run.id}: was deleted meanwhile")
        yield


@contextmanager
def held(run: Run) -> Iterator[None]:
    """The run's directory to oneself, among those who write labels and those who delete."""
    descriptor = os.open(run.directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
