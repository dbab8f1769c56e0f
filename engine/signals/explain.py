"""Why a stock has its rank: variables, neighbours, and the ranks it had before."""

# Shape suffixes: R explained stocks, F features, E edges, M stocks.
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.signals.window import DayWindow

_TOP = 8
"""Variables named of each explained stock."""
SCHEMA = {
    "symbol": pl.String,
    "kind": pl.String,
    "name": pl.String,
    "value": pl.Float64,
    "rank_without": pl.Int64,
}
"""One row a fact, ``kind`` and what ``name`` and ``value`` are then:
variable: feature; its contribution to the score (gradient x input over the window, own inputs).
neighbour: stock listened to; its attention weight (mean of heads and networks; null if not reported), and
the rank without that neighbour. past: session; rank then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why the explained stocks of a session have their scores."""

    contribution_RF: NDArray[np.float64]
    """Of each feature to the standardised score: sum over the window of gradient x input."""
    attention_E: NDArray[np.float64]
    """Weight of each edge among what its target hears; NaN = the network does not tell."""
    edge_X: NDArray[np.int64]
    """Edges that were left out one at a time: all those into explained stocks."""
    score_X: NDArray[np.float64]
    """Score of the edge's target without it."""


def explain_frame(
    window: DayWindow,
    told: Explained,
    rows_R: NDArray[np.int64],
    score_M: NDArray[np.float32],
    features: Sequence[str],
    past: Sequence[tuple[str, Mapping[str, Any]]],
) -> pl.DataFrame:
    """Rows of `SCHEMA`: every stock's neighbours and past ranks, the explained stocks' variables."""
    ordered = np.sort(-score_M.astype(np.float64))
    rank_X = np.searchsorted(ordered, -told.score_X, side="left") + 1
    source_E, target_E = window.edge_index_2E
    own_X = score_M[target_E[told.edge_X]].astype(np.float64)
    # The stock's own score is among those it is ranked with: without a neighbour it may be passed by itself.
    rank_X -= (told.score_X < own_X).astype(np.int64)
    without = dict(zip(told.edge_X.tolist(), rank_X.tolist(), strict=True))
    rows: list[tuple[str, str, str, float | None, int | None]] = []
    for r, m in enumerate(rows_R.tolist()):
        contribution_F = told.contribution_RF[r]
        for f in np.argsort(-np.abs(contribution_F), kind="stable")[:_TOP].tolist():
            value = float(contribution_F[f])
            rows.append((window.symbols[m], "variable", features[f], value, None))
    for e, (source, target) in enumerate(zip(source_E.tolist(), target_E.tolist(), strict=True)):
        weight = _known(told.attention_E[e])
        pair = window.symbols[target], window.symbols[source]
        rows.append((pair[0], "neighbour", pair[1], weight, without.get(e)))
    for symbol in window.symbols:
        for date, then in past:
            if symbol in then:
                rows.append((symbol, "past", date, float(then[symbol]), None))
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return frame.sort("symbol", maintain_order=True)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
