"""The cases that are tried, and the trying: two at a time, each in copies of its own."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from engine.drill import clocks, flips, kills, names, room, sessions, wires
from engine.drill.bench import Workbench
from engine.drill.case import Case, NotTriedError, Seen
from engine.drill.lab import Lab
from engine.errors import EngineError, Interrupted, UsageError
from engine.records.drill import DrillOutcome

_AT_ONCE = 2


def every_case(bench: Workbench) -> list[Case]:
    """All cases for this workspace, in the order they are told."""
    lab = Lab(bench)
    return [
        *kills.cases(lab),
        *room.cases(lab),
        *sessions.cases(bench),
        *clocks.cases(lab),
        *wires.cases(bench),
        *names.cases(lab),
        *flips.cases(bench),
    ]


def chosen(cases: Sequence[Case], name: str | None) -> list[Case]:
    """All, the case of this name, or the cases of this kind."""
    found = [case for case in cases if name in (None, case.name, case.kind)]
    if not found:
        kinds = ", ".join(dict.fromkeys(case.kind for case in cases))
        raise UsageError(
            f"there is no case {name!r}", hint=f"a case of the table, or a kind: {kinds}"
        )
    return found


def tried(
    bench: Workbench, cases: Sequence[Case], tell: Callable[[DrillOutcome], None]
) -> Iterator[DrillOutcome]:
    """The outcome of each case, in their order."""

    def one(case: Case) -> DrillOutcome:
        outcome = _outcome(case, bench)
        tell(outcome)
        return outcome

    # The second half beside the first: kills and full disks wait for the market of the drill to be made.
    half = len(cases) // 2
    order = [*chain(*zip(cases[:half], cases[half:], strict=False)), *cases[2 * half :]]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = {case.name: pool.submit(one, case) for case in order}
        try:
            yield from (found[case.name].result() for case in cases)
        finally:  # stopped: those that nobody has begun would each be begun, and stopped
            pool.shutdown(wait=False, cancel_futures=True)


def _outcome(case: Case, bench: Workbench) -> DrillOutcome:
    began = time.monotonic()
    try:
        seen = case.try_it(bench)
    except NotTriedError as error:
        seen = Seen("not tried", str(error))
    except Interrupted:
        raise
    except EngineError as error:  # of the workspace's own, before any fault
        seen = Seen("not tried", error.message)
    return DrillOutcome(
        case=case.name,
        kind=case.kind,
        verdict=seen.verdict,
        done=case.done,
        seen=seen.text.replace(f"{bench.root}/", ""),
        seconds=round(time.monotonic() - began, 1),
    )
