"""What there is to see in a chart, and how a person looks at it: values without a picture."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.style import Style

_HUGE = 1e100
"""A value beyond it is not drawn: the span of two such would not be a number."""
SMOOTHINGS = (1, 3, 7, 15)
"""Points that a smoothed one is the mean of."""
_CLOSEST = 1 / 512
"""Least share of the whole that can be looked at."""
LEVELS = ("best", "all", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line through its points, in the order of x; a value that is not finite leaves a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    errors: Sequence[float] = ()
    """One standard error of each point; empty where none is known."""
    quiet: Sequence[bool] = ()
    """Which points lie inside their null band."""
    best: Sequence[bool] = ()
    """Which points were the best so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What there is to see."""

    curves: Sequence[Curve]
    x_name: str = ""
    levels: Sequence[tuple[str, float]] = ()
    """What the curves are held against, the strongest first: dotted lines across."""
    band: float = math.nan
    """Half-width of the null band round zero."""
    end: float = math.nan
    """x up to which there is to be room at least."""
    parts: Mapping[float, str] | None = None
    """x -> what begins there."""
    signs: Mapping[float, tuple[str, Style]] | None = None
    """x -> what happened there, in a line of its own below the curves."""
    x_words: Callable[[float], str] = lambda x: f"{x:,.0f}"
    y_words: Callable[[float], str] | None = None
    """How a value is written; by itself where this is None."""
    zero: bool = False
    """0 belongs to the picture: the line from which the values are counted."""


@dataclass(frozen=True, slots=True)
class View:
    """How a person looks at a chart."""

    left: float = 0.0
    right: float = 1.0
    """Ends of what is in view, as shares of the whole."""
    cursor: float | None = None
    """Where the crosshair stands, as a share of the whole."""
    smooth: int = 0
    """Number in `SMOOTHINGS`."""
    log: bool = False
    band: bool = False
    """The scale holds the null band and 0, whatever the curves do."""
    level: int = 0
    """Number in `LEVELS`: which of the levels belong to the picture."""
    hidden: frozenset[int] = frozenset()
    """Numbers of the curves that are not seen."""

    def zoomed(self, factor: float, at: float | None = None) -> "View":
        """Closer (above 1) or farther, round the crosshair or the share of the whole that is given."""
        about = at if at is not None else self.cursor
        middle = (self.left + self.right) / 2 if about is None else about
        span = min(1.0, max(_CLOSEST, (self.right - self.left) / factor))
        place = (middle - self.left) / (self.right - self.left)
        return self._at(middle - span * min(1.0, max(0.0, place)), span)

    def panned(self, share: float) -> "View":
        """Moved by a share of what is in view."""
        span = self.right - self.left
        return self._at(self.left + share * span, span)

    def _at(self, left: float, span: float) -> "View":
        left = min(1.0 - span, max(0.0, left))
        return replace(self, left=left, right=left + span)

    def pointing(self, share: float) -> "View":
        """With the crosshair there, and the view moved so far that it is in it."""
        share = min(1.0, max(0.0, share))
        span = self.right - self.left
        left = min(share, max(self.left, share - span))
        return replace(self._at(left, span), cursor=share)

    def window(self, count: int) -> tuple[int, int]:
        """First of so many points that is in view, and the one after the last."""
        first = math.floor(self.left * max(0, count - 1))
        return first, min(count, math.ceil(self.right * max(0, count - 1)) + 1)


WHOLE = View()


def x_span(chart: Chart) -> tuple[float, float]:
    """Ends of the whole on the axis of x."""
    ends = [x for c in chart.curves if len(c.x) for x in (c.x[0], c.x[-1]) if drawable(x)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    return low, max(high, chart.end) if math.isfinite(chart.end) else high


def drawable(value: float) -> bool:
    return math.isfinite(value) and abs(value) < _HUGE


def smoothed(values: Sequence[float], number: int, first: int, stop: int) -> Sequence[float]:
    """Means of the last few values; NaN counts for nothing."""
    window = SMOOTHINGS[number % len(SMOOTHINGS)]
    if window == 1:
        return values[first:stop]
    out = []
    for i in range(first, min(stop, len(values))):
        known = [v for v in values[max(0, i - window + 1) : i + 1] if math.isfinite(v)]
        out.append(sum(known) / len(known) if known else math.nan)
    return out
