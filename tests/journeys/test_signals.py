"""`signals` over the real command line: killed at any point, started several times at once, verified."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from engine.config import Config
from engine.config.file import write_resolved
from engine.data.tables import RawTables
from tests.engine.signals.desk import Desk, open_desk
from tests.journeys.command import arguments, atft_here, environment

STAGES = ("quality", "load", "graph", "features", "evidence", "drift", "inputs", "score", "seal")


@pytest.fixture(scope="module")
def opened(raw: RawTables, config: Config, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk whose configuration stands in its workspace, one session after the champion's training."""
    desk = open_desk(tmp_path_factory.mktemp("cli") / "workspace", config, raw)
    write_resolved(desk.workspace / "config.toml", desk.config)
    desk.next_day()
    return desk


@pytest.fixture
def desk(opened: Desk, tmp_path: Path) -> Desk:
    return opened.copy(tmp_path / "workspace")


@pytest.fixture(scope="module")
def unbroken(opened: Desk, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a signal that nobody disturbed."""
    desk = opened.copy(tmp_path_factory.mktemp("unbroken") / "workspace")
    done = atft_here(desk.workspace, "signals", "--json")
    assert done.code == 0, done.err
    assert done.json["verdict"] == "TRADE"
    return desk.files(str(desk.last))


def start(workspace: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        arguments(workspace, "signals", "--json"),
        cwd=workspace,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_at(workspace: Path, stage: str) -> None:
    """kill -9 as soon as the stage is told."""
    process = start(workspace)
    assert process.stderr is not None
    for line in process.stderr:
        if line.strip() == f"· {stage}":
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()


def whole_or_absent(desk: Desk, expected: dict[str, bytes]) -> bool:
    """The sealed directory is there with every byte, or not at all."""
    found = [one.name for one in desk.seals]
    assert found in ([], [str(desk.last)])
    if found:
        assert desk.files(found[0]) == expected
    return bool(found)


def ends_well(desk: Desk, expected: dict[str, bytes]) -> None:
    """The next start repairs what was left and seals the same bytes."""
    done = atft_here(desk.workspace, "signals", "--json")
    assert done.code == 0, done.err
    assert whole_or_absent(desk, expected)
    assert not list((desk.workspace / "signals").glob(".staging*"))
    assert atft_here(desk.workspace, "verify").code == 0


@pytest.mark.slow
def test_killed_while_it_seals_the_next_start_seals_the_same_bytes(
    desk: Desk, unbroken: dict[str, bytes]
) -> None:
    kill_at(desk.workspace, "inputs")
    assert not whole_or_absent(desk, unbroken)
    kill_at(desk.workspace, "seal")
    whole_or_absent(desk, unbroken)
    ends_well(desk, unbroken)


def test_parallel_attempts_seal_one_directory_and_answer_alike(
    desk: Desk, unbroken: dict[str, bytes]
) -> None:
    processes = [start(desk.workspace) for _ in range(3)]
    answers = []
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == 0, err
        answers.append(json.loads(out))
    assert answers[0] == answers[1] == answers[2]
    assert whole_or_absent(desk, unbroken)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_every_stage(desk: Desk, unbroken: dict[str, bytes], stage: str) -> None:
    kill_at(desk.workspace, stage)
    whole_or_absent(desk, unbroken)
    ends_well(desk, unbroken)


@pytest.mark.long
@pytest.mark.slow
def test_killed_at_fifty_random_moments(desk: Desk, unbroken: dict[str, bytes]) -> None:
    rng = random.Random(7)
    begin = time.monotonic()
    atft_here(desk.copy(desk.workspace.with_name("timed")).workspace, "signals")
    length = time.monotonic() - begin
    for _ in range(50):
        process = start(desk.workspace)
        time.sleep(rng.uniform(0.2, 1.0) * length)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if whole_or_absent(desk, unbroken):
            for path in (desk.workspace / "signals" / str(desk.last)).iterdir():
                path.unlink()
            (desk.workspace / "signals" / str(desk.last)).rmdir()
    ends_well(desk, unbroken)


@pytest.mark.slow
def test_the_commands_around_it_answer_in_json(desk: Desk) -> None:
    day = str(desk.last)
    assert atft_here(desk.workspace, "signals", "--date", "2031-01-02", "--json").code == 3
    assert atft_here(desk.workspace, "signals", "--date", "tomorrow").code == 2
    done = atft_here(desk.workspace, "signals", "--date", day, "--json")
    assert set(done.json) >= {
        "session", "key", "revision", "verdict", "lights", "directory", "seal", "orders", "refused",
    }  # fmt: skip
    refused = atft_here(desk.workspace, "signals", "--set", "portfolio.fraction=0.2", "--json")
    assert refused.code == 6
    assert "other inputs" in refused.json["error"]
    replayed = atft_here(desk.workspace, "replay", day, "--json")
    assert (replayed.code, replayed.json["identical"]) == (0, True)
    (desk.workspace / "signals" / day / "orders.csv").write_text("code,side\n")
    damaged = atft_here(desk.workspace, "verify", day, "--json")
    assert (damaged.code, damaged.json["damaged"]) == (4, 1)
    assert "orders.csv" in damaged.json["signals"][0]["error"]
    assert atft_here(desk.workspace, "champion", "--json").json["networks"] == 1
    assert atft_here(desk.workspace, "champion", "rollback", "--json").code == 6
