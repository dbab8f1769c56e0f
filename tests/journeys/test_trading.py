"""From scores to money over the real command line: strategies, sweep, trials, exports, comparison, batch.

The scores are those of simple models, so that no network has to be trained; the companies have names that
attack spreadsheets and browsers.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from atft_tui.readings.backtest import BacktestReader, read_day
from atft_tui.widgets.backtest.words import headline
from engine.report.facts import gather
from engine.runs.store import Run, RunStore
from tests.conftest import SMALL
from tests.journeys.command import Done, atft_here

SETTINGS = [
    word
    for setting in (*SMALL, "universe.min_price=0", "universe.min_turnover=0")
    for word in ("--set", setting)
]
pytestmark = pytest.mark.usefixtures("few_trees")
NAMES = ("<script>alert(1)</script>", "=HYPERLINK(1)", "+A", "-2+3", "@SUM(1)", "日本製鉄", "Plain")
SESSIONS, STOCKS = 420, 40


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market from files, with index, sectors and short-sale marks."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    days = pl.date_range(
        pl.date(2018, 1, 1), pl.date(2020, 1, 1), interval="1d", eager=True
    ).filter(pl.int_range(731, eager=True) % 7 < 5)[:SESSIONS]
    close = 30 * np.exp((rng.normal(0, 0.015, (SESSIONS, STOCKS))).cumsum(axis=0))
    symbols = [f"S{n:02d}" for n in range(STOCKS)]
    bars = pl.DataFrame(
        {
            "date": np.repeat(days.to_numpy(), STOCKS),
            "symbol": symbols * SESSIONS,
            "open": close.ravel(),
            "high": close.ravel() * 1.01,
            "low": close.ravel() * 0.99,
            "close": close.ravel(),
            "volume": np.full(close.size, 1e6),
        }
    )
    bars.write_csv(folder / "prices.csv")
    pl.DataFrame(
        {
            "symbol": symbols,
            "name": [NAMES[n % len(NAMES)] for n in range(STOCKS)],
            "sector": [("Energy", "<b>Tech</b>", "=Food")[n % 3] for n in range(STOCKS)],
            "shortable": ["yes" if n % 4 else "no" for n in range(STOCKS)],
            "borrow_class": ["hard" if n % 5 == 0 else "" for n in range(STOCKS)],
        }
    ).write_csv(folder / "securities.csv")
    pl.DataFrame({"date": days, "close": close.mean(axis=1)}).write_csv(folder / "index.csv")
    workspace = tmp_path_factory.mktemp("trading")
    done = atft_here(
        workspace, "ingest", "--source", "files", "--prices", str(folder / "prices.csv"),
        "--securities", str(folder / "securities.csv"), "--index", str(folder / "index.csv"),
    )  # fmt: skip
    assert done.code == 0, done.err
    return workspace


def walked(workspace: Path, model: str) -> Run:
    done = atft_here(
        workspace, "walkforward", "--step", "60", "--model", model, "--json", "--quiet", *SETTINGS
    )
    assert done.code == 0, done.err
    assert done.json["model"] == model
    assert model not in done.json["baselines"]
    return RunStore(workspace / "runs").open(done.json["run_id"])


@pytest.fixture(scope="module")
def ridge(workspace: Path) -> Run:
    return walked(workspace, "ridge")


@pytest.fixture(scope="module")
def lightgbm(workspace: Path) -> Run:
    return walked(workspace, "lightgbm")


def saved(run: Run, name: str) -> dict[str, Any]:
    value = json.loads(run.path(name).read_text(), parse_constant=pytest.fail)
    assert isinstance(value, dict)
    return value


def backtested(workspace: Path, run: Run, *words: str) -> dict[str, Any]:
    quick = ("--set", "backtest.random_draws=2", "--set", "backtest.bootstrap_draws=200")
    done: Done = atft_here(workspace, "backtest", run.id, "--json", "--quiet", *quick, *words)
    assert done.code == 0, done.err
    return done.json


def test_an_unknown_model_names_those_that_exist(workspace: Path) -> None:
    done = atft_here(
        workspace, "walkforward", "--step", "60", "--model", "gpt", "--quiet", *SETTINGS
    )
    assert done.code == 2
    assert "lightgbm" in done.err
    assert "network" in done.err


def test_every_strategy_can_be_backtested_and_each_is_a_trial(
    workspace: Path, lightgbm: Run, ridge: Run
) -> None:
    listed = atft_here(workspace, "strategies", "--json").json["strategies"]
    trials, books = [], set()
    for name in listed:
        found = backtested(workspace, lightgbm, "--strategy", name)
        assert found["strategy"] == name
        assert found["simulations_gap"] < 1e-9
        trials.append(found["trials"])
        books.add(round(found["turnover"], 9))
    assert len(books) == len(listed)
    assert trials == list(range(trials[0], trials[0] + len(listed)))
    again = backtested(workspace, lightgbm, "--strategy", next(iter(listed)))
    assert again["trials"] == trials[-1], "the same settings are no new trial"
    assert {"index", "equal_weight", "ridge", "reversal_5", "random"} <= set(again["baselines"])


def test_constraints_reach_the_book(workspace: Path, lightgbm: Run) -> None:
    plain = backtested(workspace, lightgbm)
    steps = [step["name"] for step in plain["alpha_to_orders"]["steps"]]
    assert "not shortable" in steps
    weights = pl.read_parquet(lightgbm.path("weights.parquet"))
    shorted = set(weights.filter(pl.col("weight") < 0)["symbol"])
    assert shorted
    assert all(int(symbol[1:]) % 4 for symbol in shorted)
    lots = backtested(
        workspace, lightgbm, "--set", "constraints.lot=100", "--set", "backtest.initial_cash=1e6"
    )
    assert lots["alpha_to_orders"]["orders"]["in_lots"] > 0
    steps = [step["name"] for step in lots["alpha_to_orders"]["steps"]]
    assert steps[-3:] == ["filled one session later", "at most 5% of turnover", "whole lots"]
    assert lots["simulations_gap"] < 1e-9
    held = backtested(
        workspace, lightgbm, "--set", "portfolio.long_only=true", "--set", "portfolio.max_weight=1"
    )
    assert held["mean_short_exposure"] == 0.0
    assert 0.9 < held["mean_long_exposure"] < 1.0
    refused = atft_here(
        workspace, "backtest", lightgbm.id, "--set", "costs.borrow_classes={hard=-1.0}"
    )
    assert refused.code == 2
    assert "must not be negative" in refused.err


def test_a_sweep_counts_every_cell(workspace: Path, ridge: Run) -> None:
    before = backtested(workspace, ridge)["trials"]
    words = ["--grid", "portfolio.fraction=0.1,0.2", "--grid", "costs.slippage_bps=0,5,10"]
    done = atft_here(workspace, "sweep", ridge.id, *words, "--json", "--quiet")
    assert done.code == 0, done.err
    found = done.json
    assert len(found["cells"]) == 6
    assert found["trials"] == before + 5, "one cell is the backtest made before"
    assert found["best"]["simulations_gap"] < 1e-9
    assert 0.0 <= found["overfitting_probability"] <= 1.0
    saved_returns = pl.read_parquet(ridge.path("sweep_returns.parquet"))
    assert saved_returns["cell"].n_unique() == 6
    said = atft_here(workspace, "sweep", ridge.id, *words, "--quiet")
    assert "net Sharpe" in said.out
    assert "overfitting" in said.out
    assert backtested(workspace, ridge)["trials"] == found["trials"]
    bad = atft_here(workspace, "sweep", ridge.id, "--grid", "training.seed=1,2")
    assert bad.code == 2
    assert "cannot be swept" in bad.err


def test_reports_are_inert_complete_and_recompute(workspace: Path, ridge: Run) -> None:
    tested = backtested(workspace, ridge)
    words = ["--format", "html,md,json,csv,parquet", "--json", "--quiet"]
    done = atft_here(workspace, "report", ridge.id, *words)
    assert done.code == 0, done.err
    page = ridge.path("report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert ridge.path("report.html").stat().st_size < 2_000_000
    for words_of_it in ("Ablations", "Look-ahead audit", "Year by year", "Trials", "embargo"):
        assert words_of_it in re.sub("<[^>]+>", "", page)  # a term is a link to its definition
    held = pl.read_csv(ridge.path("report-holdings.csv"), infer_schema=False)
    text = [cell for name in ("symbol", "name", "sector") for cell in held[name].drop_nulls()]
    assert text
    assert not [cell for cell in text if cell[:1] in "=+-@"]
    assert any(cell.startswith("'=") for cell in text)
    exact = pl.read_parquet(ridge.path("report-holdings.parquet"))
    assert any(cell.startswith("=") for cell in exact["name"])
    net = pl.read_parquet(ridge.path("report.parquet"))["net_return"].to_numpy()
    sharpe = net.mean() / net.std(ddof=1) * np.sqrt(tested["sessions_per_year"])
    assert sharpe == pytest.approx(tested["sharpe"], abs=1e-9)


def test_the_screen_shows_what_the_backtest_wrote_and_the_report_says(
    workspace: Path, ridge: Run
) -> None:
    tested = backtested(workspace, ridge)
    words = ["--format", "html", "--json", "--quiet"]
    assert atft_here(workspace, "report", ridge.id, *words).code == 0
    page = ridge.path("report.html").read_text()
    value = BacktestReader().value(workspace, ridge.id)
    found, curves = value.figures, value.curves
    assert found is not None
    assert curves is not None
    assert not found.older
    for name in ("sharpe", "sharpe_low", "sharpe_high", "annual_return", "max_drawdown"):
        assert getattr(found, name) == tested[name]
    line = headline(value, 160).plain
    for name in ("sharpe", "sharpe_low", "sharpe_high"):
        shown = f"{tested[name]:+.2f}"
        assert shown in line
        assert shown in page
    assert f"deflated {tested['sharpe_deflated']:.2f} ({tested['trials']} trial" in line
    facts = gather(workspace, ridge)
    assert facts.daily is not None
    assert list(curves.equity) == pytest.approx(facts.daily["equity"].to_list(), rel=1e-12)
    months = {f"{year}-{month:02d}": v for (year, month), v in curves.months.items()}
    assert months == pytest.approx(facts.months, abs=1e-12)
    parts = dict(found.waterfall.bars())
    assert parts["spread"] + parts["impact"] == pytest.approx(-tested["waterfall"]["slippage"])
    assert "spread" in page
    # The book of a day: what the stocks added is what the day earned, names and sectors are there.
    gross = pl.read_parquet(ridge.path("backtest.parquet"))["gross_return"]
    for place in (1, len(curves.dates) // 2, -1):
        book = read_day(ridge.directory, curves.dates[place])
        assert sum(row.contribution for row in book.rows) == pytest.approx(gross[place], abs=1e-7)
        held = sum(row.weight != 0 for row in book.rows)
        assert held == curves.names[place]
    assert {row.sector for row in book.rows} <= {"Energy", "<b>Tech</b>", "=Food"}
    assert {row.name for row in book.rows} <= set(NAMES)


def test_two_runs_are_compared(workspace: Path, ridge: Run, lightgbm: Run) -> None:
    backtested(workspace, ridge)
    backtested(workspace, lightgbm)
    done = atft_here(workspace, "report", "--compare", ridge.id, lightgbm.id, "--json", "--quiet")
    assert done.code == 0, done.err
    assert done.json["sharpe_difference_p"] >= 0
    assert done.json["runs"] == [lightgbm.id, ridge.id]
    page = Path(done.json["paths"]["html"]).read_text()
    assert "LightGBM against ridge" in page
    nothing = atft_here(
        workspace, "report", ridge.id, "--compare", lightgbm.id, "--format", "csv", "--quiet"
    )
    assert nothing.code == 2


def test_all_runs_are_exported_at_once(
    workspace: Path, ridge: Run, lightgbm: Run, tmp_path: Path
) -> None:
    words = ["--format", "html,json", "--output", str(tmp_path), "--json", "--quiet"]
    done = atft_here(workspace, "report", "all", *words)
    assert done.code == 0, done.err
    assert set(done.json["reports"]) >= {ridge.id, lightgbm.id}
    assert (tmp_path / ridge.id / "report.html").is_file()
    broken = lightgbm.path("backtest.parquet")
    kept = broken.read_bytes()
    broken.write_bytes(kept[:100])
    failed = atft_here(workspace, "report", "all", *words)
    broken.write_bytes(kept)
    assert failed.code == 2
    assert lightgbm.id in failed.err
    assert "1 failed" in failed.err


@pytest.mark.slow
def test_sweep_and_reports_of_two_processes_are_those_of_one(
    workspace: Path, ridge: Run, lightgbm: Run, tmp_path: Path
) -> None:
    """Real processes; the reports differ in the moment at which they say that they were made."""
    for run in (ridge, lightgbm):
        backtested(workspace, run)
    grid = ["--grid", "portfolio.fraction=0.1,0.2", "--grid", "costs.slippage_bps=0,5,10"]
    swept, made = [], []
    for jobs in ("1", "2"):
        done = atft_here(workspace, "sweep", ridge.id, *grid, "--jobs", jobs, "--quiet")
        assert done.code == 0, done.err
        swept.append([ridge.path(f).read_bytes() for f in ("sweep.json", "sweep_returns.parquet")])
        place = tmp_path / jobs
        words = ["--format", "md,parquet", "--output", str(place), "--jobs", jobs, "--quiet"]
        done = atft_here(workspace, "report", "all", *words)
        assert done.code == 0, done.err
        made.append({
            path.relative_to(place): re.sub(rb"made [-0-9]+ [0-9:]+ UTC", b"made", path.read_bytes())
            for path in place.rglob("report*")
        })  # fmt: skip
    assert swept[0] == swept[1]
    assert made[0] == made[1]
    assert {path.parts[0] for path in made[0]} >= {ridge.id, lightgbm.id}
    assert not any(run.path("tasks").exists() for run in (ridge, lightgbm))


def test_confirmation_days_are_asked_for_and_counted(workspace: Path, ridge: Run) -> None:
    """The first 60 test days develop, the others confirm, the newest ten would be sealed."""
    days = pl.read_parquet(ridge.path("predictions.parquet"))["date"].unique().sort()
    bound, last = str(days[59]), str(days[-11])
    short = ["--set", "training.epochs=[1,0,0,0]", "--set", "training.day_stride=16"]
    folds = ["--set", "tune.folds=1", "--set", "tune.fold_sessions=20"]
    keys = ["--set", f"protocol.development_to={bound}", *SETTINGS, *short, "--json", "--quiet"]
    words = [
        "walkforward",
        "--first-test",
        str(days[40]),
        "--step",
        "60",
        "--model",
        "ridge",
        *keys,
    ]
    sealed = ["--set", f"protocol.confirmation_to={last}"]
    runs = RunStore(workspace / "runs")
    for command in (words, ["tune", "--trials", "1", *keys, *folds], ["compare", "sizes", *keys]):
        refused = atft_here(workspace, *command)
        assert refused.code == 6, refused.err
        assert f"protocol.development_to is {bound}" in refused.json["error"]
        assert "--confirm" in refused.json["hint"]
    assert not [run for run in runs if run.command in ("trial", "train")], "nothing was trained"
    late = atft_here(workspace, *words, *sealed, "--confirm")
    assert (late.code, late.json["error"].split()[:3]) == (6, ["10", "of", f"{len(days) - 40}"])
    told = atft_here(workspace, *words, *sealed, "--last-test", last, "--confirm")
    assert told.code == 0, told.err
    first, second = told.json["spans"]
    assert (first["span"], second["span"]) == ("development", "confirmation")
    n = [part["n_dates"] for part in (first, second)]
    assert n[0] == 20
    mean = sum(k * part["rank_ic"] for k, part in zip(n, (first, second), strict=True)) / sum(n)
    assert mean == pytest.approx(told.json["test"]["rank_ic"])
    assert {"lightgbm", "mlp"} <= set(second["baselines"])
    looks, run = told.json["looks"], told.json["run_id"]
    assert looks >= 2, "the first walk-forward looked at these days before there was a protocol"
    assert atft_here(workspace, "backtest", run, *keys).code == 6
    tested = atft_here(workspace, "backtest", run, *keys, "--confirm")
    assert (tested.code, tested.json["looks"]) == (0, looks), "the book of the scores just seen"
    shown = atft_here(workspace, "show", run, "--json").json
    assert shown["days"].startswith(f"looked at {looks} times (")


@pytest.mark.slow
def test_a_walk_forward_is_audited_by_its_own_rules(workspace: Path, ridge: Run) -> None:
    """Its networks are one for each fold: the rules are audited, the scores are told as left out."""
    done = atft_here(workspace, "audit", ridge.id, "--json", "--quiet")
    assert done.code == 0, done.err
    assert done.json["run"] == ridge.id
    scores = next(check for check in done.json["checks"] if check["name"] == "scores")
    assert scores["passed"] is None
