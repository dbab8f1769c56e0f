"""Score tables (the network's and the simple models') against the returns that followed, on the same days."""

# Shape suffixes: D scored sessions, N stocks of the feature set's axis, M rows of a frame, S all sessions.
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import BacktestConfig, Config
from engine.evaluation.factor import by_year
from engine.evaluation.inference import Series, mean_figure, paired_interval
from engine.evaluation.rank_ic import MIN_NAMES, rank_ic_series, summarise
from engine.evaluation.ranks import rank_correlation_rows
from engine.features.feature_set import FeatureSet
from engine.records.rank_ic import PairedDifference, RankICSummary
from engine.records.train import Anatomy, Rival, RivalHorizon

_DEFAULTS = BacktestConfig()
_Days = tuple[list[NDArray[np.float64]], list[NDArray[np.float32]]]
_LAGS = (0, 1, 2, 5, 10, 20)
"""Sessions that a score has aged when its return begins; 0 = what is traded."""


def scored_days(frame: pl.DataFrame, features: FeatureSet, horizon: int) -> tuple[list[int], _Days]:
    """Sessions in order of time, and for each the scores ``[N]`` and forward returns ``[N]`` (fractions).

    ``frame`` has ``date, symbol, score_<horizon>``, rows of one split. A missing score and an unknown
    return are NaN.
    """
    session_M, symbol_M, score_M = _rows(frame.sort("date", "symbol"), features, horizon)
    h = features.horizons.index(horizon)
    return_M = np.asarray(features.forward_return_SNH[session_M, symbol_M, h], dtype=np.float32)
    sessions, first = np.unique(session_M, return_index=True)
    return sessions.tolist(), (np.split(score_M, first[1:]), np.split(return_M, first[1:]))


def _rows(
    frame: pl.DataFrame, features: FeatureSet, horizon: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Session, place on the symbol axis and score of each row."""
    place = {symbol: i for i, symbol in enumerate(features.symbols)}
    symbol_M = frame["symbol"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    dates_M = frame["date"].to_numpy().astype("datetime64[D]")
    score_M = frame[f"score_{horizon}"].fill_null(float("nan")).to_numpy().astype(np.float64)
    return np.searchsorted(features.dates_S, dates_M), symbol_M, score_M


def evaluate(
    frame: pl.DataFrame,
    features: FeatureSet,
    *,
    null_draws: int,
    seed: int,
    horizons: Sequence[int] | None = None,
) -> dict[str, dict[str, RankICSummary]]:
    """Split -> horizon -> figures; all horizons of the feature set unless some are named."""
    return {
        str(split): {
            str(horizon): summarise(
                *scored_days(rows, features, horizon)[1],
                horizon=horizon,
                null_draws=null_draws,
                seed=seed,
            )
            for horizon in horizons or features.horizons
        }
        for (split,), rows in frame.group_by("split", maintain_order=True)
    }


def daily_rank_ics(
    frame: pl.DataFrame, features: FeatureSet, horizon: int
) -> tuple[list[int], Series]:
    """Sessions in order of time, and the RankIC ``[D]`` of the frame's scores on each; NaN = undefined."""
    sessions, days = scored_days(frame, features, horizon)
    return sessions, rank_ic_series(*days)


def paired_rank_ic(
    ours: pl.DataFrame,
    other: pl.DataFrame,
    features: FeatureSet,
    *,
    horizon: int,
    bootstrap: BacktestConfig = _DEFAULTS,
    seed: int = 0,
) -> PairedDifference:
    """Mean difference of the daily RankIC (ours - other) over their common days, in [-2, 2].

    The mean block of its bootstrap is twice the horizon, at least 5, sessions.
    """
    mine, theirs = (
        dict(zip(*daily_rank_ics(frame, features, horizon), strict=True)) for frame in (ours, other)
    )
    common = sorted(mine.keys() & theirs.keys())
    return paired_interval(
        *(np.array([series[s] for s in common], dtype=np.float64) for series in (mine, theirs)),
        lag=horizon,
        draws=bootstrap.bootstrap_draws,
        confidence=bootstrap.confidence,
        seed=seed,
        mean_block=max(5.0, 2.0 * horizon),
    )


def against_baselines(
    ours: pl.DataFrame, baselines: pl.DataFrame, features: FeatureSet, config: Config
) -> dict[str, Rival]:
    """Each simple model's test figures, and ours less its, at every horizon that both have scores for."""
    if baselines.is_empty():
        return {}
    training, mine = config.training, ours.filter(pl.col("split") == "test")
    table = {}
    test = baselines.filter(pl.col("split") == "test")
    for (name,), rows in test.group_by("name", maintain_order=True):
        found = {
            str(horizon): _rival(mine, rows, features, config, horizon)
            for horizon in features.horizons
            if f"score_{horizon}" in mine.columns and rows[f"score_{horizon}"].is_finite().any()
        }
        traded = found[str(training.score_horizon)]
        table[str(name)] = Rival(
            test=traded.test, test_difference=traded.test_difference, horizons=found
        )
    return table


def _rival(
    mine: pl.DataFrame, rows: pl.DataFrame, features: FeatureSet, config: Config, horizon: int
) -> RivalHorizon:
    draws, seed = config.training.null_draws, config.training.seed
    theirs = evaluate(rows, features, null_draws=draws, seed=seed, horizons=[horizon])
    gap = paired_rank_ic(
        mine, rows, features, horizon=horizon, bootstrap=config.backtest, seed=seed
    )
    return RivalHorizon(test=theirs["test"][str(horizon)], test_difference=gap)


def anatomy(frame: pl.DataFrame, features: FeatureSet, horizon: int) -> Anatomy:
    """How long ``score_<horizon>`` lasts, how it ages and when it was right, on the days of one split."""
    session_M, symbol_M, score_M = _rows(frame, features, horizon)
    session_D, day_M = np.unique(session_M, return_inverse=True)
    score_DN = np.full((session_D.size, len(features.symbols)), np.nan)
    score_DN[day_M, symbol_M] = score_M

    def daily(horizon: int, lag: int) -> Series:
        """RankIC with the return that begins ``lag`` sessions after the traded one."""
        later_D = session_D + lag
        inside_D = later_D < len(features.dates_S)
        h = features.horizons.index(horizon)
        return_DN = features.forward_return_SNH[later_D[inside_D], :, h].astype(np.float64)
        return rank_correlation_rows(score_DN[inside_D], return_DN, MIN_NAMES)

    lags = {lag: mean_figure(daily(horizon, lag), lag=horizon) for lag in _LAGS}
    return Anatomy(
        horizon=horizon,
        decay={str(h): mean_figure(daily(h, 0), lag=h) for h in features.horizons},
        lags={str(lag): mean for lag, mean in lags.items()},
        skip_ratio=lags[1].ratio_to(lags[0]),
        years=by_year(daily(horizon, 0), features.dates_S[session_D], horizon=horizon),
    )
