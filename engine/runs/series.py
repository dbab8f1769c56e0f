"""Points over the steps of a run, kept few: what a resume replays counts once, old points thin out."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

MAX_POINTS = 512


class Stepped(Protocol):
    @property
    def step(self) -> int: ...


P = TypeVar("P", bound=Stepped)


def append(
    points: tuple[P, ...], point: P, rank: Callable[[P], float] | None = None
) -> tuple[P, ...]:
    """The points with one more.

    Points at its step and later are those of a training that was cut off after its checkpoint: they go.
    Of two neighbours in the older half the second goes, or the one of higher `rank`.
    """
    if points and points[-1].step >= point.step:
        points = tuple(old for old in points if old.step < point.step)
    points = (*points, point)
    return points if len(points) <= MAX_POINTS else tuple(thinned(points, rank))


def thinned(points: Sequence[P], rank: Callable[[P], float] | None = None) -> list[P]:
    """Every second point of the older half, and the newer half."""
    half = len(points) // 2 // 2 * 2
    kept = [
        pair[1] if rank is not None and rank(pair[1]) < rank(pair[0]) else pair[0]
        for pair in zip(points[:half:2], points[1:half:2], strict=True)
    ]
    return [*kept, *points[half:]]
