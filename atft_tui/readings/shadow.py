"""The shadow ledger as `ledger` left it: sealed signals filled at real prices, against the backtest."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from atft_tui.readings.parquet import read_table
from engine.files import from_json

_Entry = Literal["open", "close"]
ENTRIES: tuple[_Entry, ...] = ("open", "close")
PARTS = ("revision", "sizing", "rounding", "missed", "cost")
"""What the gap between backtest and fill is made of, as `engine.signals.shadow` splits it."""
_TEXTS = ("session", "entry", "verdict", "filled", "unfilled_names")
_COUNTS = ("orders", "unfilled")
_FRACTIONS = ("backtest", *PARTS, "realised")
_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The mean gap of the sessions up to one, and its Newey-West standard error. Fractions of equity."""

    session: str
    gap: float
    se: float
    """NaN below three sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """One sealed signal, filled. Fractions of equity."""

    session: str
    entry: str
    verdict: str
    filled: str
    backtest: float
    parts: tuple[float, ...]
    """In the order of `PARTS`."""
    realised: float
    orders: int
    unfilled: int
    unfilled_names: str

    @property
    def gap(self) -> float:
        return self.realised - self.backtest


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All sessions of one entry. Means a session, fractions of equity."""

    entry: _Entry
    sessions: int
    backtest: float
    parts: tuple[float, ...]
    realised: float
    gap: float
    gap_se: float
    orders: int
    unfilled: int
    running: tuple[Point, ...]
    """Empty for a ledger that was written by an older version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """RankIC of one model's sealed scores, beside what was to be expected."""

    model: str
    rank_ic: float
    se: float
    sessions: int
    horizon: int
    expected: float
    low: float
    """Below it the model counts as broken; NaN while there is too little to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    signals: int
    pending: tuple[str, ...]
    """Sessions whose next two are not there yet."""
    totals: tuple[Total, ...]
    rows: tuple[Filled, ...]
    """Newest session first."""
    live: tuple[Live, ...]

    def total(self, entry: _Entry) -> Total | None:
        return next((one for one in self.totals if one.entry == entry), None)


_known: dict[Path, tuple[tuple[int, ...], Shadow]] = {}


def read_shadow(workspace: Path) -> Shadow | None:
    """None before the first `ledger`; the very same value while its files are unchanged."""
    folder = workspace / "signals"
    paths = folder / "ledger.json", folder / "ledger.parquet"
    try:
        stamp = tuple(value for path in paths for value in _stamp(path))
    except FileNotFoundError:
        return None
    known = _known.get(folder)
    if known is None or known[0] != stamp:
        known = _known[folder] = stamp, _read(*paths)
    return known[1]


def _stamp(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _read(summary: Path, table: Path) -> Shadow:
    found = from_json(summary.read_bytes())
    frame = read_table(table, (*_TEXTS, *_COUNTS, *_FRACTIONS), name=table.name)
    frame = frame.sort("session", "entry", descending=[True, False])
    return Shadow(
        signals=int(found["signals"]),
        pending=tuple(str(session) for session in found["pending"]),
        totals=tuple(
            _total(entry, found["all"][entry], found.get("running", {}).get(entry, []))
            for entry in ENTRIES
        ),
        rows=tuple(_filled(row) for row in frame.iter_rows(named=True)),
        live=tuple(_live(model, told) for model, told in found["live"].items()),
    )


def _total(entry: _Entry, found: Mapping[str, Any], running: list[Mapping[str, Any]]) -> Total:
    mean = found["mean"]
    return Total(
        entry=entry,
        sessions=int(found["sessions"]),
        backtest=_number(mean["backtest"]),
        parts=tuple(_number(mean[part]) for part in PARTS),
        realised=_number(mean["realised"]),
        gap=_number(found["gap"]),
        gap_se=_number(found["gap_se"]),
        orders=int(found["orders"]),
        unfilled=int(found["unfilled"]),
        running=tuple(
            Point(session=str(p["session"]), gap=_number(p["gap"]), se=_number(p["se"]))
            for p in running
        ),
    )


def _filled(row: Mapping[str, Any]) -> Filled:
    return Filled(
        session=row["session"],
        entry=row["entry"],
        verdict=row["verdict"],
        filled=row["filled"],
        backtest=_number(row["backtest"]),
        parts=tuple(_number(row[part]) for part in PARTS),
        realised=_number(row["realised"]),
        orders=int(row["orders"]),
        unfilled=int(row["unfilled"]),
        unfilled_names=row["unfilled_names"],
    )


def _live(model: str, found: Mapping[str, Any]) -> Live:
    return Live(
        model=model,
        rank_ic=_number(found["rank_ic"]),
        se=_number(found["se"]),
        sessions=int(found["sessions"]),
        horizon=int(found["horizon"]),
        expected=_number(found["expected"]),
        low=_number(found["low"]),
    )


def _number(value: float | None) -> float:
    return _NAN if value is None else float(value)
