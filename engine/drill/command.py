"""`drill`: faults injected into a copy of the workspace, to see that nothing is lost and nothing silent.

Two cases are tried at a time, each in copies of its own.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from engine.drill import clocks, flips, kills, names, room, sessions, wires
from engine.drill.bench import Workbench, opened
from engine.drill.case import Case, NotTriedError, Seen
from engine.drill.lab import Lab
from engine.errors import EngineError, GateError, Interrupted, UsageError
from engine.plain_text import clean_lines
from engine.records import record
from engine.records.preflight import DRILL, DrillOutcome, DrillResult
from engine.runs.events import Noted, Warned
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

_WIDTH = 200

_AT_ONCE = 2


def drill(context: StageContext, *, case: str | None, seed: int) -> Outcome:
    """Try every case, or those of one name or kind; exit code 6 when one is failed or silent.

    The live store is copied and never touched. A drill of all cases is recorded in ``drill.json``.
    """
    began = time.monotonic()

    def stopped() -> bool:
        return context.stop.requested

    def tell(outcome: DrillOutcome) -> None:
        line = f"{outcome.case}: {outcome.verdict}, {outcome.seen}"
        good = outcome.verdict in ("survived", "not tried")
        context.sink.emit(Noted(message=line) if good else Warned(code="drill", message=line))

    with opened(context.workspace, stopped, seed) as bench:
        cases = _chosen(_every_case(bench), case)
        outcomes = tuple(_tried(bench, cases, tell))
    found = DrillResult(
        at=context.now().isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - began, 1),
        outcomes=outcomes,
    )
    if case is None:
        record.write(context.workspace / DRILL, found)
    return Outcome(
        json={**record.as_json(found), "passed": found.passed},
        text=_text(found),
        exit_code=0 if found.passed else GateError.exit_code,
    )


def _text(found: DrillResult) -> str:
    rows = [
        [one.verdict, one.case, clean_lines(f"{one.done}: {one.seen}")[:_WIDTH]]
        for one in found.outcomes
    ]
    spent = Counter[str]()
    for one in found.outcomes:
        spent[one.kind] += round(one.seconds)
    kinds = ", ".join(f"{kind} {seconds}" for kind, seconds in spent.items())
    return (
        f"{table(rows)}\n\n{found.line} in {found.seconds:.0f} s; seconds of two at a time: {kinds}"
    )


def _every_case(bench: Workbench) -> list[Case]:
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


def _chosen(cases: Sequence[Case], name: str | None) -> list[Case]:
    """All, the case of this name, or the cases of this kind."""
    found = [case for case in cases if name in (None, case.name, case.kind)]
    if not found:
        kinds = ", ".join(dict.fromkeys(case.kind for case in cases))
        raise UsageError(
            f"there is no case {name!r}", hint=f"a case of the table, or a kind: {kinds}"
        )
    return found


def _tried(
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
