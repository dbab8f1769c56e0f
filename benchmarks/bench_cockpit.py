"""The cockpit over a real terminal while a training run holds both cores.

Prints and judges: start to the first answered key, key to paint, redraws a second of one panel under
1,000 events a second, memory while that goes on over a 72-hour event file, the time to say that a
killed trainer died.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from atft_tui.widgets.run_panels import TABS
from benchmarks.options import read_options, say
from benchmarks.terminal import Terminal
from engine.config import Config
from engine.config.file import resolve
from engine.runs import launch
from engine.runs.events import EpochEvaluated
from engine.runs.sink import encode
from engine.runs.store import Run, RunStore
from tests.engine.runs.samples import evaluated, step_events, training

EVENTS_A_SECOND = 1000
STEP_S = 2.0
"""Seconds between two logged steps of the long run, three events each."""
PLACES = (
    ("2", b"audit"), ("3", b"checkpoint"), ("4", b"overlay"), ("5", b"next epoch"), ("6", b"report"),
    ("7", b"verify"), ("8", b"back to default"), ("1", b"scheduler"),
)  # fmt: skip
"""Key, and a word of the footer that is painted last."""
TRAINING = ("training.mode=optimized", "training.epochs=[60,1,1,1]")
SMALL_TRAINING = (
    "data.synthetic.n_symbols=48", "data.synthetic.n_sessions=520", "split.validation_sessions=60",
    "split.test_sessions=60", "universe.min_history=60", "universe.min_names=10", "model.hidden=8",
    "training.epochs=[200,1,1,1]", "training.phases.baseline.patience=200", "training.log_every=2",
)  # fmt: skip
PANELS = tuple(f"[{name}]".encode() for name in TABS)
"""Every panel of a training run by its mark in the row of their names, in the order of the tab key."""


def cockpit(workspace: Path, columns: int = 80, lines: int = 24) -> Terminal:
    command = [sys.executable, "-m", "atft_tui", "--workspace", str(workspace)]
    return Terminal(command, columns=columns, lines=lines)


def judge(name: str, value: float, limit: float, unit: str, more: str = "") -> bool:
    met = value <= limit
    word = "met" if met else "MISSED"
    say(f"{name:<46} {value:8.3f} {unit:<5} limit {limit:g}: {word} {more}")
    return met


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def start_to_key(workspace: Path, starts: int) -> bool:
    """From the shell until a key has been answered, as a person feels it."""
    times = []
    for _ in range(starts):
        with cockpit(workspace) as terminal:
            terminal.wait(b"\x1b[?1049h")
            since = terminal.press("4")
            times.append(terminal.wait(b"Runs ", since) - terminal.started)
    return judge("start to the first answered key, median", statistics.median(times), 0.6, "s")


def key_to_paint(workspace: Path, name: str, visits: int, keys: int) -> bool:
    """Panels by tab and places by number, while the run trains; a first visit also imports the screen."""
    with cockpit(workspace) as terminal:
        terminal.wait(b"\x1b[?1049h")
        time.sleep(1.5)
        first = [terminal.reaction(key, word) for key, word in PLACES]
        say(
            f"first visit of a place: median {statistics.median(first):.3f} s, longest {max(first):.3f} s"
        )
        times = []
        for _ in range(visits):
            for key, word in PLACES:
                times.append(terminal.reaction(key, word))
                time.sleep(0.2)
        terminal.reaction("3", PANELS[0])
        for i in range(keys):
            times.append(terminal.reaction("\t", PANELS[(i + 1) % len(PANELS)]))
            time.sleep(0.2)
    more = f"median {statistics.median(times):.3f}, {len(times)} keys"
    return judge(f"key to paint, p95, {name}", percentile(times, 0.95), 0.1, "s", more)


def long_run(store: RunStore, hours: float) -> Run:
    """A run that has been training for so many hours."""
    run = store.create("train", Config())
    steps = int(hours * 3600 / STEP_S)
    with run.events_path.open("w", encoding="utf-8") as file:
        file.writelines(encode(event) + "\n" for event in training()[:14])
        for step in range(steps):
            file.writelines(encode(e) + "\n" for e in step_events(step, step // 5000, 0, 0.5))
            if step % 5000 == 4999:
                event: EpochEvaluated = evaluated(step // 5000, 0)
                file.write(encode(event) + "\n")
    return run


def flood(run: Run, first: int, stop: threading.Event) -> None:
    """Append events at the pace, in bursts of a tenth of a second."""
    step = first
    with run.events_path.open("a", encoding="utf-8") as file:
        due = time.perf_counter()
        while not stop.is_set():
            for _ in range(EVENTS_A_SECOND // 30):
                file.writelines(encode(event) + "\n" for event in step_events(step, 99, 0, 0.5))
                step += 1
            file.flush()
            due += 0.1
            time.sleep(max(0.0, due - time.perf_counter()))


def under_flood(workspace: Path, run: Run, options: argparse.Namespace) -> list[bool]:
    """Redraws, memory and changes of place while events arrive at the pace."""
    seconds = options.seconds
    size = run.events_path.stat().st_size / 2**20
    stop = threading.Event()
    with run.lock(), cockpit(workspace) as terminal:
        terminal.wait(b"\x1b[?1049h")
        time.sleep(1.0)
        opened = time.perf_counter()
        since = terminal.press("3")
        terminal.wait(b"[gradient]", since)
        for panel in (b"[gate]", b"[worth]"):
            terminal.reaction("\t", panel)
        terminal.press("\t")
        terminal.wait(b"total", since)
        first = time.perf_counter() - opened
        say(f"{size:.0f} MiB of events, {options.hours:g} h: first figures after {first:.2f} s")
        time.sleep(seconds / 6)  # the whole file is folded
        writer = threading.Thread(target=flood, args=(run, 10_000_000, stop), daemon=True)
        writer.start()
        time.sleep(seconds / 24)
        redraws = terminal.count(b"total", seconds / 12) / (seconds / 12)
        memory = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            memory.append(terminal.memory_mib())
            time.sleep(min(1.0, seconds / 4))
        times = []
        for _ in range(options.moves):
            for key, word in (("4", b"Runs "), ("3", b"[loss]")):
                times.append(terminal.reaction(key, word))
                time.sleep(0.3)
        stop.set()
        writer.join()
    middle, last = memory[len(memory) // 2], memory[-1]
    more = f"{middle:.0f} -> {last:.0f} MiB over the last {seconds / 2:.0f} s"
    return [
        judge("redraws of a panel a second, 1,000 events/s", redraws, 4.0, "1/s"),
        judge("growth of memory, last half", 100.0 * (last / middle - 1.0), 5.0, "%", more),
        judge("place to place under the flood, p95", percentile(times, 0.95), 0.25, "s"),
    ]


@contextmanager
def trainer(workspace: Path, overrides: Sequence[str]) -> Iterator[Run]:
    """A real training run on the demo's market, as the screen starts one; killed with the block."""
    words = ["ingest", "--source", "synthetic", "--preset", "demo", "--quiet"]
    words += [word for setting in overrides for word in ("--set", setting)]
    subprocess.run(launch.argv(workspace, words), check=True, stdout=subprocess.DEVNULL)
    config = resolve((), preset="demo", overrides=list(overrides)).config
    run = launch.start(workspace, "train", config)
    try:
        yield run
    finally:
        if (pid := run.holder()) is not None:
            os.kill(pid, signal.SIGKILL)


def wait_for(what: Callable[[], bool], patience: float) -> None:
    end = time.perf_counter() + patience
    while not what():
        if time.perf_counter() > end:
            raise TimeoutError("the training run did not come so far")
        time.sleep(0.2)


def killed_trainer(workspace: Path, run: Run) -> bool:
    with cockpit(workspace) as terminal:
        terminal.wait(b"\x1b[?1049h")
        time.sleep(1.0)
        terminal.press("3")
        terminal.wait(b"running")
        time.sleep(1.0)
        pid = run.holder()
        assert pid is not None, "the run has ended before it could be killed"
        since, at = terminal.press("\t"), time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        seconds = terminal.wait(b"died", since) - at
    return judge("a killed trainer is said to have died after", seconds, 3.0, "s")


def main(arguments: list[str] | None = None) -> int:
    options = read_options(
        __doc__,
        arguments,
        seconds=(120.0, 1.5),  # of the flood of events
        hours=(72.0, 0.5),
        starts=(9, 1),
        visits=(4, 1),
        keys=(60, 4),
        moves=(10, 1),
    )
    met = []
    with tempfile.TemporaryDirectory() as folder:
        quiet, busy, long = (Path(folder) / name for name in ("quiet", "busy", "long"))
        quiet.mkdir()
        met.append(start_to_key(quiet, options.starts))
        run = long_run(RunStore(long / "runs"), options.hours)
        met += under_flood(long, run, options)
        with trainer(busy, SMALL_TRAINING if options.smoke else TRAINING) as run:
            wait_for(lambda: b"StepLogged" in _events(run), 600.0)
            met.append(
                key_to_paint(busy, "a run trains on both cores", options.visits, options.keys)
            )
            met.append(killed_trainer(busy, run))
    return 0 if options.smoke or all(met) else 1  # the limits are those of the full size


def _events(run: Run) -> bytes:
    return run.events_path.read_bytes() if run.events_path.exists() else b""


if __name__ == "__main__":
    sys.exit(main())
