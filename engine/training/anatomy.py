"""What a score is made of: how long it lasts, how it ages, and in which years it was right."""

# Shape suffixes: D scored sessions, N stocks of the feature set's axis, M rows.
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.evaluation.factor import Mean, by_year, ratio
from engine.evaluation.rank_ic import MIN_NAMES
from engine.evaluation.ranks import rank_correlation_rows
from engine.features.feature_set import FeatureSet

_LAGS = (0, 1, 2, 5, 10, 20)
"""Sessions that a score has aged when its return begins; 0 = what is traded."""


def anatomy(frame: pl.DataFrame, features: FeatureSet, horizon: int) -> dict[str, Any]:
    """Figures of ``score_<horizon>`` on the days of ``frame``, which are of one split.

    ``decay``: RankIC against the returns of every horizon. ``lags``: against returns that begin later.
    ``skip_ratio``: one session later over the traded entry; far below 1 means that it lives off its
    first session (bid-ask bounce). ``years``: each calendar year.
    """
    session_D, score_DN = _score_table(frame, features, horizon)
    lags = {
        lag: Mean.of(_daily(session_D, score_DN, features, horizon, lag), lag=horizon)
        for lag in _LAGS
    }
    decay = {
        h: Mean.of(_daily(session_D, score_DN, features, h, 0), lag=h) for h in features.horizons
    }
    traded_D = _daily(session_D, score_DN, features, horizon, 0)
    return {
        "horizon": horizon,
        "decay": {str(h): asdict(mean) for h, mean in decay.items()},
        "lags": {str(lag): asdict(mean) for lag, mean in lags.items()},
        "skip_ratio": ratio(lags[1], lags[0]),
        "years": by_year(traded_D, features.dates_S[session_D], horizon=horizon),
    }


def _score_table(
    frame: pl.DataFrame, features: FeatureSet, horizon: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sessions, and scores ``(D, N)`` with NaN where a stock has none."""
    place = {symbol: i for i, symbol in enumerate(features.symbols)}
    symbol_M = frame["symbol"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    dates_M = frame["date"].to_numpy().astype("datetime64[D]")
    session_D, day_M = np.unique(np.searchsorted(features.dates_S, dates_M), return_inverse=True)
    score_DN = np.full((session_D.size, len(features.symbols)), np.nan)
    score_DN[day_M, symbol_M] = frame[f"score_{horizon}"].fill_null(float("nan")).to_numpy()
    return session_D, score_DN


def _daily(
    session_D: NDArray[np.int64],
    score_DN: NDArray[np.float64],
    features: FeatureSet,
    horizon: int,
    lag: int,
) -> NDArray[np.float64]:
    """RankIC of each session's scores with the return that begins ``lag`` sessions after the traded one."""
    later_D = session_D + lag
    inside_D = later_D < len(features.dates_S)
    h = features.horizons.index(horizon)
    return_DN = features.forward_return_SNH[later_D[inside_D], :, h].astype(np.float64)
    return rank_correlation_rows(score_DN[inside_D], return_DN, MIN_NAMES)
