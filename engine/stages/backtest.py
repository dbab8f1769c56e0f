"""`backtest`: what the out-of-sample scores of a run would have earned, after costs."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from msgspec import structs

from engine.backtest.baselines import (
    compare_baselines,
    price_baselines,
    random_band,
    stored_baselines,
)
from engine.backtest.fast import run_orders
from engine.backtest.frictions import Frictions
from engine.backtest.holdings import (
    Trades,
    annual_parts,
    held_breaks,
    holdings,
    sector_exposures,
)
from engine.backtest.prices import forward_returns
from engine.backtest.result import BacktestResult
from engine.backtest.simulate import Simulation, simulate
from engine.backtest.simulator import Simulator
from engine.config import Config
from engine.data.calendar import currency_of
from engine.evaluation.factor import factor_figures
from engine.files import read_parquet, write_parquet
from engine.portfolio.aim import share_of_scores
from engine.portfolio.book import Book, measure
from engine.portfolio.market_data import Matrix
from engine.records import record
from engine.records.backtest import (
    BACKTEST,
    SETTINGS,
    BacktestSummary,
    JudgedFigures,
    RivalFigures,
    SettingsTable,
)
from engine.records.book import AlphaToOrders, BookStep, ExtremeDay, HeldBreaks
from engine.records.figure import counted
from engine.records.names import model_name
from engine.records.quality import QualityReport
from engine.records.rank_ic import FactorFigures
from engine.runs.events import StageStarted
from engine.runs.store import Run
from engine.runs.trials import count_trials, record_trials
from engine.stages import protocol
from engine.stages.context import Outcome, StageContext, require_model
from engine.stages.text import table
from engine.stages.trading import open_simulator, trading_configuration
from engine.workspace_code import hashes_of

_LATER = {
    "score": "horizon", "neutral_share": 1.0, "trade_share": 0.3, "risk_aversion": 100.0,
    "volatility_scaled": False, "cost_aversion": 2.0, "max_turnover": 0.0, "max_lean": 0.0,
}  # fmt: skip
"""Keys of ``[portfolio]`` that the first version lacked -> the value at which its books are made."""
_HOLDINGS_ROWS = 32_768
_SUSPICIOUS = 0.04
"""Share of the equity that one stock made or lost in a day."""


def backtest(
    context: StageContext, *, run: str, strategy: str | None, confirm: bool = False
) -> Outcome:
    """Weights, vectorbt simulation, baselines on the same days, factor figures, interval and verdict.

    Only rows of split ``test`` count. Portfolio, constraints, costs and backtest settings come from the
    command's configuration, data and labels from the run's.
    """
    found = context.store.open(run)
    require_model(found)
    config = trading_configuration(context, found, strategy)
    with found.lock():
        prediction, simulator, quality = open_simulator(context, found, config)
        days = protocol.check_prediction(context, prediction, confirm=confirm)
        protocol.count_books(
            context, found, prediction, [trial_settings(config, context.workspace)]
        )
        panel = simulator.panel
        context.sink.emit(StageStarted(stage="simulate"))
        book = simulator.book(simulator.score_DN, trace=True)
        simulation = run_vectorbt(simulator, book)
        result = simulator.result(simulation.ledger, run_id=found.id)
        context.sink.emit(StageStarted(stage="baselines"))
        forward, h = forward_returns(panel, simulator.market, config), config.portfolio.horizon
        rivals = _rivals(found, simulator)
        baselines, daily = compare_baselines(simulator, result, rivals, forward(h, 1))
        baselines["random"] = random_band(simulator)
        context.sink.emit(StageStarted(stage="factor"))
        dates_D = simulator.market.dates_D
        factor = factor_figures(simulator.score_DN, forward, dates_D, horizon=h)
        sharpe = result.figures().sharpe
        tried = (trial_settings(config, context.workspace), sharpe)
        record_trials(found, {f"backtest {book.strategy}": tried})
        trials = count_trials(context.store)
        judged = partial(BacktestResult.judged, config=config.backtest, horizon=h, trials=trials)
        summary = _summarise(simulator, book, simulation, result, judged(result), quality)
        summary = structs.replace(
            summary,
            notes=(*summary.notes, *_share_called_for(config, factor)),
            judged_days=days,
            spans=protocol.span_figures(result, days, judged),
            baselines=baselines,
            factor=factor,
            alpha_to_orders=_alpha_to_orders(simulator, book, simulation, factor),
        )
        book.weights(found.id, config.portfolio).write(found.path("weights.parquet"))
        write_parquet(found.path("backtest_styles.parquet"), book.leans())
        _write_holdings(found, simulator, simulation)
        result.write(found.path("backtest.parquet"))
        write_parquet(found.path("backtest_baselines.parquet"), daily)
        record.write(found.path(BACKTEST), summary)
    return protocol.outcome(context, summary, _backtest_text(summary), days)


def trial_settings(config: Config, workspace: Path) -> SettingsTable:
    """What makes a simulation of the same scores another trial, and another look.

    A key of `_LATER` is left out at its value there, so that a book of before is the same one.
    """
    own = hashes_of(workspace, "strategies", [config.portfolio.strategy])
    found = {name: getattr(config, name).model_dump(mode="json") for name in SETTINGS}
    book = found["portfolio"]
    found["portfolio"] = {k: v for k, v in book.items() if k not in _LATER or v != _LATER[k]}
    found |= {"code": own} if own else {}
    return found | {"initial_cash": config.backtest.initial_cash}


def run_vectorbt(simulator: Simulator, book: Book) -> Simulation:
    """The book through vectorbt, held against the fast path."""
    return simulate(
        simulator.table,
        simulator.table.orders(book.targets()),
        frictions=simulator.frictions,
        initial_cash=simulator.config.backtest.initial_cash,
    )


def _trades(simulator: Simulator, simulation: Simulation) -> Trades:
    return Trades(
        table=simulator.table, orders=simulation.orders, equity_D=simulation.ledger.equity_D
    )


def _write_holdings(run: Run, simulator: Simulator, simulation: Simulation) -> None:
    """What was held each day, the sectors it lay in, and the names and sectors of those stocks."""
    trades, market = _trades(simulator, simulation), simulator.market
    held = holdings(trades, simulator.score_DN)
    names = simulator.panel.securities.select("symbol", "name", "sector").filter(
        pl.col("symbol").is_in(held["symbol"].unique().implode())
    )
    sectors = sector_exposures(trades, market.sector_N, market.sectors)
    # Small groups of rows: a reader of one day skips all others.
    write_parquet(run.path("holdings.parquet"), held, row_group_size=_HOLDINGS_ROWS)
    write_parquet(run.path("holdings_names.parquet"), names.unique("symbol").sort("symbol"))
    write_parquet(run.path("backtest_sectors.parquet"), sectors)


def _rivals(run: Run, simulator: Simulator) -> Iterator[tuple[str, Matrix]]:
    stored = run.path("baselines.parquet")
    if stored.is_file():
        rows = read_parquet(stored).filter(pl.col("split") == "test")
        horizons = simulator.config.traded_horizons
        return stored_baselines(rows, simulator.market, simulator.score_DN, horizons)
    return price_baselines(simulator.panel, simulator.market, simulator.score_DN)


def _summarise(
    simulator: Simulator,
    book: Book,
    simulation: Simulation,
    result: BacktestResult,
    judged: JudgedFigures,
    quality: QualityReport,
) -> BacktestSummary:
    """What one simulation says, before it is held against others."""
    config, panel = simulator.config, simulator.panel
    extremes = simulator.extremes(simulation.orders, result)
    trades, spy = _trades(simulator, simulation), result.sessions_per_year
    broken = held_breaks(trades)
    return BacktestSummary(
        **structs.asdict(judged),
        run_id=result.run_id,
        strategy=book.strategy,
        waterfall=structs.replace(
            result.waterfall(), **annual_parts(trades, simulator.frictions, spy)
        ),
        breaks=broken,
        sessions_per_year=spy,
        entry=f"{result.entry} of the next session",
        horizon=config.portfolio.horizon,
        drawdowns=result.deepest_falls(),
        years=result.years(),
        exposures=simulator.exposures(book, result),
        capacity=simulator.capacity(simulation.orders),
        extremes=extremes,
        currency=currency_of(panel.market, panel.currency, panel.calendar),
        simulations_gap=simulation.gap,
        costs=config.costs.model_dump(mode="json"),
        portfolio=config.portfolio.model_dump(mode="json"),
        constraints=config.constraints.model_dump(mode="json"),
        initial_cash=config.backtest.initial_cash,
        notes=(*quality.notes, *_suspicions(extremes), *_broken(broken)),
    )


def _suspicions(extremes: Iterable[ExtremeDay]) -> list[str]:
    """Days on which one stock moved the whole book: often an unadjusted price, always worth a look."""
    return [
        f"{day.symbol} alone made {day.contribution:+.1%} on {day.date} (price x "
        f"{day.price_ratio:.2f}); without that day the Sharpe ratio is {day.sharpe_without:+.2f}. "
        "Look for an unadjusted split"
        for day in extremes
        if abs(day.contribution) > _SUSPICIOUS
    ]


def _share_called_for(config: Config, factor: FactorFigures) -> list[str]:
    """For a book that trades a share of the way: what these days would have called for."""
    if config.portfolio.strategy != "aim_portfolio" or not factor.quantile_returns:
        return []
    share = share_of_scores(factor, config.costs, config.portfolio)
    return [
        f"costs, edge and persistence of the scores on these days call for a trade_share of {share:g}; "
        f"{config.portfolio.trade_share:g} is set. Choose it on other days than those that are judged"
    ]


def _broken(found: HeldBreaks) -> list[str]:
    if not found.held:
        return []
    return [
        f"{found.held} breaks in the book, none of them earned; had every one gone against it: "
        f"{found.worst_case:.1%} of the equity"
    ]


def _backtest_text(summary: BacktestSummary) -> str:
    """The verdict, the scores beside their rivals, and the notes."""
    interval = f"[{summary.sharpe_low:+.2f}, {summary.sharpe_high:+.2f}]"
    rows = [_cells("these scores", summary)]
    rows += [_cells(f"{part.span} days", part) for part in summary.spans]
    rows += [_cells(model_name(name), values) for name, values in summary.baselines.items()]
    lines = [
        f"net Sharpe {summary.sharpe:+.2f}, {summary.confidence:.0%} {interval}, "
        f"target {summary.target}: {summary.verdict}",
        f"{counted(summary.sessions, 'session')}, x sqrt({summary.sessions_per_year}), entry at the "
        f"{summary.entry}, deflated {summary.sharpe_deflated:.2f} ({counted(summary.trials, 'trial')})",
        f"vectorbt and the second simulation agree to {summary.simulations_gap:.0e}",
        "",
        table(rows, header=["", "net Sharpe", "interval", "net CAGR", "turnover/day", "costs/y"]),
        "",
        *(f"note: {note}" for note in summary.notes),
        f"next: `atft-tui report {summary.run_id}`",
    ]
    return "\n".join(lines).rstrip()


def _cells(name: str, side: JudgedFigures | RivalFigures) -> list[str]:
    return [
        name,
        f"{side.sharpe:+.2f}",
        f"[{side.sharpe_low:+.2f}, {side.sharpe_high:+.2f}]",
        f"{side.annual_return:+.1%}",
        f"{side.turnover:.1%}",
        f"{side.cost_drag:.1%}",
    ]


def _alpha_to_orders(
    simulator: Simulator, book: Book, simulation: Simulation, factor: FactorFigures
) -> AlphaToOrders:
    """From the score to the orders: what each step left of the book and of its expected IC.

    Expected IC = RankIC of the scores x transfer coefficient of the step. Steps that depend on the path of
    the equity (fills, liquidity, lots, price limits, stop) are simulated one after the other.
    """
    rank_ic = factor.traded.rank_ic
    steps = (*book.steps, *_order_steps(simulator, book))
    return AlphaToOrders(
        rank_ic=rank_ic,
        steps=tuple(structs.replace(step, expected_ic=rank_ic * step.transfer) for step in steps),
        orders=simulation.shortfall,
    )


def _order_steps(simulator: Simulator, book: Book) -> Iterator[BookStep]:
    """The book as held at the evening of the fill, with one rule of trading more each time."""
    limits, all_of_them = simulator.config.constraints, simulator.frictions
    rules = {
        f"at most {limits.max_adv_share:.0%} of turnover": ("max_share",),
        "whole lots": ("lot_DN",),
        "daily price limits": ("no_buy_DN", "no_sell_DN"),
        f"drawdown stop {limits.drawdown_stop:.0%}": ("drawdown_stop",),
    }
    plain = Frictions.from_costs(simulator.config.costs, simulator.panel.sessions_per_year)
    names = {name for fields in rules.values() for name in fields}
    frictions = replace(all_of_them, **{name: getattr(plain, name) for name in names})
    yield _held("filled one session later", simulator, book, frictions)
    for name, fields in rules.items():
        added = {field: getattr(all_of_them, field) for field in fields}
        if all(np.array_equal(added[field], getattr(frictions, field)) for field in fields):
            continue  # this rule is off
        frictions = replace(frictions, **added)
        yield _held(name, simulator, book, frictions)


def _held(name: str, simulator: Simulator, book: Book, frictions: Frictions) -> BookStep:
    table, decisions = simulator.table, book.decisions
    ledger, orders, _ = run_orders(
        table,
        table.orders(book.targets()),
        frictions=frictions,
        initial_cash=simulator.config.backtest.initial_cash,
    )
    rows = decisions.row_K + 1
    inside = rows < len(ledger.equity_D)
    rows = rows[inside]
    held_KN = np.zeros_like(book.weight_KN)
    held_KN[inside] = orders.shares_DN[rows] * table.mark_DN[rows] / ledger.equity_D[rows, None]
    return measure(name, held_KN, decisions)
