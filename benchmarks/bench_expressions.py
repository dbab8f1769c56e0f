"""Alpha158 as own expressions: cost beside the fused kernels of the benchmark, values beside Qlib's.

The cost is of the 79 columns that both have, on 1.28 M rows, turn by turn; CPU seconds of all threads are
what counts. Set QLIB_PYTHON to an interpreter that has Qlib to compare its values too, of all 158 columns.
"""

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import benchmarks.pairs  # noqa: F401  (thread limits come before the numeric libraries)
from benchmarks.alpha158 import NAMES, alpha158
from benchmarks.alpha158_rows import load_bars
from benchmarks.bench_features import report_agreement, report_seconds
from benchmarks.contender import timed
from benchmarks.options import read_options, say
from benchmarks.qlib_peer import qlib_peer
from engine.data.panel import DensePanel
from engine.features.context import Context
from engine.features.own import of_file
from engine.features.sets import SETS
from engine.training.device import keep_freed_memory

Array = NDArray[np.float64]
SET = {feature.name: feature for feature in of_file("alpha158", SETS["alpha158"])}


def main(arguments: list[str] | None = None) -> int:
    options = read_options(
        __doc__, arguments, stocks=(1000, 20), sessions=(1280, 130), rounds=(3, 1)
    )
    keep_freed_memory()
    bars = load_bars(options.stocks, options.sessions, made_up=options.smoke)
    kernels, expressions = alpha158(bars), by_expressions(bars)
    N, S = bars["close"].shape
    report_agreement("kernels", expressions, kernels.reshape(len(NAMES), N * S).T)
    with qlib_peer(bars) as qlib:
        if qlib is not None:
            qlib.every()
            names = [name.removeprefix("alpha158_") for name in SET]
            report_agreement("Qlib", by_expressions(bars, names), qlib.values(), names)
    del kernels, expressions
    pairs = [
        (timed(lambda: alpha158(bars)), timed(lambda: by_expressions(bars)))
        for _ in range(options.rounds)
    ]
    say("ours = the fused kernels, peer = expressions")
    report_seconds("79 columns", pairs)
    return 0


def by_expressions(bars: dict[str, Array], names: Sequence[str] = NAMES) -> NDArray[np.float32]:
    """``[F, N, S]`` float32 by the file of the set, in one pass over the stocks as the product does it."""
    chosen = [SET[f"alpha158_{name}"] for name in names]
    N, S = bars["close"].shape
    out_FNS = np.empty((len(chosen), N, S), dtype=np.float32)
    together = chosen[0].together
    assert together is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        together([feature.name for feature in chosen], _context(bars), out_FNS, 0, 0)
    return out_FNS


def _context(bars: dict[str, Array]) -> Context:
    N, S = bars["close"].shape
    dense = DensePanel(
        dates_S=np.datetime64("2010-01-01", "D") + np.arange(S),
        symbols=tuple(f"S{i}" for i in range(N)),
        **{f"{name}_NS": x_NS for name, x_NS in bars.items()},
        close_raw_NS=bars["close"],
        turnover_NS=bars["close"] * bars["volume"],
        sector_N=np.full(N, -1, dtype=np.int16),
        sectors=(),
        index_close_S=None,
        bars_before_N=np.zeros(N, dtype=np.int64),
    )
    return Context(dense, np.ones((N, S), dtype=bool), np.full((5, S), np.nan))


if __name__ == "__main__":
    sys.exit(main())
