"""The 79 columns by Qlib's own expression engine, in Qlib's own Python: run as a script, never imported.

``python alpha158_qlib.py DATA RESULT``: DATA is a Qlib data folder. A contender whose one work is `evaluate`
(caches off, one process). The first, which is not for the clock, leaves the values in RESULT as an array
[rows, 79], rows by (instrument, date).
"""

import os
import sys

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
    fields, names = Alpha158DL.get_feature_config(
        {"kbar": {}, "rolling": {"windows": [5, 10, 20, 30, 60], "include": include}}
    )
    loader = QlibDataLoader(config={"feature": (fields, names)})

    def evaluate() -> None:
        H.clear()
        frame = loader.load(instruments="all")
        if not os.path.exists(result):
            frame.columns = frame.columns.get_level_values(-1)
            frame = frame.swaplevel().sort_index()
            np.save(result, frame[ordered(names)].to_numpy(dtype=np.float64))

    serve({"evaluate": evaluate})


def ordered(names: list[str]) -> list[str]:
    """Candle columns, then operator by operator in the order of `WANTED`."""
    candle = [name for name in names if name.startswith("K")]
    return candle + [f"{name}{window}" for name in WANTED for window in (5, 10, 20, 30, 60)]


if __name__ == "__main__":
    main()
