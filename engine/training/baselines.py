"""Simple models on the same days: what the network has to beat.

They see the last session's features (the same tensor) and learn the network's label, on training days
only; nothing of validation or test decides anything about them. Ridge and LightGBM exist for the horizons
of `Config.baseline_horizons`; their scores of other horizons are NaN.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.dataset.batch import targets
from engine.dataset.split import Part, Split
from engine.features.feature_set import FeatureSet
from engine.runs.events import Noted
from engine.runs.sink import EventSink

RULES: dict[str, tuple[str, float]] = {
    "reversal_1": ("return_1", -1.0),
    "reversal_5": ("return_5", -1.0),
    "momentum_12_1": ("momentum_12_1", 1.0),
}
"""Baseline -> feature and sign; the same score for every horizon."""
_MAX_ROWS = 400_000
"""Training rows of a fit; of more, every so-many-th day is taken, and another seed takes other days."""
_RIDGE_PENALTY = 1e-3
"""Times the number of rows."""
_LIGHTGBM_ROUNDS = 300

_Matrix = NDArray[np.float32]
_Scorer = Callable[[_Matrix], NDArray[np.float64]]
"""Features ``(N, F)`` of one day -> scores ``(N, H)``, or ``(N,)`` of one horizon."""


def _idle() -> None:
    """Nobody asks in between."""


def compute_baselines(
    features: FeatureSet,
    split: Split,
    *,
    config: Config,
    fold: int = 0,
    seeds: int = 1,
    parts: Sequence[Part] = ("validation", "test"),
    sink: EventSink,
    done: Callable[[str], None] = lambda _: None,
    alive: Callable[[], None] = _idle,
) -> pl.DataFrame:
    """Scores of every baseline on the days of some parts of the split.

    ``features`` as they are taught, with ``neutral``. Of ridge and LightGBM there is one model for each of
    ``seeds`` seeds from `training.seed` on, and the score is their mean; ``done`` is told of each fit, and
    ``alive`` is called within long ones: an exception that it raises ends them.
    Columns ``name, date, symbol, fold, split, score_<h>`` (NaN: no score). A rule whose feature is not in
    the set is left out, with a note.
    """
    scorers: dict[str, _Scorer] = {}
    for name, (feature, sign) in RULES.items():
        if feature in features.features:
            scorers[name] = _rule(features, feature, sign)
        else:
            sink.emit(Noted(message=f"baseline {name} left out: no feature {feature}"))
    scorers |= _fitted(features, split.train, config, seeds, done, alive)
    return pl.concat(
        _scored(name, scorer, features, getattr(split, part), part, fold)
        for name, scorer in scorers.items()
        for part in parts
    )


def count_fits(config: Config, seeds: int) -> int:
    """How many models `compute_baselines` fits."""
    return len(FITS) * len(config.baseline_horizons) * seeds


def _rule(features: FeatureSet, feature: str, sign: float) -> _Scorer:
    """A feature with a sign."""
    f, H = features.features.index(feature), len(features.horizons)
    return lambda x_NF: np.repeat(sign * x_NF[:, f, None], H, axis=1).astype(np.float64)


def _fitted(
    features: FeatureSet,
    train: NDArray[np.int64],
    config: Config,
    seeds: int,
    done: Callable[[str], None],
    alive: Callable[[], None],
) -> dict[str, _Scorer]:
    """One model a horizon and seed of each kind; the mean over seeds is the score, NaN at other horizons."""
    models: dict[str, dict[int, list[_Scorer]]] = {name: {} for name in FITS}
    for seed in range(config.training.seed, config.training.seed + seeds):
        x_MF, target_MH = _training_rows(features, train, seed)
        for horizon in config.baseline_horizons:
            h = features.horizons.index(horizon)
            known_M = np.isfinite(target_MH[:, h])
            for name, fit in FITS.items():
                model = fit(x_MF[known_M], target_MH[known_M, h], seed, alive)
                models[name].setdefault(h, []).append(model)
                done(f"{name} h={horizon} seed {seed}")

    def mean_of(by_horizon: dict[int, list[_Scorer]]) -> _Scorer:
        def score(x_NF: _Matrix) -> NDArray[np.float64]:
            score_NH = np.full((len(x_NF), len(features.horizons)), np.nan)
            for h, found in by_horizon.items():
                score_NH[:, h] = np.mean([model(x_NF) for model in found], axis=0)
            return score_NH

        return score

    return {name: mean_of(by_horizon) for name, by_horizon in models.items()}


def _scored(
    name: str,
    scorer: _Scorer,
    features: FeatureSet,
    sessions: NDArray[np.int64],
    part: Part,
    fold: int,
) -> pl.DataFrame:
    days = list(_days(features, sessions))
    score_MH = np.concatenate([scorer(x_NF) for _, x_NF in days])
    member_M = np.concatenate([member_N for member_N, _ in days])
    dates_M = np.repeat(features.dates_S[sessions], [member_N.size for member_N, _ in days])
    return pl.DataFrame(
        {"date": dates_M, "symbol": pl.Series("symbol", features.symbols).gather(member_M)}
    ).select(
        pl.lit(name).alias("name"),
        pl.col("date").cast(pl.Date),
        "symbol",
        pl.lit(fold, pl.Int16).alias("fold"),
        pl.lit(part).alias("split"),
        *(
            pl.Series(f"score_{horizon}", score_MH[:, h].astype(np.float32))
            for h, horizon in enumerate(features.horizons)
        ),
    )


def _days(
    features: FeatureSet, sessions: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], _Matrix]]:
    """Members (positions on the symbol axis) and their features of each session."""
    for session in sessions:
        member_N = np.flatnonzero(features.member_SN[session])
        yield member_N, np.asarray(features.x_SNF[session][member_N], dtype=np.float32)


def _training_rows(
    features: FeatureSet, train: NDArray[np.int64], seed: int
) -> tuple[_Matrix, _Matrix]:
    """Features ``[M, F]`` and the network's targets ``[M, H]`` (NaN: unknown) of the days of one seed."""
    stride = max(1, -(-int(features.member_SN[train].sum()) // _MAX_ROWS))
    sessions = train[seed % stride :: stride]
    neutral = [features.features.index(name) for name in features.neutral]
    x_parts, target_parts = [], []
    for session, (member_N, x_NF) in zip(sessions, _days(features, sessions), strict=True):
        return_NH = features.forward_return_SNH[session, member_N].astype(np.float64)
        x_parts.append(x_NF)
        target_parts.append(targets(return_NH, x_NF[:, neutral].astype(np.float64)))
    return np.concatenate(x_parts), np.concatenate(target_parts)


def _fit_ridge(
    x_MF: _Matrix, y_M: _Matrix, seed: int, alive: Callable[[], None] = _idle
) -> _Scorer:
    """A line, solved at once; nothing of it is drawn."""
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=_RIDGE_PENALTY * y_M.size).fit(x_MF, y_M)
    return lambda x_NF: np.asarray(model.predict(x_NF), dtype=np.float64)


def _fit_lightgbm(
    x_MF: _Matrix, y_M: _Matrix, seed: int, alive: Callable[[], None] = _idle
) -> _Scorer:
    """Gradient-boosted trees (Ke et al., NeurIPS 2017), set for weak signals: slow and heavily bagged."""
    import lightgbm

    parameters = {
        "objective": "regression",
        "learning_rate": 0.03,
        "num_leaves": 31,
        "min_data_in_leaf": max(50, y_M.size // 1000),
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2,
        "verbosity": -1,
    }
    booster = lightgbm.train(
        parameters,
        lightgbm.Dataset(x_MF, y_M),
        _LIGHTGBM_ROUNDS,
        callbacks=[lambda _round: alive()],
    )
    return lambda x_NF: np.asarray(booster.predict(x_NF), dtype=np.float64)


FITS: dict[str, Callable[[_Matrix, _Matrix, int, Callable[[], None]], _Scorer]] = {
    "ridge": _fit_ridge,
    "lightgbm": _fit_lightgbm,
}
"""Baseline -> fit of features ``[M, F]`` and targets ``[M]`` with a seed, and what to call in between."""
