"""Run directories written by hand: the screen needs no engine to be tested."""

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engine.config import Config
from engine.runs.events import RunEvent
from engine.runs.sink import encode
from engine.runs.store import Run, RunStore

# A build machine may have a dumb terminal, for which the screens would draw in plain ASCII.
os.environ["TERM"] = "xterm-256color"


@pytest.fixture(autouse=True)
def forgetful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a screen remembers of its user is not that of whoever runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


MakeRun = Callable[..., Run]


def append(run: Run, events: Iterable[RunEvent]) -> None:
    with run.events_path.open("a", encoding="utf-8") as file:
        file.writelines(encode(event) + "\n" for event in events)


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """A run of `tmp_path`'s workspace with the given events; ids count up and never change."""
    numbers = iter(range(1, 60))

    def make(events: Iterable[RunEvent] = (), command: str = "train") -> Run:
        number = next(numbers)
        now = dt.datetime(2026, 1, 5, 9, number, tzinfo=dt.UTC)
        monkeypatch.setattr("engine.runs.store.secrets.token_hex", lambda n: f"{number:04x}")
        run = RunStore(tmp_path / "runs", lambda: now).create(command, Config())
        append(run, events)
        return run

    return make


@pytest.fixture(scope="session")
def data_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a small dirty market; read only, `dirty_market` is a copy to change."""
    from tests.tui.data_market import build

    return build(tmp_path_factory.mktemp("dirty") / "ws")


@pytest.fixture
def dirty_market(data_market: Path, tmp_path: Path) -> Path:
    shutil.copytree(data_market, tmp_path / "ws")
    return tmp_path / "ws"
