"""A disk that is full: a limit on the size of a file, no room for one of them, and a small file system where
one may mount; and the power that goes.

A command that has no room says so (exit code 4) and loses nothing: with room, it does what it always does.
What a power cut would take is what has its name before it is on the disk.
"""

import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from engine.drill.bench import Ending, Workbench, link_copy
from engine.drill.case import Case, NotTriedError, Seen, failed, silent, survived
from engine.drill.child import Handicap
from engine.drill.kills import SCORES, SEALED, SNAPSHOT, goes_on
from engine.drill.lab import INGEST, SIGNALS, Lab, contents, differing
from engine.errors import EnvironmentProblem

_SPARE = 1_500_000
"""Bytes that are left on the small file system: less than a training writes."""
_TRAIN = 80_000
"""Bytes: more than the 64 KiB that a training keeps free for its words, and goes on without."""
_FILES = 2
"""So many of the files that a command writes find no room, one a time."""
_FULL = ("space", "full", "large", "room", "quota")
"""One of these words is in the sentence."""


def cases(lab: Lab) -> Iterator[Case]:
    """The commands that write most, each with too little room."""
    for name, size in (("ingest", 4_096), ("train", _TRAIN), ("signals", 4_096)):
        done = (
            f"the first file over {size:,} bytes that {name} writes is refused, then there is room"
        )
        yield Case(f"room-{name}", done, partial(_limited, lab, name, size))
        done = (
            f"{_FILES} of the files that {name} writes are refused, one a time, then there is room"
        )
        yield Case(f"room-{name}-file", done, partial(_no_room, lab, name))
    done = f"training in a file system with {_SPARE / 1e6:.1f} MB left, then resumed elsewhere"
    yield Case("room-tmpfs", done, partial(_small, lab))
    for name in ("ingest", "train", "promote", "signals", "walkforward"):
        done = f"what {name} writes is on the disk before it takes its name"
        yield Case(f"power-{name}", done, partial(_synced, lab, name))


def _synced(lab: Lab, name: str, _: Workbench) -> Seen:
    """Of an undisturbed command, whose renames were noted."""
    assert lab.walked
    assert lab.signalled
    return synced(lab.named[name])


def synced(lines: Sequence[str]) -> Seen:
    """Of what `Handicap.named` has of a command: an unsynced file may be empty under its name."""
    found = [line.split(" ", 2) for line in lines]
    lost = sorted({file for state, _, file in found if state == "unsynced"})
    if lost:
        return failed(f"{len(lost)} files take their names unsynced, e.g. {', '.join(lost[:3])}")
    return survived(f"{len(found)} files, each synced before")


def _limited(lab: Lab, name: str, size: int, bench: Workbench) -> Seen:
    before, after, words, again, patterns = _plan(lab, name)
    right, place = contents(after, *patterns), bench.copy("room", before)
    answer = bench.run(place, *words, handicap=Handicap(room=size))
    return _judged(bench, place, answer, again, right, patterns)


def _no_room(lab: Lab, name: str, bench: Workbench) -> Seen:
    """The limit on the size is met by the first large file; here any writer may have its turn."""
    before, after, words, again, patterns = _plan(lab, name)
    right = contents(after, *patterns)
    alone = (line.split(" ", 2)[2] for line in lab.named[name] if " alone " in line)
    files = sorted({Path(file).name for file in alone})
    rng = random.Random(f"{bench.seed} {name}")  # noqa: S311 - a choice, not a secret
    said = []
    for file in rng.sample(files, min(_FILES, len(files))):
        place = bench.copy("room", before)
        answer = bench.run(place, *words, handicap=Handicap(full=file))
        gone = contents(after, f"**/{file}").keys() - contents(place, f"**/{file}").keys()
        if answer.code in (0, 6) and gone and file not in answer.text:
            return silent(f"rc {answer.code} without a word, but {min(gone)} was not written")
        seen = _judged(bench, place, answer, again, right, patterns)
        if seen.verdict != "survived":
            return Seen(seen.verdict, f"{file}: {seen.text}")
        said.append(f"{file}: {seen.text}")
    return survived("; ".join(said))


def _plan(lab: Lab, name: str) -> tuple[Path, Path, Sequence[str], Sequence[str], Sequence[str]]:
    """Workspace before and after, the command, the one that goes on, and the files to compare."""
    if name == "ingest":
        return lab.trained, lab.eve, INGEST, INGEST, SNAPSHOT
    if name == "signals":
        return lab.eve, lab.signalled, SIGNALS, SIGNALS, SEALED
    return lab.bare, lab.trained, *_training(lab), SCORES


def _training(lab: Lab) -> tuple[tuple[str, ...], tuple[str, ...]]:
    run = lab.run("train")
    return ("train", "--run", run), ("train", "--resume", run)


def _small(lab: Lab, bench: Workbench) -> Seen:
    right, (words, again) = contents(lab.trained, *SCORES), _training(lab)
    with _mounted(bench.folder("tmpfs"), lab.bare) as place:
        answer = bench.run(place, *words)
        elsewhere = bench.copy("roomy", place)
    return _judged(bench, elsewhere, answer, again, right, SCORES)


def _judged(
    bench: Workbench,
    place: Path,
    answer: Ending,
    again: Sequence[str],
    right: dict[str, str],
    patterns: Sequence[str],
) -> Seen:
    if answer.code in (0, 6):
        if different := differing(contents(place, *patterns), right):
            return silent(f"rc {answer.code}, but {', '.join(different[:3])} differ")
        return survived("it went on at once; its files are those of an undisturbed one")
    if answer.code != EnvironmentProblem.exit_code:
        return failed(f"rc {answer.code} in place of 4: {answer.words}")
    if not any(word in answer.text.lower() for word in _FULL):
        return failed(f"it does not say that the room was too little: {answer.words}")
    seen = goes_on(bench, place, again, right, patterns, codes=(0, 6))
    return Seen(seen.verdict, f"{answer.words}; {seen.text}")


@contextmanager
def _mounted(at: Path, source: Path) -> Iterator[Path]:
    """A copy of the workspace in a tmpfs that has little more room than it takes."""
    taken = sum(path.stat().st_size + 4_096 for path in source.rglob("*"))
    mount = shutil.which("mount")
    size = f"size={taken + _SPARE}"
    words = [mount or "mount", "-t", "tmpfs", "-o", size, "drill", str(at)]
    done = subprocess.run(words, check=False, capture_output=True, text=True) if mount else None
    if done is None or done.returncode:
        raise NotTriedError("this user may not mount a tmpfs")
    try:
        place = at / "workspace"
        link_copy(source, place)
        yield place
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True, capture_output=True)
