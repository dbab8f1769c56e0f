"""From the scores of several runs to a table of differences, each with its interval."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from engine.config import Config
from engine.errors import UsageError
from engine.evaluation.inference import Series, newey_west_se
from engine.evaluation.paired import direction, paired_interval
from engine.evaluation.rank_ic import rank_ic_series
from engine.features.feature_set import FeatureSet
from engine.files import digest, read_json
from engine.model.build import build_model, count_parameters
from engine.portfolio.prediction import Prediction, score_column
from engine.runs.sink import NullSink
from engine.runs.store import Run, require_file
from engine.stages.context import StageContext
from engine.stages.network import mean_scores
from engine.stages.pipeline import load_dataset
from engine.stages.text import table
from engine.training.evaluate import scored_days
from engine.tuning.variants import Variant

_SPLITS = ("validation", "test")
_VERDICTS = {
    "ablations": {"worse": "earns its place", "better": "costs", "undecided": "undecided"},
    "sizes": {"worse": "worse", "better": "better", "undecided": "undecided"},
}
"""What the direction of (variant - reference) says: of the part that was taken away, of the size."""
_MIN_SEEDS = 2


@dataclass(slots=True, kw_only=True)
class Trained:
    """A variant and what was trained of it."""

    variant: Variant
    runs: list[tuple[int, Run]] = field(default_factory=list)
    """Seed and run of those that came to their end."""
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """RankIC by day: of each seed, and of the mean of their scores."""

    dates: list[Any]
    mean_D: Series
    seeds: dict[int, Series]


def judge(
    context: StageContext, kind: str, name: str, trained: Sequence[Trained]
) -> tuple[dict[str, Any], pl.DataFrame]:
    """What `compare --json` prints, and the daily series behind it. The first variant is the reference."""
    config = context.config
    features = load_dataset(context, NullSink(), in_memory=False).features
    horizon = config.training.score_horizon
    series = {
        (one.variant.name, split): daily
        for one in trained
        for split, daily in daily_rank_ics(one, features, horizon).items()
    }
    reference = trained[0].variant.name
    rows = []
    for one in trained:
        row: dict[str, Any] = {
            "name": one.variant.name,
            "changes": one.variant.changes,
            "runs": {str(seed): run.id for seed, run in one.runs},
            "errors": one.errors,
            **_cost(one, len(features.features)),
        }
        for split in _SPLITS:
            row[split] = _level(series.get((one.variant.name, split)), horizon)
        differences = {}
        if one is not trained[0]:
            for split in _SPLITS:
                pair = (series.get((one.variant.name, split)), series.get((reference, split)))
                differences[split] = _difference(*pair, config, horizon)
            row["verdict"] = _verdict(differences["test"], kind)
        row["difference"] = differences
        rows.append(row)
    summary = {
        "id": name,
        "kind": kind,
        "reference": reference,
        "score_horizon": horizon,
        "confidence": config.backtest.confidence,
        "bootstrap_draws": config.backtest.bootstrap_draws,
        "data_fingerprint": features.fingerprint,
        "source": features.source,
        "seeds": max((len(one.runs) for one in trained), default=0),
        "variants": rows,
    }
    return summary, daily_frame(series)


def compare_runs(context: StageContext, runs: Sequence[Run]) -> tuple[dict[str, Any], pl.DataFrame]:
    """Each pair of runs on the test days that both have scored, judged by the labels of the first."""
    if len({run.id for run in runs}) != len(runs):
        raise UsageError("compare: a run is named twice")
    config = runs[0].config()
    horizon = config.training.score_horizon
    own = replace(context, config=config)
    features = load_dataset(own, context.sink, in_memory=False).features
    series: dict[tuple[str, str], Daily] = {}
    for run in runs:
        require_file(run.path("predictions.parquet"), "train it to its end first")
        prediction = Prediction.read(run.path("predictions.parquet"))
        _fits(run, prediction, features, horizon)
        rows = prediction.frame.filter(pl.col("split") == "test")
        dates, mean_D = _rank_ics(rows, features, horizon)
        series[run.id, "test"] = Daily(dates=dates, mean_D=mean_D, seeds={})
    pairs = []
    for a, b in itertools.combinations([run.id for run in runs], 2):
        found = _difference(series[a, "test"], series[b, "test"], config, horizon)
        if found is None:
            raise UsageError(f"{a} and {b}: no test day in common")
        pairs.append({"first": a, "second": b, **found})
    summary = {
        "id": f"runs-{digest([run.id for run in runs])[:8]}",
        "kind": "runs",
        "score_horizon": horizon,
        "confidence": config.backtest.confidence,
        "bootstrap_draws": config.backtest.bootstrap_draws,
        "data_fingerprint": features.fingerprint,
        "source": features.source,
        "runs": [
            {"run_id": run.id, "test": _level(series[run.id, "test"], horizon)} for run in runs
        ],
        "pairs": pairs,
    }
    return summary, daily_frame(series)


def _fits(run: Run, prediction: Prediction, features: FeatureSet, horizon: int) -> None:
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


def daily_rank_ics(one: Trained, features: FeatureSet, horizon: int) -> dict[str, Daily]:
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
        found[split] = Daily(dates=dates, mean_D=mean_D, seeds=seeds)
    return found


def _rank_ics(frame: pl.DataFrame, features: FeatureSet, horizon: int) -> tuple[list[Any], Series]:
    rows = frame.select("date", "symbol", score_column(horizon))
    sessions, days = scored_days(rows, features, horizon)
    return features.dates_S[sessions].tolist(), rank_ic_series(*days)


def _cost(one: Trained, n_features: int) -> dict[str, Any]:
    """Parameters of the network, and the mean seconds of its runs."""
    if not one.runs:
        return {"parameters": None, "seconds": None}
    seconds = [read_json(run.path("train.json"))["seconds"] for _, run in one.runs]
    model = build_model(one.runs[0][1].config(), n_features)
    return {
        "parameters": sum(count_parameters(m) for m in model.module_groups().values()),
        "seconds": float(np.mean(seconds)),
    }


def _level(daily: Daily | None, horizon: int) -> dict[str, Any] | None:
    if daily is None:
        return None
    known_D = daily.mean_D[np.isfinite(daily.mean_D)]
    by_seed = [float(np.nanmean(series_D)) for series_D in daily.seeds.values()]
    return {
        "rank_ic": float(known_D.mean()) if known_D.size else None,
        "rank_ic_se": newey_west_se(known_D, lag=horizon),
        "n_dates": int(known_D.size),
        "by_seed": by_seed,
        "seed_deviation": _deviation(by_seed),
    }


def _difference(
    a: Daily | None, b: Daily | None, config: Config, horizon: int
) -> dict[str, Any] | None:
    """a - b on common days, with the differences of each common seed."""
    if a is None or b is None:
        return None
    both = sorted(set(a.dates) & set(b.dates))
    if not both:
        return None
    in_a, in_b = ([daily.dates.index(d) for d in both] for daily in (a, b))
    found = paired_interval(
        a.mean_D[in_a],
        b.mean_D[in_b],
        horizon=horizon,
        draws=config.backtest.bootstrap_draws,
        confidence=config.backtest.confidence,
        seed=config.training.seed,
    )
    by_seed = [
        float(np.nanmean(a.seeds[seed][in_a] - b.seeds[seed][in_b]))
        for seed in sorted(a.seeds.keys() & b.seeds.keys())
    ]
    return {
        **found.to_json(),
        "by_seed": by_seed,
        "seed_deviation": _deviation(by_seed),
        "direction": direction(found, by_seed),
    }


def _verdict(difference: Mapping[str, Any] | None, kind: str) -> str:
    """In the words of the comparison; fewer than two seeds decide nothing."""
    if difference is None:
        return "not trained"
    decided = difference["direction"] if len(difference["by_seed"]) >= _MIN_SEEDS else "undecided"
    return _VERDICTS[kind][decided]


def _deviation(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def daily_frame(series: Mapping[tuple[str, str], Daily]) -> pl.DataFrame:
    """``date, split, variant, seed, rank_ic``; seed null: mean of the seeds' scores; null = undefined."""
    parts = []
    for (name, split), daily in series.items():
        for seed, values_D in [(None, daily.mean_D), *daily.seeds.items()]:
            parts.append(
                pl.DataFrame(
                    {"date": daily.dates, "rank_ic": values_D}, schema_overrides={"date": pl.Date}
                ).select(
                    "date",
                    pl.lit(split).alias("split"),
                    pl.lit(name).alias("variant"),
                    pl.lit(seed, pl.Int64).alias("seed"),
                    pl.col("rank_ic").fill_nan(None),
                )
            )
    return pl.concat(parts)


def comparison_text(summary: Mapping[str, Any]) -> str:
    """The table of `compare`."""
    h, share = summary["score_horizon"], f"{summary['confidence']:.0%}"
    if summary["kind"] == "runs":
        rows = [[row["run_id"], _shown(row["test"])] for row in summary["runs"]]
        pairs = [
            [f"{p['first']} - {p['second']}", _gap(p), p["direction"]] for p in summary["pairs"]
        ]
        return "\n\n".join(
            [
                table(rows, header=["run", f"test RankIC, h={h}"]),
                table(pairs, header=["difference on common days", f"{share} interval", ""]),
                _FOOT,
            ]
        )
    rows = [
        [
            row["name"],
            "—" if row["parameters"] is None else f"{row['parameters']:,}",
            _shown(row["validation"]),
            _shown(row["test"]),
            _gap(row["difference"].get("test")),
            "—" if row["seconds"] is None else f"{row['seconds']:.0f}",
            row.get("verdict", "reference"),
        ]
        for row in summary["variants"]
    ]
    header = ["", "size", f"validation RankIC, h={h}", f"test RankIC, h={h}",
              f"less {summary['reference']}, test ({share})", "s/run", ""]  # fmt: skip
    failed = [f"{row['name']}: {words}" for row in summary["variants"] for words in row["errors"]]
    decisions = len(summary["variants"]) - 1
    chance = (1.0 - summary["confidence"]) * decisions
    return "\n\n".join(
        [
            f"comparison {summary['id']}: {summary['seeds']} seeds",
            table(rows, header=header),
            *failed,
            f"Of {decisions} intervals of {share}, {chance:.1f} miss 0 by chance alone. A verdict also "
            "needs all seeds on the same side.",
            _FOOT,
        ]
    )


_FOOT = "± Newey-West standard error of the seeds' mean score · [ ] stationary block bootstrap over days"


def _shown(level: Mapping[str, Any] | None) -> str:
    if level is None or level["rank_ic"] is None:
        return "—"
    text = f"{level['rank_ic']:+.4f} ± {level['rank_ic_se']:.4f} (n={level['n_dates']})"
    spread = level["seed_deviation"]
    return text if spread is None else f"{text} seeds ±{spread:.4f}"


def _gap(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "—"
    return f"{difference['difference']:+.4f} [{difference['low']:+.4f}, {difference['high']:+.4f}]"
