"""The cockpit over a real terminal while a training run holds both cores.

Prints and judges: start to the first answered key, key to paint, redraws a second of one panel under
1,000 events a second, memory while that goes on over a 72-hour event file, the time to say that a
killed trainer died, scrolling in a table of 8,000 rows. ``python -m benchmarks.bench_cockpit [SECONDS]``
(of the event flood, 120 by default).
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.terminal import Terminal
from engine.config import Config
from engine.runs import launch
from engine.runs.events import EpochEvaluated, encode
from engine.runs.store import Run, RunStore
from tests.engine.runs.samples import evaluated, step_events, training

KEYS = 60
EVENTS_A_SECOND = 1000
LONG_HOURS = 72
STEP_S = 2.0
"""Seconds between two logged steps of the long run, three events each."""
PLACES = (
    ("2", b"audit"), ("3", b"checkpoint"), ("4", b"overlay"), ("5", b"next epoch"), ("6", b"report"),
    ("7", b"verify"), ("8", b"presets"), ("1", b"scheduler"),
)  # fmt: skip
"""Key, and a word of the footer that is painted last."""
TABS = (b"[gate]", b"[loss]", b"[spread]", b"[variables]")


def cockpit(workspace: Path, columns: int = 80, lines: int = 24) -> Terminal:
    command = [sys.executable, "-m", "atft_tui", "--workspace", str(workspace)]
    return Terminal(command, columns=columns, lines=lines)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def judge(name: str, value: float, limit: float, unit: str, more: str = "") -> bool:
    met = value <= limit
    word = "met" if met else "MISSED"
    say(f"{name:<46} {value:8.3f} {unit:<5} limit {limit:g}: {word} {more}")
    return met


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def start_to_key(workspace: Path) -> bool:
    """From the shell until a key has been answered, as a person feels it."""
    times = []
    for _ in range(9):
        with cockpit(workspace) as terminal:
            terminal.wait(b"\x1b[?1049h")
            since = terminal.press("4")
            times.append(terminal.wait(b"Runs ", since) - terminal.started)
    return judge("start to the first answered key, median", statistics.median(times), 0.6, "s")


def key_to_paint(workspace: Path, name: str) -> bool:
    """Panels by tab and places by number, while the run trains; a first visit also imports the screen."""
    with cockpit(workspace) as terminal:
        terminal.wait(b"\x1b[?1049h")
        time.sleep(1.5)
        first = [terminal.reaction(key, word) for key, word in PLACES]
        say(
            f"first visit of a place: median {statistics.median(first):.3f} s, longest {max(first):.3f} s"
        )
        times = []
        for _ in range(4):
            for key, word in PLACES:
                times.append(terminal.reaction(key, word))
                time.sleep(0.2)
        terminal.reaction("3", b"[gradient]")
        for i in range(KEYS):
            wanted = TABS[i % len(TABS)]
            if i % len(TABS) == 0:  # back to the first panel, unmeasured
                since = len(terminal.painted)
                while b"[gradient]" not in terminal.painted[since:]:
                    since = terminal.press("\t")
                    time.sleep(0.2)
            times.append(terminal.reaction("\t", wanted))
            time.sleep(0.2)
    more = f"median {statistics.median(times):.3f}, {len(times)} keys"
    return judge(f"key to paint, p95, {name}", percentile(times, 0.95), 0.1, "s", more)


def long_run(store: RunStore) -> Run:
    """A run that has been training for three days."""
    run = store.create("train", Config())
    steps = int(LONG_HOURS * 3600 / STEP_S)
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


def under_flood(workspace: Path, run: Run, seconds: float) -> list[bool]:
    size = run.events_path.stat().st_size / 2**20
    stop = threading.Event()
    with run.lock(), cockpit(workspace) as terminal:
        terminal.wait(b"\x1b[?1049h")
        time.sleep(1.0)
        opened = time.perf_counter()
        since = terminal.press("3")
        terminal.wait(b"[gradient]", since)
        terminal.reaction("\t", b"[gate]")
        terminal.press("\t")
        terminal.wait(b"total", since)
        first = time.perf_counter() - opened
        say(f"{size:.0f} MiB of events, {LONG_HOURS} h: first figures after {first:.2f} s")
        time.sleep(20.0)  # the whole file is folded
        writer = threading.Thread(target=flood, args=(run, 10_000_000, stop), daemon=True)
        writer.start()
        time.sleep(5.0)
        redraws = terminal.count(b"total", 10.0) / 10.0
        memory = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            memory.append(terminal.memory_mib())
            time.sleep(1.0)
        times = []
        for i in range(20):
            times.append(
                terminal.reaction("4" if i % 2 == 0 else "3", b"Runs " if i % 2 == 0 else b"[loss]")
            )
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


def trainer(workspace: Path) -> Run:
    """A real training run in optimized mode on the demo's market, as the screen starts one."""
    from engine.config.file import resolve

    words = ["ingest", "--source", "synthetic", "--preset", "demo", "--quiet"]
    subprocess.run(launch.argv(workspace, words), check=True, stdout=subprocess.DEVNULL)
    overrides = [
        "training.mode=optimized",
        "training.epochs=[60,1,1,1]",
    ]
    config = resolve((), preset="demo", overrides=overrides).config
    return launch.start(workspace, "train", config)


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
        os.kill(pid, 9)
        seconds = terminal.wait(b"died", since) - at
    return judge("a killed trainer is said to have died after", seconds, 3.0, "s")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    met = []
    with tempfile.TemporaryDirectory() as folder:
        quiet, busy, long = (Path(folder) / name for name in ("quiet", "busy", "long"))
        quiet.mkdir()
        met.append(start_to_key(quiet))
        met += under_flood(long, long_run(RunStore(long / "runs")), seconds)
        run = trainer(busy)
        wait_for(lambda: b"StepLogged" in _events(run), 600.0)
        met.append(key_to_paint(busy, "a run trains on both cores"))
        met.append(killed_trainer(busy, run))
    raise SystemExit(0 if all(met) else 1)


def _events(run: Run) -> bytes:
    return run.events_path.read_bytes() if run.events_path.exists() else b""


if __name__ == "__main__":
    main()
