"""What the book held and leaned on: risk, exposures by day, holdings, dividends, breaks."""

import math

import polars as pl

from engine.records.figure import counted
from engine.report import charts
from engine.report.facts import Facts
from engine.report.sections.section import EMPTY, Column, Section, cells, money, shown, titles

_LINES, _SMOOTH = 5, 5
"""Lines of a chart of exposures, and the sessions whose mean is drawn: a day alone is mostly its trades."""
_HELD = 10
"""Largest positions shown on each side."""
_POSITIONS: tuple[Column, ...] = (
    ("code", lambda row: row["symbol"], ""),
    ("name", lambda row: row["name"] or "", ""),
    ("sector", lambda row: row["sector"] or "", ""),
    ("weight", lambda row: row["weight"], "+.2%"),
)
_DIVIDENDS: tuple[Column, ...] = (
    ("ex-date", lambda row: row["date"], ""),
    ("code", lambda row: row["symbol"], ""),
    ("a share", lambda row: row["dividend"], ",.4g"),
    ("weight at the close", lambda row: row["weight"], "+.2%"),
    ("of equity", lambda row: row["received"], "+.3%"),
)
_BREAKS: tuple[Column, ...] = (
    ("date", "date", ""),
    ("code", "symbol", ""),
    ("weight before", "weight", "+.2%"),
    ("quoted move", "quoted_move", "+.1%"),
    ("effect on equity", "effect", "+.2%"),
)


def risk(facts: Facts) -> Section:
    """Tails, extreme days, exposures and capacity."""
    test = facts.traded
    exposure = test.exposures
    sectors = sorted(exposure.sectors.items(), key=lambda item: -abs(item[1]))[:5]
    rows = [
        ("Sortino ratio", shown(test.sortino)),
        ("Calmar ratio", shown(test.calmar)),
        ("annual volatility", shown(test.annual_volatility, ".1%")),
        ("days with a gain", shown(test.hit_rate, ".1%")),
        ("5% worst day, mean beyond it", f"{shown(test.value_at_risk, '.2%')}, "
         f"{shown(test.expected_shortfall, '.2%')}"),
        ("worst and best day", f"{shown(test.worst, '+.2%')}, {shown(test.best, '+.2%')}"),
        *(
            (f"without {day.date}", f"Sharpe {shown(day.sharpe_without)}; the day: "
             f"{shown(day.net_return, '+.1%')}, {day.symbol} alone "
             f"{shown(day.contribution, '+.1%')} (price x {shown(day.price_ratio, '.2f')})")
            for day in test.extremes
        ),
        ("skewness, excess kurtosis", f"{shown(test.skewness)}, {shown(test.excess_kurtosis)}"),
        ("long and short exposure", f"{shown(test.mean_long_exposure, '.0%')}, "
         f"{shown(test.mean_short_exposure, '.0%')}, {counted(test.mean_names, 'name')}"),
        ("beta to the index", shown(exposure.beta)),
        ("largest sector, mean", shown(exposure.sector_largest, ".1%")),
        ("sectors, long less short", ", ".join(f"{name} {weight:+.1%}" for name, weight in sectors)),
        *(
            (f"lean on {name}, mean and size", f"{shown(lean, '+.2f')}, "
             f"{shown(exposure.styles_size.get(name, math.nan), '.2f')}")
            for name, lean in exposure.styles.items()
        ),
        ("capacity", money(test.capacity, test.currency)),
    ]  # fmt: skip
    return Section(
        title="Risk, exposure, capacity",
        rows=tuple(rows),
        caption="lean: weights times the normal scores of a style (index: times betas); capacity: "
        "capital at which 95% of the orders stay below the share of daily turnover in "
        f"the constraints; simulated with {money(test.initial_cash, test.currency)}.",
    )


def exposures(facts: Facts) -> Section:
    """What the book leaned on, day by day; left out where the backtest wrote no daily tables."""
    chart = ""
    if facts.styles is not None:
        chart += _by_day(facts.styles, "style", "lean", "Lean on styles and index")
    if facts.sectors is not None:
        size = facts.sectors.group_by("sector").agg(size=pl.col("gross").mean())
        largest = size.sort("size", "sector", descending=[True, False])["sector"].head(_LINES)
        held = pl.DataFrame({"sector": largest}).join(
            facts.sectors, on="sector", how="left", maintain_order="left_right"
        )
        chart += _by_day(
            held, "sector", "net", "Long less short in the largest sectors, at the close"
        )
    return Section(
        title="Exposures by day" if chart else "",
        chart=chart,
        caption="Styles: weights times the day's normal scores of each stock's style, means of "
        f"{_SMOOTH} decisions; index: weights times betas. Sectors: share of the equity.",
    )


def _by_day(table: pl.DataFrame, name: str, value: str, title: str) -> str:
    """A line for each name of a long table, smoothed."""
    wide = table.pivot(name, index="date", values=value).sort("date")
    smooth = wide.select(
        pl.col("date").cast(pl.String),
        pl.exclude("date").fill_nan(None).rolling_mean(_SMOOTH, min_samples=1).fill_null(math.nan),
    )
    series = {one: smooth[one].to_list() for one in smooth.columns[1:]}
    return charts.lines(series, smooth["date"].to_list(), title=title, unit=f"{title.lower()}")


def holdings(facts: Facts) -> Section:
    """The largest positions of the last decision."""
    frame = facts.holdings
    if frame is None or frame.is_empty():
        return Section(title="Last book", text=("Nothing is held on the last day.",))
    longs, shorts = frame.filter(frame["weight"] > 0), frame.filter(frame["weight"] < 0)
    rows = [row for side in (longs, shorts) for row in side.head(_HELD).iter_rows(named=True)]
    return Section(
        title=f"Last book, decided at the close of {frame['date'][0]}",
        text=(f"{len(longs)} long, {len(shorts)} short; the largest of each side:",),
        header=titles(_POSITIONS),
        rows=cells(rows, _POSITIONS),
    )


def dividends(facts: Facts) -> Section:
    """Dividends that the book met; left out where it met no ex-date."""
    frame = facts.ex_dates
    if frame is None or frame.is_empty():
        return EMPTY
    parts = facts.traded.waterfall
    return Section(
        title="Dividends in the book",
        text=(
            f"Longs received {parts.dividend_received:.2%} of the equity a year and shorts paid "
            f"{parts.dividend_paid:.2%}, in cash at the open of the ex-date. What was received less what "
            "was paid is the bar of dividends from gross to net and belongs to gross.",
        ),
        header=titles(_DIVIDENDS),
        rows=cells(frame.iter_rows(named=True), _DIVIDENDS),
        caption="The largest ones; a negative share of the equity was paid by a short position.",
    )


def breaks(facts: Facts) -> Section:
    """Unexplained jumps of held stocks; left out where none was held."""
    found = facts.traded.breaks
    if not found.held:
        return EMPTY
    times, stocks = found.held, found.stocks
    return Section(
        title="Breaks in the book",
        text=(
            f"{counted(times, 'time')} the price of a held stock jumped ({counted(stocks, 'stock')}) "
            "and nothing in the data explains it. None of these "
            "moves is in the figures above. Had each been real, they would have made "
            f"{shown(found.as_quoted, '+.2%')} of the equity together; in the worst case, every one "
            f"against the book, {shown(found.worst_case, '+.2%')}.",
        ),
        header=titles(_BREAKS),
        rows=cells(found.largest, _BREAKS),
        caption="The largest ones. A table of corporate actions (`ingest --actions`) turns a break into "
        "what it was.",
    )
