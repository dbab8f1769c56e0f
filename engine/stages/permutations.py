"""The label permutation test over several permutations: `compare permutations`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from engine.errors import GateError
from engine.evaluation.inference import newey_west_se
from engine.evaluation.permutation_test import ERRORS, permutation_test
from engine.runs.sink import NullSink
from engine.stages.comparison import Trained, daily_frame, daily_rank_ics
from engine.stages.context import StageContext
from engine.stages.pipeline import load_dataset
from engine.stages.text import table
from engine.tuning.variants import Variant

KIND = "permutations"
PERMUTED = Variant(name="permuted", changes={"training.permute_labels": True})
"""The seed of a run is that of its permutation too."""


def judge_permutations(
    context: StageContext, name: str, trained: Trained
) -> tuple[dict[str, Any], pl.DataFrame]:
    """What `compare permutations --json` prints, and the daily series behind it: test days, true labels."""
    features = load_dataset(context, NullSink(), in_memory=False).features
    horizon = context.config.training.score_horizon
    found = daily_rank_ics(trained, features, horizon)
    if "test" not in found:
        raise GateError(f"comparison {name}: no permutation was trained", hint="see its runs")
    series = found["test"].seeds
    test = permutation_test(list(series.values()), lag=horizon)
    runs = {seed: run.id for seed, run in trained.runs}
    summary = {
        "id": name,
        "kind": KIND,
        "score_horizon": horizon,
        "data_fingerprint": features.fingerprint,
        "source": features.source,
        "permutations": [
            {
                "seed": seed,
                "run_id": runs[seed],
                "rank_ic": float(np.nanmean(series_D)),
                "rank_ic_se": newey_west_se(series_D[np.isfinite(series_D)], lag=horizon),
            }
            for seed, series_D in series.items()
        ],
        "errors": trained.errors,
        "test": {**asdict(test), "ratio": test.ratio},
        "limit": ERRORS,
        "verdict": test.verdict,
    }
    return summary, daily_frame({(trained.variant.name, "test"): found["test"]})


def permutations_text(summary: Mapping[str, Any]) -> str:
    """The table of `compare permutations`."""
    test, h = summary["test"], summary["score_horizon"]
    rows = [
        [f"permutation {row['seed']}", f"{row['rank_ic']:+.4f} ± {row['rank_ic_se']:.4f}"]
        for row in summary["permutations"]
    ]
    rows.append(["mean", f"{test['rank_ic']:+.4f} ± {test['se']:.4f}"])
    return "\n\n".join(
        [
            f"comparison {summary['id']}: trained on permuted labels, judged on true ones",
            table(rows, header=["", f"test RankIC, h={h}"]),
            *summary["errors"],
            f"{summary['verdict']} {summary['limit']:.0f} standard errors of 0 ({test['ratio']:+.1f}): over "
            f"{test['n_permutations']} permutations ±{test['se_permutations']:.4f} (spread "
            f"{test['spread']:.4f}), over {test['n_dates']} days ±{test['se_days']:.4f}",
        ]
    )
