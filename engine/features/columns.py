"""The series that an expression may name, each with its unit and its table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.features.context import Array, Context
from engine.features.families import earnings, options
from engine.features.families.aligned import per_investor, per_sector, per_stock, to_stocks


class Unit(NamedTuple):
    """Exponents of what a value is made of."""

    currency: float = 0.0
    shares: float = 0.0
    sessions: float = 0.0

    def times(self, other: "Unit", power: float = 1.0) -> "Unit":
        """The unit of a product with the other one, raised to ``power``."""
        return Unit(*(a + power * b for a, b in zip(self, other, strict=True)))

    def text(self) -> str:
        """In words, such as ``price``, ``shares`` or ``price^2``; ``1`` for a ratio."""
        if self.currency and self.shares == -self.currency and not self.sessions:
            return "price" if self.currency == 1.0 else f"price^{self.currency:g}"
        named = zip(self._fields, self, strict=True)
        parts = [f"{n}^{p:g}" if p != 1.0 else n for n, p in named if p]
        return " ".join(parts) or "1"


ONE, CURRENCY, SHARES, SESSIONS = Unit(), Unit(currency=1.0), Unit(shares=1.0), Unit(sessions=1.0)
PRICE = Unit(currency=1.0, shares=-1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """A series that is stored."""

    unit: Unit
    read: Callable[[Context], Array]
    source: str = "bars"
    market: bool = False
    """The same for all stocks: ``[1, S]``."""


def _vwap(x: Context) -> Array:
    """Turnover over volume, on the scale of the close; NaN without volume."""
    paid_NS = x.turnover / np.where(x.volume > 0, x.volume, np.nan)
    return paid_NS if x.dense.reinvested_NS is None else paid_NS * x.dense.reinvested_NS


def _of_stocks(table: str, column: str) -> Callable[[Context], Array]:
    def read(x: Context) -> Array:
        rows = per_stock(x, table)
        return rows.at_close(rows.column(column))

    return read


def _of_sectors(table: str, column: str) -> Callable[[Context], Array]:
    def read(x: Context) -> Array:
        rows = per_sector(x, table)
        return to_stocks(x, rows.at_close(rows.column(column)), rows.keys)

    return read


def _of_investor(investor: str, column: str) -> Callable[[Context], Array]:
    def read(x: Context) -> Array:
        rows = per_investor(x, "flow")
        if investor not in rows.keys:
            return np.full((1, x.dense.dates_S.size), np.nan)
        value_KS = rows.at_close(rows.column(column))
        return np.asarray(value_KS[rows.keys.index(investor)][None, :])

    return read


def _of_chain(figure: str) -> Callable[[Context], Array]:
    def read(x: Context) -> Array:
        rows = options.chain(x)
        return rows.at_close(rows.column(figure))

    return read


def _of_calendar(side: int) -> Callable[[Context], Array]:
    return lambda x: earnings.calendar(x)[side]


def _bars_so_far(x: Context) -> Array:
    return np.cumsum(np.isfinite(x.close), axis=1) + x.dense.bars_before_N[:, None].astype(
        np.float64
    )


def _sector_known(x: Context) -> Array:
    known_N = (x.dense.sector_N >= 0).astype(np.float64)
    return np.repeat(known_N[:, None], x.dense.dates_S.size, axis=1)


def _market_level(x: Context) -> Array:
    """The market's index rebuilt from its returns, 1 at the start; a NaN return leaves it."""
    return np.asarray(np.cumprod(1.0 + np.nan_to_num(x.market("return"))))[None, :]


def _market(name: str) -> Callable[[Context], Array]:
    return lambda x: x.market(name)[None, :]


_OF_STOCKS = (
    ("margin", SHARES, "long short"),
    ("statements", CURRENCY, "sales operating_profit net_profit assets equity forecast_sales"
     " forecast_operating_profit forecast_net_profit"),
    ("valuation", ONE, "per forward_per pbr roe forward_roe"),
    ("valuation", CURRENCY, "market_cap"),
    ("disclosures", ONE, "documents"),
    ("holdings", SHARES, "held outstanding"),
)  # fmt: skip
"""Tables with a row a stock: their figures of one unit."""
COLUMNS: dict[str, StoredColumn] = {
    "open": StoredColumn(unit=PRICE, read=lambda x: x.open),
    "high": StoredColumn(unit=PRICE, read=lambda x: x.high),
    "low": StoredColumn(unit=PRICE, read=lambda x: x.low),
    "close": StoredColumn(unit=PRICE, read=lambda x: x.close),
    "close_raw": StoredColumn(unit=PRICE, read=lambda x: x.dense.close_raw_NS),
    "vwap": StoredColumn(unit=PRICE, read=_vwap),
    "volume": StoredColumn(unit=SHARES, read=lambda x: x.volume),
    "turnover": StoredColumn(unit=CURRENCY, read=lambda x: x.turnover),
    "bars_so_far": StoredColumn(unit=SESSIONS, read=_bars_so_far),
    "sector_known": StoredColumn(unit=ONE, read=_sector_known),
    "market_level": StoredColumn(unit=ONE, read=_market_level, market=True),
    **{
        f"market_{name}": StoredColumn(unit=unit, read=_market(name), market=True)
        for name, unit in (
            ("return", ONE), ("breadth", ONE), ("dispersion", ONE), ("turnover", CURRENCY),
            ("above_average", ONE),
        )
    },
    **{
        f"{table}.{name}": StoredColumn(unit=unit, read=_of_stocks(table, name), source=table)
        for table, unit, names in _OF_STOCKS
        for name in names.split()
    },
    **{
        f"short.{name}": StoredColumn(unit=CURRENCY, read=_of_sectors("short", name), source="short")
        for name in ("turnover", "short_turnover")
    },
    **{
        f"flow.{investor}_{side}": StoredColumn(
            unit=CURRENCY, read=_of_investor(investor, side), source="flow", market=True
        )
        for investor in ("foreign", "individual", "trust", "proprietary")
        for side in ("buy", "sell")
    },
    **{
        f"options.{name}": StoredColumn(unit=ONE, read=_of_chain(name), source="options", market=True)
        for name in options.FIGURES
    },
    **{
        f"earnings.{name}": StoredColumn(
            unit=ONE, read=_of_calendar(side), source="earnings"
        )
        for side, name in enumerate(("days_to", "days_since"))
    },
}  # fmt: skip
"""Name in an expression -> what is read: bars as the built-in features see them (adjusted; `close_raw` as
quoted), series of the market, and the newest row of an optional table that was published at the close."""
