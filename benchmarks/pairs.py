"""Ours and a peer on the same work in the same run, turn by turn; the ratio is what counts.

A noisy machine slows both halves of a pair alike, so the median of the pairs' ratios is steady where
the seconds are not.
"""

import statistics
import sys
import time
from collections.abc import Callable

from engine.runs.threads import limit_threads

limit_threads(safe=True)

Work = Callable[[], object]


def seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(name: str, ours: Work, peers: dict[str, Work], *, pairs: int = 7) -> None:
    """Print seconds of both and peer / ours: above 1 we are faster. The first round warms up."""
    ours()
    for peer, work in peers.items():
        work()
        rounds = [(seconds(ours), seconds(work)) for _ in range(pairs)]
        mine, theirs = (statistics.median(side) for side in zip(*rounds, strict=True))
        ratios = sorted(b / a for a, b in rounds)
        sys.stdout.write(
            f"{name:<44} ours {mine * 1e3:9.1f} ms   {peer:<28} {theirs * 1e3:9.1f} ms   "
            f"x{statistics.median(ratios):.2f}  [{ratios[0]:.2f}, {ratios[-1]:.2f}] of {pairs} pairs\n"
        )
