"""A clock that is wrong: nothing is sealed of days that are to come, and nothing sealed is lost."""

import datetime as dt
from collections.abc import Iterator
from functools import partial

from engine.drill.bench import Workbench
from engine.drill.case import Case, Seen, failed, silent, survived, told
from engine.drill.kills import SEALED, at
from engine.drill.lab import SETTINGS, SIGNALS, Lab, contents, differing


def cases(lab: Lab) -> Iterator[Case]:
    """A signal and the scheduler; `sessions` has the case of an ingest."""
    yield Case(
        "clock-signals", f"signals of {lab.last} with the clock on the day before",
        partial(_signals, lab),
    )  # fmt: skip
    yield Case(
        "clock-schedule", "the scheduler with the clock right, two days back, right, a day ahead, right",
        partial(_schedule, lab),
    )  # fmt: skip


def _before(lab: Lab, days: int) -> str:
    return str(dt.date.fromisoformat(lab.last) - dt.timedelta(days=days))


def _signals(lab: Lab, bench: Workbench) -> Seen:
    place = bench.copy("clock", lab.eve)
    answer = bench.run(place, *SIGNALS, handicap=at(_before(lab, 1), hour=12))
    if contents(place, *SEALED):
        return silent(f"the session of tomorrow is sealed, rc {answer.code}")
    if not answer.code:
        return failed("rc 0, and nothing is sealed")
    return told(answer) or survived(f"rc {answer.code}, {answer.words}")


def _schedule(lab: Lab, bench: Workbench) -> Seen:
    right, place = contents(lab.signalled, *SEALED), bench.copy("clock", lab.signalled)
    words = ("schedule", "once", *SETTINGS)
    codes = []
    for days in (0, 2, 0, -1, 0):
        answer = bench.run(place, *words, handicap=at(_before(lab, days)))
        codes.append(answer.code)
        if answer.code == 1 or answer.code < 0:
            return failed(f"rc {answer.code}: {answer.words}")
        found = contents(place, *SEALED)
        if lost := differing({k: v for k, v in found.items() if k in right}, right):
            return silent(f"what was sealed is another one: {', '.join(lost[:3])}")
    if codes[-1] not in (0, 6):
        return failed(f"with the clock right again: rc {codes[-1]}, {answer.words}")
    return survived(f"rc {', '.join(map(str, codes))}; what was sealed is as it was")
