"""The 79 columns of `benchmarks.alpha158` by grouped rolling windows of pandas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.alpha158 import NAMES, TINY, WINDOWS

Rolled = Callable[[str], pd.Series]


def alpha158_pandas(frame: pd.DataFrame, *, shared: bool) -> pd.DataFrame:
    """Columns `NAMES` from long rows ``symbol, open, high, low, close, volume`` sorted by symbol, date.

    ``shared``: the rolling statistics of a window are computed once, several columns together, and used by
    all columns that need them; else each column is an expression of its own, as in a notebook. pandas has
    no rolling slope: it and the correlations follow from rolling means of products.
    """
    o, h, lo, c, v = (frame[name] for name in ("open", "high", "low", "close", "volume"))
    symbol = frame["symbol"]
    before = c.groupby(symbol).shift(1)
    d = c - before
    position = frame.groupby("symbol").cumcount().astype(float)
    log_volume = np.log(v + 1.0)
    series = pd.DataFrame(
        {
            "symbol": symbol,
            "c": c,
            "v": v,
            "lv": log_volume,
            "pc": position * c,
            "cl": c * log_volume,
            "up": (d > 0).astype(float),
            "gain": d.clip(lower=0.0),
            "move": d.abs(),
            "w": (c / before - 1.0).abs() * v,
        }
    )
    groups = series.groupby("symbol")
    out = _candle(o, h, lo, c)
    high, low = h.groupby(symbol), lo.groupby(symbol)
    for w in WINDOWS:
        mean, sd = _rolled(groups, w, shared=shared)
        top = _flat(high.rolling(w).max())
        bottom = _flat(low.rolling(w).min())
        part = w / (w - 1.0)
        spread = (w * w - 1) / 12.0

        def slope(w: int = w, mean: Rolled = mean, spread: float = spread) -> pd.Series:
            return (mean("pc") - (position - (w - 1) / 2.0) * mean("c")) / spread

        out[f"ROC{w}"] = c.groupby(symbol).shift(w) / c
        out[f"MA{w}"] = mean("c") / c
        out[f"STD{w}"] = sd("c") / c
        out[f"BETA{w}"] = slope() / c
        out[f"RSQR{w}"] = slope() ** 2 * spread * part / sd("c") ** 2
        out[f"MAX{w}"] = top / c
        out[f"MIN{w}"] = bottom / c
        if not shared:
            top, bottom = _flat(high.rolling(w).max()), _flat(low.rolling(w).min())
        out[f"RSV{w}"] = (c - bottom) / (top - bottom + TINY)
        covariance = (mean("cl") - mean("c") * mean("lv")) * part
        out[f"CORR{w}"] = covariance / (sd("c") * sd("lv"))
        out[f"CNTP{w}"] = mean("up")
        out[f"SUMP{w}"] = mean("gain") / (mean("move") + TINY)
        out[f"VMA{w}"] = mean("v") / (v + TINY)
        out[f"VSTD{w}"] = sd("v") / (v + TINY)
        out[f"WVMA{w}"] = sd("w") / (mean("w") + TINY)
    return pd.DataFrame(out)[list(NAMES)]


def _flat(rolled: pd.Series) -> pd.Series:
    return rolled.reset_index(level=0, drop=True)


def _rolled(groups: Any, w: int, *, shared: bool) -> tuple[Rolled, Rolled]:
    """Rolling mean and deviation by column name."""
    if not shared:
        return (
            lambda name: _flat(groups[name].rolling(w).mean()),
            lambda name: _flat(groups[name].rolling(w).std()),
        )
    mean = groups.rolling(w).mean().reset_index(level=0, drop=True)
    sd = groups[["c", "v", "lv", "w"]].rolling(w).std().reset_index(level=0, drop=True)
    return lambda name: mean[name], lambda name: sd[name]


def _candle(o: pd.Series, h: pd.Series, lo: pd.Series, c: pd.Series) -> dict[str, pd.Series]:
    extent = h - lo + TINY
    top, bottom = np.maximum(o, c), np.minimum(o, c)
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
