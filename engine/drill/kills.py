"""SIGKILL at moments that matter; afterwards the work goes on, and its files are those of one left alone."""

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from engine.drill.bench import Sign, Workbench
from engine.drill.case import Case, Seen, failed, silent, survived, told
from engine.drill.child import Handicap
from engine.drill.lab import INGEST, SETTINGS, SIGNALS, WALK, Lab, contents, differing

_EVENTS = "runs/*-{}-*/events.jsonl"
SCORES = ("runs/*/predictions.parquet", "runs/*/checkpoints/kept*/tensors.safetensors")
SEALED = ("signals/20*/*",)
SNAPSHOT = ("data/CURRENT", "data/snapshots/*/bars-*")
_STEP = Sign(b'"name":"resume"', _EVENTS.format("train"))
_SCORING = Sign(b'"stage":"predict"', _EVENTS.format("train"))
_FOLD = Sign(b'"fold":1,', _EVENTS.format("walkforward"))
_BUILDING = Sign(b"", "data/snapshots/.staging-*")
_JOB = Sign("· score".encode(), "logs/signals.log")


def cases(lab: Lab) -> Iterator[Case]:
    """Kills of the commands that work for long or that must leave nothing half done."""
    last = lab.last
    for name, sign, when in (
        ("kill-train", _STEP, "at its first checkpoint"),
        ("kill-train-scores", _SCORING, "while it writes its scores"),
    ):
        yield Case(name, f"training killed {when}, resumed", partial(_train, lab, sign))
    yield Case(
        "kill-walkforward", "walk-forward killed after a fold, resumed", partial(_walkforward, lab)
    )
    yield Case(
        "kill-ingest", "ingest killed while it builds a snapshot, repeated", partial(_ingest, lab)
    )
    yield Case(
        "kill-signals", f"signals of {last} killed at score and at seal", partial(_signals, lab)
    )
    yield Case(
        "kill-schedule", "scheduler killed while its job scores, started again",
        partial(_schedule, lab),
    )  # fmt: skip


def _train(lab: Lab, sign: Sign, bench: Workbench) -> Seen:
    run = lab.run("train")
    right = contents(lab.trained, *SCORES)
    place = _killed(bench, lab.bare, ("train", "--run", run), sign)
    return goes_on(bench, place, ("train", "--resume", run), right, SCORES)


def _walkforward(lab: Lab, bench: Workbench) -> Seen:
    run = lab.run("walkforward")
    right = contents(lab.walked, *SCORES[:1])
    place = _killed(bench, lab.bare, ("walkforward", "--run", run, *WALK), _FOLD)
    return goes_on(bench, place, ("walkforward", "--resume", run), right, SCORES[:1])


def _ingest(lab: Lab, bench: Workbench) -> Seen:
    right = contents(lab.eve, *SNAPSHOT)
    place = _killed(bench, lab.trained, INGEST, _BUILDING)
    return goes_on(bench, place, INGEST, right, SNAPSHOT)


def _signals(lab: Lab, bench: Workbench) -> Seen:
    right = contents(lab.signalled, *SEALED)
    place = bench.copy("signals", lab.eve)
    for stage in ("score", "seal"):
        bench.kill(place, SIGNALS, Sign(f"· {stage}".encode()))
        found = contents(place, *SEALED)
        if found and differing(found, right):
            return failed(f"half a seal after the kill at {stage}: {', '.join(found)}")
    return goes_on(bench, place, SIGNALS, right, SEALED, codes=(0, 6))


def _schedule(lab: Lab, bench: Workbench) -> Seen:
    """With the clock in the evening of the newest session, whose signal is then due."""
    right = contents(lab.signalled, *SEALED)
    place, evening = bench.copy("schedule", lab.eve), at(lab.last)
    words = ("schedule", "once", *SETTINGS)
    bench.kill(place, words, _JOB, evening)
    answer = bench.run(place, *words, handicap=evening)
    if answer.code not in (0, 6):
        return failed(f"started again: rc {answer.code}, {answer.words}")
    return _compared(bench, place, right, SEALED)


def at(session: str, hour: int = 23) -> Handicap:
    """The clock at that hour of the day, UTC."""
    day = dt.date.fromisoformat(session)
    moment = dt.datetime.combine(day, dt.time(hour), dt.UTC)
    return Handicap(shift=(moment - dt.datetime.now(dt.UTC)).total_seconds())


def _killed(bench: Workbench, source: Path, words: Sequence[str], sign: Sign) -> Path:
    """A copy in which the command was killed at the sign."""
    place = bench.copy(words[0], source)
    bench.kill(place, words, sign)
    return place


def goes_on(
    bench: Workbench,
    place: Path,
    words: Sequence[str],
    right: dict[str, str],
    patterns: Sequence[str],
    codes: Sequence[int] = (0,),
) -> Seen:
    answer = bench.run(place, *words)
    if answer.code not in codes:
        return told(answer) or failed(f"it does not go on: rc {answer.code}, {answer.words}")
    return _compared(bench, place, right, patterns)


def _compared(
    bench: Workbench, place: Path, right: dict[str, str], patterns: Sequence[str]
) -> Seen:
    """What is there now against what is there without a fault, and every hash of the copy."""
    if different := differing(contents(place, *patterns), right):
        return silent(f"it went on, but {', '.join(different[:3])} differ")
    verified = bench.run(place, "verify")
    if verified.code:
        return failed(f"verify: rc {verified.code}, {verified.out.strip()[-200:]}")
    return survived(f"it went on; {len(right)} files are those of an undisturbed one")
