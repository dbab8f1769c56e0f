"""79 Alpha158 columns on 1.28 M rows: our kernels against pandas, polars and Qlib's expression engine.

Each round runs ours next to every peer. CPU seconds of all threads are what counts: a second thread is
not a better algorithm. Set QLIB_PYTHON to an interpreter that has Qlib.
"""

import statistics
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

import benchmarks.pairs  # noqa: F401  (thread limits come before the numeric libraries)
from benchmarks.alpha158 import CANDLE, NAMES, WINDOWS, alpha158
from benchmarks.alpha158_pandas import alpha158_pandas
from benchmarks.alpha158_polars import alpha158_flat, alpha158_over
from benchmarks.alpha158_rows import load_bars
from benchmarks.contender import Ratio, Seconds, timed
from benchmarks.options import read_options, say
from benchmarks.qlib_peer import qlib_peer
from engine.training.device import keep_freed_memory

Array = NDArray[np.float64]


def main(arguments: list[str] | None = None) -> int:
    options = read_options(
        __doc__, arguments, stocks=(1000, 20), sessions=(1280, 130), rounds=(3, 1)
    )
    # Fresh pages for a result of 0.8 GB may take a virtual machine seconds, at random: that would time the
    # machine, not the work. Every side keeps what it freed.
    keep_freed_memory()
    bars = load_bars(options.stocks, options.sessions, made_up=options.smoke)
    N, S = bars["close"].shape
    columns = {name: x_NS.ravel() for name, x_NS in bars.items()}
    columns["symbol"] = np.repeat(np.arange(N), S)
    columns["position"] = np.tile(np.arange(S, dtype=float), N)
    frame, table = pl.DataFrame(columns), pd.DataFrame(columns)
    ours_FNS = alpha158(bars)
    peers: dict[str, Callable[[], Seconds]] = {
        "polars over(symbol)": lambda: timed(lambda: alpha158_over(frame)),
        "polars flat, masked": lambda: timed(lambda: alpha158_flat(frame)),
        "pandas, column by column": lambda: timed(lambda: alpha158_pandas(table, shared=False)),
        "pandas, windows shared": lambda: timed(lambda: alpha158_pandas(table, shared=True)),
    }
    report_agreement("polars over", ours_FNS, alpha158_over(frame).to_numpy())
    report_agreement("polars flat", ours_FNS, alpha158_flat(frame).to_numpy())
    report_agreement("pandas", ours_FNS, alpha158_pandas(table, shared=False).to_numpy())
    with qlib_peer(bars) as qlib:
        if qlib is not None:
            peers["Qlib expressions"] = qlib.evaluate
            qlib.evaluate()  # leaves the values
            report_agreement("Qlib", ours_FNS, qlib.values())
        del ours_FNS
        pairs = [
            {name: (timed(lambda: alpha158(bars)), work()) for name, work in peers.items()}
            for _ in range(options.rounds)
        ]
    for name in peers:
        report_seconds(name, [pair[name] for pair in pairs])
    return 0


def report_seconds(name: str, pairs: list[tuple[Seconds, Seconds]]) -> None:
    """Medians of both, and of the ratios peer / ours within a pair: above 1 ours is faster."""
    text = f"{name:<24}"
    for label, kind in (("CPU", "cpu"), ("wall", "wall")):
        mine, theirs = zip(*([getattr(s, kind) for s in pair] for pair in pairs), strict=True)
        text += (
            f"  {label} s: ours {statistics.median(mine):6.3f}, "
            f"peer {statistics.median(theirs):7.2f}, {Ratio.of(theirs, mine).text(1)}"
        )
    say(f"{text}  of {len(pairs)} pairs")


def report_agreement(
    name: str, ours_FNS: NDArray[np.float32], peer_RF: Array, names: Sequence[str] = NAMES
) -> None:
    """Worst column's 99.9 % quantile of the relative difference, after the longest window has filled, and
    every column above 1e-3.

    Relative to the peer's value, but at least to a thousandth of the column's median size.
    """
    F, N, S = ours_FNS.shape
    worst, worst_name, missing = -1.0, "", 0
    apart: dict[str, float] = {}
    for k, column in enumerate(names):
        first = 0 if column in CANDLE else max(WINDOWS)
        a = ours_FNS[k, :, first:].ravel().astype(float)
        b = peer_RF[:, k].reshape(N, S)[:, first:].ravel().astype(float)
        both = np.isfinite(a) & np.isfinite(b)
        missing += int((np.isfinite(a) != np.isfinite(b)).sum())
        size = np.maximum(np.abs(b[both]), 1e-3 * np.median(np.abs(b[both])))
        size[size == 0] = 1.0
        error = float(np.quantile(np.abs(a[both] - b[both]) / size, 0.999))
        if error > worst:
            worst, worst_name = error, column
        if error > 1e-3:
            apart[column] = error
    say(
        f"equal to {name:<12} worst column {worst_name}: {worst:.1e} relative at the 99.9 % quantile; "
        f"{missing} of {F * N * S} values missing on one side only"
    )
    if apart:
        say(
            "  above 1e-3: " + ", ".join(f"{column} {error:.1e}" for column, error in apart.items())
        )


if __name__ == "__main__":
    sys.exit(main())
