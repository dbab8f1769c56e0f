"""``signals/fills/NAME.json``: what became of the orders of a sealed signal in the account."""

import math
from pathlib import Path

from msgspec import Struct

from engine.errors import IntegrityError
from engine.records import record
from engine.records.orders import Side
from engine.records.seal import SealPlace

FOLDER = "fills"
"""Below ``WORKSPACE/signals``."""


class OrderFill(Struct, frozen=True, kw_only=True):
    """An order and what was traded of it."""

    code: str
    side: Side
    ordered: int
    """Shares."""
    filled: float
    """Shares; 0 = missed."""
    price: float = math.nan
    """Mean over the fills, weighted by shares; NaN without one."""
    close: float
    """The sealed close: the price at which the order was decided."""
    commission: float = 0.0
    fills: int = 0

    @property
    def slippage(self) -> float:
        """How much worse than the close it was filled, basis points; negative = better, NaN = not filled."""
        sign = 1.0 if self.side == "buy" else -1.0
        return sign * (self.price / self.close - 1.0) * 1e4


class SessionFills(Struct, frozen=True, kw_only=True):
    """All orders of one seal."""

    session: str
    revision: int
    seal: str
    """Digest of the seal; of another one these fills say nothing."""
    file: str
    """Name of the file that they were read from."""
    at: str
    """When that was, UTC, ISO 8601."""
    orders: tuple[OrderFill, ...]
    notes: tuple[str, ...] = ()

    @property
    def missed(self) -> tuple[OrderFill, ...]:
        """Orders of which nothing was traded."""
        return tuple(order for order in self.orders if not order.filled)

    @property
    def slippage(self) -> float:
        """Mean of the orders' slippage, basis points, weighted by what was traded; NaN without a fill."""
        known = [order for order in self.orders if order.filled]
        value = math.fsum(order.filled * order.close for order in known)
        lost = math.fsum(order.filled * order.close * order.slippage for order in known)
        return lost / value if value else math.nan


def fills_path(signals: Path, place: SealPlace) -> Path:
    """Where the fills of a seal lie; ``signals``: ``WORKSPACE/signals``."""
    return signals / FOLDER / f"{place.word}.json"


def read_fills(signals: Path, place: SealPlace, seal: str) -> SessionFills | None:
    """The fills of the seal with this digest; None where none were read back.

    IntegrityError for fills of another seal of that name.
    """
    found = record.read_if_there(fills_path(signals, place), SessionFills)
    if found is not None and found.seal != seal:
        raise IntegrityError(
            f"{fills_path(signals, place)}: is of another seal", hint="read the fills back again"
        )
    return found
