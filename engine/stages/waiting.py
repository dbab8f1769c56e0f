"""One writer at a time among the sealed signals: a second one waits, and stops when it is asked to."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import Interrupted, LockedError
from engine.runs import lock
from engine.runs.events import Noted
from engine.stages.context import StageContext

_PATIENCE_S = 900.0
"""A second attempt waits so long for the first; then it gives up."""


def stop_here(context: StageContext) -> None:
    """Interrupted if the user asked for a stop; nothing is sealed before the last of these places."""
    if context.stop.requested:
        raise Interrupted("signals: stopped, nothing was sealed")


@contextmanager
def waiting_lock(
    context: StageContext, root: Path, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Hold the signals' lock; another attempt is waited for, LockedError when it takes too long."""
    end = time.monotonic() + _PATIENCE_S
    told = False
    while True:
        try:
            held = lock.hold(root / ".lock")
            held.__enter__()
            break
        except LockedError as error:
            stop_here(context)
            if time.monotonic() > end:
                raise
            if not told:
                context.sink.emit(Noted(message=f"waiting: {error.message}"))
                told = True
            sleep(0.1)
    try:
        yield
    finally:
        held.__exit__(None, None, None)
