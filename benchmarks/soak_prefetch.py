"""Starts and stops the optimized data path for a long time; a watchdog in another process looks for silence.

python -m benchmarks.soak_prefetch [--cycles 1000] [--minutes 15] [--silence 120]

The worker is what the original deadlocked on: polars, numba and OpenMP threads have all run before, and
torch computes on several threads while batches are gathered. Each cycle starts a prefetch and, at random,
reads it to its end, leaves it early, leaves it at once, raises inside the block, or meets a day that cannot
be gathered; every 25th cycle takes training steps. It ends when both the cycles and the minutes are done.
Exit code 1: a deadlock, a wrong batch, a worker that failed, or threads left over. A deadlock is ``silence``
seconds without the end of a cycle in which the worker used no processor time either (a busy machine may give
it little), or ten times as long in any case; the stacks of all its threads are then printed.
"""

import argparse
import faulthandler
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import cast

from engine.runs.launch import limit_threads

limit_threads(safe=False)

import numpy as np  # noqa: E402 - after the thread limits
import polars as pl  # noqa: E402
import psutil  # noqa: E402
import torch  # noqa: E402

from benchmarks.bench_windows import feature_set  # noqa: E402
from benchmarks.speed_case import RATE, Case  # noqa: E402
from engine.dataset.loader import prefetch  # noqa: E402
from engine.features.feature_set import FeatureSet  # noqa: E402
from engine.model.atft_gat_fan import build_model  # noqa: E402
from engine.training.device import apply_mode  # noqa: E402
from engine.training.optimizer import build_optimizer  # noqa: E402
from engine.training.passes import StepPass, open_pass  # noqa: E402
from engine.training.step import Stepper  # noqa: E402

WINDOW, STEPS, TRAIN_EVERY = 10, 6, 25
IDLE_CPU_S = 0.05
"""Processor time below which a silent worker waits for something that will not come."""
START_S = 600.0
"""For imports and data, before the watchdog counts."""


class Planted(Exception):  # noqa: N818 - raised on purpose
    pass


def small() -> FeatureSet:
    """Large enough for torch to gather on several threads, small enough for many cycles a second."""
    whole = feature_set()
    return replace(
        whole,
        symbols=whole.symbols[:300],
        features=whole.features[:60],
        x_SNF=whole.x_SNF[:, :300, :60].copy(),
        member_SN=whole.member_SN[:, :300],
        forward_return_SNH=whole.forward_return_SNH[:, :300],
        sector_N=whole.sector_N[:300],
    )


def stepper_on(features: FeatureSet) -> Stepper:
    config = Case(window=WINDOW, hidden=16).config()
    config = config.model_copy(
        update={
            "labels": config.labels.model_copy(update={"horizons": features.horizons}),
            "loss": config.loss.model_copy(update={"horizon_weights": (1.0,)}),
        }
    )
    runtime = apply_mode("optimized", torch.device("cpu"), 0)
    model = build_model(config, len(features.features))
    optimizer = build_optimizer(model, learning_rate=RATE, weight_decay=1e-2)
    return Stepper(
        config=config,
        model=model,
        runtime=runtime,
        forward_backward=StepPass(runtime),
        optimizer=optimizer,
    )


def cycle(features: FeatureSet, stepper: Stepper, draw: random.Random, *, train: bool) -> str:
    """One start and stop; what kind it was."""
    sessions = [draw.randrange(WINDOW, features.dates_S.size) for _ in range(2 * STEPS)]
    steps = list(zip(sessions[::2], sessions[1::2], strict=True))
    kind = "train" if train else draw.choice(("whole", "early", "at once", "raise", "fault"))
    if kind == "fault":
        steps[draw.randrange(STEPS)] = (0, 0)  # a session without a full window
    seen = []
    try:
        with prefetch(features, None, steps, WINDOW) as batches:
            if kind == "at once":
                return kind
            for batch in batches:
                seen.append(batch.sessions)
                if train:
                    with open_pass(stepper.runtime) as stepper.forward_backward:
                        stepper(batch, RATE, monitor=False)
                        stepper.settle()
                if kind == "early" and len(seen) == 2:
                    return kind
                if kind == "raise":
                    raise Planted
    except Planted:
        pass
    except IndexError:
        if kind != "fault":
            raise
    if seen != steps[: len(seen)] or (kind in ("whole", "train") and len(seen) != STEPS):
        raise RuntimeError(f"{kind}: batches {seen} of {steps}")
    return kind


def work(cycles: int, minutes: float) -> None:
    """Print one line per cycle: the watchdog's sign of life."""
    faulthandler.register(signal.SIGUSR1)
    features = small()
    pl.DataFrame({"a": np.arange(10**6) % 7}).group_by("a").len()  # polars' threads exist from here
    stepper, draw = stepper_on(features), random.Random(0)
    stop = time.monotonic() + 60 * minutes
    done = 0
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while done < cycles or time.monotonic() < stop:
        kind = cycle(features, stepper, draw, train=done % TRAIN_EVERY == 0)
        done += 1
        sys.stdout.write(f"{kind}\n")
        sys.stdout.flush()
    left = [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith(("prefetch", "rows"))
    ]
    if left:
        raise RuntimeError(f"{len(left)} threads are left")


def watch(arguments: argparse.Namespace) -> int:
    program = ["-m", "benchmarks.soak_prefetch", "--worker"]
    program += ["--cycles", str(arguments.cycles), "--minutes", str(arguments.minutes)]
    started, counts = time.monotonic(), Counter[str]()
    lines: queue.Queue[str] = queue.Queue()
    with subprocess.Popen([sys.executable, *program], stdout=subprocess.PIPE, text=True) as worker:
        threading.Thread(target=_read, args=(worker, lines), daemon=True).start()
        patience, longest = START_S, 0.0
        while True:
            before = time.monotonic()
            line = _next(lines, psutil.Process(worker.pid), patience)
            if line is None:
                worker.send_signal(signal.SIGUSR1)
                time.sleep(2.0)
                worker.kill()
                sys.stdout.write(f"DEADLOCK after {sum(counts.values())} cycles\n")
                return 1
            if not line:
                break
            if line == "ready\n":
                started, patience = time.monotonic(), arguments.silence
                continue
            longest = max(longest, time.monotonic() - before)
            counts[line.strip()] += 1
    minutes = (time.monotonic() - started) / 60
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    sys.stdout.write(
        f"{counts.total()} starts and stops in {minutes:.1f} minutes ({kinds}); longest wait "
        f"{longest:.1f} s; exit code {worker.returncode}\n"
    )
    return int(worker.returncode != 0)


def _next(lines: "queue.Queue[str]", process: psutil.Process, patience: float) -> str | None:
    """The next line; None when the worker is taken for dead."""
    for _ in range(10):
        used = sum(process.cpu_times()[:2])
        try:
            return lines.get(timeout=patience)
        except queue.Empty:
            if sum(process.cpu_times()[:2]) - used < IDLE_CPU_S:
                return None
    return None


def _read(worker: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    for line in worker.stdout or ():
        lines.put(line)
    lines.put("")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--silence", type=float, default=120.0)
    parser.add_argument("--worker", action="store_true")
    arguments = parser.parse_args()
    if arguments.worker:
        work(cast(int, arguments.cycles), cast(float, arguments.minutes))
        return 0
    return watch(arguments)


if __name__ == "__main__":
    sys.exit(main())
