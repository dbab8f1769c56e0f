"""Simple models on the same days: what the network has to beat.

They see the last session's features (the same tensor) and learn the network's label, on the training days
of the split given; nothing of its validation or test decides anything about them. Ridge and LightGBM exist
for the horizons of `Config.baseline_horizons`; their scores of other horizons are NaN.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.dataset.batch import targets
from engine.dataset.split import Part, Split
from engine.features.feature_set import FeatureSet
from engine.model_kit import Day, Days, Matrix, Model, idle
from engine.records.names import model_name
from engine.runs.events import Noted
from engine.runs.sink import EventSink
from engine.training.fitted import FittedModels
from engine.training.own_models import FITS, makers

RULES: dict[str, tuple[str, float]] = {
    "reversal_1": ("return_1", -1.0),
    "reversal_5": ("return_5", -1.0),
    "momentum_12_1": ("momentum_12_1", 1.0),
}
"""Baseline -> feature and sign; the same score for every horizon."""
_MAX_ROWS = 400_000
"""Training rows of a fit; of more, every so-many-th day is taken, and another seed takes other days."""

_Scorer = Callable[[Day], NDArray[np.float64]]
"""One day -> scores ``(N, H)``."""


def compute_baselines(
    features: FeatureSet,
    split: Split,
    *,
    config: Config,
    fold: int = 0,
    seeds: int = 1,
    parts: Sequence[Part] = ("validation", "test"),
    sink: EventSink,
    workspace: Path | None = None,
    keep: Path | None = None,
    only: Collection[str] | None = None,
    suffix: str = "",
    done: Callable[[str], None] = lambda _: None,
    alive: Callable[[], None] = idle,
) -> pl.DataFrame:
    """Scores of every baseline on the days of some parts of the split.

    ``features`` as they are taught, with ``neutral``. Of a fitted kind there is one model for each of
    ``seeds`` seeds from `training.seed` on, and the score is their mean; ``done`` is told of each fit, and
    ``alive`` is called within long ones: an exception that it raises ends them. The models are kept in the
    directory ``keep`` if one is named. ``workspace``: of the models of one's own. ``only``: these
    kinds and no rule. ``suffix``: ending of the names.
    Columns ``name, date, symbol, fold, split, score_<h>`` (NaN: no score). A rule whose feature is not in
    the set is left out, with a note.
    """
    scorers: dict[str, _Scorer] = {}
    for name, (feature, sign) in RULES.items() if only is None else ():
        if feature in features.features:
            scorers[name] = _rule(features, feature, sign)
        else:
            sink.emit(Noted(message=f"baseline {name} left out: no feature {feature}"))
    kinds = _fitted_kinds(config) if only is None else only
    make = makers(kinds, workspace, keep)
    fitted = _fitted(features, split.train, config, seeds, make, done, alive)
    for kind, models in fitted.items():
        scorers[kind] = models.score
        if keep is not None:
            models.write(keep / fitted_name(kind + suffix, fold))
    return pl.concat(
        _scored(name + suffix, scorer, features, getattr(split, part), part, fold)
        for name, scorer in scorers.items()
        for part in parts
    )


def fitted_name(name: str, fold: int) -> str:
    """Name of the file of a fold's fitted models."""
    return f"{name}-fold-{fold}.npz"


def count_fits(config: Config, seeds: int, only: Collection[str] | None = None) -> int:
    """How many models `compute_baselines` fits."""
    return len(_fitted_kinds(config) if only is None else only) * seeds


def _fitted_kinds(config: Config) -> tuple[str, ...]:
    """Ridge, LightGBM, and the models of the workspace that the configuration names."""
    return (*FITS, *config.own_models)


def _rule(features: FeatureSet, feature: str, sign: float) -> _Scorer:
    """A feature with a sign."""
    f, H = features.features.index(feature), len(features.horizons)
    return lambda day: np.repeat(sign * day.x_NF[:, f, None], H, axis=1).astype(np.float64)


def _fitted(
    features: FeatureSet,
    train: NDArray[np.int64],
    config: Config,
    seeds: int,
    make: Mapping[str, Callable[[], Model]],
    done: Callable[[str], None],
    alive: Callable[[], None],
) -> dict[str, FittedModels]:
    """One model a seed of each kind."""
    models: dict[str, list[Model]] = {kind: [] for kind in make}
    for seed in range(config.training.seed, config.training.seed + seeds):
        days = _learned_days(features, train, config.baseline_horizons, seed, alive)
        for kind in make:
            model = make[kind]()
            model.fit(days)
            models[kind].append(model)
            done(f"{model_name(kind)}, seed {seed}")
    return {kind: FittedModels(fits, config.baseline_horizons) for kind, fits in models.items()}


def _scored(
    name: str,
    scorer: _Scorer,
    features: FeatureSet,
    sessions: NDArray[np.int64],
    part: Part,
    fold: int,
) -> pl.DataFrame:
    days = list(_days(features, sessions))
    told = [
        scorer(Day(date=date, x_NF=x_NF, columns=features.features, horizons=features.horizons))
        for date, (_, x_NF) in zip(features.dates_S[sessions], days, strict=True)
    ]
    score_MH = np.concatenate(told)
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


def _learned_days(
    features: FeatureSet,
    train: NDArray[np.int64],
    horizons: tuple[int, ...],
    seed: int,
    alive: Callable[[], None],
) -> Days:
    """What the models of one seed may learn of the training sessions."""
    stride = max(1, -(-int(features.member_SN[train].sum()) // _MAX_ROWS))
    sessions = train[seed % stride :: stride]
    neutral = [features.features.index(name) for name in features.neutral]
    columns = [features.horizons.index(horizon) for horizon in horizons]
    x_parts, target_parts, return_parts = [], [], []
    for session, (member_N, x_NF) in zip(sessions, _days(features, sessions), strict=True):
        return_NH = features.forward_return_SNH[session, member_N][:, columns]
        x_parts.append(x_NF)
        return_parts.append(return_NH)
        exposure_NK = x_NF[:, neutral].astype(np.float64)
        target_parts.append(targets(return_NH.astype(np.float64), exposure_NK))
    sizes = [len(x_NF) for x_NF in x_parts]
    weight_S = features.weight_S
    return Days(
        dates_M=np.repeat(features.dates_S[sessions], sizes),
        x_MF=np.concatenate(x_parts),
        target_MH=np.concatenate(target_parts),
        return_MH=np.concatenate(return_parts),
        weight_M=None if weight_S is None else np.repeat(weight_S[sessions], sizes),
        columns=features.features,
        horizons=horizons,
        seed=seed,
        alive=alive,
    )
