"""What the book earned: equity, Sharpe ratios, costs, orders, months, years, drawdowns, sweep."""

import math

from engine.records.backtest import JudgedFigures, RivalFigures, SettingsTable
from engine.records.figure import DASH, Figure, counted
from engine.records.names import model_name
from engine.report import charts
from engine.report.facts import Facts, equity_curves
from engine.report.sections.section import EMPTY, Column, Section, cells, money, shown, titles

_CURVES = ("lightgbm", "ridge", "reversal_5", "index", "equal_weight")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SHARPES: tuple[Column, ...] = (
    ("scores", lambda side: side[0], ""),
    ("net Sharpe", lambda side: side[1].sharpe, "+.2f"),
    ("interval", lambda side: f"[{shown(side[1].sharpe_low)}, {shown(side[1].sharpe_high)}]", ""),
    ("difference", lambda side: _difference(side[1]), ""),
    ("net CAGR", lambda side: side[1].annual_return, "+.1%"),
    ("turnover a day", lambda side: side[1].turnover, ".1%"),
    ("costs a year", lambda side: side[1].cost_drag, ".1%"),
)
_STEPS: tuple[Column, ...] = (
    ("step", "name", ""),
    ("gross", "gross", ".2f"),
    ("names", "names", ".0f"),
    ("transfer", "transfer", ".3f"),
    ("expected IC", "expected_ic", "+.4f"),
)
_YEARS: tuple[Column, ...] = (
    ("year", "year", ""),
    ("sessions", "sessions", ""),
    ("RankIC", lambda row: Figure(row.rank_ic, row.rank_ic_se).text(), ""),
    ("net Sharpe", "sharpe", "+.2f"),
    ("net return", "net_return", "+.1%"),
    ("drawdown", "max_drawdown", ".1%"),
    ("turnover a day", "turnover", ".1%"),
    ("costs", "cost", ".1%"),
)
_FALLS: tuple[Column, ...] = (
    ("depth", "depth", ".1%"),
    ("high", "peak", ""),
    ("low", "trough", ""),
    ("high regained", lambda fall: fall.recovery or "not yet", ""),
    ("sessions down", "sessions_down", ""),
    ("sessions up", "sessions_up", ""),
)


def equity(facts: Facts) -> Section:
    """The growth of the book beside a few baselines, with its drawdown."""
    if facts.daily is None:
        return Section(title="Equity after costs")
    labels = facts.daily["date"].cast(str).to_list()
    series = {facts.model: [value - 1.0 for value in facts.daily["equity"].to_list()]}
    curves = equity_curves(facts)
    for name in [name for name in _CURVES if name in curves][:4]:
        series[model_name(name)] = [curves[name].get(label, float("nan")) - 1.0 for label in labels]
    chart = charts.lines(
        series, labels, title="Net return since the start", percent=True,
        unit="net return since the start, compounded, %",
    )  # fmt: skip
    chart += charts.area(
        facts.daily["drawdown"].to_list(),
        labels,
        title="Drawdown",
        unit="below the highest before, %",
    )
    return Section(
        title="Equity after costs",
        chart=chart,
        caption="Compounded net return of the same strategy and costs on different scores; below, the "
        "drawdown of these scores. equal weight and index hold the market, long only.",
    )


def sharpe(facts: Facts) -> Section:
    """The Sharpe ratio and those of its rivals with their intervals, against the target."""
    test = facts.traded
    ranked = sorted(test.baselines.items(), key=lambda item: -_low_if_nan(item[1].sharpe))
    rivals = [(model_name(name), side) for name, side in ranked]
    sides: list[tuple[str, JudgedFigures | RivalFigures]] = [(facts.model, test)]
    sides += [*((part.span + " days", part) for part in test.spans), *rivals]
    points = {name: (side.sharpe_low, side.sharpe, side.sharpe_high) for name, side in sides}
    random, chance = test.baselines.get("random"), ""
    if random is not None:
        chance = f" random scores: 5% to 95% of {counted(random.draws, 'set')} of random scores."
    return Section(
        title="Net Sharpe ratio against the target",
        chart=charts.meter(
            points,
            target=test.target,
            title="Sharpe ratios with intervals",
            unit="annualised net Sharpe ratio",
        ),
        header=titles(_SHARPES),
        rows=cells(sides, _SHARPES),
        caption=f"Mean / deviation of daily net returns x sqrt({test.sessions_per_year}), zero rate; "
        f"{test.confidence:.0%} stationary block bootstrap. difference: these scores less that row, "
        f"± its standard error (Ledoit & Wolf 2008).{chance}",
    )


def costs(facts: Facts) -> Section:
    """What dividends and each kind of cost took from gross to net."""
    test = facts.traded
    bars, paid = dict(test.waterfall.bars()), test.costs
    if "dividends" in bars:
        bars.pop("gross")  # the two parts of it stand there
    tiers = paid.get("commission_tiers")
    commission = "by order size" if tiers else _basis_points(paid, "commission_bps")
    return Section(
        title="From gross to net",
        chart=charts.waterfall(
            bars,
            title="Annual return, gross to net",
            unit="mean of the year, not compounded, % of equity",
        ),
        caption=f"Commission {commission} and half-spread {_basis_points(paid, 'slippage_bps')} one way, "
        f"impact {_basis_points({'impact_bps': 0.0} | paid, 'impact_bps')} per 1% of daily turnover taken, "
        f"borrow {_basis_points(paid, 'borrow_bps_per_year')} a year; entry at the {test.entry}; turnover "
        f"{test.turnover:.1%} of equity a day; forced exits of delisted stocks, proceeds of mergers "
        f"among them, {test.waterfall.delisting:+.2%} a year (inside gross).",
    )


def orders(facts: Facts) -> Section:
    """The alpha-to-order waterfall: what each step left, and which orders were not done."""
    found, test = facts.traded.alpha_to_orders, facts.traded
    lost = found.orders
    part = {
        name: shown(lost.share(name), ".2%")
        for name in ("beyond_adv", "in_lots", "at_limit", "without_cash")
    }
    return Section(
        title="From scores to orders",
        text=(
            f"Of {money(lost.wanted, test.currency)} of wanted trading, "
            f"{part['beyond_adv']} was beyond the share of daily turnover, "
            f"{part['in_lots']} was rounded to lots, "
            f"{part['at_limit']} stood at a daily price limit, "
            f"{part['without_cash']} lacked cash; "
            f"{counted(lost.stopped_sessions, 'session')} rested after a drawdown stop.",
        ),
        header=titles(_STEPS),
        rows=cells(found.steps, _STEPS),
        caption="transfer: mean correlation of weights and normal scores (Clarke, de Silva & Thorley "
        "2002); expected IC = RankIC of the scores x transfer. Each row is what the step left.",
    )


def months(facts: Facts) -> Section:
    """Net return by calendar month."""
    found = {(key[:4], _MONTHS[int(key[5:]) - 1]): value for key, value in facts.months.items()}
    years = sorted({key[:4] for key in facts.months})
    return Section(
        title="Net return by month",
        chart=charts.heat_map(
            found,
            years,
            _MONTHS,
            title="Monthly returns",
            unit="net return of the month, compounded, %",
        ),
    )


def years(facts: Facts) -> Section:
    """Figures of each calendar year."""
    return Section(
        title="Year by year",
        header=titles(_YEARS),
        rows=cells(facts.traded.ranked_years, _YEARS),
        caption="A year is an interval of its own: its Sharpe ratio has a standard error of about 1. "
        "Net returns are compounded.",
    )


def falls(facts: Facts) -> Section:
    """The deepest falls from a high."""
    return Section(
        title="Deepest falls", header=titles(_FALLS), rows=cells(facts.traded.drawdowns, _FALLS)
    )


def sweep(facts: Facts) -> Section:
    """A map of the sweep's Sharpe ratios, and what its best cell is worth; left out without a sweep."""
    found = facts.sweep
    if found is None:
        return EMPTY
    chart, pivot = "", found.pivot
    if pivot is not None:
        row, column = pivot.titles
        chart = charts.heat_map(
            {(f"{row} {a}", f"{column} {b}"): value for (a, b), value in pivot.means.items()},
            [f"{row} {value}" for value in pivot.rows],
            [f"{column} {value}" for value in pivot.columns],
            percent=False, left=170, title="Sharpe ratios of the sweep",
            unit="net Sharpe ratio, mean over the other settings",
        )  # fmt: skip
    best = found.best
    setting = ", ".join(f"{key} = {value}" for key, value in best.settings.items())
    wide = [key for key, values in found.grid.items() if len(values) > 1][:2]
    return Section(
        title=f"Sweep of {counted(len(found.cells), 'setting')}",
        chart=chart,
        text=(
            f"Best: {setting}: net Sharpe {shown(best.sharpe)}. The best of many looks better than "
            f"it is: after {counted(found.trials, 'trial')} the probability that it beats luck is "
            f"{shown(best.sharpe_deflated, '.0%')}; probability of backtest overfitting "
            f"{shown(found.overfitting_probability, '.0%')} (Bailey et al. 2017; 50%: the choice is "
            "worth nothing).",
        ),
        caption="rows and columns: " + ", ".join(wide) + ".",
    )


def _difference(side: object) -> str:
    """Sharpe ratio of the run less that of a rival; nothing for the run itself and random scores."""
    found = Figure(
        getattr(side, "sharpe_difference", math.nan),
        getattr(side, "sharpe_difference_se", math.nan),
    )
    return "" if math.isnan(found.value) else found.text(2)


def _basis_points(costs: SettingsTable, key: str) -> str:
    """``5 bp``; a dash where the stored costs have no number under the key."""
    value = costs.get(key)
    return f"{value:g} bp" if isinstance(value, int | float) else DASH


def _low_if_nan(value: float) -> float:
    return -math.inf if math.isnan(value) else value
