"""`backtest` and `sweep` on a market whose returns can be worked out by hand."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from engine.config import Config
from engine.config.file import override
from engine.errors import DataError, EnvironmentProblem, GateError, Interrupted, UsageError
from engine.portfolio.prediction import Prediction
from engine.records import record
from engine.records.backtest import BacktestSummary
from engine.records.book import ExtremeDay, HeldBreaks
from engine.records.sweep import BestCell, SweepCell, SweepSummary
from engine.runs.events import Advanced
from engine.runs.sink import ListSink
from engine.runs.store import Run
from engine.runs.trials import read_trials
from engine.stages import backtest as stage
from engine.stages import sweep as sweep_stage
from engine.stages import sweep_tasks, trading
from engine.stages.context import StageContext, StopFlag
from tests.engine.backtest.markets import panel_of, prediction_of
from tests.engine.report.samples import tested
from tests.engine.stages.here import BesideHere

RISE, FALL, DAYS = 1.01, 0.99, 40
FREE = (
    "portfolio.horizon=1", "portfolio.score=horizon", "portfolio.strategy=long_short_quantile",
    "portfolio.fraction=0.25", "portfolio.gross=1", "portfolio.max_weight=0.5",
    "costs.commission_bps=0", "costs.slippage_bps=0", "costs.impact_bps=0",
    "costs.borrow_bps_per_year=0", "constraints.max_adv_share=0", "backtest.random_draws=2",
    "backtest.bootstrap_draws=200",
)  # fmt: skip
SHARES: dict[str, float] = {"A": RISE, "B": 1.0, "C": 1.0, "D": FALL}
"""A gains 1 % a day, D loses 1 %, the others stand still."""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageContext:
    # Every third day moves the other way, so that the returns vary.
    closes: dict[str, list[float | None]] = {}
    for name, step in SHARES.items():
        price, row = 100.0, []
        for d in range(DAYS):
            price *= step if d % 3 else 1.0 / step
            row.append(price)
        closes[name] = list(row)
    panel = panel_of(closes)
    monkeypatch.setattr(trading, "load_panel", lambda *_: (panel, SimpleNamespace(notes=("toy",))))
    config = override(Config(), dict(word.split("=") for word in FREE), origin="test")
    return StageContext(workspace=tmp_path, config=config, sink=ListSink(), stop=StopFlag())


@pytest.fixture
def run(context: StageContext) -> Run:
    """Scored for twenty days: A best, D worst."""
    made = context.store.create("train", context.config)
    scores: dict[str, list[float | None]] = {
        name: [score] * 20 for name, score in (("A", 2.0), ("B", 1.0), ("C", 0.0), ("D", -1.0))
    }
    prediction_of(scores).write(made.path("predictions.parquet"))
    return made


def test_half_long_half_short_earns_half_of_both_moves(context: StageContext, run: Run) -> None:
    """Decided on day 0, filled on day 1: from day 2 on the day's return is half of A's less half of D's."""
    answer = stage.backtest(context, run=run.id, strategy=None)
    saved = record.read(run.path("backtest.json"), BacktestSummary)
    daily = pl.read_parquet(run.path("backtest.parquet"))
    up = 0.5 * (RISE - 1.0) - 0.5 * (FALL - 1.0)
    down = 0.5 * (1.0 / RISE - 1.0) - 0.5 * (1.0 / FALL - 1.0)
    wanted = [0.0, *(down if d % 3 == 0 else up for d in range(2, 21))]
    assert daily["net_return"].to_list() == pytest.approx(wanted, abs=1e-9)
    assert saved.sessions == 20
    assert saved.waterfall.net_return == pytest.approx(252 * sum(wanted) / 20, abs=1e-7)
    assert saved.waterfall.commission == saved.waterfall.spread == 0.0
    assert saved.annual_return == pytest.approx(math.prod(1 + r for r in wanted) ** (252 / 20) - 1)
    assert saved.simulations_gap < 1e-12
    assert answer.json["sharpe"] == saved.sharpe
    assert "note: toy" in answer.text
    assert answer.text.startswith(f"net Sharpe {saved.sharpe:+.2f}, 90%")


def test_everything_of_a_backtest_is_left_in_the_run(context: StageContext, run: Run) -> None:
    stage.backtest(context, run=run.id, strategy="score_weighted")
    saved = record.read(run.path("backtest.json"), BacktestSummary)
    assert saved.strategy == "score_weighted"
    assert saved.portfolio["strategy"] == "score_weighted"
    assert not saved.older
    assert {"equal_weight", "random"} <= set(saved.baselines)
    assert saved.baselines["random"].draws == 2
    (trial,) = read_trials(run).values()
    assert trial.what == "backtest score_weighted"
    held = pl.read_parquet(run.path("holdings.parquet"))
    last = held.filter(pl.col("date") == held["date"].max()).sort("symbol")
    assert last["symbol"].to_list() == ["A", "B", "C", "D"]
    assert last["rank"].to_list() == [1, 2, 3, 4]
    names = [step.name for step in saved.alpha_to_orders.steps]
    assert names[0] == "score_weighted, tranches: 1"
    assert names[-1] == "filled one session later", "rules that are off are no steps"


def test_only_out_of_sample_scores_are_traded(context: StageContext) -> None:
    empty = context.store.create("train", context.config)
    with pytest.raises(EnvironmentProblem):
        trading.out_of_sample(empty)
    prediction_of({"A": [1.0]}, split="validation").write(empty.path("predictions.parquet"))
    with pytest.raises(GateError, match="no out-of-sample scores"):
        trading.out_of_sample(empty)


def test_trading_is_configured_by_the_command_and_the_rest_by_the_run(
    context: StageContext, run: Run
) -> None:
    other = override(Config(), {"costs.commission_bps": "7", "training.seed": "99"}, origin="test")
    mixed = trading.trading_configuration(
        StageContext(workspace=context.workspace, config=other, sink=ListSink(), stop=StopFlag()),
        run,
        "score_weighted",
    )
    assert (mixed.costs.commission_bps, mixed.portfolio.strategy) == (7.0, "score_weighted")
    assert mixed.training.seed == Config().training.seed
    assert stage.trial_settings(mixed, Path())["costs"]["commission_bps"] == 7.0


def test_a_day_that_hangs_on_one_stock_is_told() -> None:
    day = ExtremeDay(
        date="2015-03-03", symbol="X", contribution=-0.05, price_ratio=0.1, sharpe_without=1.234
    )
    (note,) = stage._suspicions([day, ExtremeDay(date="2015-03-04", contribution=0.01)])
    assert note.startswith("X alone made -5.0% on 2015-03-03 (price x 0.10)")
    assert "+1.23" in note
    assert stage._broken(HeldBreaks()) == []
    assert "1.8% of the equity" in stage._broken(HeldBreaks(held=2, worst_case=-0.018))[0]


def test_the_text_puts_the_rivals_below_the_scores() -> None:
    lines = stage._backtest_text(tested(simulations_gap=1e-12)).splitlines()
    assert lines[0] == "net Sharpe +0.40, 90% [-0.90, +1.70], target 0.849: undecided"
    assert "agree to 1e-12" in lines[2]
    rows = [line.split()[0] for line in lines if "[-0.90, +1.70]" in line][1:]
    assert rows[0] == "these"
    assert {"LightGBM", "random"} <= set(rows)


# ---- sweep -----------------------------------------------------------------------------------------


def test_a_sweep_counts_every_cell_and_simulates_the_best_again(
    context: StageContext, run: Run
) -> None:
    grid = ("costs.commission_bps=0,10", "portfolio.gross=0.5,1")
    answer = sweep_stage.run_sweep(context, run=run.id, grid=grid, strategy=None)
    saved = record.read(run.path("sweep.json"), SweepSummary)
    assert [cell.settings["costs.commission_bps"] for cell in saved.cells] == [0.0, 0.0, 10.0, 10.0]
    assert saved.best.settings["costs.commission_bps"] == 0.0, "what costs nothing earns most"
    assert saved.best.simulations_gap < 1e-12
    assert saved.trials == len(read_trials(run)) == 4
    returns = pl.read_parquet(run.path("sweep_returns.parquet"))
    assert returns.group_by("cell").len()["len"].to_list() == [20] * 4
    assert "probability of backtest overfitting" in answer.text
    with pytest.raises(UsageError, match="cannot be swept"):
        sweep_stage.run_sweep(context, run=run.id, grid=("training.seed=1,2",), strategy=None)


def test_a_sweep_in_blocks_writes_the_same_bytes(
    context: StageContext, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve cells in six blocks that cut through books; a price floor leaves half without figures."""
    grid = (
        "constraints.min_price=0,100000", "costs.delisting_haircut=0,0.5", "costs.commission_bps=0,5,10",
    )  # fmt: skip
    made = BesideHere()
    monkeypatch.setattr(sweep_tasks, "beside", made)
    files, answers = [], []
    for jobs in (1, 3):
        answer = sweep_stage.run_sweep(context, run=run.id, grid=grid, strategy=None, jobs=jobs)
        answers.append((answer.text, answer.json["trials"]))
        lines = run.path("sweep.json").read_text().splitlines()
        files.append([*lines, run.path("sweep_returns.parquet").read_bytes()])
    assert made.parts == [f"sweep-{b}" for b in (5, 4, 3, 2, 1, 0)]
    assert files[0] == files[1]
    assert answers[0] == answers[1]
    assert not run.path("tasks").exists()
    assert isinstance(context.sink, ListSink)
    told = [e.done for e in context.sink.events if isinstance(e, Advanced)]
    assert told[-1] == 12


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_stops_between_two_cells(
    context: StageContext, run: Run, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(sweep_tasks, "beside", BesideHere())
    context = replace(context, stop=StopFlag(requested=True))
    with pytest.raises(Interrupted, match=r"sweep: stopped after \d+ of \d+ cells"):
        sweep_stage.run_sweep(
            context, run=run.id, grid=("costs.commission_bps=0,5,10,20",), strategy=None, jobs=jobs
        )
    assert not run.path("tasks").exists()
    assert not run.path("sweep.json").exists()


def test_a_sweep_without_a_single_ratio_is_refused(context: StageContext, run: Run) -> None:
    grid = ("constraints.min_price=100000",)
    with pytest.raises(DataError, match="no cell has a Sharpe ratio"):
        sweep_stage.run_sweep(context, run=run.id, grid=grid, strategy=None)
    assert not run.path("sweep.json").exists()


def test_the_map_of_a_sweep_is_the_mean_over_the_other_keys() -> None:
    """Sharpe 1 and 3 at the first pair; the cell that failed says nothing and stands last."""
    cells = [
        SweepCell(settings={"a.x": 1.0, "b.y": 2.0, "c.z": z}, sharpe=sharpe, turnover=0.5)
        for z, sharpe in ((0, 1.0), (1, 3.0))
    ]
    cells.append(SweepCell(settings={"a.x": 2.0, "b.y": 2.0, "c.z": 0}, error="lost everything"))
    found = SweepSummary(
        grid={"a.x": (1.0, 2.0), "b.y": (2.0, 3.0), "c.z": (0.0, 1.0)},
        cells=tuple(cells),
        best=BestCell(settings=cells[1].settings, sharpe=3.0, sharpe_deflated=0.25),
        overfitting_probability=0.5,
        trials=3,
    )
    assert found.pivot is not None
    assert found.pivot.means == {(1.0, 2.0): 2.0}
    assert [cell.sharpe for cell in found.ranked[:2]] == [3.0, 1.0]
    assert math.isnan(found.ranked[2].sharpe)
    text = sweep_stage._sweep_text(found)
    assert "+2.00" in text
    assert "after 3 trials" in text
    assert "luck is 25%" in text
    assert [sweep_stage._value(word) for word in ("0.5", "jp")] == [0.5, "jp"]


def test_confirmation_days_are_traded_on_demand_and_each_further_book_is_a_look(
    context: StageContext, run: Run
) -> None:
    """Twenty days from 2020 on: the first book belongs to the look at its scores, the second is another."""
    keys = {"protocol.development_to": "2001-01-01"}
    context = replace(context, config=override(context.config, keys, origin="test"))
    with pytest.raises(GateError, match="20 of 20 days to judge"):
        stage.backtest(context, run=run.id, strategy=None)
    with pytest.raises(GateError, match="20 of 20 days to judge"):
        sweep_stage.run_sweep(context, run=run.id, grid=(), strategy=None)
    assert not run.path("backtest.json").exists()
    for _ in range(2):
        told = stage.backtest(context, run=run.id, strategy=None, confirm=True)
        assert told.text.endswith("protocol: confirmed once")
    saved = record.read(run.path("backtest.json"), BacktestSummary)
    assert saved.judged_days is not None
    grid = ("portfolio.fraction=0.25,0.5", "costs.slippage_bps=0,1")
    told = sweep_stage.run_sweep(context, run=run.id, grid=grid, strategy=None, confirm=True)
    assert (told.json["looks"], told.json["days"]) == (4, "looked at 4 times")


def test_a_book_over_both_kinds_of_days_has_the_figures_of_each(
    context: StageContext, run: Run
) -> None:
    """Scores from `FIRST` on for twenty days, cut after the tenth; the book begins one session later."""
    dates = Prediction.read(run.path("predictions.parquet")).dates
    keys = {"protocol.development_to": str(dates[9])}
    context = replace(context, config=override(context.config, keys, origin="test"))
    told = stage.backtest(context, run=run.id, strategy=None, confirm=True)
    saved = record.read(run.path("backtest.json"), BacktestSummary)
    daily = pl.read_parquet(run.path("backtest.parquet"))
    parts = [
        daily.filter(pl.col("date") < dates[10]),
        daily.filter(pl.col("date") >= dates[10]),
    ]
    assert [found.span for found in saved.spans] == ["development", "confirmation"]
    for part, found in zip(parts, saved.spans, strict=True):
        net_D = part["net_return"].to_numpy()
        assert found.sharpe == pytest.approx(net_D.mean() / net_D.std(ddof=1) * math.sqrt(252))
        assert found.sessions == len(part)
    assert sum(found.sessions for found in saved.spans) == saved.sessions
    assert "development days" in told.text
    assert told.text.endswith("protocol: confirmed once (10 of 20 days)")
