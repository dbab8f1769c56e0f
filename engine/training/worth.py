"""What graph and blocks are worth on validation days: the network as it is, scored without them.

Neither gradient nor gate tells it: the one says that a block can still learn, the other in which shares
two streams are mixed, whatever these hold.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.dataset.batch import Batch
from engine.evaluation.worth import worth
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.records.worth import GraphWorth, Worth
from engine.training.scoring import OtherGraph, ScoredDays

WINDOW = "window"
"""Name of all blocks in front of the graph together: one may stand in for another that is off."""
_GRAPH_BLOCKS = frozenset({"gat", "bypass"})


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
    """Worth of each block that is on, and of those in front of the graph together (`WINDOW`).

    ``scored`` has the scores with all of them, ``score`` scores the same days with the blocks that are on
    when it is called. They are put back.
    """
    on = model.blocks
    parts: dict[str, frozenset[str]] = {
        block: frozenset({block}) for block in config.model.blocks if block in on
    }
    in_front = on - _GRAPH_BLOCKS
    if len(in_front) > 1:
        parts[WINDOW] = in_front
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
    return worth(scores, without, returns, horizon=horizon)
