"""Rules about single bars, as findings: what hit, how often, what was done, and the first examples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import QualityConfig
from engine.data import repair
from engine.records.quality import (
    ACTION,
    BREAK,
    DIVIDEND,
    DOUBTED,
    FROZEN,
    LISTED,
    NO_DIVIDEND,
    PROCEEDS,
    RANGE,
    SPLIT,
    VENDOR_SPLIT,
    DataFinding,
    Example,
    Level,
)

_Mask = NDArray[np.bool_]
_DIVIDEND_ACTIONS = {"reinvest": "put back into returns", "ignore": "left out of returns"}
_SPLIT_ACTIONS = {
    "adjust": "later prices rescaled",
    "exclude": "stock dropped from there",
    "keep": "kept",
}
_BREAK_ACTIONS = _SPLIT_ACTIONS | {"adjust": "scale goes on without the jump"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """The rows that went through `repair.walk`, and what it said about each."""

    bars: pl.DataFrame
    """Sorted by symbol and date."""
    day_M: NDArray[np.int64]
    fate_M: NDArray[np.int8]
    flag_M: NDArray[np.int32]
    volume_M: NDArray[np.float64]
    negative_M: _Mask
    absurd_M: _Mask
    """Adjustment factors that no split can have."""

    @property
    def in_M(self) -> _Mask:
        """Rows ``[M]`` that were not dropped whatever they say."""
        return np.asarray(self.fate_M != repair.OUT)

    @property
    def traded_M(self) -> _Mask:
        """Those rows ``[M]`` that are no payment to holders in the end."""
        return np.asarray(self.in_M & ((self.flag_M & PROCEEDS) == 0))

    @property
    def high_below_low_M(self) -> _Mask:
        """Rows ``[M]`` whose high, as it came, is below their low."""
        wrong = self.bars.select(pl.col("high") < pl.col("low")).to_series()
        return wrong.fill_null(value=False).to_numpy()


def unit_mismatch(
    price_M: NDArray[np.float64], volume_M: NDArray[np.float64], turnover_M: NDArray[np.float64]
) -> _Mask:
    """Rows ``[M]`` whose traded value, in currency, is about 100 or 1000 times off price times shares."""
    with np.errstate(divide="ignore", invalid="ignore"):
        off_M = np.log(turnover_M) - np.log(price_M) - np.log(volume_M)
    wrong_M = np.zeros(off_M.size, dtype=np.bool_)
    if np.nanmax(np.abs(off_M, where=np.isfinite(off_M), out=np.zeros_like(off_M)), initial=0) < 1:
        return wrong_M
    for unit in np.log(repair.UNITS):
        wrong_M |= np.abs(off_M - unit) <= repair.NEAR_UNIT
    return wrong_M


def mismatch_finding(bars: pl.DataFrame, day_M: NDArray[np.int64], wrong_M: _Mask) -> DataFinding:
    """The finding of the rows ``[M]`` that `unit_mismatch` names."""
    rows = _first_in_time(wrong_M, day_M, "error")
    shown = bars[rows].select(
        "symbol", pl.col("date").cast(pl.String), "close", "volume", "turnover"
    )
    return DataFinding(
        rule="unit_mismatch",
        level="error",
        count=int(wrong_M.sum()),
        action="row dropped",
        description="traded value about 100 or 1000 times off price x volume: units or currency",
        examples=tuple(
            (symbol, date, f"close {c:g} x volume {v:g}, value {value:g}")
            for symbol, date, c, v, value in shown.iter_rows()
        ),
    )


class _RowRule(NamedTuple):
    """A rule about single rows; ``{...}`` in its words is filled from the settings."""

    rule: str
    level: Level
    hit: Callable[[Walked], _Mask]
    action: str
    description: str


def _fate(fate: int) -> Callable[[Walked], _Mask]:
    return lambda walked: np.asarray(walked.fate_M == fate)


def _flag(flag: int) -> Callable[[Walked], _Mask]:
    return lambda walked: np.asarray((walked.flag_M & flag) > 0)


_ROW_RULES = (
    _RowRule("non_positive_close", "error", _fate(repair.BAD_CLOSE), "row dropped",
             "close is missing, not finite or <= 0"),
    _RowRule("absurd_price", "error", _fate(repair.ABSURD), "row dropped",
             "close 1000 times off what the stock has ever been"),
    _RowRule("high_below_low", "error", lambda w: w.in_M & w.high_below_low_M,
             "range rebuilt from open and close", "high < low"),
    _RowRule("bad_print", "error", _fate(repair.BAD_PRINT), "row dropped",
             "{move} that the next bar does not confirm"),
    _RowRule("unit_jump", "error", _fate(repair.UNIT),
             f"row held out; rescaled after {repair.PATIENCE} sessions",
             "price 100 or 1000 times off what it was, at about the same traded value: units or currency"),
    _RowRule("suspected_split", "error", _flag(SPLIT), "{split}",
             "overnight change by a ratio of small whole numbers that no trading explains"),
    _RowRule("break", "error", _flag(BREAK), "{broken}",
             "jump that neither trading nor a ratio explains: spin-off, reused code, wrong price"),
    _RowRule("doubtful_factor", "error", _flag(DOUBTED), "not applied",
             "adjustment factor that makes the quoted jump larger"),
    _RowRule("bad_dividend", "error", _flag(NO_DIVIDEND), "not applied",
             "dividend or spin-off that is negative or not below the price"),
    _RowRule("bad_adjustment", "error", lambda w: w.in_M & w.absurd_M, "taken as 1",
             "adjustment factor not positive and finite"),
    _RowRule("negative_volume", "error", lambda w: w.in_M & w.negative_M, "set to 0", "volume < 0"),
    _RowRule("zero_open", "warning",
             lambda w: w.traded_M & ~(w.bars["open"].fill_null(0.0).to_numpy() > 0),
             "open treated as missing", "open is 0 or missing"),
    _RowRule("range_violation", "warning", _flag(RANGE), "range widened",
             "open or close outside low..high"),
    _RowRule("jump", "warning", _fate(repair.JUMP), "row held out for one session",
             "{move} that the next bar confirms"),
    _RowRule("frozen", "warning", _flag(FROZEN), "kept",
             "close unchanged for {frozen} sessions"),
    _RowRule("zero_volume", "info", lambda w: w.traded_M & (w.volume_M == 0) & ~w.negative_M,
             "kept", "nothing traded, or volume missing"),
    _RowRule("vendor_split", "info", _flag(VENDOR_SPLIT), "later prices rescaled",
             "the source gives an adjustment factor"),
    _RowRule("action", "info", _flag(ACTION), "later prices rescaled",
             "split or spin-off of your table of actions"),
    _RowRule("dividend", "info", _flag(DIVIDEND), "{dividend}",
             "ex-date of a dividend that the data know"),
    _RowRule("proceeds", "info", _flag(PROCEEDS), "paid to who holds it",
             "cash a share in the end: merger or delisting of your table of actions"),
)  # fmt: skip


def row_findings(walked: Walked, config: QualityConfig) -> list[DataFinding]:
    """One finding per rule, those without a hit included."""
    words = {
        "move": f"one-session move beyond {config.max_move:.0%}",
        "split": _SPLIT_ACTIONS[config.split_policy],
        "broken": _BREAK_ACTIONS[config.split_policy],
        "frozen": config.frozen_sessions,
        "dividend": _DIVIDEND_ACTIONS[config.dividends],
    }
    found = []
    for rule in _ROW_RULES:
        hit_M = rule.hit(walked)
        shown = _examples(walked, _first_in_time(hit_M, walked.day_M, rule.level))
        found.append(
            DataFinding(
                rule=rule.rule,
                level=rule.level,
                count=int(hit_M.sum()),
                action=rule.action.format(**words),
                description=rule.description.format(**words),
                examples=shown,
            )
        )
    return found


def _first_in_time(hit_M: _Mask, day_M: NDArray[np.int64], level: Level) -> list[int]:
    """Rows of the first hits by date, as many as are listed at this level; equal dates keep their order."""
    rows = np.flatnonzero(hit_M)
    listed = LISTED[level]
    if rows.size > 4 * listed:
        newest = np.partition(day_M[rows], listed - 1)[listed - 1]
        rows = rows[day_M[rows] <= newest]
    return [int(m) for m in rows[np.argsort(day_M[rows], kind="stable")][:listed]]


def _examples(walked: Walked, rows: list[int]) -> tuple[Example, ...]:
    """Prices of the rows, and the close of the stock's row before where this portion has it."""
    if not rows:
        return ()
    columns = ("symbol", pl.col("date").cast(pl.String), "open", "high", "low", "close", "volume")
    shown = walked.bars[rows].select(*columns).iter_rows()
    earlier = walked.bars[[max(0, m - 1) for m in rows]].select("symbol", "close").iter_rows()
    out = []
    for m, (symbol, date, o, h, low, c, v), (same, close) in zip(rows, shown, earlier, strict=True):
        before = f" (before: {_number(close)})" if m and same == symbol else ""
        prices = f"o {_number(o)} h {_number(h)} l {_number(low)} c {_number(c)}"
        out.append((symbol, date, f"{prices} v {_number(v, 15)}{before}"))
    return tuple(out)


def _number(value: float | None, digits: int = 6) -> str:
    return "-" if value is None else f"{value:.{digits}g}"
