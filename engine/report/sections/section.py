"""One part of the report as data: HTML and Markdown are both made from it."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: str
    text: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    chart: str = ""
    """Inline SVG; left out of Markdown."""
    caption: str = ""


def number(value: float | None) -> float:
    """NaN for what JSON calls null."""
    return float("nan") if value is None else float(value)


def shown(value: float | None, form: str = "+.2f") -> str:
    """The value in a format, or a dash where it is undefined."""
    return "—" if value is None or math.isnan(value) else format(value, form)


def with_error(value: float | None, error: float | None, form: str = "+.4f") -> str:
    """``+0.0123 ± 0.0045``"""
    if value is None or math.isnan(value):
        return "—"
    return f"{format(value, form)} ± {format(number(error), form.lstrip('+'))}"


def money(value: float | None, currency: str) -> str:
    """Three significant digits with thousands separated."""
    if value is None or not math.isfinite(value):
        return "—"
    digits = max(0, math.floor(math.log10(abs(value))) - 2) if value else 0
    return f"{round(value, -digits):,.0f} {currency}".strip()


def flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
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
