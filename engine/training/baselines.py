"""Simple models on the same days: what the network has to beat.

They see the last session's features (the same tensor), are fitted on training days only, and nothing of
validation or test decides anything about them. Ridge and LightGBM exist for the horizons of
`Config.baseline_horizons`, their scores of other horizons are NaN; the perceptron serves all of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.dataset.split import Split
from engine.features.feature_set import FeatureSet
from engine.features.normalise import gauss_rank
from engine.runs.events import Advanced, Noted
from engine.runs.sink import EventSink
from engine.training.mlp import SEEDS, Scorer, fit_mlp

RULES: dict[str, tuple[str, float]] = {
    "reversal_1": ("return_1", -1.0),
    "reversal_5": ("return_5", -1.0),
    "momentum_12_1": ("momentum_12_1", 1.0),
}
"""Baseline -> feature and sign; the same score for every horizon."""
_MAX_ROWS = 400_000
"""Training rows of the fitted baselines; more days are thinned evenly."""
_RIDGE_PENALTY = 1e-3
"""Times the number of rows."""
_LIGHTGBM_ROUNDS = 300

_Matrix = NDArray[np.float32]
_Fit = Callable[[_Matrix, _Matrix], Callable[[_Matrix], NDArray[np.float64]]]


def compute_baselines(
    features: FeatureSet, split: Split, *, config: Config, fold: int = 0, sink: EventSink
) -> pl.DataFrame:
    """Scores of every baseline on validation and test days.

    Columns ``name, date, symbol, fold, split, score_<h>`` (NaN: no score). A rule whose feature is
    not in the set is left out, with a note.
    """
    parts = [part for name in RULES for part in _rule(name, features, split, fold, sink)]
    wanted = [features.horizons.index(horizon) for horizon in config.baseline_horizons]
    seed = config.training.seed
    fitted: dict[str, _Fit] = {"ridge": _fit_ridge, "lightgbm": _lightgbm(seed)}
    total = len(fitted) * len(wanted) + SEEDS
    progress = _Progress(sink, total)
    for name, fit in fitted.items():
        scorer = _per_horizon(name, fit, features, split.train, wanted, progress)
        parts += _scored(name, scorer, features, split, fold)
    mlp = fit_mlp(features, split.train, seed=seed, done=lambda n: progress(f"mlp seed {n}"))
    parts += _scored("mlp", mlp, features, split, fold)
    return pl.concat(parts)


@dataclass(slots=True)
class _Progress:
    """Counts fits, and tells the sink of each."""

    sink: EventSink
    total: int
    done: int = 0

    def __call__(self, note: str) -> None:
        self.done += 1
        self.sink.emit(Advanced(stage="baselines", done=self.done, total=self.total, note=note))


def _per_horizon(
    name: str,
    fit: _Fit,
    features: FeatureSet,
    train: NDArray[np.int64],
    wanted: list[int],
    progress: _Progress,
) -> Scorer:
    """One model per wanted horizon; the other columns of its scores are NaN."""
    models: dict[int, Callable[[_Matrix], NDArray[np.float64]]] = {}
    for h in wanted:
        models[h] = fit(*_training_rows(features, train, h))
        progress(f"{name} h={features.horizons[h]}")

    def score(x_NF: _Matrix) -> NDArray[np.float64]:
        score_NH = np.full((len(x_NF), len(features.horizons)), np.nan)
        for h, predict in models.items():
            score_NH[:, h] = predict(x_NF)
        return score_NH

    return score


def _scored(
    name: str, scorer: Scorer, features: FeatureSet, split: Split, fold: int
) -> list[pl.DataFrame]:
    frames = []
    for part, sessions in (("validation", split.validation), ("test", split.test)):
        score_MH = np.concatenate([scorer(x_NF) for _, x_NF in _days(features, sessions)])
        frames.append(_frame(name, features, sessions, part, fold, score_MH))
    return frames


def _rule(
    name: str, features: FeatureSet, split: Split, fold: int, sink: EventSink
) -> list[pl.DataFrame]:
    """Scores of a feature with a sign; none, with a note, where the feature is not in the set."""
    feature, sign = RULES[name]
    if feature not in features.features:
        sink.emit(Noted(message=f"baseline {name} left out: no feature {feature}"))
        return []
    f, H = features.features.index(feature), len(features.horizons)

    def score(x_NF: _Matrix) -> NDArray[np.float64]:
        return np.repeat(sign * x_NF[:, f, None], H, axis=1).astype(np.float64)

    return _scored(name, score, features, split, fold)


def _days(
    features: FeatureSet, sessions: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], _Matrix]]:
    """Members (positions on the symbol axis) and their features of each session."""
    for session in sessions:
        member_N = np.flatnonzero(features.member_SN[session])
        yield member_N, np.asarray(features.x_SNF[session][member_N], dtype=np.float32)


def _training_rows(
    features: FeatureSet, train: NDArray[np.int64], h: int
) -> tuple[_Matrix, _Matrix]:
    """Features and normal scores of the label within the day; rows without a label are left out."""
    per_day = features.member_SN[train].sum() / train.size
    stride = max(1, int(np.ceil(train.size * per_day / _MAX_ROWS)))
    days = train[::stride]
    x_parts, y_parts = [], []
    for session, (member_N, x_NF) in zip(days, _days(features, days), strict=True):
        y_N = gauss_rank(features.forward_return_SNH[session, member_N, h].astype(np.float64))
        known_N = np.isfinite(y_N)
        x_parts.append(x_NF[known_N])
        y_parts.append(y_N[known_N].astype(np.float32))
    return np.concatenate(x_parts), np.concatenate(y_parts)


def _frame(
    name: str,
    features: FeatureSet,
    sessions: NDArray[np.int64],
    part: str,
    fold: int,
    score_MH: NDArray[np.floating],
) -> pl.DataFrame:
    member = [np.flatnonzero(features.member_SN[session]) for session in sessions]
    date_M = np.repeat(features.dates_S[sessions], [m.size for m in member])
    symbols = pl.Series("symbol", features.symbols)
    return pl.DataFrame({"date": date_M, "symbol": symbols.gather(np.concatenate(member))}).select(
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


def _fit_ridge(x_MF: _Matrix, y_M: _Matrix) -> Callable[[_Matrix], NDArray[np.float64]]:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=_RIDGE_PENALTY * y_M.size).fit(x_MF, y_M)
    return lambda x_NF: np.asarray(model.predict(x_NF), dtype=np.float64)


def _lightgbm(seed: int) -> _Fit:
    """Gradient-boosted trees (Ke et al., NeurIPS 2017), set for weak signals: slow and heavily bagged."""

    def fit(x_MF: _Matrix, y_M: _Matrix) -> Callable[[_Matrix], NDArray[np.float64]]:
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
        booster = lightgbm.train(parameters, lightgbm.Dataset(x_MF, y_M), _LIGHTGBM_ROUNDS)
        return lambda x_NF: np.asarray(booster.predict(x_NF), dtype=np.float64)

    return fit
