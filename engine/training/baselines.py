"""Simple models on the same days: what the network has to beat.

They see the last session's features (the same tensor) and learn the network's label, on the training days
of the split given; nothing of its validation or test decides anything about them. Ridge and LightGBM exist
for the horizons of `Config.baseline_horizons`; their scores of other horizons are NaN.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.dataset.batch import targets
from engine.dataset.split import Part, Split
from engine.features.feature_set import FeatureSet
from engine.runs.events import Noted
from engine.runs.sink import EventSink
from engine.training.fitted import FittedModel, FittedModels, Line, Matrix, Trees

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

_Scorer = Callable[[Matrix], NDArray[np.float64]]
"""Features ``(N, F)`` of one day -> scores ``(N, H)``."""


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
    keep: Path | None = None,
    done: Callable[[str], None] = lambda _: None,
    alive: Callable[[], None] = _idle,
) -> pl.DataFrame:
    """Scores of every baseline on the days of some parts of the split.

    ``features`` as they are taught, with ``neutral``. Of ridge and LightGBM there is one model for each of
    ``seeds`` seeds from `training.seed` on, and the score is their mean; ``done`` is told of each fit, and
    ``alive`` is called within long ones: an exception that it raises ends them. The models are kept in the
    directory ``keep`` if one is named.
    Columns ``name, date, symbol, fold, split, score_<h>`` (NaN: no score). A rule whose feature is not in
    the set is left out, with a note.
    """
    scorers: dict[str, _Scorer] = {}
    for name, (feature, sign) in RULES.items():
        if feature in features.features:
            scorers[name] = _rule(features, feature, sign)
        else:
            sink.emit(Noted(message=f"baseline {name} left out: no feature {feature}"))
    frames = [
        _scored(name, scorer, features, getattr(split, part), part, fold)
        for name, scorer in scorers.items()
        for part in parts
    ]
    fitted = score_fitted(
        features,
        split,
        config=config,
        fold=fold,
        seeds=seeds,
        parts=parts,
        keep=keep,
        done=done,
        alive=alive,
    )
    return pl.concat([*frames, fitted])


def score_fitted(
    features: FeatureSet,
    split: Split,
    *,
    config: Config,
    fold: int,
    seeds: int,
    parts: Sequence[Part],
    keep: Path | None,
    kinds: Collection[str] = ("ridge", "lightgbm"),
    suffix: str = "",
    done: Callable[[str], None],
    alive: Callable[[], None] = _idle,
) -> pl.DataFrame:
    """Scores of the models of `FITS` among ``kinds``, as `compute_baselines` gives.

    The models are kept in the directory ``keep`` as ``NAME-fold-N.npz``. ``suffix``: ending of the names.
    """
    fitted = _fitted(features, split.train, config, seeds, kinds, done, alive)
    if keep is not None:
        for kind, models in fitted.items():
            models.write(keep / fitted_name(kind + suffix, fold))
    scorers = {
        kind: partial(models.score, horizons=features.horizons) for kind, models in fitted.items()
    }
    return pl.concat(
        _scored(
            kind + suffix,
            scorer,
            features,
            getattr(split, part),
            part,
            fold,
        )
        for kind, scorer in scorers.items()
        for part in parts
    )


def fitted_name(name: str, fold: int) -> str:
    """Name of the file of a fold's fitted models."""
    return f"{name}-fold-{fold}.npz"


def count_fits(config: Config, seeds: int, kinds: Collection[str] = ("ridge", "lightgbm")) -> int:
    """How many models are fitted."""
    return len(kinds) * len(config.baseline_horizons) * seeds


def _rule(features: FeatureSet, feature: str, sign: float) -> _Scorer:
    """A feature with a sign."""
    f, H = features.features.index(feature), len(features.horizons)
    return lambda x_NF: np.repeat(sign * x_NF[:, f, None], H, axis=1).astype(np.float64)


def _fitted(
    features: FeatureSet,
    train: NDArray[np.int64],
    config: Config,
    seeds: int,
    kinds: Collection[str],
    done: Callable[[str], None],
    alive: Callable[[], None],
) -> dict[str, FittedModels]:
    """One model a horizon and seed of each kind."""
    models: dict[str, dict[int, list[FittedModel]]] = {kind: {} for kind in kinds}
    for seed in range(config.training.seed, config.training.seed + seeds):
        x_MF, target_MH, weight_M = _training_rows(features, train, seed)
        for horizon in config.baseline_horizons:
            h = features.horizons.index(horizon)
            known_M = np.isfinite(target_MH[:, h])
            weights = None if weight_M is None else weight_M[known_M]
            for kind in kinds:
                model = FITS[kind](x_MF[known_M], target_MH[known_M, h], weights, seed, alive)
                models[kind].setdefault(horizon, []).append(model)
                done(f"{kind} h={horizon} seed {seed}")
    return {kind: FittedModels(by_horizon) for kind, by_horizon in models.items()}


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
) -> Iterator[tuple[NDArray[np.int64], Matrix]]:
    """Members (positions on the symbol axis) and their features of each session."""
    for session in sessions:
        member_N = np.flatnonzero(features.member_SN[session])
        yield member_N, np.asarray(features.x_SNF[session][member_N], dtype=np.float32)


def _training_rows(
    features: FeatureSet, train: NDArray[np.int64], seed: int
) -> tuple[Matrix, Matrix, Matrix | None]:
    """Features ``[M, F]``, the network's targets ``[M, H]`` (NaN: unknown) and the weights ``[M]`` of their
    days (None: all alike), of the days of one seed.
    """
    stride = max(1, -(-int(features.member_SN[train].sum()) // _MAX_ROWS))
    sessions = train[seed % stride :: stride]
    neutral = [features.features.index(name) for name in features.neutral]
    x_parts, target_parts = [], []
    for session, (member_N, x_NF) in zip(sessions, _days(features, sessions), strict=True):
        return_NH = features.forward_return_SNH[session, member_N].astype(np.float64)
        x_parts.append(x_NF)
        target_parts.append(targets(return_NH, x_NF[:, neutral].astype(np.float64)))
    weight_M = None
    if features.weight_S is not None:
        weight_M = np.repeat(features.weight_S[sessions], [len(x_NF) for x_NF in x_parts])
    return np.concatenate(x_parts), np.concatenate(target_parts), weight_M


def _fit_ridge(
    x_MF: Matrix,
    y_M: Matrix,
    weight_M: Matrix | None,
    seed: int,
    alive: Callable[[], None] = _idle,
) -> FittedModel:
    """A line, solved at once; nothing of it is drawn."""
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=_RIDGE_PENALTY * y_M.size).fit(x_MF, y_M, sample_weight=weight_M)
    return Line(np.asarray(model.coef_, dtype=np.float64), float(model.intercept_))


def _fit_lightgbm(
    x_MF: Matrix,
    y_M: Matrix,
    weight_M: Matrix | None,
    seed: int,
    alive: Callable[[], None] = _idle,
) -> FittedModel:
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
    rows = lightgbm.Dataset(x_MF, y_M, weight=weight_M)
    each_round = [lambda _round: alive()]
    return Trees(lightgbm.train(parameters, rows, _LIGHTGBM_ROUNDS, callbacks=each_round))


FITS: dict[str, Callable[[Matrix, Matrix, Matrix | None, int, Callable[[], None]], FittedModel]] = {
    "ridge": _fit_ridge,
    "lightgbm": _fit_lightgbm,
}
"""Baseline -> fit of features ``[M, F]`` to targets ``[M]`` with weights ``[M]`` (None: equal), a seed, and
what to call in between."""
