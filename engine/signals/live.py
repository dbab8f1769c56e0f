"""How sealed scores turned out: their RankIC, day by day."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from engine.evaluation.rank_ic import rank_ic
from engine.features.feature_set import FeatureSet
from engine.portfolio.prediction import score_column
from engine.signals.seal import Sealed


def live_rank_ics(
    signals: Iterable[Sealed], features: FeatureSet, *, horizon: int, model: str = ""
) -> dict[str, float]:
    """Session -> Spearman correlation of its sealed scores and the returns that followed.

    Returns over ``horizon`` sessions from the entry at t+1, as in every label; sessions whose outcome the
    data do not have yet are left out, and so are too small ones. ``model``: of this model only.
    """
    place = {str(day): s for s, day in enumerate(features.dates_S)}
    axis = {symbol: n for n, symbol in enumerate(features.symbols)}
    column = features.horizons.index(horizon)
    found: dict[str, float] = {}
    for sealed in signals:
        session = place.get(sealed.session)
        if session is None or (model and sealed.manifest["key"]["model"] != model):
            continue
        if session + 1 + horizon >= features.dates_S.size:
            continue
        frame = pl.read_parquet(sealed.read("scores.parquet"))
        known = frame.filter(pl.col("symbol").is_in(list(axis)))
        rows = np.array([axis[s] for s in known["symbol"]], dtype=np.int64)
        value = rank_ic(
            known[score_column(horizon)].to_numpy(),
            features.forward_return_SNH[session][rows, column],
        )
        if np.isfinite(value):
            found[sealed.session] = value
    return found
