"""Trained on labels that say nothing: it ranks no better than chance, and is taken for no model."""

from pathlib import Path

import pytest

from engine.runs.store import Run, RunStore
from tests.journeys.command import SETTINGS, atft

CHANGES = (
    "training.permute_labels=true",
    "training.epochs=[1,0,1,0]",
    "training.baseline_horizons=[5]",
)


@pytest.fixture(scope="module")
def permuted(market: Path) -> tuple[Run, dict[str, float], str]:
    words = [word for change in CHANGES for word in ("--set", change)]
    done = atft(market, "train", *SETTINGS, *words, "--json", "--quiet")
    assert done.code == 0, done.err
    assert done.json["permuted_labels"] is True
    assert any("labels permuted" in note for note in done.json["data"]["notes"])
    run = RunStore(market / "runs").open(done.json["run_id"])
    ridge = done.json["baselines"]["ridge"]["test"]
    figures = {
        "network": abs(done.json["test"]["rank_ic"]) / done.json["test"]["rank_ic_se"],
        "ridge": abs(ridge["rank_ic"]) / ridge["rank_ic_se"],
    }
    return run, figures, done.out


def test_its_rank_ic_is_within_two_errors_of_zero(
    permuted: tuple[Run, dict[str, float], str],
) -> None:
    _, errors, _ = permuted
    assert errors["network"] < 2.0
    assert errors["ridge"] < 3.0, "a control of the control"


@pytest.mark.parametrize("command", ["backtest", "sweep", "predict"])
def test_it_is_refused_as_a_model(
    market: Path, permuted: tuple[Run, dict[str, float], str], command: str
) -> None:
    refused = atft(market, command, permuted[0].id)
    assert refused.code == 6
    assert "permuted labels" in refused.err
    assert not permuted[0].path("backtest.json").exists()


def test_it_is_not_compared(market: Path, permuted: tuple[Run, dict[str, float], str]) -> None:
    run = permuted[0]
    refused = atft(market, "report", run.id, "--compare", run.id)
    assert refused.code == 6
