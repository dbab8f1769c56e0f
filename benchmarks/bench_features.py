"""Rolling kernels on dense arrays against polars' rolling expressions over the long table."""

import numpy as np
import polars as pl

from benchmarks.pairs import compare
from engine.features import rolling

STOCKS, SESSIONS, WINDOW = 1000, 1250, 20


def main() -> None:
    rng = np.random.default_rng(0)
    x_NS = rng.normal(size=(STOCKS, SESSIONS)).cumsum(axis=1) + 100.0
    frame = pl.DataFrame({"symbol": np.repeat(np.arange(STOCKS), SESSIONS), "x": x_NS.ravel()})
    rows = f"{STOCKS * SESSIONS / 1e6:.2f} M rows"
    column = pl.col("x")
    peers = {
        "mean": (rolling.mean, column.rolling_mean(WINDOW)),
        "std": (rolling.std, column.rolling_std(WINDOW)),
        "max": (rolling.maximum, column.rolling_max(WINDOW)),
        "skewness": (rolling.skewness, column.rolling_skew(WINDOW)),
    }
    for name, (kernel, expression) in peers.items():
        over = expression.over("symbol")
        compare(
            f"rolling {name} {WINDOW}, {rows}",
            lambda kernel=kernel: kernel(x_NS, WINDOW),
            {"polars over(symbol)": lambda over=over: frame.select(over)},
        )
    kernels = (rolling.mean, rolling.std, rolling.maximum, rolling.minimum, rolling.skewness)
    expressions = [
        function(window).over("symbol").alias(f"{i}_{window}")
        for i, function in enumerate(
            (
                column.rolling_mean,
                column.rolling_std,
                column.rolling_max,
                column.rolling_min,
                column.rolling_skew,
            )
        )
        for window in (5, 10, 20, 60)
    ]
    compare(
        f"20 rolling columns, {rows}",
        lambda: [kernel(x_NS, window) for kernel in kernels for window in (5, 10, 20, 60)],
        {"polars, one select": lambda: frame.select(expressions)},
        pairs=5,
    )


if __name__ == "__main__":
    main()
