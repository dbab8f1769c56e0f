"""What graph and blocks are worth on validation days: the network as it is, scored without them.

Neither gradient nor gate tells it: the one says that a block can still learn, the other in which shares
two streams are mixed, whatever these hold.
"""

# Shape suffixes: D days, N stocks of a day.
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.dataset.batch import Batch
from engine.evaluation.inference import mean_figure
from engine.evaluation.rank_ic import rank_ic_series
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.records.rank_ic import GraphWorth, Worth
from engine.training.scoring import OtherGraph, ScoredDays

_WINDOW = "window"
"""Name of all blocks in front of the graph together: one may stand in for another that is off."""
_GRAPH_BLOCKS = frozenset({"gat", "bypass"})

_Array = NDArray[np.floating]


def other_graphs(model: ATFTGATFAN, seed: int) -> tuple[OtherGraph, ...]:
    """What the graph's worth is told by: no edge, and random neighbours. Nothing while the graph is off."""
    if "gat" not in model.blocks:
        return ()
    return (Batch.without_edges, lambda batch: batch.with_random_neighbours(seed))


def graph_worth(scored: ScoredDays, config: Config) -> GraphWorth | None:
    """Scores with the graph against those of `other_graphs`; None where these were not asked for."""
    if not scored.other_DNH:
        return None
    without, random = (_worth(scored, other_DNH, config) for other_DNH in scored.other_DNH)
    return GraphWorth(without_edges=without, random_neighbours=random, neighbours=scored.neighbours)


def blocks_worth(
    model: ATFTGATFAN, scored: ScoredDays, score: Callable[[], ScoredDays], config: Config
) -> dict[str, Worth]:
    """Worth of each block that is on, and of those in front of the graph together (`_WINDOW`).

    ``scored`` has the scores with all of them, ``score`` scores the same days with the blocks that are on
    when it is called. They are put back.
    """
    on = model.blocks
    parts: dict[str, frozenset[str]] = {
        block: frozenset({block}) for block in config.model.blocks if block in on
    }
    in_front = on - _GRAPH_BLOCKS
    if len(in_front) > 1:
        parts[_WINDOW] = in_front
    found: dict[str, Worth] = {}
    try:
        for name, off in parts.items():
            model.set_blocks(on - off)
            found[name] = _worth(scored, score().score_DNH, config)
    finally:
        model.set_blocks(on)
    return found


def _worth(
    scored: ScoredDays, without_DNH: tuple[NDArray[np.float32], ...], config: Config
) -> Worth:
    """At the horizon that the training is judged by."""
    horizon = config.training.score_horizon
    h = config.labels.horizons.index(horizon)
    scores, without, returns = (
        [day_NH[:, h] for day_NH in days_DNH]
        for days_DNH in (scored.score_DNH, without_DNH, scored.return_DNH)
    )
    return _worth_without(scores, without, returns, horizon=horizon)


def _variance_share(score_N: _Array, without_N: _Array) -> float:
    """Share of one day's score variance that the scores without the part do not hold, in 0..1.

    It is 1 - r^2, with r the Pearson correlation of the two over the stocks ``[N]`` that have both: what
    is left of the variance after the best linear fit on the scores without the part. A common shift or
    scale within a day takes nothing away, as it changes no rank. A correlation below zero counts as zero.
    Scores without the part that are all alike hold nothing: 1. NaN where the scores with it are.
    """
    known_N = np.isfinite(score_N) & np.isfinite(without_N)
    a_N, b_N = (values_N[known_N].astype(np.float64) for values_N in (score_N, without_N))
    if not a_N.size or not np.ptp(a_N):
        return float("nan")
    if not np.ptp(b_N):
        return 1.0
    a_N, b_N = a_N - a_N.mean(), b_N - b_N.mean()
    # Sums of products, not dot products: equal scores give equal bits, so exactly 0.
    common = (a_N * b_N).sum() / np.sqrt((a_N * a_N).sum() * (b_N * b_N).sum())
    return float(1.0 - np.clip(common, 0.0, 1.0) ** 2)


def _worth_without(
    scores: Sequence[_Array], without: Sequence[_Array], returns: Sequence[_Array], *, horizon: int
) -> Worth:
    """What goes with the part on D days of scores with it, scores without it and forward returns ``[N]``.

    ``horizon`` in sessions is the lag of the error. Days on which a figure is undefined are left out of it.
    """
    share_D = np.array([_variance_share(s, w) for s, w in zip(scores, without, strict=True)])
    lost_D = rank_ic_series(scores, returns) - rank_ic_series(without, returns)
    lost = mean_figure(lost_D, lag=horizon)
    return Worth(
        share=mean_figure(share_D, lag=horizon).value,
        rank_ic=lost.value,
        rank_ic_se=lost.se,
        n_dates=lost.n_dates,
    )
