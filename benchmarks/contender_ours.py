"""Ours as a contender: `python -m benchmarks.contender_ours MODE THREADS CASE...`.

Words: `step`, `score`; `gemm` answers with the GFLOP/s of a square product, `threads` with torch's
number of threads, `peak` with the largest resident MiB so far.
"""

import sys
from typing import Literal, cast

from engine.runs.launch import limit_threads

limit_threads(safe=sys.argv[1] == "safe")

from benchmarks.contender import serve  # noqa: E402 - after the thread limits
from benchmarks.speed_case import Case, gemm_gflops, timed_network  # noqa: E402
from engine.training.machine import peak_memory_mib  # noqa: E402


def main() -> None:
    mode, threads, *words = sys.argv[1:]
    case, mode = Case.parse(words), cast(Literal["safe", "optimized"], mode)
    with timed_network(case, mode, threads=int(threads)) as network:
        runtime = network.stepper.runtime

        def gemm() -> float:
            runtime.hold_threads()  # a step may have left fewer
            return gemm_gflops(2048 if case.samples > 64 else 128)  # no peak for a smoke run

        serve(
            {"step": network.step, "score": network.score},
            {"gemm": gemm, "threads": lambda: runtime.threads, "peak": peak_memory_mib},
        )


if __name__ == "__main__":
    main()
