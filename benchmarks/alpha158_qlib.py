"""Alpha158 by Qlib's own expression engine, in Qlib's own Python: run as a script, never imported.

``python alpha158_qlib.py DATA RESULT``: DATA is a Qlib data folder. A contender with two works (caches off,
one process): `evaluate` takes the 79 columns of `WANTED`, `every` all 158. The first, which is not for the
clock, leaves the values in RESULT as an array [rows, columns], rows by (instrument, date).
"""

import os
import sys
from collections.abc import Callable

import numpy as np
import qlib
from contender import serve
from qlib.contrib.data.loader import Alpha158DL
from qlib.data.cache import H
from qlib.data.dataset.loader import QlibDataLoader

WANTED = (
    "ROC", "MA", "STD", "BETA", "RSQR", "MAX", "MIN", "RSV", "CORR", "CNTP", "SUMP", "VMA", "VSTD", "WVMA",
)  # fmt: skip


def main() -> None:
    data, result = sys.argv[1:]
    qlib.init(
        provider_uri=data,
        region="us",
        kernels=1,
        joblib_backend="threading",
        expression_cache=None,
        dataset_cache=None,
        redis_port=-1,
    )
    include = [name if name != "MIN" else "LOW" for name in WANTED]  # Qlib's key of MIN
    rolling = {"windows": [5, 10, 20, 30, 60], "include": include}
    some = Alpha158DL.get_feature_config({"kbar": {}, "rolling": rolling})
    every = Alpha158DL.get_feature_config()

    def work(columns: tuple[list[str], list[str]], order: list[str]) -> Callable[[], None]:
        loader = QlibDataLoader(config={"feature": columns})

        def evaluate() -> None:
            H.clear()
            frame = loader.load(instruments="all")
            if not os.path.exists(result):
                frame.columns = frame.columns.get_level_values(-1)
                frame = frame.swaplevel().sort_index()
                np.save(result, frame[order].to_numpy(dtype=np.float64))

        return evaluate

    serve({"evaluate": work(some, ordered(some[1])), "every": work(every, every[1])})


def ordered(names: list[str]) -> list[str]:
    """Candle columns, then operator by operator in the order of `WANTED`."""
    candle = [name for name in names if name.startswith("K")]
    return candle + [f"{name}{window}" for name in WANTED for window in (5, 10, 20, 30, 60)]


if __name__ == "__main__":
    main()
