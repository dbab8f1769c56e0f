"""What the book earned: equity, Sharpe ratios, costs, years, drawdowns, exposures, holdings, sweep."""

from engine.backtest.sweep import pivot
from engine.report import charts
from engine.report.facts import Facts, equity_curves
from engine.report.sections.section import Section, money, number, shown, with_error

_CURVES = ("lightgbm", "ridge", "reversal_5", "index", "equal_weight")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HELD = 10
"""Largest positions shown on each side."""


def equity(facts: Facts) -> Section:
    if facts.daily is None:
        return Section(title="Equity after costs")
    labels = facts.daily["date"].cast(str).to_list()
    series = {facts.model: [value - 1.0 for value in facts.daily["equity"].to_list()]}
    curves = equity_curves(facts)
    for name in [name for name in _CURVES if name in curves][:4]:
        series[name] = [curves[name].get(label, float("nan")) - 1.0 for label in labels]
    chart = charts.lines(
        series, labels, title="Net return since the start", unit="net return since the start, %",
        percent=True,
    )  # fmt: skip
    chart += charts.area(
        facts.daily["drawdown"].to_list(), labels, title="Drawdown", unit="fall from the high, %"
    )
    return Section(
        title="Equity after costs",
        chart=chart,
        caption="Cumulative net return of the same strategy and costs on different scores; below, the "
        "drawdown of these scores. equal_weight and index hold the market, long only.",
    )


def sharpe(facts: Facts) -> Section:
    test = facts.backtest or {}
    points = {}
    rows = []
    rivals = sorted(test["baselines"].items(), key=lambda item: -_low_if_nan(item[1]["sharpe"]))
    for name, values in [(facts.model, test), *rivals]:
        low, value, high = (number(values[k]) for k in ("sharpe_low", "sharpe", "sharpe_high"))
        points[name] = (low, value, high)
        gap = ""
        if values.get("sharpe_difference") is not None:
            gap = with_error(values["sharpe_difference"], values["sharpe_difference_se"], "+.2f")
        rows.append(
            (
                name,
                shown(value),
                f"[{shown(low)}, {shown(high)}]",
                gap,
                shown(values["annual_return"], "+.1%"),
                shown(values["turnover"], ".1%"),
                shown(values["cost_drag"], ".1%"),
            )
        )
    return Section(
        title="Net Sharpe ratio against the target",
        chart=charts.meter(
            points,
            target=test["target"],
            title="Sharpe ratios with intervals",
            unit="annualised net Sharpe ratio",
        ),
        header=(
            "scores", "net Sharpe", "interval", "difference", "return a year", "turnover a day",
            "costs a year",
        ),
        rows=tuple(rows),
        caption=f"Mean / deviation of daily net returns x sqrt({test['sessions_per_year']}), zero rate; "
        f"{test['confidence']:.0%} stationary block bootstrap. difference: these scores less that row, "
        "± its standard error (Ledoit & Wolf 2008). random: 5 % to 95 % of "
        f"{test['baselines']['random']['draws']} sets of random scores.",
    )  # fmt: skip


def costs(facts: Facts) -> Section:
    test = facts.backtest or {}
    parts, paid = test["waterfall"], test["costs"]
    dividend = parts.get("dividend", 0.0)
    steps = {"gross": parts["gross_return"]}
    if dividend:
        steps = {"prices": parts["gross_return"] - dividend, "dividends": dividend}
    steps |= {
        "commission": -parts["commission"],
        **_slippage(parts),
        "borrow": -parts["borrow"],
        "net": parts["net_return"],
    }
    tiers = paid.get("commission_tiers")
    commission = "by order size" if tiers else f"{paid['commission_bps']:g} bp"
    return Section(
        title="From gross to net",
        chart=charts.waterfall(
            steps, title="Annual return, gross to net", unit="mean return a year, % of equity"
        ),
        caption=f"Commission {commission} and half-spread {paid['slippage_bps']:g} bp one way, impact "
        f"{paid.get('impact_bps', 0.0):g} bp per 1 % of daily turnover taken, borrow "
        f"{paid['borrow_bps_per_year']:g} bp a year; entry at the {test['entry']}; turnover "
        f"{test['turnover']:.1%} of equity a day; forced exits of delisted stocks, proceeds of mergers "
        f"among them, {parts['delisting']:+.2%} a year (inside gross).",
    )


def orders(facts: Facts) -> Section:
    """The alpha-to-order waterfall."""
    test = facts.backtest or {}
    found = test["alpha_to_orders"]
    rows = [
        (
            step["name"],
            shown(step["gross"], ".2f"),
            shown(step["names"], ".0f"),
            shown(step["transfer"], ".3f"),
            shown(step["expected_ic"], "+.4f"),
        )
        for step in found["steps"]
    ]
    lost, wanted = found["orders"], found["orders"]["wanted"] or float("nan")
    return Section(
        title="From scores to orders",
        text=(
            f"Of {money(found['orders']['wanted'], test['currency'])} of wanted trading, "
            f"{shown(lost['beyond_adv'] / wanted, '.2%')} was beyond the share of daily turnover, "
            f"{shown(lost['in_lots'] / wanted, '.2%')} was rounded to lots, "
            f"{shown(lost['at_limit'] / wanted, '.2%')} stood at a daily price limit, "
            f"{shown(lost['without_cash'] / wanted, '.2%')} lacked cash; "
            f"{lost['stopped_sessions']} sessions rested after a drawdown stop.",
        ),
        header=("step", "gross", "names", "transfer", "expected IC"),
        rows=tuple(rows),
        caption="transfer: mean correlation of weights and normal scores (Clarke, de Silva & Thorley "
        "2002); expected IC = RankIC of the scores x transfer. Each row is what the step left.",
    )


def months(facts: Facts) -> Section:
    cells = {(key[:4], _MONTHS[int(key[5:]) - 1]): value for key, value in facts.months.items()}
    years = sorted({key[:4] for key in facts.months})
    return Section(
        title="Net return by month",
        chart=charts.heat_map(
            cells, years, _MONTHS, title="Monthly returns", unit="net return of the month, %"
        ),
    )


def years(facts: Facts) -> Section:
    test = facts.backtest or {}
    ranked = {row["year"]: row for row in test["factor"]["years"]}
    rows = []
    for row in test["years"]:
        ic = ranked.get(row["year"], {})
        rows.append(
            (
                str(row["year"]),
                str(row["sessions"]),
                with_error(ic.get("rank_ic"), ic.get("rank_ic_se")),
                shown(row["sharpe"]),
                shown(row["net_return"], "+.1%"),
                shown(row["max_drawdown"], ".1%"),
                shown(row["turnover"], ".1%"),
                shown(row["cost"], ".1%"),
            )
        )
    return Section(
        title="Year by year",
        header=(
            "year", "sessions", "RankIC", "net Sharpe", "net return", "drawdown",
            "turnover a day", "costs",
        ),
        rows=tuple(rows),
        caption="A year is an interval of its own: its Sharpe ratio has a standard error of about 1.",
    )  # fmt: skip


def risk(facts: Facts) -> Section:
    test = facts.backtest or {}
    exposure = test["exposures"]
    sectors = sorted(exposure["sectors"].items(), key=lambda item: -abs(item[1]))[:5]
    rows = [
        ("Sortino ratio", shown(test["sortino"])),
        ("Calmar ratio", shown(test["calmar"])),
        ("annual volatility", shown(test["annual_volatility"], ".1%")),
        ("days with a gain", shown(test["hit_rate"], ".1%")),
        ("5 % worst day, mean beyond it", f"{shown(test['value_at_risk'], '.2%')}, "
         f"{shown(test['expected_shortfall'], '.2%')}"),
        ("worst and best day", f"{shown(test['worst'], '+.2%')}, {shown(test['best'], '+.2%')}"),
        *(
            (f"without {day['date']}", f"Sharpe {shown(day['sharpe_without'])}; the day: "
             f"{shown(day['net_return'], '+.1%')}, {day['symbol']} alone "
             f"{shown(day['contribution'], '+.1%')} (price x {shown(day['price_ratio'], '.2f')})")
            for day in test["extremes"]
        ),
        ("skewness, excess kurtosis", f"{shown(test['skewness'])}, {shown(test['excess_kurtosis'])}"),
        ("long and short exposure", f"{shown(test['mean_long_exposure'], '.0%')}, "
         f"{shown(test['mean_short_exposure'], '.0%')}, {shown(test['mean_names'], '.0f')} names"),
        ("beta to the index", shown(exposure["beta"])),
        ("largest sector, mean", shown(exposure["sector_largest"], ".1%")),
        ("net sector weights", ", ".join(f"{name} {weight:+.1%}" for name, weight in sectors)),
        ("capacity", money(test["capacity"], test["currency"])),
    ]  # fmt: skip
    return Section(
        title="Risk, exposure, capacity",
        rows=tuple(rows),
        caption="capacity: capital at which 95 % of the orders stay below the share of daily turnover in "
        f"the constraints; simulated with {money(test['initial_cash'], test['currency'])}.",
    )


def falls(facts: Facts) -> Section:
    test = facts.backtest or {}
    rows = [
        (
            shown(fall["depth"], ".1%"),
            fall["peak"],
            fall["trough"],
            fall["recovery"] or "not yet",
            str(fall["sessions_down"]),
            "—" if fall["sessions_up"] is None else str(fall["sessions_up"]),
        )
        for fall in test["drawdowns"]
    ]
    return Section(
        title="Deepest falls",
        header=("depth", "high", "low", "high regained", "sessions down", "sessions up"),
        rows=tuple(rows),
    )


def holdings(facts: Facts) -> Section:
    frame = facts.holdings
    if frame is None or frame.is_empty():
        return Section(title="Last book", text=("Nothing is held on the last day.",))
    longs, shorts = frame.filter(frame["weight"] > 0), frame.filter(frame["weight"] < 0)
    rows = [
        (row["symbol"], row["name"] or "", row["sector"] or "", f"{row['weight']:+.2%}")
        for side in (longs.head(_HELD), shorts.head(_HELD))
        for row in side.iter_rows(named=True)
    ]
    return Section(
        title=f"Last book, decided at the close of {frame['date'][0]}",
        text=(f"{len(longs)} long, {len(shorts)} short; the largest of each side:",),
        header=("code", "name", "sector", "weight"),
        rows=tuple(rows),
    )


def sweep(facts: Facts) -> Section:
    found = facts.sweep
    if found is None:
        return Section(title="")
    wide = [key for key, values in found["grid"].items() if len(values) > 1][:2]
    chart = ""
    if len(wide) == 2:
        means, row_values, column_values = pivot(found["cells"], *wide)
        row, column = (key.partition(".")[2] for key in wide)
        cells = {(f"{row} {a}", f"{column} {b}"): value for (a, b), value in means.items()}
        rows = [f"{row} {value}" for value in row_values]
        columns = [f"{column} {value}" for value in column_values]
        chart = charts.heat_map(
            cells, rows, columns, percent=False, left=170, title="Sharpe ratios of the sweep",
            unit="net Sharpe ratio, mean over the other settings",
        )  # fmt: skip
    best = found["best"]
    setting = ", ".join(f"{key} = {value}" for key, value in best["settings"].items())
    return Section(
        title=f"Sweep of {len(found['cells'])} settings",
        chart=chart,
        text=(
            f"Best: {setting}: net Sharpe {shown(best['sharpe'])}. The best of many looks better than "
            f"it is: after {found['trials']} trials the probability that it beats luck is "
            f"{shown(best['sharpe_deflated'], '.0%')}; probability of backtest overfitting "
            f"{shown(found['overfitting_probability'], '.0%')} (Bailey et al. 2017; 50 %: the choice is "
            "worth nothing).",
        ),
        caption="rows and columns: " + ", ".join(wide) + ".",
    )


def _slippage(parts: dict[str, float]) -> dict[str, float]:
    """Its parts where the backtest knows them."""
    names = ("spread", "impact") if "spread" in parts else ("slippage",)
    return {name: -parts[name] for name in names}


def _low_if_nan(value: float | None) -> float:
    return float("-inf") if value is None or value != value else value
