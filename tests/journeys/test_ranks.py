"""Two processes train one network: as `torchrun` starts them, and with its variables set by hand."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from engine.runs.events import RunFinished, StepLogged
from engine.runs.sink import decode
from engine.runs.store import Run, RunStore
from tests.journeys.command import (
    PATIENCE_S,
    SETTINGS,
    arguments,
    atft,
    atft_here,
    environment,
    wait_for_event,
)

CHANGES = ("loss.sharpe=0.5", "training.baseline_horizons=[5]")
TRAIN = ("train", "--mode", "safe", *SETTINGS, *(w for c in CHANGES for w in ("--set", c)))


def by_torchrun(workspace: Path, ranks: int, *words: str) -> "subprocess.CompletedProcess[str]":
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    command = [sys.executable, *launcher, *arguments(workspace, *words)[1:]]
    return subprocess.run(
        command, cwd=workspace, env=environment(), capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def by_hand(workspace: Path, *words: str) -> "list[subprocess.Popen[str]]":
    """Rank 0 and rank 1, without a launcher that ends one when the other has ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            arguments(workspace, *words),
            cwd=workspace,
            env={**environment(), **shared, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def scores(run: Run) -> pl.DataFrame:
    return pl.read_parquet(run.path("predictions.parquet"))


def assert_close(run: Run, other: Run) -> None:
    ours, theirs = scores(run), scores(other)
    names = [name for name in ours.columns if name.startswith("score_")]
    assert ours.drop(names).equals(theirs.drop(names))
    for name in names:
        assert float((ours[name] - theirs[name]).abs().max()) < 1e-5  # type: ignore[arg-type]
        assert float(ours[name].std()) > 1e-2  # type: ignore[arg-type]


def test_a_command_that_is_one_process_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"RANK": "1", "WORLD_SIZE": "2"}
    monkeypatch.setattr("tests.journeys.command.environment", lambda: {**os.environ, **variables})
    done = atft_here(tmp_path, "walkforward", "--json")
    assert done.code == 2
    assert done.json["error"] == "walkforward is one process, but WORLD_SIZE is 2"
    assert "--jobs" in done.json["hint"]


@pytest.mark.slow
@pytest.mark.long
def test_two_ranks_give_the_scores_of_one_and_go_on_alone(market: Path) -> None:
    """The Sharpe term included; one that was killed goes on with one process, or with two."""
    done = atft(market, *TRAIN, "--json", "--quiet")
    assert done.code == 0, done.err
    store = RunStore(market / "runs")
    alone = store.open(done.json["run_id"])
    assert alone.manifest.world_size == 1

    known = {run.id for run in store}
    two = by_torchrun(market, 2, *TRAIN, "--quiet")
    assert two.returncode == 0, two.stderr
    [run] = [run for run in store if run.id not in known]
    assert run.status() == "done"
    assert run.manifest.world_size == 2
    assert "rank 1 of 2: read its rows of" in two.stdout
    assert_close(run, alone)

    known.add(run.id)
    first, second = by_hand(market, *TRAIN, "--quiet", "--json")
    while not (new := [run for run in store if run.id not in known]):
        assert first.poll() is None, first.communicate()
    [broken] = new
    wait_for_event(broken.events_path, lambda e: isinstance(e, StepLogged) and e.step >= 8)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    out, err = first.communicate(timeout=60)
    assert first.returncode == 4, err
    told = json.loads(out)
    assert "of this training has ended" in told["error"]
    assert "train --resume" in told["hint"]
    events = [decode(line) for line in broken.events_path.read_bytes().splitlines()]
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert last.status == "failed"

    again = by_hand(market, "train", "--resume", broken.id, "--quiet")
    assert [process.wait(PATIENCE_S) for process in again] == [0, 0]
    assert_close(broken, alone)


@pytest.mark.slow
@pytest.mark.long
def test_the_others_end_when_rank_0_does(market: Path) -> None:
    store = RunStore(market / "runs")
    known = {run.id for run in store}
    first, second = by_hand(market, *TRAIN, "--quiet", "--json")
    while not (new := [run for run in store if run.id not in known]):
        assert first.poll() is None, first.communicate()
    wait_for_event(new[0].events_path, lambda e: isinstance(e, StepLogged))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 4
    assert json.loads(out)["error"].startswith("rank 0 of this training has ended")
    done = atft(market, "train", "--resume", new[0].id, "--quiet")
    assert done.code == 0, done.err
