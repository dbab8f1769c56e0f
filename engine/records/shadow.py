"""The shadow ledger: sealed signals filled at real prices, and what the gap to the backtest is made of."""

import math
from typing import Literal

from msgspec import Struct, field

from engine.records.card import LiveRankIC
from engine.records.figure import SURE, is_noise

Entry = Literal["open", "close", "fills"]
SIMULATED: tuple[Entry, ...] = ("open", "close")
"""Where a sealed book is filled by the prices of the store."""
ACTUAL: Entry = "fills"
"""By the fills of the account, held against the close of their session."""
ENTRIES = (*SIMULATED, ACTUAL)
PARTS = ("revision", "sizing", "rounding", "missed", "cost")
"""What the gap between backtest and fill is made of."""


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
