"""``sweep.json``: strategy and cost settings over one set of out-of-sample scores."""

import math

from msgspec import Struct

from engine.records.backtest import SettingsTable
from engine.records.protocol import JudgedDays

SWEEP = "sweep.json"


class _SettingResult(Struct, frozen=True, kw_only=True):
    """One combination of settings and what it earned. NaN where it could not be simulated."""

    settings: SettingsTable
    """Dotted key -> value, in the order of the grid."""
    sharpe: float = math.nan
    """Net, annualised."""
    annual_return: float = math.nan
    max_drawdown: float = math.nan
    turnover: float = math.nan
    """Fraction of equity a session."""
    cost_drag: float = math.nan
    """Fraction of equity a year."""

    @property
    def words(self) -> str:
        """``fraction 0.1, slippage_bps 5``."""
        return ", ".join(f"{key.rpartition('.')[2]} {v}" for key, v in self.settings.items())


class SweepCell(_SettingResult, frozen=True, kw_only=True):
    """One cell of the grid."""

    error: str | None = None
    """Why it could not be simulated."""


class BestCell(_SettingResult, frozen=True, kw_only=True):
    """The cell with the best Sharpe ratio, simulated again in full."""

    sharpe_deflated: float = math.nan
    """Probability that it is more than luck after all trials."""
    simulations_gap: float = math.nan
    """Largest relative difference between the equities of the two simulations."""


class _Pivot(Struct, frozen=True, kw_only=True):
    """Mean net Sharpe ratio by the values of two keys, over those of the others."""

    keys: tuple[str, str]
    """Dotted keys of the rows and of the columns."""
    rows: tuple[object, ...]
    columns: tuple[object, ...]
    """Values in the order of the grid."""
    means: dict[tuple[object, object], float]
    """Pairs without a known ratio are left out."""

    @property
    def titles(self) -> tuple[str, str]:
        """The keys without their tables."""
        row, column = (key.partition(".")[2] for key in self.keys)
        return row, column


class SweepSummary(Struct, frozen=True, kw_only=True):
    """All cells of a sweep, and what the choice of the best is worth."""

    run_id: str = ""
    judged_days: JudgedDays | None = None
    """The days of the scores by the spans of the protocol; None without one."""
    grid: dict[str, tuple[float | str, ...]]
    """Dotted key -> values as given."""
    cells: tuple[SweepCell, ...]
    """The cells in the order of the grid."""
    best: BestCell
    overfitting_probability: float = math.nan
    """0.5 = the choice is worth nothing (Bailey et al. 2017)."""
    trials: int = 0
    sessions_per_year: int = 252
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in self.grid:
            if not all(
                isinstance(cell.settings.get(key), int | float | str) for cell in self.cells
            ):
                raise ValueError(f"cells: one has no value of {key}")

    @property
    def ranked(self) -> tuple[SweepCell, ...]:
        """Best Sharpe ratio first, unknown ones last."""

        def place(cell: SweepCell) -> float:
            return math.inf if math.isnan(cell.sharpe) else -cell.sharpe

        return tuple(sorted(self.cells, key=place))

    @property
    def pivot(self) -> _Pivot | None:
        """By the first two keys with more than one value; None without two."""
        wide = [key for key, values in self.grid.items() if len(values) > 1][:2]
        if len(wide) < 2:
            return None
        groups: dict[tuple[object, object], list[float]] = {}
        for cell in self.cells:
            if math.isfinite(cell.sharpe):
                place = (cell.settings[wide[0]], cell.settings[wide[1]])
                groups.setdefault(place, []).append(cell.sharpe)
        rows, columns = (tuple(dict.fromkeys(c.settings[key] for c in self.cells)) for key in wide)
        means = {place: sum(values) / len(values) for place, values in groups.items()}
        return _Pivot(keys=(wide[0], wide[1]), rows=rows, columns=columns, means=means)
