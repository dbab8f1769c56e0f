"""`checkpoint`, `pause`, `continue`, `rollback`: what a person asks of a run at work."""

import time

from engine.errors import EnvironmentProblem, GateError
from engine.runs.control import Wish, go_on, request
from engine.runs.events import ControlAnswered, Paused
from engine.runs.follow import read_new
from engine.runs.store import Run
from engine.stages.context import Outcome, StageContext

_POLL_S = 0.1


def checkpoint(context: StageContext, *, run: str, wait: int) -> Outcome:
    """Save the `resume` checkpoint at the end of the running step."""
    return _ask(context, run, "checkpoint", wait)


def rollback(context: StageContext, *, run: str, wait: int) -> Outcome:
    """Back to the last healthy checkpoint with a lower learning rate. GateError if there is none."""
    return _ask(context, run, "rollback", wait)


def pause(context: StageContext, *, run: str, wait: int) -> Outcome:
    """Wait at the end of the running step, with a checkpoint, until told to go on."""
    return _ask(context, run, "pause", wait)


def continue_(context: StageContext, *, run: str) -> Outcome:
    """Let a paused run go on."""
    found = context.store.open(run)
    go_on(found)
    return Outcome(json={"run_id": found.id, "asked": True}, text=f"{found.id}: goes on")


def _ask(context: StageContext, name: str, wish: Wish, wait: int) -> Outcome:
    """Leave the wish and wait up to ``wait`` seconds for what became of it."""
    run = context.store.open(name)
    offset = _size(run)
    request(run, wish)
    answer = _answer(context, run, wish, offset, wait)
    if isinstance(answer, ControlAnswered) and not answer.done:
        raise GateError(f"{run.id}: {wish} refused: {answer.detail}")
    told = {"run_id": run.id, "action": wish, "asked": True, "answered": answer is not None}
    match answer:
        case None:
            text = f"{run.id}: asked; it answers at the end of its step, `atft-tui watch` tells it"
            return Outcome(json=told, text=text)
        case Paused(step=step):
            detail = f"paused at step {step}, checkpoint saved"
        case ControlAnswered(step=step, detail=detail):
            pass
    return Outcome(json={**told, "step": step, "detail": detail}, text=f"{run.id}: {detail}")


def _answer(
    context: StageContext, run: Run, wish: Wish, offset: int, wait: int
) -> Paused | ControlAnswered | None:
    """None if it does not come in time: a validation or a long step may be going on."""
    end = time.monotonic() + wait
    while time.monotonic() < end and not context.stop.requested:
        alive = run.is_alive()  # before reading: after its end nothing is written
        events, offset = read_new(run.events_path, offset)
        for event in events:
            if isinstance(event, Paused) and wish == "pause":
                return event
            if isinstance(event, ControlAnswered) and event.action == wish:
                return event
        if not alive:
            raise EnvironmentProblem(
                f"{run.id}: ended before it answered", hint=f"its status is {run.status()}"
            )
        time.sleep(_POLL_S)
    return None


def _size(run: Run) -> int:
    """Bytes of the stream now: only what comes later can be the answer."""
    try:
        return run.events_path.stat().st_size
    except FileNotFoundError:
        return 0
