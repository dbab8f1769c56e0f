"""Target weights: what a strategy hands to the simulation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from engine.errors import DataError, GateError
from engine.portfolio.prediction import (
    check_keys,
    check_schema,
    read_table,
    write_table,
)

_TOLERANCE = 1e-9
"""Rounding that a sum of weights may show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Fractions of equity decided at the close of ``date``; filled one session later.

    ``date, symbol, weight: f64``, sorted, unique, finite. A date that is present was decided: names
    missing from it are wanted at 0. A date without rows is no decision; the book is left alone.
    """

    frame: pl.DataFrame
    strategy: str
    run_id: str
    max_gross: float
    """Limit of the sum of absolute weights of a day."""
    max_net: float
    """Limit of the absolute sum of weights of a day; 0 = dollar neutral."""
    max_weight: float
    """Limit of one absolute weight."""

    def __post_init__(self) -> None:
        check_schema(self.frame, {"date": pl.Date, "symbol": pl.String, "weight": pl.Float64})
        check_keys(self.frame, f"weights of {self.strategy}")
        weight = pl.col("weight")
        if not self.frame.select(weight.is_finite().fill_null(value=False).all()).item():
            raise DataError(f"weights of {self.strategy}: a weight is not finite")
        self._limit(weight.abs().sum(), self.max_gross, "gross exposure")
        self._limit(weight.sum().abs(), self.max_net, "net exposure")
        self._limit(weight.abs().max(), self.max_weight, "largest single weight")

    def _limit(self, figure: pl.Expr, limit: float, what: str) -> None:
        days = self.frame.group_by("date", maintain_order=True).agg(figure.alias("figure"))
        worst = days.filter(pl.col("figure") > limit + _TOLERANCE)
        if not worst.is_empty():
            date, value = worst.row(0)
            raise GateError(
                f"weights of {self.strategy}: {what} {value:.4g} on {date} is above its limit {limit:.4g}",
                hint="correct the strategy, or the limits in [portfolio]",
            )

    def write(self, path: Path) -> None:
        """Write Parquet, with the limits in its metadata."""
        limits = {
            name: repr(getattr(self, name)) for name in ("max_gross", "max_net", "max_weight")
        }
        write_table(path, self.frame, {"run_id": self.run_id, "strategy": self.strategy, **limits})

    @classmethod
    def read(cls, path: Path) -> Self:
        """The weights that a backtest wrote."""
        frame, metadata = read_table(path, hint="run `atft-tui backtest` first")
        return cls(
            frame=frame,
            strategy=metadata["strategy"],
            run_id=metadata["run_id"],
            max_gross=float(metadata["max_gross"]),
            max_net=float(metadata["max_net"]),
            max_weight=float(metadata["max_weight"]),
        )
