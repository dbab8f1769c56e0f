"""A second writer waits for the first, and a stop ends the wait."""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.cli import _listen
from engine.errors import Interrupted, LockedError
from engine.runs import lock
from engine.runs.sink import ListSink
from engine.stages import context as stage_frame
from engine.stages.context import StopFlag, waiting_lock
from tests.engine.stages.seals import context_of


def test_a_second_writer_says_once_that_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    first = lock.hold(tmp_path / ".lock")
    first.__enter__()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            first.__exit__(None, None, None)

    with waiting_lock(context, tmp_path, sleep):
        assert lock.is_held(tmp_path / ".lock")
    assert not lock.is_held(tmp_path / ".lock")
    assert isinstance(context.sink, ListSink)
    assert (len(slept), len(context.sink.events)) == (3, 1)


def test_a_stop_or_the_end_of_patience_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, flag = context_of(tmp_path), StopFlag()
    with lock.hold(tmp_path / ".lock"):
        stopped = replace(context, stop=flag)
        with (
            pytest.raises(Interrupted, match="nothing was sealed"),
            waiting_lock(stopped, tmp_path, lambda _: setattr(flag, "requested", True)),
        ):
            pass
        monkeypatch.setattr(stage_frame, "_PATIENCE_S", -1.0)
        with pytest.raises(LockedError), waiting_lock(context, tmp_path, lambda _: None):
            pass


def test_the_first_signal_asks_and_the_second_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks twice does not want to wait for the step."""
    ended: list[int] = []
    handlers: dict[int, Callable[[int, None], None]] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr("os._exit", ended.append)
    flag = StopFlag()
    _listen(flag)
    assert handlers.keys() == {signal.SIGTERM, signal.SIGINT}
    handlers[signal.SIGTERM](signal.SIGTERM, None)
    assert (flag.requested, ended) == (True, [])
    handlers[signal.SIGINT](signal.SIGINT, None)
    assert ended == [130]
