"""A run's events handed on, once or for as long as the run goes on."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.export.points import Point, Points
from engine.runs.events import RunFinished, RunStarted
from engine.runs.store import Run


class Receiver(Protocol):
    """Takes the points of a run, in order, and its end."""

    def take(self, points: Sequence[Point]) -> None:
        """Keep these points; called with many at once."""
        ...

    def end(self, finished: RunFinished | None) -> None:
        """No more will come for now; None while the run has not ended."""
        ...


def feed(
    run: Run,
    receiver: Receiver,
    *,
    follow: bool,
    stopped: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Hand all points of the run to the receiver; whether the run has ended.

    ``follow``: go on until the run ends, or ``stopped`` says so. What was read by then has been handed on,
    and the receiver was ended.
    """
    points = Points()
    finished: RunFinished | None = None
    for events in run.batches(follow=follow, stopped=stopped, sleep=sleep):
        for event in events:
            if isinstance(event, RunFinished):
                finished = event
            elif isinstance(event, RunStarted):
                finished = None  # it goes on
        receiver.take([point for event in events for point in points.of(event)])
    receiver.end(finished)
    return finished is not None
