"""What a workspace of many runs costs: `runs` from the command line, and a long stream of events.

Prints the wall time of ``atft-tui runs`` (limit 1 s at 500 runs), the lines that the decoder reads in a
second of CPU time, and the CPU time to fold the event file of a training of three days: three events a step,
a step every two seconds, 75 MiB.
"""

import datetime as dt
import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.options import read_options, say
from engine.config import Config
from engine.files import write_json
from engine.runs import launch
from engine.runs.fold import decoded, fold
from engine.runs.sink import Follower, decode, encode
from engine.runs.state import RunState
from engine.runs.store import RunStore
from tests.engine.runs.samples import step_events, training

FIGURES = {"rank_ic": 0.021, "rank_ic_se": 0.004, "null_band": 0.009, "n_dates": 250}
BACKTEST = {"sharpe": 0.7, "sharpe_low": -0.1, "sharpe_high": 1.5, "sharpe_deflated": 0.4, "trials": 3,
            "verdict": "undecided", "daily": [0.001] * 500}  # fmt: skip


def make_runs(workspace: Path, number: int) -> None:
    """Finished trainings as they lie in a workspace, each with a backtest; every fifth has labels."""
    minutes = itertools.count()
    start = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    store = RunStore(workspace / "runs", lambda: start + dt.timedelta(minutes=next(minutes)))
    events = "".join(encode(event) + "\n" for event in training())
    baselines = {name: {"validation": FIGURES, "test": FIGURES} for name in ("ridge", "mlp")}
    trained = {"best": FIGURES, "test": FIGURES, "seconds": 12.0, "baselines": baselines}
    for n in range(number):
        run = store.create("train", Config())
        run.events_path.write_text(events, encoding="utf-8")
        write_json(run.path("train.json"), {"run_id": run.id, **trained})
        write_json(run.path("backtest.json"), BACKTEST)
        if n % 5 == 0:
            write_json(run.path("labels.json"), {"tags": ["kept"], "note": "the one to beat"})


def list_seconds(workspace: Path, times: int) -> float:
    """Wall time of the command, the best of some."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        words = launch.argv(workspace, ["runs"])
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        spent.append(time.perf_counter() - began)
    return min(spent)


def stream_figures(directory: Path, steps: int) -> tuple[float, float, float]:
    """Size in MiB, lines a second through the decoder, CPU seconds to fold it whole."""
    path = directory / "events.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(encode(event) + "\n" for event in training()[:14])
        for step in range(steps):
            file.writelines(
                encode(event) + "\n" for event in step_events(step, step // 5000, 0, 0.5)
            )
    lines = path.read_bytes().splitlines()[:60_000]
    began = time.process_time()
    events = [decode(line) for line in lines]
    speed = len(events) / (time.process_time() - began)
    state, follower, more = RunState(), Follower(path), True
    began = time.process_time()
    while more:
        new, _, more = follower.read()
        state = fold(decoded(new), state)
    assert state.n_events == 14 + 3 * steps
    return path.stat().st_size / 2**20, speed, time.process_time() - began


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 where the list of runs is too slow."""
    options = read_options(__doc__, arguments, runs=(500, 3), steps=(129_600, 40), times=(3, 1))
    runs, steps = options.runs, options.steps
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder), runs)
        seconds = list_seconds(Path(folder), options.times)
        size, speed, whole = stream_figures(Path(folder), steps)
    met = seconds <= 1.0
    say(f"runs, {runs} runs: {seconds:.2f} s, limit 1: {'met' if met else 'MISSED'}")
    say(f"decoder: {speed:,.0f} lines/s of CPU")
    say(f"fold of {size:.0f} MiB of events: {whole:.2f} s")
    return 0 if met or options.smoke else 1  # the limit is that of the full size


if __name__ == "__main__":
    sys.exit(main())
