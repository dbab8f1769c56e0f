"""What corporate actions did to the book: dividends received and paid, and breaks that nothing explains."""

from engine.report.facts import Facts
from engine.report.sections.section import EMPTY, Column, Section, cells, shown, titles

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
            f"{times} {'time' if times == 1 else 'times'} the price of a held stock jumped ({stocks} "
            f"{'stock' if stocks == 1 else 'stocks'}) and nothing in the data explains it. None of these "
            "moves is in the figures above. Had each been real, they would have made "
            f"{shown(found.as_quoted, '+.2%')} of the equity together; in the worst case, every one "
            f"against the book, {shown(found.worst_case, '+.2%')}.",
        ),
        header=titles(_BREAKS),
        rows=cells(found.largest, _BREAKS),
        caption="The largest ones. A table of corporate actions (`ingest --actions`) turns a break into "
        "what it was.",
    )
