"""`demo --quick` over the real command line, and what can be done with the run it leaves."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.portfolio.prediction import Prediction
from engine.runs.store import Run, RunStore
from tests.journeys.command import Done, atft, atft_here

PHASE = {"name", "epochs", "best_epoch", "rank_ic", "rank_ic_se", "null_band", "kept"}
TRAIN_FIELDS = {
    "run_id", "status", "device", "mode", "parameters", "phases", "best", "score_std_ratio",
    "gradient", "alpha", "seconds", "sessions_per_second", "peak_memory_mib", "baselines",
}  # fmt: skip
BACKTEST_FIELDS = {
    "sharpe", "sharpe_low", "sharpe_high", "sharpe_deflated", "trials", "annual_return",
    "annual_volatility", "max_drawdown", "turnover", "cost_drag", "sessions", "sessions_per_year",
    "entry", "costs", "baselines", "target", "verdict",
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    workspace = tmp_path_factory.mktemp("demo")
    done = atft(workspace, "demo", "--quick", "--json")
    assert done.code == 0, done.err
    return workspace, done


@pytest.fixture(scope="module")
def workspace(demo: tuple[Path, Done]) -> Path:
    return demo[0]


@pytest.fixture(scope="module")
def run(demo: tuple[Path, Done]) -> Run:
    return RunStore(demo[0] / "runs").open(demo[1].json["run_id"])


def saved(run: Run, name: str) -> dict[str, Any]:
    value = json.loads(run.path(name).read_text(), parse_constant=pytest.fail)
    assert isinstance(value, dict)
    return value


def test_oracle_network_and_baselines_stand_side_by_side(demo: tuple[Path, Done]) -> None:
    answer = demo[1].json
    test = answer["test"]
    assert {"oracle", "network", "network_without_graph", "lightgbm", "ridge", "mlp"} <= set(test)
    for figures in test.values():
        assert {"rank_ic", "rank_ic_se", "null_band", "n_dates"} <= set(figures)
    assert test["oracle"]["rank_ic"] > test["oracle"]["null_band"]
    rivals = [figures["rank_ic"] for name, figures in test.items() if name != "oracle"]
    assert test["oracle"]["rank_ic"] > max(rivals), "nothing beats what can be known"
    assert "difference" in answer["graph_gain"]
    assert Path(answer["report"]["html"]).is_file()


def test_the_monitors_of_a_healthy_run_say_that_it_was_healthy(run: Run) -> None:
    train = saved(run, "train.json")
    monitors = train["monitors"]
    assert monitors["diagnoses"] == []
    gat = monitors["gradient"]["gat"]
    assert gat["steps"] > 0
    assert gat["min"] > 1e-6
    alpha = monitors["alpha"]["bypass"]
    assert alpha["max"] - alpha["min"] > 1e-4, "the gate moves"
    assert monitors["score_std_ratio"]["min"] > 0.02
    judged = {criterion["name"]: criterion for criterion in train["scoreboard"]}
    assert list(judged) == ["rank_ic", "ic", "stability", "no_degeneracy", "graph_worth"]
    assert judged["graph_worth"]["verdict"] == judged["no_degeneracy"]["verdict"] == "met"
    lost = train["graph_worth"]["without_edges"]
    assert judged["graph_worth"]["value"] == pytest.approx(lost["rank_ic"], abs=1e-6)
    assert set(train["blocks_worth"]) >= set(train["kept_blocks"])
    assert judged["rank_ic"]["value"] == pytest.approx(train["best"]["rank_ic"])
    assert judged["ic"]["se"] == pytest.approx(train["best"]["ic_se"])


def test_every_simple_model_has_its_paired_interval_at_both_horizons(run: Run) -> None:
    for name, values in saved(run, "train.json")["baselines"].items():
        assert {"5", "20"} <= set(values["horizons"]), name
        for found in values["horizons"].values():
            gap = found["test_difference"]
            assert gap["low"] <= gap["difference"] <= gap["high"]


def test_train_json_keeps_the_contract(run: Run) -> None:
    train = saved(run, "train.json")
    assert set(train) >= TRAIN_FIELDS
    assert all(set(phase) >= PHASE for phase in train["phases"])
    assert set(train["best"]) >= {"rank_ic", "rank_ic_se", "icir", "ic"}
    assert train["status"] == "done"
    assert train["splits"]["train"]["last"] < train["splits"]["validation"]["first"]
    assert train["splits"]["validation"]["last"] < train["splits"]["test"]["first"]


def test_backtest_json_keeps_the_contract_and_its_sharpe_is_the_formula(run: Run) -> None:
    backtest = saved(run, "backtest.json")
    assert set(backtest) >= BACKTEST_FIELDS
    net = pl.read_parquet(run.path("backtest.parquet"))["net_return"].to_numpy()
    assert backtest["sharpe"] == pytest.approx(
        net.mean() / net.std(ddof=1) * np.sqrt(backtest["sessions_per_year"]), abs=1e-9
    )
    assert backtest["target"] == 0.849
    assert backtest["sharpe_low"] < backtest["sharpe"] < backtest["sharpe_high"]
    assert backtest["sessions"] == net.size


def test_predictions_keep_the_contract(run: Run) -> None:
    frame = pl.read_parquet(run.path("predictions.parquet"))
    assert dict(frame.schema) == {
        "date": pl.Date,
        "symbol": pl.String,
        "fold": pl.Int16,
        "split": pl.String,
        **dict.fromkeys(("score_1", "score_5", "score_10", "score_20"), pl.Float32),
    }
    assert set(frame["split"].unique()) == {"validation", "test"}
    assert frame.select(pl.col("score_5").std()).item() > 0


class Page(HTMLParser):
    """Every reference that would leave the file, and every script."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in ("src", "href", "data", "action") and not (value or "").startswith("#"):
                self.outside.append(f"{tag} {name}={value}")


def test_the_report_stands_alone(run: Run) -> None:
    text = run.path("report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.outside == []
    assert page.scripts == 0
    settings = "https://api.jquants.com/v2"  # the default of a key, shown as text
    assert not re.search(rf"url\(|@import|https?://(?!www\.w3\.org|{settings[8:]})", text)
    train, backtest = saved(run, "train.json"), saved(run, "backtest.json")
    assert f"{train['test']['rank_ic']:+.4f}" in text
    assert f"{backtest['sharpe']:+.2f}" in text
    assert "synthetic" in text
    assert text.count("<svg") >= 4


def test_all_formats_say_the_same(run: Run) -> None:
    train = saved(run, "train.json")
    value = f"{train['test']['rank_ic']:+.4f}"
    assert value in run.path("report.md").read_text()
    assert saved(run, "report.json")["train"]["test"] == train["test"]


def test_looking_at_runs(workspace: Path, run: Run) -> None:
    listed = atft_here(workspace, "runs", "--json")
    assert len(listed.json["runs"]) == 2
    assert run.id in atft_here(workspace, "runs").out
    shown = atft_here(workspace, "show", run.id)
    assert shown.code == 0
    assert "lightgbm" in shown.out
    watched = atft_here(workspace, "watch", run.id)
    assert watched.code == 0
    assert "validation RankIC" in watched.err
    stopped = atft_here(workspace, "stop", run.id)
    assert stopped.code == 2
    assert "nobody is working on it" in stopped.err


def test_predict_refuses_the_days_it_was_trained_on(workspace: Path, run: Run) -> None:
    train = saved(run, "train.json")["splits"]["train"]
    refused = atft_here(
        workspace, "predict", run.id, "--start", train["first"], "--json", "--quiet"
    )
    assert refused.code == 6
    assert refused.json["exit_code"] == 6
    assert "--in-sample" in refused.json["hint"]
    before = run.path("predictions.parquet").read_bytes()
    trained = Prediction.read(run.path("predictions.parquet"))
    again = atft_here(workspace, "predict", run.id, "--json", "--quiet")
    assert again.code == 0, again.err
    after = pl.read_parquet(run.path("predictions.parquet"))
    old = pl.read_parquet(before).filter(pl.col("split") == "test")
    same = after.join(old, on=["date", "symbol"], suffix="_old")
    assert len(same) == len(old)
    assert (same["score_5"] == same["score_5_old"]).all(), "the checkpoint gives the same scores"
    day = old["date"].unique().sort()[-3]
    few = atft_here(workspace, "predict", run.id, "--start", str(day), "--json", "--quiet")
    assert few.code == 0, few.err
    made = Prediction.read(run.path("predictions.parquet"))
    assert made.config_digest == trained.config_digest != ""
    assert made.data_fingerprint == trained.data_fingerprint != ""
    assert few.json["days"] < 30
    assert pl.read_parquet(run.path("predictions.parquet")).equals(after)
    run.path("predictions.parquet").write_bytes(before)


def test_backtest_with_other_costs_and_an_unknown_strategy(workspace: Path, run: Run) -> None:
    first = saved(run, "backtest.json")
    dear = atft_here(workspace, "backtest", run.id, "--set", "costs.commission_bps=50", "--json")
    assert dear.code == 0, dear.err
    assert dear.json["sharpe"] < first["sharpe"]
    assert dear.json["cost_drag"] > 3 * first["cost_drag"]
    unknown = atft_here(workspace, "backtest", run.id, "--strategy", "nothing")
    assert unknown.code == 2
    assert saved(run, "backtest.json")["costs"]["commission_bps"] == 50.0


def test_a_demo_does_not_overwrite_other_data(tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    rows = [f"2024-01-{d:02d},{s},10,11,9,10,1000" for s in ("A", "B") for d in (2, 3, 4, 5)]
    prices.write_text("date,symbol,open,high,low,close,volume\n" + "\n".join(rows))
    workspace = tmp_path / "workspace"
    done = atft_here(workspace, "ingest", "--source", "files", "--prices", str(prices))
    assert done.code == 0, done.err
    refused = atft_here(workspace, "demo", "--quick")
    assert refused.code == 2
    assert "holds other data" in refused.err
