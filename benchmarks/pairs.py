"""Ours and a peer on the same work in the same run, turn by turn; the ratio is what counts.

A noisy machine slows both halves of a pair alike, so the median of the pairs' ratios is steady where
the seconds are not.
"""

import statistics

from benchmarks.contender import Ratio, Work, timed
from benchmarks.options import say
from engine.runs.launch import limit_threads

limit_threads(safe=True)


def seconds(work: Work) -> float:
    """Wall seconds of doing the work once."""
    return timed(work).wall


def compare(name: str, ours: Work, peers: dict[str, Work], *, pairs: int = 7) -> None:
    """Print seconds of both and peer / ours: above 1 we are faster. The first round warms up."""
    ours()
    for peer, work in peers.items():
        work()
        mine, theirs = zip(*((seconds(ours), seconds(work)) for _ in range(pairs)), strict=True)
        say(
            f"{name:<44} ours {statistics.median(mine) * 1e3:9.1f} ms   {peer:<28} "
            f"{statistics.median(theirs) * 1e3:9.1f} ms   "
            f"{Ratio.of(theirs, mine).text()} of {pairs} pairs"
        )
