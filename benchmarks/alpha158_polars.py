"""The 79 columns of `benchmarks.alpha158` by polars, in two forms.

``over``: every rolling expression ``.over("symbol")``. ``flat``: rolling on the whole sorted column, then
rows whose window reaches into the stock before are masked, which spares the grouping.
"""

from collections.abc import Callable

import polars as pl

from benchmarks.alpha158 import NAMES, TINY, WINDOWS

Wrap = Callable[[pl.Expr, int], pl.Expr]
"""Expression of a window -> the same, within each stock."""


def alpha158_over(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns `NAMES` from rows ``symbol, position, open, ..``, sorted by (symbol, date)."""
    return _evaluate(frame, lambda e, w: e.over("symbol"))


def alpha158_flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The same, masked; ``position`` is the session within the stock."""
    return _evaluate(frame, lambda e, w: pl.when(pl.col("position") >= w - 1).then(e))


def _evaluate(frame: pl.DataFrame, within: Wrap) -> pl.DataFrame:
    c, v, p = pl.col("close"), pl.col("volume"), pl.col("position")
    frame = frame.with_columns(
        before=within(c.shift(1), 2), lv=(v + 1.0).log(), pc=p * c
    ).with_columns(d=c - pl.col("before"), cl=c * pl.col("lv"))
    frame = frame.with_columns(
        up=(pl.col("d") > 0).fill_null(value=False).cast(pl.Float64),
        gain=pl.col("d").clip(lower_bound=0.0),
        move=pl.col("d").abs(),
        w=(c / pl.col("before") - 1.0).abs() * v,
    )
    columns = _candle()
    for window in WINDOWS:
        columns |= _rolling(window, within)
    return frame.lazy().select(**columns).select(NAMES).collect()


def _rolling(w: int, within: Wrap) -> dict[str, pl.Expr]:
    c, v, p = pl.col("close"), pl.col("volume"), pl.col("position")
    fewest = w - 1  # the first return of a stock is missing

    def mean(name: str) -> pl.Expr:
        return within(pl.col(name).rolling_mean(w, min_samples=fewest), w)

    def sd(name: str) -> pl.Expr:
        return within(pl.col(name).rolling_std(w, min_samples=fewest), w)

    top = within(pl.col("high").rolling_max(w), w)
    bottom = within(pl.col("low").rolling_min(w), w)
    spread = (w * w - 1) / 12.0
    slope = (mean("pc") - (p - (w - 1) / 2.0) * mean("close")) / spread
    part = w / (w - 1.0)
    covariance = (mean("cl") - mean("close") * mean("lv")) * part
    return {
        f"ROC{w}": within(c.shift(w), w + 1) / c,
        f"MA{w}": mean("close") / c,
        f"STD{w}": sd("close") / c,
        f"BETA{w}": slope / c,
        f"RSQR{w}": slope**2 * spread * part / sd("close") ** 2,
        f"MAX{w}": top / c,
        f"MIN{w}": bottom / c,
        f"RSV{w}": (c - bottom) / (top - bottom + TINY),
        f"CORR{w}": covariance / (sd("close") * sd("lv")),
        f"CNTP{w}": mean("up"),
        f"SUMP{w}": mean("gain") / (mean("move") + TINY),
        f"VMA{w}": mean("volume") / (v + TINY),
        f"VSTD{w}": sd("volume") / (v + TINY),
        f"WVMA{w}": sd("w") / (mean("w") + TINY),
    }


def _candle() -> dict[str, pl.Expr]:
    o, h, lo, c = (pl.col(name) for name in ("open", "high", "low", "close"))
    extent = h - lo + TINY
    top, bottom = pl.max_horizontal(o, c), pl.min_horizontal(o, c)
    return {
        "KMID": (c - o) / o,
        "KLEN": (h - lo) / o,
        "KMID2": (c - o) / extent,
        "KUP": (h - top) / o,
        "KUP2": (h - top) / extent,
        "KLOW": (bottom - lo) / o,
        "KLOW2": (bottom - lo) / extent,
        "KSFT": (2.0 * c - h - lo) / o,
        "KSFT2": (2.0 * c - h - lo) / extent,
    }
