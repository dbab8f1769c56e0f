"""Trained on labels that say nothing: no better than chance, and taken for no model."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.dataset.split import single_split
from engine.errors import UsageError
from engine.files import read_json
from engine.records.train import read_train
from engine.runs.sink import NullSink
from engine.runs.store import Run, RunStore
from engine.stages.compare import compare
from engine.stages.load import as_taught, load_dataset
from tests.journeys.command import SETTINGS, atft_here
from tests.journeys.here import Here

pytestmark = pytest.mark.usefixtures("few_trees")
CHANGES = ("training.epochs=[1,0,1,0]", "training.mode=safe")
SHORT = "training.epochs=[3,0,4,0]"


@pytest.fixture(scope="module")
def answer(market: Path) -> dict[str, Any]:
    words = [word for change in CHANGES for word in ("--set", change)]
    done = atft_here(market, "compare", "permutations", "--seeds", "3", *SETTINGS, *words, "--json")
    assert done.code == 0, done.err
    return done.json


@pytest.fixture(scope="module")
def permuted(market: Path, answer: dict[str, Any]) -> Run:
    return RunStore(market / "runs").open(answer["permutations"][0]["run_id"])


def test_the_mean_is_within_two_errors_of_zero(answer: dict[str, Any]) -> None:
    test = answer["test"]
    assert answer["verdict"] == "within"
    assert abs(test["rank_ic"]) <= 2 * test["se"]
    each = [row["rank_ic"] for row in answer["permutations"]]
    assert len(set(each)) == test["n_permutations"] == 3
    assert test["rank_ic"] == pytest.approx(np.mean(each))
    assert test["spread"] == pytest.approx(np.std(each, ddof=1))
    assert test["se"] == pytest.approx(math.hypot(test["spread"] / math.sqrt(3), test["se_days"]))


@pytest.mark.long
@pytest.mark.slow
def test_the_blend_learns_nothing_from_permuted_labels_either(
    market: Path,
) -> None:
    """Every member is taught the permuted labels: one that was not would carry the mean away from zero."""
    here = Here(market, ("training.epochs=[1,0,1,0]", "executor.jobs=1"))
    found = compare(
        here.context(),
        what=("permutations",),
        seeds=3,
        walkforward=True,
        first_test="2019-08-01",
        model="blend",
    ).json
    assert found["verdict"] == "within", found["test"]
    run = RunStore(market / "runs").open(found["permutations"][0]["run_id"])
    told = read_train(run.directory)
    assert (told.model, told.permuted_labels) == ("blend", True)
    assert {"network", "mlp", "lightgbm", "ridge"} <= set(told.baselines)
    with pytest.raises(UsageError, match="--model blend needs --walkforward"):
        compare(here.context(), what=("permutations",), seeds=3, model="blend")


def test_days_that_decide_are_permuted_and_days_that_judge_are_not(market: Path) -> None:
    context = Here(market, (*CHANGES, "training.permute_labels=true")).context()
    dataset = load_dataset(context, NullSink())
    split = single_split(dataset.features, context.config.split, context.config.universe.min_names)
    true, taught = dataset.features, as_taught(dataset, split, context.config).features
    changed_S = [
        not np.array_equal(a, b, equal_nan=True)
        for a, b in zip(true.forward_return_SNH, taught.forward_return_SNH, strict=True)
    ]
    deciding = np.concatenate([split.train, split.validation])
    np.testing.assert_array_equal(np.flatnonzero(changed_S), np.sort(deciding))


def test_a_run_tells_the_validation_that_chose_it_and_the_true_test(
    answer: dict[str, Any], permuted: Run
) -> None:
    told = read_json(permuted.path("train.json"))
    assert told["permuted_labels"] is True
    assert any("labels permuted" in note for note in told["data"]["notes"])
    chosen = max((phase for phase in told["phases"] if phase["kept"]), key=lambda p: p["rank_ic"])
    assert told["best"]["rank_ic"] == pytest.approx(chosen["rank_ic"], abs=1e-6)
    assert told["test"]["rank_ic"] == pytest.approx(answer["permutations"][0]["rank_ic"])


def test_one_permutation_is_not_enough(market: Path) -> None:
    with pytest.raises(UsageError, match="no spread"):
        compare(Here(market, CHANGES).context(), what=("permutations",), seeds=1)


@pytest.mark.parametrize("command", ["backtest", "sweep", "predict"])
def test_it_is_refused_as_a_model(market: Path, permuted: Run, command: str) -> None:
    refused = atft_here(market, command, permuted.id)
    assert refused.code == 6
    assert "permuted labels" in refused.err
    assert not permuted.path("backtest.json").exists()


def test_it_is_not_compared(market: Path, permuted: Run) -> None:
    refused = atft_here(market, "report", permuted.id, "--compare", permuted.id)
    assert refused.code == 6


@pytest.fixture(scope="module")
def demo_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's market: 240 stocks, 1,400 sessions."""
    workspace = tmp_path_factory.mktemp("demo-market")
    done = atft_here(workspace, "ingest", "--source", "synthetic", "--preset", "demo")
    assert done.code == 0, done.err
    return workspace


@pytest.mark.long
@pytest.mark.slow
def test_on_the_demo_market_six_permutations_find_nothing(demo_market: Path) -> None:
    context = Here(demo_market, (SHORT,)).preset("planted")
    found = compare(context, what=("permutations",), seeds=6).json
    assert found["verdict"] == "within", json.dumps(found["test"])
