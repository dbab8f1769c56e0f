"""One part of the report as data: HTML and Markdown are both made from it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.records.figure import DASH, Figure, is_noise
from engine.records.rank_ic import RankICSummary

_R = TypeVar("_R")
Column = tuple[str, str | Callable[[Any], object], str]
"""Title, what is taken from a row (a field's name or a function), and its format; "" = as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with text, a chart, a table and a caption, each of which may be empty."""

    title: str = ""
    """Without one the section is left out."""
    text: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    chart: str = ""
    """Inline SVG; left out of Markdown."""
    caption: str = ""


EMPTY = Section()


def shown(value: object, form: str = "+.2f") -> str:
    """The value in a format, or a dash where it is None or NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return DASH
    return format(value, form) if form else str(value)


def cells(rows: Iterable[_R], columns: Sequence[Column]) -> tuple[tuple[str, ...], ...]:
    """The rows of a table, a dash for what is not known."""

    def value(row: _R, get: str | Callable[[Any], object]) -> object:
        return getattr(row, get) if isinstance(get, str) else get(row)

    return tuple(tuple(shown(value(row, get), form) for _, get, form in columns) for row in rows)


def titles(columns: Sequence[Column]) -> tuple[str, ...]:
    """The header of a table."""
    return tuple(title for title, _, _ in columns)


def rank_ic(found: RankICSummary | None) -> str:
    """``+0.0205 ± 0.0042``, with ``~`` when inside the null band."""
    if found is None or math.isnan(found.rank_ic):
        return DASH
    noise = "~" if is_noise(found.rank_ic, found.null_band) else ""
    return noise + Figure(found.rank_ic, found.rank_ic_se).text()


def money(value: float, currency: str) -> str:
    """Three significant digits with thousands separated; as a power of ten from 1e15 on."""
    if not math.isfinite(value):
        return DASH
    if abs(value) >= 1e15:
        return f"{value:.2e} {currency}".strip()
    digits = max(0, math.floor(math.log10(abs(value))) - 2) if value else 0
    return f"{round(value, -digits):,.0f} {currency}".strip()


def flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted key and value of nested tables, in order."""
    out: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict) and value:
            out += flat(value, f"{prefix}{key}.")
        elif key == "phases":
            out += [(f"{prefix}{key}", ", ".join(f"{p['name']} x{p['epochs']}" for p in value))]
        else:
            out.append((prefix + key, value))
    return out
