"""A reading plan in a few lines, the same on the command line and on the screen."""

from collections.abc import Iterator

from engine.records.reading import Column, Dates, Factor, ReadingPlan

LABEL = 10
"""Width of the word that a line starts with."""
MOST = 8
"""Unread files that are named; the rest is counted."""
SCALES = {
    "raw": "as quoted",
    "raw_and_factor": "as quoted, with a factor for splits",
    "raw_and_adjusted_close": "as quoted; the factor from adjusted close / close",
    "adjusted": "adjusted by the vendor",
}
LAYOUTS = {
    "long": "a row a bar",
    "file_per_symbol": "a file a ticker",
    "file_per_day": "a file a session",
    "wide": "a column a ticker",
    "stacked": "several header lines",
}


def plan_lines(plan: ReadingPlan) -> list[str]:
    """``columns   close <- Close, ...`` and so on; the first line says which table and where from."""
    said = [(plan.table, _source(plan))]
    said.append(("columns", ", ".join(map(_column, plan.columns)) or "none"))
    if plan.left:
        said.append(("left", ", ".join(plan.left)))
    if plan.dates is not None:
        said.append(("dates", _dates(plan.dates)))
    if plan.price_scale is not None:
        said.append(("prices", SCALES[plan.price_scale]))
    if plan.factor is not None:
        said.append(("factor", _factor(plan.factor)))
    if plan.first:
        said.append(("first", plan.first))
    said += [("not read", text) for text in _unread(plan)]
    said += [("note", text) for text in plan.notes]
    return [f"{label:<{LABEL}}{text}" for label, text in said]


def _source(plan: ReadingPlan) -> str:
    parts = [f"{plan.files:,} file{'' if plan.files == 1 else 's'}", LAYOUTS[plan.layout]]
    parts += [plan.encoding] if plan.encoding else []
    if plan.separator:
        parts.append(f"separator {'tab' if plan.separator == chr(9) else plan.separator}")
    if plan.decimal != ".":
        parts.append(f"decimal {plan.decimal}")
    if plan.thousands:
        parts.append(f"thousands {plan.thousands.replace(' ', 'space')}")
    if plan.header_lines != 1:
        parts.append(f"{plan.header_lines} header lines")
    return f"{plan.path}: {', '.join(parts)}"


def _column(column: Column) -> str:
    times = "" if column.times == 1.0 else f" x {column.times:g}"
    by = "" if column.decided_by == "name" else f" ({column.decided_by})"
    return f"{column.ours} <- {column.theirs}{times}{by}"


def _dates(dates: Dates) -> str:
    zone = f", the day in {dates.zone}" if dates.zone else ""
    return f"{dates.format}{zone} ({dates.decided_by}{': ' * bool(dates.why)}{dates.why})"


def _factor(factor: Factor) -> str:
    moved = ""
    if factor.jump_before or factor.jump_after:
        moved = f"; median jump there {factor.jump_before:.4f} -> {factor.jump_after:.4f}"
    return (
        f"{factor.column}: {factor.convention} ({factor.decided_by}); {factor.events:,} events, "
        f"{factor.dividends:,} dividends{moved}"
    )


def _unread(plan: ReadingPlan) -> Iterator[str]:
    for one in plan.unread[:MOST]:
        yield f"{one.file}: {one.reason}"
    if len(plan.unread) > MOST:
        yield f"and {len(plan.unread) - MOST:,} more files"
