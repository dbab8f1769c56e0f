"""A training step and inference on the GPU: modes, compiler, memory, and the share of what cuBLAS reaches.

Without a GPU it says so and measures nothing; `--smoke` then shows on the CPU that every line runs. Qlib's
GATs and pytorch-forecasting's TFT are timed by `bench_step`, whose contenders run where torch runs them.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch

from benchmarks.options import read_options, say
from benchmarks.speed_case import (
    SIZES,
    Case,
    TimedNetwork,
    case_of,
    gemm_gflops,
    step_gflop,
    timed_network,
    wait,
)

_MIB = 2**20
VARIANTS = (("safe", False), ("optimized", False), ("optimized", True))
"""Mode, and whether forward and loss are compiled."""


def seconds(work: Callable[[], None], device: str, repeats: int) -> float:
    """Median of the time until the device is done, after two that warm up."""
    taken = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        work()
        wait(device)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[2:])


def measure(case: Case, network: TimedNetwork, name: str, device: str, repeats: int) -> float:
    """Print one variant; milliseconds of its step."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    step = seconds(network.step, device, repeats)
    score = seconds(network.score, device, repeats)
    peak = torch.cuda.max_memory_allocated() / _MIB if device == "cuda" else float("nan")
    say(
        f"{name:<22} step of {case.days} days {step * 1e3:8.2f} ms   inference a day "
        f"{score / case.days * 1e3:7.2f} ms   peak {peak:7.0f} MiB"
    )
    return step


def main(arguments: list[str]) -> int:
    options = read_options(__doc__, arguments, repeats=(20, 1), **SIZES)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not options.smoke:
        say("no CUDA device: nothing was measured")
        return 0
    case = case_of(options)
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU, to see that it runs"
    say(f"{name}, torch {torch.__version__}, {case}")
    steps = {}
    for mode, through_compiler in VARIANTS:
        if through_compiler and device == "cpu":
            continue  # minutes of compilation for a step of milliseconds
        word = f"{mode}, compiled" if through_compiler else mode
        with timed_network(
            case,
            mode,  # type: ignore[arg-type]
            device=device,
            through_compiler=through_compiler,
        ) as network:
            steps[word] = measure(case, network, word, device, options.repeats)
    size = 256 if options.smoke else 8192
    work = step_gflop(case)
    for dtype in (torch.float32, torch.bfloat16):
        peak = gemm_gflops(size, device=device, dtype=dtype)
        shares = ", ".join(f"{w} {work / s / peak:.1%}" for w, s in steps.items())
        say(
            f"cuBLAS {str(dtype).removeprefix('torch.')}: {peak / 1e3:.2f} TFLOP/s; share of it: {shares}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
