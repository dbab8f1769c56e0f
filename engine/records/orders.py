"""What an account holds, what it should trade, and what a rule stood against: the rows of the sealed CSVs."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from engine.files import inert
from engine.records.record import RecordError

Side = Literal["buy", "sell"]
CASH = "$cash"
"""Stands for the cash among the codes of a positions file: no exchange has such a code."""
_T = TypeVar("_T", bound=Struct)


class Order(Struct, frozen=True, kw_only=True, rename={"symbol": "code"}):
    """One order that the exchange takes as it is."""

    symbol: str
    side: Side
    shares: int
    lots: int
    limit: float
    """Price of the limit, as quoted."""
    close: float
    """Price of the session's close, as quoted."""
    notional: float
    """Shares x close, quote currency."""
    held: float
    """Shares before the order; negative = short."""
    reason: str


class Refused(Struct, frozen=True, kw_only=True, rename={"symbol": "code"}):
    """A part of a wanted trade that a rule does not allow."""

    symbol: str
    side: Side
    shares: float
    notional: float
    """Shares x close, quote currency; NaN where there is no price."""
    rule: str
    """unknown, odd_lot, no_bar, not_shortable, adv, name_cap, sector_cap, gross or cash."""
    reason: str


class Positions(Struct, frozen=True, kw_only=True):
    """What an account holds, in the codes of the store."""

    shares: Mapping[str, float]
    """Code -> shares held; negative = short."""
    cash: float
    """Quote currency, what was received for open short sales included."""

    def csv(self) -> bytes:
        """A row a code and then the cash; a positions file of this shape can be given back."""
        rows = [(code, repr(value)) for code, value in self.shares.items()]
        return _table(("code", "shares"), [*rows, (CASH, repr(self.cash))])

    @classmethod
    def from_csv(cls, content: bytes) -> "Positions":
        """What `csv` wrote. RecordError for anything else."""
        held = {row.code: row.shares for row in rows_of(content, _Held, "positions.csv")}
        return cls(cash=held.pop(CASH, math.nan), shares=held)


class _Held(Struct, frozen=True):
    code: str
    shares: float


def rows_csv(kind: type[_T], rows: Sequence[_T]) -> bytes:
    """Records as CSV; NaN is an empty cell, and text that a spreadsheet would run is made inert."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    return _table(names, [[_cell(value) for value in msgspec.structs.astuple(x)] for x in rows])


def rows_of(content: bytes, kind: type[_T], name: str) -> list[_T]:
    """The rows that `rows_csv` wrote, codes as they were before they were made inert.

    RecordError, which begins with ``name``, where a cell is missing or not of its kind.
    """
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8")))
        header = next(reader, [])
        found = [
            {
                key: cell if cell or key == "reason" else "nan"
                for key, cell in zip(header, row, strict=True)
            }
            for row in reader
            if row
        ]
        for row in found:
            row["code"] = row["code"].removeprefix("'")
        return msgspec.convert(found, list[kind], strict=False)  # type: ignore[valid-type]
    except (msgspec.ValidationError, ValueError, KeyError, csv.Error) as error:
        raise RecordError(f"{name}: {error}") from error


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _cell(value: float | str) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.10g}"
    return inert(value) if isinstance(value, str) else str(value)
