"""Every number and every outside string reaches the screen through here."""

import datetime as dt
import math

from engine.plain_text import clean as clean
from engine.plain_text import clean_lines as clean_lines
from engine.records.figure import DASH as DASH
from engine.records.figure import Figure
from engine.records.figure import counted as counted
from engine.records.names import model_name as model_name


def number(value: float | None, digits: int = 4, *, sign: bool = True) -> str:
    """``+0.0205``; a dash for what is not known."""
    if value is None or math.isnan(value):
        return DASH
    return f"{value:{'+' if sign else ''}.{digits}f}"


def rank_ic(mean: float, se: float, n_dates: int | None = None) -> str:
    """``+0.0205 ± 0.0042 (n=252)``: a mean over dates, always with its standard error."""
    return Figure(mean, se, n=n_dates or 0).text()


def gradient(norm: float) -> str:
    """Order of magnitude is what matters: ``-3.5`` is log10; a dead block reads ``dead``."""
    return "dead" if norm <= 0.0 else f"{math.log10(norm):+.1f}"


def share(value: float) -> str:
    """``0.58``."""
    return DASH if math.isnan(value) else f"{value:.2f}"


def percent(value: float | None, digits: int = 0, *, sign: bool = False) -> str:
    """``58%``, ``+12.3%``; a dash for what is not known. The value is a fraction."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:{'+' if sign else ''}.{digits}%}"


def duration(seconds: float | None) -> str:
    """``48s``, ``6:12``, ``3h 05m``, ``2d 4h``."""
    if seconds is None or math.isnan(seconds):
        return DASH
    total = int(seconds)
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}:{total % 60:02d}"
    if total < 86400:
        return f"{total // 3600}h {total % 3600 // 60:02d}m"
    return f"{total // 86400}d {total % 86400 // 3600}h"


def memory(mib: float) -> str:
    """``812 MiB`` or ``3.1 GiB``."""
    if math.isnan(mib):
        return DASH
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def count(value: int) -> str:
    """``77.2k``, ``1.3M``."""
    if value < 10_000:
        return f"{value:,}"
    return f"{value / 1000:.1f}k" if value < 1_000_000 else f"{value / 1e6:.1f}M"


def clock(at: str) -> str:
    """Hour, minute and second (UTC) of an ISO time."""
    return at[11:19] or "        "


def moment(text: str) -> dt.datetime | None:
    """The moment an ISO 8601 text names, UTC; None for what is no time or has no zone."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(dt.UTC) if found.tzinfo else None
