"""`drill`: faults injected into a copy of the workspace, to see that nothing is lost and nothing silent."""

import time
from collections import Counter

from engine.drill.bench import opened
from engine.drill.run import chosen, every_case, tried
from engine.errors import GateError
from engine.plain_text import clean_lines
from engine.records import record
from engine.records.drill import DRILL, DrillOutcome, DrillResult
from engine.runs.events import Noted, Warned
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

_WIDTH = 200


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
        cases = chosen(every_case(bench), case)
        outcomes = tuple(tried(bench, cases, tell))
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
