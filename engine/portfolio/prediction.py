"""Scores of whole days, which the model hands to a strategy, and the target weights that come back."""

import datetime as dt
import io
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import polars as pl
import pyarrow.parquet as pq

from engine import disk, hashes
from engine.config import Market
from engine.errors import DataError, EngineError, EnvironmentProblem, GateError, IntegrityError
from engine.files import atomic_path

_KEYS = {"date": pl.Date, "symbol": pl.String, "fold": pl.Int16, "split": pl.String}
_SPLITS = ("train", "validation", "test")
_LIMITS = ("max_gross", "max_net", "max_weight")
_TOLERANCE = 1e-9
"""Rounding that a sum of weights may show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One score per stock, day and horizon, sorted by (date, symbol); ``predictions.parquet``.

    Columns ``date, symbol, fold: i16, split, score_<h>: f32``. A score is known at the close of ``date``;
    higher = expected to return more over the next ``h`` sessions; unitless, finite, never null.
    """

    frame: pl.DataFrame
    run_id: str
    horizons: tuple[int, ...]
    market: Market
    config_digest: str = ""
    data_fingerprint: str = ""

    def __post_init__(self) -> None:
        _check_schema(
            self.frame, {**_KEYS, **dict.fromkeys(map(score_column, self.horizons), pl.Float32)}
        )
        _check_keys(self.frame, "predictions")
        for column in map(score_column, self.horizons):
            bad = self.frame.filter(~pl.col(column).is_finite().fill_null(value=False))
            if not bad.is_empty():
                first = bad.row(0, named=True)
                raise DataError(
                    f"predictions: {len(bad)} values of {column} are not finite "
                    f"(first: {first['symbol']} on {first['date']})"
                )
        unknown = set(self.frame["split"].unique()) - set(_SPLITS)
        if unknown:
            raise DataError(f"predictions: unknown split {', '.join(sorted(unknown))}")

    @property
    def dates(self) -> list[dt.date]:
        """The days that have scores, ascending."""
        return self.frame["date"].unique().sort().to_list()

    def only(self, split: str) -> Self:
        """The rows of one split: train, validation or test."""
        return replace(self, frame=self.frame.filter(pl.col("split") == split))

    def write(self, path: Path) -> None:
        """Write Parquet, with everything but the rows in its metadata."""
        metadata = {
            "run_id": self.run_id,
            "market": self.market,
            "config_digest": self.config_digest,
            "data_fingerprint": self.data_fingerprint,
        }
        write_table(path, self.frame, metadata)

    @classmethod
    def read(cls, path: Path) -> Self:
        """IntegrityError for a file that is damaged or holds other columns."""
        hint = "run `atft-tui train` or `atft-tui predict` first"
        frame, metadata = read_table(path, ("run_id", "market"), hint=hint)
        try:
            return cls(
                frame=frame,
                run_id=metadata["run_id"],
                horizons=tuple(
                    int(name.removeprefix("score_"))
                    for name in frame.columns
                    if name.startswith("score_")
                ),
                market=metadata["market"],  # type: ignore[arg-type]
                config_digest=metadata.get("config_digest", ""),
                data_fingerprint=metadata.get("data_fingerprint", ""),
            )
        except EngineError as error:
            raise IntegrityError(f"{path}: {error.message}") from error


def score_column(horizon: int) -> str:
    """Name of the column with the scores of a horizon in sessions."""
    return f"score_{horizon}"


def _check_schema(frame: pl.DataFrame, wanted: dict[str, pl.DataType | type[pl.DataType]]) -> None:
    """Every wanted column exists with its type; further columns (quantiles) are allowed."""
    for name, dtype in wanted.items():
        if name not in frame.columns:
            raise DataError(f"column {name} is missing (has {', '.join(frame.columns)})")
        if frame.schema[name] != dtype:
            raise DataError(f"column {name} is {frame.schema[name]}, not {dtype}")


def _check_keys(frame: pl.DataFrame, what: str) -> None:
    """(date, symbol) is sorted and unique: a shuffled day would silently give another result."""
    keys = frame.select("date", "symbol")
    if keys.null_count().sum_horizontal().item():
        raise DataError(f"{what}: a row has no date or no symbol")
    if not keys.equals(keys.sort("date", "symbol")):
        raise DataError(f"{what}: rows are not sorted by (date, symbol)")
    twice = keys.filter(pl.struct("date", "symbol").is_duplicated())
    if not twice.is_empty():
        date, symbol = twice.row(0)
        raise DataError(f"{what}: {symbol} on {date} is given twice")


def write_table(path: Path, frame: pl.DataFrame, metadata: dict[str, str]) -> None:
    """Parquet with text metadata in its schema, complete or absent."""
    table = frame.to_arrow().replace_schema_metadata(metadata)

    def write() -> None:
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    disk.again(write)


def read_table(
    path: Path, names: Collection[str], *, hint: str
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Rows, and metadata with these names among others; IntegrityError if one is missing.

    ``hint`` says how to make the file when it is not there.
    """
    if not path.is_file():
        raise EnvironmentProblem(f"{path}: no such file", hint=hint)
    try:
        table = pq.read_table(io.BytesIO(hashes.read(path)))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: not readable as Parquet ({error})") from error
    stored = table.schema.metadata or {}
    metadata = {key.decode(): value.decode() for key, value in stored.items()}
    for name in names:
        if name not in metadata:
            raise IntegrityError(f"{path}: has no {name} in its metadata")
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame, metadata


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
        _check_schema(self.frame, {"date": pl.Date, "symbol": pl.String, "weight": pl.Float64})
        _check_keys(self.frame, f"weights of {self.strategy}")
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
        limits = {name: repr(getattr(self, name)) for name in _LIMITS}
        write_table(path, self.frame, {"run_id": self.run_id, "strategy": self.strategy, **limits})

    @classmethod
    def read(cls, path: Path) -> Self:
        """The weights that a backtest wrote."""
        names, hint = ("strategy", "run_id", *_LIMITS), "run `atft-tui backtest` first"
        frame, metadata = read_table(path, names, hint=hint)
        return cls(
            frame=frame,
            strategy=metadata["strategy"],
            run_id=metadata["run_id"],
            **{name: float(metadata[name]) for name in _LIMITS},
        )
