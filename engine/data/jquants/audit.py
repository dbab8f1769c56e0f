"""Factors that the vendor corrected long after the day, found with one request.

The vendor's adjusted close of an old day over its quoted close is the product of all factors since. Where
the product of the factors that we hold differs, some stored factor is not the vendor's any more; that
stock's own history then tells on which days.
"""

import datetime as dt
import math
from collections.abc import Sequence

import polars as pl

_ROUNDING = 0.06
"""The vendor rounds adjusted prices to 0.1; beyond this distance they differ. Quote currency."""
MOST_STOCKS = 10
"""Stocks looked into per update."""


def day_to_audit(stored: Sequence[dt.date], recent: int, today: dt.date) -> dt.date | None:
    """The start of the history or a quarter, half or three quarters into it, by turns from day to day.

    A day sees the factors later than itself of the stocks listed then. None where the newest days, which
    an update renews anyway, are all there is.
    """
    old = stored[: max(0, len(stored) - recent)]
    return old[len(old) * (today.toordinal() % 4) // 4] if old else None


def suspects(rows: pl.DataFrame, later: pl.DataFrame) -> list[str]:
    """Codes whose adjusted close contradicts the stored factors.

    ``rows``: the vendor's text columns Code, C, AdjC of one day; ``later``: stored bars after that day.
    """
    products = dict(later.group_by("symbol").agg(pl.col("adjustment_factor").product()).iter_rows())
    found = []
    for code, quoted, adjusted in rows.select("Code", "C", "AdjC").iter_rows():
        if quoted is None or adjusted is None:
            continue
        expected = float(quoted) * products.get(code, 1.0)
        if not math.isclose(expected, float(adjusted), abs_tol=_ROUNDING):
            found.append(code)
    return sorted(found)


def corrected_days(history: pl.DataFrame, stored: pl.DataFrame) -> list[dt.date]:
    """Days on which a stock's factor differs between the vendor's history and the stored bars."""
    both = history.join(stored, on=("date", "symbol"), suffix="_old")
    changed = both.filter(pl.col("adjustment_factor") != pl.col("adjustment_factor_old"))
    return changed["date"].unique().sort().to_list()
