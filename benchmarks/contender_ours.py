"""Ours as a contender: `python -m benchmarks.contender_ours MODE THREADS CASE...`.

Words: `step`, `score`; `gemm` answers with the GFLOP/s of a square product, `threads` with torch's
number of threads, `peak` with the largest resident MiB so far.
"""

import sys
import time
from typing import Literal, cast

from engine.runs.threads import limit_threads

limit_threads(safe=sys.argv[1] == "safe")

from benchmarks.speed_case import (  # noqa: E402 - after the thread limits
    Case,
    TimedNetwork,
    gemm_gflops,
    timed_network,
)
from engine.training.machine import peak_memory_mib  # noqa: E402


def main() -> None:
    mode, threads, *words = sys.argv[1:]
    case, mode = Case.parse(words), cast(Literal["safe", "optimized"], mode)
    with timed_network(case, mode, threads=int(threads)) as network:
        serve(network)


def serve(network: TimedNetwork) -> None:
    runtime = network.stepper.runtime

    def gemm() -> float:
        runtime.hold_threads()  # a step may have left fewer
        return gemm_gflops()

    works = {"step": network.step, "score": network.score}
    answers = {
        "gemm": gemm,
        "threads": lambda: runtime.threads,
        "peak": peak_memory_mib,
    }
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        word = line.strip()
        if word in works:
            wall, cpu = time.perf_counter(), time.process_time()
            works[word]()
            answer = f"{time.perf_counter() - wall} {time.process_time() - cpu}"
        else:
            answer = str(answers[word]())
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
