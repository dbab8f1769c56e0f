"""Time as a value: what the schedule knows of it comes from here, so a test can hold the clock."""

import datetime as dt
import time
from dataclasses import dataclass
from typing import Protocol

_MOVED_S = 90.0
"""A difference of the clocks beyond this is told; corrections of a second or a leap are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """Three clocks at one moment."""

    wall: dt.datetime
    """UTC; may be set at any time."""
    awake_s: float
    """Seconds the machine ran; stands still while it sleeps."""
    elapsed_s: float
    """Seconds that passed, asleep or not, however the wall clock was set."""


class Clock(Protocol):
    """Whoever tells the time: the system, or a test."""

    def now(self) -> dt.datetime:
        """UTC."""
        ...

    def read(self) -> ClockReading:
        """All three clocks at one moment."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def read(self) -> ClockReading:
        boottime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux has it
        return ClockReading(
            wall=self.now(),
            awake_s=time.clock_gettime(time.CLOCK_MONOTONIC),
            elapsed_s=time.clock_gettime(boottime),
        )


def difference(before: ClockReading, after: ClockReading) -> str:
    """What happened to the clock between two readings; empty if nothing did.

    Where the system has no clock that runs on through sleep, a sleep reads as a clock set ahead.
    """
    elapsed = after.elapsed_s - before.elapsed_s
    set_by = (after.wall - before.wall).total_seconds() - elapsed
    slept = elapsed - (after.awake_s - before.awake_s)
    if abs(set_by) > _MOVED_S:
        return f"the clock was set {'ahead' if set_by > 0 else 'back'} by {_span(abs(set_by))}"
    return f"the machine slept for {_span(slept)}" if slept > _MOVED_S else ""


def _span(seconds: float) -> str:
    return str(dt.timedelta(seconds=round(seconds)))
