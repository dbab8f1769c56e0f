"""What corporate actions did to the book: dividends received and paid, and breaks that nothing explains."""

from engine.report.facts import Facts
from engine.report.sections.section import Section, shown


def dividends(facts: Facts) -> Section:
    """Left out where the book met no ex-date."""
    frame = facts.ex_dates
    if facts.backtest is None or frame is None or frame.is_empty():
        return Section(title="")
    parts = facts.backtest["waterfall"]
    rows = [
        (
            str(row["date"]),
            row["symbol"],
            f"{row['dividend']:,.4g}",
            f"{row['weight']:+.2%}",
            f"{row['received']:+.3%}",
        )
        for row in frame.iter_rows(named=True)
    ]
    return Section(
        title="Dividends in the book",
        text=(
            f"Longs received {parts['dividend_received']:.2%} of the equity a year and shorts paid "
            f"{parts['dividend_paid']:.2%}, in cash at the open of the ex-date. What was received less what "
            "was paid is the bar of dividends from gross to net and belongs to gross.",
        ),
        header=("ex-date", "code", "a share", "weight at the close", "of equity"),
        rows=tuple(rows),
        caption="The largest ones; a negative share of the equity was paid by a short position.",
    )


def breaks(facts: Facts) -> Section:
    """Left out where none was held."""
    found = (facts.backtest or {}).get("breaks")
    if not found or not found["held"]:
        return Section(title="")
    rows = [
        (
            row["date"],
            row["symbol"],
            shown(row["weight"], "+.2%"),
            shown(row["quoted_move"], "+.1%"),
            shown(row["effect"], "+.2%"),
        )
        for row in found["largest"]
    ]
    times, stocks = found["held"], found["stocks"]
    return Section(
        title="Breaks in the book",
        text=(
            f"{times} {'time' if times == 1 else 'times'} the price of a held stock jumped ({stocks} "
            f"{'stock' if stocks == 1 else 'stocks'}) and nothing in the data explains it. None of these "
            "moves is in the figures above. Had each been real, they would have made "
            f"{shown(found['as_quoted'], '+.2%')} of the equity together; in the worst case, every one "
            f"against the book, {shown(found['worst_case'], '+.2%')}.",
        ),
        header=("date", "code", "weight before", "quoted move", "effect on equity"),
        rows=tuple(rows),
        caption="The largest ones. A table of corporate actions (`ingest --actions`) turns a break into "
        "what it was.",
    )
