"""Why a stock has its rank, looked up one stock at a time in ``explain.parquet``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from atft_tui.readings.parquet import read_table

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("symbol", "kind", "name", "value", "rank_without")


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    code: str
    attention: float | None
    """Weight among what the stock listens to; None = the network does not tell."""
    rank_without: int | None
    """The stock's rank had it not heard this neighbour; None = not worked out for this stock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    code: str
    variables: tuple[tuple[str, float], ...] = ()
    """Feature and its contribution to the standardised score; of the largest positions only."""
    neighbours: tuple[Neighbour, ...] = ()
    """The neighbours by attention, most first."""
    own: float | None = None
    """Attention of the stock on itself."""
    past: tuple[tuple[str, int], ...] = ()
    """Session and rank, oldest first."""

    @property
    def is_explained(self) -> bool:
        return bool(self.variables)


@dataclass(frozen=True, slots=True, eq=False)
class Explanations:
    """All rows of the file as a frame; a stock's are taken out when they are asked for."""

    frame: "pl.DataFrame | None" = None
    place: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Code -> first row and number of rows: the file is sorted by code."""

    @classmethod
    def read(cls, content: bytes) -> "Explanations":
        frame = read_table(content, COLUMNS, name="explain.parquet")
        place: dict[str, tuple[int, int]] = {}
        for row, code in enumerate(frame["symbol"]):
            start, count = place.get(code, (row, 0))
            place[code] = start, count + 1
        return cls(frame, place)

    def of(self, code: str) -> Why:
        """About 0.1 ms. A stock that the file does not name has no reasons."""
        if self.frame is None or code not in self.place:
            return Why(code=code)
        start, count = self.place[code]
        rows = [row[1:] for row in self.frame.slice(start, count).iter_rows()]
        neighbours = [
            Neighbour(code=str(name), attention=value, rank_without=without)
            for kind, name, value, without in rows
            if kind == "neighbour"
        ]
        neighbours.sort(key=lambda one: (one.attention is None, -(one.attention or 0.0), one.code))
        return Why(
            code=code,
            variables=tuple((str(n), float(v)) for kind, n, v, _ in rows if kind == "variable"),
            neighbours=tuple(neighbours),
            own=next((value for kind, _, value, _ in rows if kind == "self"), None),
            past=tuple((str(n), int(v)) for kind, n, v, _ in rows if kind == "past"),
        )


EMPTY = Explanations()
