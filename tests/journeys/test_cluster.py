"""A Ray cluster of three nodes on this machine: whatever dies, the scores are those of one process.

The nodes share the machine, not the workspace: each worker has a copy, as on another machine.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.files import strict
from engine.runs.events import Continued, Noted, Paused, StepLogged, TaskFinished
from engine.runs.store import Run, RunStore
from engine.stages.tune import tune
from tests.journeys.command import PATIENCE_S, atft, start_run, wait_for_event
from tests.journeys.here import Here
from tests.journeys.test_cockpit import LONG, watch_both_pause_and_stop
from tests.journeys.test_tune import SHORT as SEARCH
from tests.journeys.test_tune import command, told
from tests.journeys.test_walkforward import WORDS, assert_same_scores

pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = pytest.mark.slow

FEWER = [word if word != "2" else "1" for word in WORDS]
"""One seed: two folds, each with a network, a perceptron, rules, ridge and LightGBM."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    # Ray gives way to everything else on a node, the other tests among them.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 (spelt so by Ray)
    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    made.nodes_for_tests = [made.add_node(num_cpus=1) for _ in range(3)]
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def run(market: Path) -> Run:
    done = atft(market, *FEWER, "--jobs", "1", "--json", "--quiet")
    assert done.code == 0, done.err
    return RunStore(market / "runs").open(done.json["run_id"])


def on(cluster: Any) -> list[str]:
    return ["--executor", "ray", "--address", cluster.address]


def workers() -> list[psutil.Process]:
    """The processes that train on the nodes."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "work" in words and "engine" in words and any("worker-" in word for word in words):
            found.append(process)
    return found


def test_a_killed_worker_a_removed_node_and_a_killed_starter_change_no_bit(
    market: Path, run: Run, cluster: Any
) -> None:
    process, again = start_run(market, *FEWER, *on(cluster), "--jobs", "3")
    wait_for_event(again.events_path, lambda e: isinstance(e, StepLogged) and e.step > 2)
    workers()[0].kill()
    wait_for_event(again.events_path, lambda e: isinstance(e, Noted) and "begun again" in e.message)
    cluster.remove_node(cluster.nodes_for_tests.pop(), allow_graceful=False)
    wait_for_event(again.events_path, lambda e: isinstance(e, TaskFinished))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert again.status() == "crashed"
    done = atft(market, "walkforward", "--resume", again.id, *on(cluster), "--quiet")
    assert done.code == 0, done.err
    assert_same_scores(run, again)
    assert not again.path("tasks").exists()


def test_pause_continue_and_stop_reach_the_nodes(market: Path, run: Run, cluster: Any) -> None:
    process, again = start_run(market, *FEWER, *on(cluster), "--jobs", "2")
    wait_for_event(again.events_path, lambda e: isinstance(e, StepLogged))
    assert atft(market, "pause", again.id).code == 0
    wait_for_event(again.events_path, lambda e: isinstance(e, Paused))
    assert again.status() == "paused"
    assert atft(market, "continue", again.id).code == 0
    wait_for_event(again.events_path, lambda e: isinstance(e, Continued))
    assert atft(market, "stop", again.id).code == 0
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert again.status() == "stopped"
    assert not workers()
    done = atft(market, "walkforward", "--resume", again.id, "--executor", "local", "--quiet")
    assert done.code == 0, done.err
    assert_same_scores(run, again)


async def test_two_networks_on_two_nodes_are_watched_paused_and_stopped_by_keys(
    market: Path, cluster: Any
) -> None:
    run = await watch_both_pause_and_stop(market, *LONG, *on(cluster), "--jobs", "2", "--quiet")
    assert run.status() == "stopped"
    assert not workers()


def test_a_sweep_in_blocks_is_that_of_one_process(market: Path, run: Run, cluster: Any) -> None:
    words = ["sweep", run.id, "--grid", "portfolio.fraction=0.1,0.2,0.3", "--quiet"]
    found = []
    for way in (["--jobs", "1"], ["--jobs", "2"], [*on(cluster), "--jobs", "2"]):
        done = atft(market, *words, *way)
        assert done.code == 0, done.err
        found.append([run.path(f).read_bytes() for f in ("sweep.json", "sweep_returns.parquet")])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("trials", [4, pytest.param(20, marks=pytest.mark.long)])
def test_a_search_finds_the_same(market: Path, cluster: Any, trials: int) -> None:
    name = f"here-{trials}"
    here = strict(tune(Here(market, SEARCH).context(), trials=trials, study=name).json)
    words = command(f"there-{trials}", trials)
    done = atft(market, *words, *on(cluster), "--jobs", "1", "--json", "--quiet")
    assert done.code == 0, done.err
    # Of a trial that was cut short a worker leaves no record of no days; nobody judges it.
    assert [row[:4] for row in told(done.json)] == [row[:4] for row in told(here)]
    whole = [row for row in told(here) if row[0] == "complete"]
    assert [row for row in told(done.json) if row[0] == "complete"] == whole
    assert whole


def test_no_cluster_is_said(market: Path) -> None:
    done = atft(market, *FEWER, "--executor", "ray", "--address", "127.0.0.1:1", "--quiet")
    assert done.code == 4
    assert "no Ray cluster at 127.0.0.1:1" in done.err
    assert "ray start --head" in done.err
