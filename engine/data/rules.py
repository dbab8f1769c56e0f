"""Rules about single bars, as findings: what hit, how often, what was done, and the first examples."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import QualityConfig
from engine.data import repair
from engine.records import flags
from engine.records.quality import LISTED, DataFinding, Example, Level

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


def unit_mismatch(
    price_M: NDArray[np.float64], volume_M: NDArray[np.float64], turnover_M: NDArray[np.float64]
) -> _Mask:
    """Rows whose traded value is about 100 or 1000 times off price times volume."""
    with np.errstate(divide="ignore", invalid="ignore"):
        off_M = np.log(turnover_M) - np.log(price_M) - np.log(volume_M)
    wrong_M = np.zeros(off_M.size, dtype=np.bool_)
    if np.nanmax(np.abs(off_M, where=np.isfinite(off_M), out=np.zeros_like(off_M)), initial=0) < 1:
        return wrong_M
    for unit in np.log(repair.UNITS):
        wrong_M |= np.abs(off_M - unit) <= repair.NEAR_UNIT
    return wrong_M


def mismatch_finding(bars: pl.DataFrame, day_M: NDArray[np.int64], wrong_M: _Mask) -> DataFinding:
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


def row_findings(walked: Walked, config: QualityConfig) -> list[DataFinding]:
    """One finding per rule, those without a hit included."""
    bars, fate_M, flag_M = walked.bars, walked.fate_M, walked.flag_M
    highlow = (
        bars.select(pl.col("high") < pl.col("low")).to_series().fill_null(value=False).to_numpy()
    )
    in_M = fate_M != repair.OUT
    traded_M = in_M & ((flag_M & flags.PROCEEDS) == 0)
    zero_open = traded_M & ~(bars["open"].fill_null(0.0).to_numpy() > 0)
    move = f"one-session move beyond {config.max_move:.0%}"
    rules: list[tuple[str, Level, _Mask, str, str]] = [
        ("non_positive_close", "error", fate_M == repair.BAD_CLOSE, "row dropped",
         "close is missing, not finite or <= 0"),
        ("absurd_price", "error", fate_M == repair.ABSURD, "row dropped",
         "close 1000 times off what the stock has ever been"),
        ("high_below_low", "error", in_M & highlow, "range rebuilt from open and close", "high < low"),
        ("bad_print", "error", fate_M == repair.BAD_PRINT, "row dropped",
         f"{move} that the next bar does not confirm"),
        ("unit_jump", "error", fate_M == repair.UNIT,
         f"row held out; rescaled after {repair.PATIENCE} sessions",
         "price 100 or 1000 times off what it was, at about the same traded value: units or currency"),
        ("suspected_split", "error", (flag_M & flags.SPLIT) > 0,
         _SPLIT_ACTIONS[config.split_policy],
         "overnight change by a ratio of small whole numbers that no trading explains"),
        ("break", "error", (flag_M & flags.BREAK) > 0, _BREAK_ACTIONS[config.split_policy],
         "jump that neither trading nor a ratio explains: spin-off, reused code, wrong price"),
        ("doubtful_factor", "error", (flag_M & flags.DOUBTED) > 0, "not applied",
         "adjustment factor that makes the quoted jump larger"),
        ("bad_dividend", "error", (flag_M & flags.NO_DIVIDEND) > 0, "not applied",
         "dividend or spin-off that is negative or not below the price"),
        ("bad_adjustment", "error", in_M & walked.absurd_M, "taken as 1",
         "adjustment factor not positive and finite"),
        ("negative_volume", "error", in_M & walked.negative_M, "set to 0", "volume < 0"),
        ("zero_open", "warning", zero_open, "open treated as missing", "open is 0 or missing"),
        ("range_violation", "warning", (flag_M & flags.RANGE) > 0, "range widened",
         "open or close outside low..high"),
        ("jump", "warning", fate_M == repair.JUMP, "row held out for one session",
         f"{move} that the next bar confirms"),
        ("frozen", "warning", (flag_M & flags.FROZEN) > 0, "kept",
         f"close unchanged for {config.frozen_sessions} sessions"),
        ("zero_volume", "info", traded_M & (walked.volume_M == 0) & ~walked.negative_M, "kept",
         "nothing traded, or volume missing"),
        ("vendor_split", "info", (flag_M & flags.VENDOR_SPLIT) > 0, "later prices rescaled",
         "the source gives an adjustment factor"),
        ("action", "info", (flag_M & flags.ACTION) > 0, "later prices rescaled",
         "split or spin-off of your table of actions"),
        ("dividend", "info", (flag_M & flags.DIVIDEND) > 0, _DIVIDEND_ACTIONS[config.dividends],
         "ex-date of a dividend that the data know"),
        ("proceeds", "info", (flag_M & flags.PROCEEDS) > 0, "paid to who holds it",
         "cash a share in the end: merger or delisting of your table of actions"),
    ]  # fmt: skip
    return [
        DataFinding(
            rule=rule,
            level=level,
            count=int(hit.sum()),
            action=action,
            description=description,
            examples=_examples(walked, _first_in_time(hit, walked.day_M, level)),
        )
        for rule, level, hit, action, description in rules
    ]


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
