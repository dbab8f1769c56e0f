"""`ingest --source jquants` over the real command line against a local J-Quants server."""

import datetime as dt
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from engine.data.jquants.pull import _PUBLISHED, _TOKYO
from tests.engine.data.jquants.market import CODES, xtks
from tests.engine.data.jquants.server import KEY, FakeJQuants
from tests.journeys.command import Done, arguments, atft_here, environment

WORDS = ("ingest", "--source", "jquants", "--json")


def settings(server: FakeJQuants) -> list[str]:
    chosen = {
        "data.market": "jp",
        "data.jquants.plan": "premium",
        "data.jquants.base_url": server.url,
        "data.jquants.first": server.first.isoformat(),
        "data.jquants.refetch_sessions": "1",
    }
    return [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]


def recent() -> FakeJQuants:
    """A server whose data are the three newest sessions that are out: a later one would be asked for anew."""
    tokyo = dt.datetime.now(_TOKYO)
    out = tokyo.date() - dt.timedelta(days=tokyo.time() < _PUBLISHED)
    days = [day for day in xtks() if day <= out][-3:]
    return FakeJQuants(days[0], days[-1], page=50)


def ingest(workspace: Path, server: FakeJQuants, *, key: str | None = KEY) -> Done:
    workspace.mkdir(exist_ok=True)
    done = subprocess.run(
        arguments(workspace, *WORDS, *settings(server)),
        cwd=workspace,
        env=environment() | ({} if key is None else {"JQUANTS_API_KEY": key}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_pull_that_was_killed_is_finished_by_the_same_command(tmp_path: Path) -> None:
    with recent() as server:
        whole = ingest(tmp_path / "whole", server)
        assert whole.code == 0, whole.err
        assert whole.json["requests"] == len(server.seen)
        assert whole.json["lacking"] == []
        assert whole.json["symbols"] <= len(CODES)
        assert {"master", "bars", "index", "statements", "options"} <= set(whole.json["tables"])

        workspace = tmp_path / "killed"
        workspace.mkdir()
        process = subprocess.Popen(
            arguments(workspace, *WORDS, *settings(server)),
            cwd=workspace,
            env=environment() | {"JQUANTS_API_KEY": KEY},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        while not list(workspace.glob("data/jquants/short/*.parquet")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        before = len(server.asked("/equities/bars/daily"))
        resumed = ingest(workspace, server)
        assert resumed.code == 0, resumed.err
        assert resumed.json["snapshot"] == whole.json["snapshot"]
        assert len(server.asked("/equities/bars/daily")) == before
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    assert all(KEY not in done.out + done.err for done in (whole, resumed))
    checked = atft_here(workspace, "check", "--json")
    assert checked.json["rows_in"] == whole.json["rows"]


def test_a_stop_during_the_free_plans_long_pauses_is_quick(tmp_path: Path) -> None:
    start = dt.datetime.now(dt.UTC).date() - dt.timedelta(weeks=14)
    free = ["--set", "data.jquants.plan=free", "--set", f"data.jquants.first={start}"]
    with recent() as server:
        process = subprocess.Popen(
            arguments(tmp_path, *WORDS, *settings(server), *free),
            cwd=tmp_path,
            env=environment() | {"JQUANTS_API_KEY": KEY},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (tmp_path / "data" / "jquants" / "pull.json").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert time.monotonic() - begin < 10
    assert "what was fetched is kept" in err
    assert not server.seen


@pytest.mark.parametrize(("key", "said"), [(None, "not set"), ("wrong-8d2", "refuses the key")])
def test_without_the_right_key_nothing_is_fetched(
    tmp_path: Path, key: str | None, said: str
) -> None:
    with recent() as server:
        done = ingest(tmp_path, server, key=key)
    assert done.code == 4
    assert said in done.err
    assert "JQUANTS_API_KEY" in done.json["error"]
    assert "wrong-8d2" not in done.out + done.err
    assert "Traceback" not in done.err
    assert len(server.seen) == (0 if key is None else 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "jquants"], "data.market is us"),
        (["--source", "jquants", "--set", "data.jquants.base_url=http://example.com"], "https://"),
        (["--source", "jquants", "--set", "data.jquants.first=soon"], "not a date"),
        (["--source", "yahoo"], "data.yahoo.codes is empty"),
    ],
)
def test_a_setting_that_cannot_work_is_named(tmp_path: Path, words: list[str], said: str) -> None:
    done = atft_here(tmp_path, "ingest", *words)
    assert done.code == 2
    assert said in done.err
