"""The shadow ledger: sealed signals filled at real prices, and what the gap to the backtest is made of; and
the fills that the account had, as they were read back.
"""

import math
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from engine.errors import IntegrityError
from engine.records import record
from engine.records.card import LiveRankIC
from engine.records.figure import SURE, is_noise
from engine.records.orders import Side
from engine.records.seal import SealPlace

Entry = Literal["open", "close", "fills"]
SIMULATED: tuple[Entry, ...] = ("open", "close")
"""Where a sealed book is filled by the prices of the store."""
ACTUAL: Entry = "fills"
"""By the fills of the account, held against the close of their session."""
ENTRIES = (*SIMULATED, ACTUAL)
PARTS = ("revision", "sizing", "rounding", "missed", "cost")
"""What the gap between backtest and fill is made of."""

_FOLDER = "fills"
"""Below ``WORKSPACE/signals``."""


class ShadowParts(Struct, frozen=True, kw_only=True):
    """Returns and what they are made of, fractions of equity; NaN where there is no session."""

    backtest: float
    """Return of the book that today's data give, filled whole and free of cost."""
    revision: float
    """Because the sealed book is another one."""
    sizing: float
    """Because shares are fixed at the close before the fill."""
    rounding: float
    """Because of whole lots."""
    missed: float
    """Because of refused and unfilled orders."""
    cost: float
    """Commission, slippage and borrow; of fills the slippage is against the close of their session."""
    realised: float
    """Backtest and all parts."""

    @property
    def gap(self) -> float:
        """Realised less backtest."""
        return self.realised - self.backtest


class ShadowRow(ShadowParts, frozen=True, kw_only=True):
    """One sealed book over one session; the parts add up to the gap."""

    session: str
    verdict: str
    """The verdict of the signal's card."""
    entry: Entry
    """Whether it is filled at the open or at the close of the next session, or as the account was."""
    filled: str
    until: str
    """ISO dates of its fill and of the next book's."""
    orders: int
    unfilled: int
    unfilled_names: str
    """The first few codes."""


class ShadowTotal(Struct, frozen=True, kw_only=True):
    """All sessions of one entry."""

    sessions: int
    mean: ShadowParts
    """A session, on average."""
    total: ShadowParts
    gap: float
    """Mean of realised less backtest a session, fraction of equity."""
    gap_se: float
    """Newey-West standard error of that mean; NaN below three sessions."""
    unfilled: int
    orders: int


class GapPoint(Struct, frozen=True, kw_only=True):
    """The mean gap of the sessions up to one, and its Newey-West standard error; fractions of equity."""

    session: str
    gap: float
    se: float
    """NaN below three sessions."""


class LiveRecord(LiveRankIC, frozen=True, kw_only=True):
    """The live RankIC with its error and its days."""

    se: float = math.nan
    daily: dict[str, float] = field(default_factory=dict)
    """Session -> RankIC of its sealed scores."""

    @property
    def is_noise(self) -> bool:
        """True unless the RankIC is told from zero, which takes 1.96 of its standard errors."""
        return is_noise(self.rank_ic, SURE * self.se)


class ShadowLedger(Struct, frozen=True, kw_only=True):
    """``signals/ledger.json``."""

    signals: int
    pending: tuple[str, ...]
    """Sessions whose next two are not there yet."""
    all: dict[Entry, ShadowTotal]
    """``fills`` only where some were read back."""
    traded: dict[Entry, ShadowTotal] = {}
    """Only of signals whose card said TRADE."""
    running: dict[Entry, tuple[GapPoint, ...]] = {}
    """Empty in a ledger of an earlier version."""
    live: dict[str, LiveRecord]
    """Model -> how its scores turned out."""


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
    return signals / _FOLDER / f"{place.word}.json"


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
