"""Two sealed signals side by side, as ``diff`` answers: the inputs that differ and the ranks that moved."""

from msgspec import Struct


class InputChange(Struct, frozen=True, kw_only=True):
    """A feature of one stock on the last session of the window of both signals; normalised, no unit."""

    feature: str
    before: float
    after: float


class RankChange(Struct, frozen=True, kw_only=True):
    """A stock that both signals score, and what may have moved it."""

    code: str
    before: int
    after: int
    """Ranks; 1 is the best score."""
    move: int
    """Places gained, ``before`` less ``after``."""
    own_rows: int = 0
    """Cells of its own bars that differ."""
    neighbour_rows: tuple[str, ...] = ()
    """Stocks that it listens to and whose bars differ."""
    inputs: tuple[InputChange, ...] = ()
    """Its features that differ most, the largest change first; empty between two models."""


class BarChange(Struct, frozen=True, kw_only=True):
    """One cell of a bar that differs."""

    date: str
    code: str
    column: str
    before: float | None
    after: float | None
    """None: there is no such bar."""


class SignalDifference(Struct, frozen=True, kw_only=True):
    """What of the inputs differs, the bars that changed, and the ranks that moved with their causes."""

    before: str
    after: str
    """Names of the two seals."""
    changed: tuple[str, ...] = ()
    """Inputs that are not the same."""
    stocks: int = 0
    """Scored in both."""
    moved: int = 0
    """Of them, those with another rank."""
    entered: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Codes that only the later or only the earlier one scores."""
    ranks: tuple[RankChange, ...] = ()
    """Those that moved most, the largest move first."""
    rows: tuple[BarChange, ...] = ()
    """The first cells that differ."""
    n_rows: int = 0
    """How many cells differ."""
    verdicts: tuple[str, str] = ("", "")
    """Keys of the two signals."""
