"""What the quality gates remember of each stock between two sessions.

Every decision about a bar uses that bar and this memory, so cleaning one more day gives the same rows as
cleaning the whole history again.
"""

from collections import namedtuple
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

MEMORY = "memory.npz"
_RECENT = 20
"""Sessions of turnover that are remembered."""
_START = {"factor": 1.0, "reinvested": 1.0, "settled": -(2**31)}


State = namedtuple(
    "State",
    "last factor reinvested owed told run held base day ended unit excluded variance seen turnover",
)
"""The arrays of a `Memory` that `repair.walk` reads and writes: one value that numba knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One entry per stock (N), updated in place by `repair.walk` and `sessions.look`."""

    symbols: tuple[str, ...]
    """Sorted."""
    last: NDArray[np.float64]
    """Newest believed close as quoted; 0 before the first."""
    factor: NDArray[np.float64]
    """Brings quoted prices to the shares of the stock's first bar: splits, spin-offs and breaks."""
    reinvested: NDArray[np.float64]
    """What the dividends since the first bar multiply that by."""
    owed: NDArray[np.float64]
    """Dividend, a share, of rows that were dropped since the last believed one."""
    told: NDArray[np.int64]
    """Flags of what happened to the shares on such rows."""
    run: NDArray[np.int64]
    """Sessions in a row with an unchanged close."""
    held: NDArray[np.float64]
    """Close of a row that was held out and waits for the next one; 0 = none."""
    base: NDArray[np.float64]
    """Price at which that row's jump ended; 0 where its trading explains it."""
    day: NDArray[np.int64]
    """Day of the newest believed bar, counted from 1970."""
    ended: NDArray[np.bool_]
    """Paid out: what comes under the code is another company."""
    settled: NDArray[np.int64]
    """Session on which a merger or delisting was last paid, or was not due any more, since 1970."""
    unit: NDArray[np.int64]
    """Rows in a row that were far off (100, 1000 or more); ``held`` is the newest of them."""
    excluded: NDArray[np.bool_]
    """Dropped after a suspected split, by ``quality.split_policy = exclude``."""
    variance: NDArray[np.float64]
    """Exponential mean of squared daily log returns; 0 before the first."""
    seen: NDArray[np.int64]
    """Bars that were believed."""
    turnover: NDArray[np.float64]
    """``[N, RECENT]``: a ring of the newest traded values; ``seen`` says how full it is."""
    rows: NDArray[np.int64]
    """Rows of the source, good and bad."""
    end: NDArray[np.int64]
    """Day of the newest row, in days since 1970; -1 before the first."""
    bar: NDArray[np.float64]
    """``[N, 5]``: open, high, low, close and volume of the newest row, good or bad; 0 = missing."""

    @classmethod
    def empty(cls) -> "Memory":
        """A memory that holds no stock yet."""
        kinds = {"told": np.int64, "run": np.int64, "day": np.int64, "settled": np.int64, "unit": np.int64,
                 "seen": np.int64, "rows": np.int64, "end": np.int64, "ended": np.bool_,
                 "excluded": np.bool_}  # fmt: skip
        shapes = {"turnover": (0, _RECENT), "bar": (0, 5)}
        arrays: dict[str, NDArray[np.generic]] = {
            name: np.empty(shapes.get(name, (0,)), dtype=kinds.get(name, np.float64))
            for name in _ARRAYS
        }
        return cls(symbols=(), **arrays)  # type: ignore[arg-type]

    @property
    def state(self) -> State:
        """The arrays themselves, not copies."""
        return State(*(getattr(self, name) for name in State._fields))

    def extended(self, symbols: pl.Series) -> "Memory":
        """A copy that also knows ``symbols`` (sorted, unique)."""
        known = pl.Series("symbol", self.symbols, dtype=pl.String)
        merged = pl.concat([known, symbols.cast(pl.String).alias("symbol")]).unique().sort()
        place_N = merged.search_sorted(known).to_numpy()
        grown = {}
        for name in _ARRAYS:
            old = getattr(self, name)
            new = np.full((len(merged), *old.shape[1:]), _START.get(name, 0), dtype=old.dtype)
            new[place_N] = old
            grown[name] = new
        grown["end"][grown["rows"] == 0] = -1
        return replace(self, symbols=tuple(merged), **grown)

    def write(self, directory: Path) -> None:
        """Write ``memory.npz``."""
        np.savez(
            directory / MEMORY,
            symbols=np.array(self.symbols, dtype=np.str_),
            **{name: getattr(self, name) for name in _ARRAYS},
        )

    @classmethod
    def read(cls, directory: Path) -> "Memory":
        """What `write` wrote."""
        with np.load(directory / MEMORY) as data:
            symbols = tuple(str(symbol) for symbol in data["symbols"])
            return cls(symbols=symbols, **{name: data[name] for name in _ARRAYS})


_ARRAYS = tuple(field.name for field in fields(Memory) if field.name != "symbols")
