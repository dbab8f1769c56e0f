"""Score tables (the network's and the baselines') against the returns that followed, on the same days."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import BacktestConfig, Config
from engine.evaluation.inference import compare_paired
from engine.evaluation.rank_ic import RankICSummary, rank_ic_series, summarise
from engine.features.feature_set import FeatureSet

_DEFAULTS = BacktestConfig()
_Days = tuple[list[NDArray[np.float64]], list[NDArray[np.float32]]]


def scored_days(frame: pl.DataFrame, features: FeatureSet, horizon: int) -> tuple[list[int], _Days]:
    """Sessions, and per session the scores of ``score_<horizon>`` and the forward returns.

    ``frame`` has ``date, symbol, score_<h>``; rows of one split. Sessions come in order of time.
    """
    frame = frame.sort("date", "symbol")
    position = {symbol: i for i, symbol in enumerate(features.symbols)}
    symbol_M = frame["symbol"].replace_strict(position, return_dtype=pl.Int64).to_numpy()
    dates_M = frame["date"].to_numpy().astype("datetime64[D]")
    session_M = np.searchsorted(features.dates_S, dates_M)
    score_M = frame[f"score_{horizon}"].fill_null(float("nan")).to_numpy().astype(np.float64)
    h = features.horizons.index(horizon)
    return_M = np.asarray(features.forward_return_SNH[session_M, symbol_M, h], dtype=np.float32)
    sessions, first = np.unique(session_M, return_index=True)
    return sessions.tolist(), (np.split(score_M, first[1:]), np.split(return_M, first[1:]))


def evaluate(
    frame: pl.DataFrame,
    features: FeatureSet,
    *,
    null_draws: int,
    seed: int,
    horizons: Sequence[int] | None = None,
) -> dict[str, dict[int, RankICSummary]]:
    """Split -> horizon -> figures; of all horizons of the feature set unless some are named."""
    out: dict[str, dict[int, RankICSummary]] = {}
    for (split,), rows in frame.group_by("split", maintain_order=True):
        out[str(split)] = {
            horizon: summarise(
                *scored_days(rows, features, horizon)[1],
                horizon=horizon,
                null_draws=null_draws,
                seed=seed,
            )
            for horizon in horizons or features.horizons
        }
    return out


def paired_rank_ic(
    ours: pl.DataFrame,
    other: pl.DataFrame,
    features: FeatureSet,
    *,
    horizon: int,
    bootstrap: BacktestConfig = _DEFAULTS,
    seed: int = 0,
) -> dict[str, float]:
    """Mean difference of the daily RankIC (ours - other) over their common days.

    With its Newey-West error and the interval of a stationary block bootstrap: `Difference`.
    """
    a, days_a = scored_days(ours, features, horizon)
    b, days_b = scored_days(other, features, horizon)
    series_a = dict(zip(a, rank_ic_series(*days_a), strict=True))
    series_b = dict(zip(b, rank_ic_series(*days_b), strict=True))
    common = sorted(series_a.keys() & series_b.keys())
    mine_D, theirs_D = (np.array([series[s] for s in common]) for series in (series_a, series_b))
    found = compare_paired(
        mine_D,
        theirs_D,
        lag=horizon,
        draws=bootstrap.bootstrap_draws,
        confidence=bootstrap.confidence,
        seed=seed,
    )
    return asdict(found)


def against_baselines(
    ours: pl.DataFrame, baselines: pl.DataFrame, features: FeatureSet, config: Config
) -> dict[str, dict[str, Any]]:
    """Each baseline's test figures, and ours minus its, at every horizon that both have scores for.

    ``name -> {"test", "test_difference", "horizons": {h: {"test", "test_difference"}}}``, the first two
    at the score horizon.
    """
    training = config.training
    mine = ours.filter(pl.col("split") == "test")
    table: dict[str, dict[str, Any]] = {}
    if baselines.is_empty():
        return table
    test = baselines.filter(pl.col("split") == "test")
    for (name,), rows in test.group_by("name", maintain_order=True):
        found: dict[str, Any] = {}
        for horizon in features.horizons:
            column = f"score_{horizon}"
            if column not in mine.columns or not rows[column].is_finite().any():
                continue
            theirs = evaluate(
                rows,
                features,
                null_draws=training.null_draws,
                seed=training.seed,
                horizons=[horizon],
            )
            gap = paired_rank_ic(
                mine,
                rows,
                features,
                horizon=horizon,
                bootstrap=config.backtest,
                seed=training.seed,
            )
            figures = asdict(theirs["test"][horizon])
            found[str(horizon)] = {"test": figures, "test_difference": gap}
        table[str(name)] = {**found[str(training.score_horizon)], "horizons": found}
    return table


def by_horizon(summaries: Mapping[int, RankICSummary]) -> dict[str, dict[str, Any]]:
    return {str(horizon): asdict(summary) for horizon, summary in summaries.items()}
