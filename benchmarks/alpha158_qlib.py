"""The 79 columns by Qlib's own expression engine, in Qlib's own Python: run as a script, never imported.

``python alpha158_qlib.py DATA RESULT``: DATA is a Qlib data folder. Each line read from standard input
starts one evaluation (caches off, one process); the answer is a line "cpu wall". After the first one the
values lie in RESULT as an array [rows, 79], rows by (instrument, date).
"""

import os
import resource
import sys
import time
from typing import Any

import numpy as np
import qlib
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
    sys.stdout.write(f"ready {len(names)}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        H.clear()
        wall, cpu = time.perf_counter(), used()
        frame = loader.load(instruments="all")
        answer = f"{used() - cpu} {time.perf_counter() - wall}\n"
        if not os.path.exists(result):
            frame.columns = frame.columns.get_level_values(-1)
            frame = frame.swaplevel().sort_index()
            np.save(result, frame[ordered(names)].to_numpy(dtype=np.float64))
        sys.stdout.write(answer)
        sys.stdout.flush()


def ordered(names: list[str]) -> list[str]:
    """Candle columns, then operator by operator in the order of `WANTED`."""
    candle = [name for name in names if name.startswith("K")]
    return candle + [f"{name}{window}" for name in WANTED for window in (5, 10, 20, 30, 60)]


def used() -> float:
    """CPU seconds of this process and of the children that have ended."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage: Any = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


if __name__ == "__main__":
    main()
