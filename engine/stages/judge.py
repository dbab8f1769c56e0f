"""From the scores of several runs to the record of a comparison, and the daily RankIC behind it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
from msgspec.structs import asdict

from engine.errors import GateError, UsageError
from engine.evaluation.inference import Series, mean_figure
from engine.evaluation.judging import DailyRankIC, gap, level, permutation_test, variant_verdict
from engine.features.feature_set import FeatureSet
from engine.files import digest
from engine.model.atft_gat_fan import build_model, count_parameters
from engine.portfolio.prediction import Prediction, score_column
from engine.records.comparison import (
    ComparedRun,
    PermutationComparison,
    PermutedRun,
    RunComparison,
    RunPair,
    VariantComparison,
    VariantResult,
)
from engine.records.protocol import JudgedDays
from engine.records.train import read_train
from engine.runs.sink import NullSink
from engine.runs.store import Run, require_file
from engine.stages import protocol
from engine.stages.context import StageContext
from engine.stages.fit import mean_scores
from engine.stages.load import load_dataset
from engine.stages.variants import TrainedVariant
from engine.training.evaluate import daily_rank_ics

_SPLITS = ("validation", "test")
_Key = tuple[str, str]
"""Name of a variant or a run, and split."""


def judge_variants(
    context: StageContext, kind: str, label: str, trained: Sequence[TrainedVariant], run_id: str
) -> tuple[VariantComparison, pl.DataFrame]:
    """Each variant against the first, on validation and on test days."""
    config, h = context.config, context.config.training.score_horizon
    features = load_dataset(context, NullSink(), in_memory=False).features
    series = {
        (one.variant.name, split): daily
        for one in trained
        for split, daily in _daily_of(one, features, h).items()
    }
    first, rows = trained[0].variant.name, []
    for one in trained:
        name = one.variant.name
        difference = (
            {}
            if name == first
            else {
                split: gap(series.get((name, split)), series.get((first, split)), config)
                for split in _SPLITS
            }
        )
        rows.append(
            VariantResult(
                name=name,
                changes=one.variant.changes,
                runs={str(seed): run.id for seed, run in one.runs},
                errors=tuple(one.errors),
                parameters=_parameters(one, len(features.features)),
                seconds=_mean([read_train(run.directory).seconds for _, run in one.runs]),
                validation=level(series.get((name, "validation")), h),
                test=level(series.get((name, "test")), h),
                difference=difference,
                verdict=variant_verdict(difference["test"], kind) if difference else "reference",
            )
        )
    found = VariantComparison(
        id=label,
        kind=kind,
        reference=first,
        judged_days=_judged_days(context, series, features),
        score_horizon=h,
        confidence=config.backtest.confidence,
        bootstrap_draws=config.backtest.bootstrap_draws,
        data_fingerprint=features.fingerprint,
        source=features.source,
        seeds=max(len(one.runs) for one in trained),
        variants=tuple(rows),
        run_id=run_id,
    )
    return found, _daily_frame(series)


def judge_runs(
    context: StageContext, runs: Sequence[Run], *, confirm: bool = False
) -> tuple[RunComparison, pl.DataFrame]:
    """Each pair of runs on the test days that both have scored, judged by the labels of the first.

    ``confirm``: confirmation days may be among them.
    """
    if len({run.id for run in runs}) != len(runs):
        raise UsageError("compare: a run is named twice")
    config = runs[0].config()
    h = config.training.score_horizon
    features = load_dataset(replace(context, config=config), context.sink, in_memory=False).features
    series: dict[_Key, DailyRankIC] = {}
    frames: dict[str, pl.DataFrame] = {}
    for run in runs:
        require_file(run.path("predictions.parquet"), "train it to its end first")
        prediction = Prediction.read(run.path("predictions.parquet"))
        _require_fit(run, prediction, features, h)
        tested = prediction.only("test")
        protocol.check_prediction(context, tested, confirm=confirm)
        protocol.count_looks(context, run, protocol.as_days(tested.dates), tested.market)
        dates, mean_D = _rank_ics(tested.frame, features, h)
        frames[run.id] = tested.frame
        series[run.id, "test"] = DailyRankIC(dates=dates, mean_D=mean_D, seeds={})
    pairs = []
    for a, b in itertools.combinations([run.id for run in runs], 2):
        found = gap(series[a, "test"], series[b, "test"], config)
        if found is None:
            raise UsageError(f"{a} and {b}: no test day in common")
        beyond, beyond_first = (
            mean_figure(_rank_ics(_beyond(frames[x], frames[y], h), features, h)[1], lag=h)
            for x, y in ((a, b), (b, a))
        )
        pairs.append(
            RunPair(first=a, second=b, **asdict(found), beyond=beyond, beyond_first=beyond_first)
        )
    comparison = RunComparison(
        id=f"runs-{digest([run.id for run in runs])[:8]}",
        judged_days=_judged_days(context, series, features),
        score_horizon=h,
        confidence=config.backtest.confidence,
        bootstrap_draws=config.backtest.bootstrap_draws,
        data_fingerprint=features.fingerprint,
        source=features.source,
        runs=tuple(ComparedRun(run_id=r.id, test=level(series[r.id, "test"], h)) for r in runs),
        pairs=tuple(pairs),
    )
    return comparison, _daily_frame(series)


def _beyond(ours: pl.DataFrame, reference: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """Our scores less what the reference's say: centred ranks of the stocks that both score, less their
    least-squares fit on the reference's ranks, day by day.
    """
    own, other = pl.col(score_column(horizon)), pl.col("reference")
    both = ours.join(
        reference.select("date", "symbol", reference=own), on=["date", "symbol"], how="inner"
    )
    ranked = both.with_columns(
        (side.rank() - (pl.len() + 1) / 2).over("date") / pl.len().over("date")
        for side in (own, other)
    )
    slope = ((own * other).sum() / (other * other).sum()).fill_nan(0.0).over("date")
    return ranked.with_columns(own - slope * other)


def judge_permutations(
    context: StageContext, name: str, trained: TrainedVariant, run_id: str
) -> tuple[PermutationComparison, pl.DataFrame]:
    """Trainings on permuted labels, judged on test days with their own."""
    features = load_dataset(context, NullSink(), in_memory=False).features
    h = context.config.training.score_horizon
    found = _daily_of(trained, features, h)
    if "test" not in found:
        raise GateError(f"comparison {name}: no permutation was trained", hint="see its runs")
    series = {(trained.variant.name, "test"): found["test"]}
    seeds, runs = found["test"].seeds, {seed: run.id for seed, run in trained.runs}
    test = permutation_test(list(seeds.values()), lag=h)
    means = {seed: mean_figure(series_D, lag=h) for seed, series_D in seeds.items()}
    comparison = PermutationComparison(
        id=name,
        judged_days=_judged_days(context, series, features),
        score_horizon=h,
        data_fingerprint=features.fingerprint,
        source=features.source,
        permutations=tuple(
            PermutedRun(seed=seed, run_id=runs[seed], rank_ic=mean.value, rank_ic_se=mean.se)
            for seed, mean in means.items()
        ),
        errors=tuple(trained.errors),
        test=test,
        verdict=test.verdict,
        run_id=run_id,
    )
    return comparison, _daily_frame(series)


def _judged_days(
    context: StageContext, series: Mapping[_Key, DailyRankIC], features: FeatureSet
) -> JudgedDays | None:
    """All test days of the series by the spans of the protocol."""
    tested = {day for (_, split), d in series.items() if split == "test" for day in d.dates}
    return protocol.judged_days(
        context.config.protocol, protocol.as_days(sorted(tested)), features.market
    )


def _daily_frame(series: Mapping[_Key, DailyRankIC]) -> pl.DataFrame:
    """``date, split, variant, seed, rank_ic``; seed null: mean of the seeds' scores; null = undefined."""
    return pl.concat(
        pl.DataFrame(
            {"date": daily.dates, "rank_ic": values_D}, schema_overrides={"date": pl.Date}
        ).select(
            "date",
            pl.lit(split).alias("split"),
            pl.lit(name).alias("variant"),
            pl.lit(seed, pl.Int64).alias("seed"),
            pl.col("rank_ic").fill_nan(None),
        )
        for (name, split), daily in series.items()
        for seed, values_D in [(None, daily.mean_D), *daily.seeds.items()]
    )


def _require_fit(run: Run, prediction: Prediction, features: FeatureSet, horizon: int) -> None:
    if prediction.market != features.market or horizon not in prediction.horizons:
        raise UsageError(
            f"{run.id}: scores {prediction.market} for {list(prediction.horizons)} sessions; the first "
            f"run {features.market} for {horizon}"
        )
    unknown = set(prediction.frame["symbol"].unique()) - set(features.symbols)
    if unknown:
        raise UsageError(
            f"{run.id}: {len(unknown)} of its stocks are not in this data (first: {min(unknown)})",
            hint="compare runs that were trained on the same data",
        )


def _daily_of(one: TrainedVariant, features: FeatureSet, horizon: int) -> dict[str, DailyRankIC]:
    """Split -> series; a split that the runs have not scored is absent."""
    found = {}
    frames = {
        seed: Prediction.read(run.path("predictions.parquet")).frame for seed, run in one.runs
    }
    for split in _SPLITS:
        parts = {seed: frame.filter(pl.col("split") == split) for seed, frame in frames.items()}
        if not parts or any(part.is_empty() for part in parts.values()):
            continue
        mean = mean_scores(list(parts.values()), [horizon])
        dates, mean_D = _rank_ics(mean, features, horizon)
        seeds = {seed: _rank_ics(part, features, horizon)[1] for seed, part in parts.items()}
        found[split] = DailyRankIC(dates=dates, mean_D=mean_D, seeds=seeds)
    return found


def _rank_ics(frame: pl.DataFrame, features: FeatureSet, h: int) -> tuple[list[date], Series]:
    rows = frame.select("date", "symbol", score_column(h))
    sessions, series_D = daily_rank_ics(rows, features, h)
    dates: list[date] = features.dates_S[sessions].tolist()
    return dates, series_D


def _parameters(one: TrainedVariant, n_features: int) -> int | None:
    """Weights of the variant's network; None where none was trained."""
    if not one.runs:
        return None
    model = build_model(one.runs[0][1].config(), n_features)
    return sum(count_parameters(m) for m in model.module_groups().values())


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
