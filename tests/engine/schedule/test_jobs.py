"""Jobs as real processes: answers, limits, whole groups, orphans, secrets, logs."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine.errors import EnvironmentProblem
from engine.runs import lock
from engine.schedule import jobs
from engine.schedule.jobs import _KEPT, _TIMED_OUT, STOPPED, ChildJob, ChildRunner, LogSink, _rotate
from tests.engine.schedule.desk import FakeClock
from tests.engine.schedule.test_plan import at

FAKE = (sys.executable, "-m", "tests.engine.schedule.fake_engine")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_PATIENCE_S", 0.5)


def runner(workspace: Path, stopped: Callable[[], bool] = lambda: False) -> ChildRunner:
    return ChildRunner(
        workspace=workspace, lane="session", configured=("--set", "a=b"), program=FAKE,
        stopped=stopped,
    )  # fmt: skip


def job(*words: str, limit_s: float = 60, in_background: bool = False) -> ChildJob:
    return ChildJob(name=words[0], words=words, limit_s=limit_s, in_background=in_background)


def pids(workspace: Path, count: int) -> list[int]:
    path = workspace / "pids"
    while not path.exists() or len(path.read_text().split()) < count:
        time.sleep(0.01)
    return [int(word) for word in path.read_text().split()]


def is_gone(pid: int) -> bool:
    """Ended; a zombie that waits for its parent has."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True


def test_a_job_gives_its_answer_and_code(tmp_path: Path) -> None:
    ended = runner(tmp_path).run(job("signals", "--date", "2024-11-18"))
    assert (ended.exit_code, ended.answer["verdict"]) == (0, "TRADE")
    noisy = runner(tmp_path).run(job("chatter"))
    assert (noisy.exit_code, noisy.answer) == (7, {})
    assert noisy.problem == "exit code 7, see logs/"
    assert (tmp_path / "logs" / "chatter.log").read_text() == "x" * 1000 + "\n"


def test_a_job_gets_the_scheduler_s_configuration_and_none_of_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATFT_WEBHOOK_URL", "https://example.com/s3cr3t")
    monkeypatch.setenv("ATFT_SMTP_PASSWORD", "s3cr3t")
    monkeypatch.setenv("OTHER", "kept")
    answer = runner(tmp_path).run(job("environment")).answer
    assert answer["words"][1:] == ["--set", "a=b", "--workspace", str(tmp_path), "--json"]
    assert answer["environment"]["OTHER"] == "kept"
    assert "s3cr3t" not in str(answer)


def test_a_job_that_takes_too_long_is_ended_with_its_whole_family(tmp_path: Path) -> None:
    ended = runner(tmp_path).run(job("family", limit_s=1.5))
    assert ended.exit_code == _TIMED_OUT
    assert "longer than its limit" in ended.problem
    family = pids(tmp_path, 2)
    while not all(map(is_gone, family)):
        time.sleep(0.01)
    assert not lock.is_held(runner(tmp_path).lock_path)


def test_a_stop_asks_first(tmp_path: Path) -> None:
    ended = runner(tmp_path, stopped=(tmp_path / "pids").exists).run(job("polite"))
    assert ended.exit_code == STOPPED
    assert is_gone(pids(tmp_path, 1)[0])


def test_a_job_that_a_signal_ended_is_named_by_it(tmp_path: Path) -> None:
    def kill() -> bool:
        if (tmp_path / "pids").exists() and (tmp_path / "pids").read_text():
            os.kill(pids(tmp_path, 1)[0], signal.SIGKILL)
        return False

    ended = runner(tmp_path, stopped=kill).run(job("polite"))
    assert ended.problem == "ended by SIGKILL"


def test_one_lane_runs_one_job_at_a_time(tmp_path: Path) -> None:
    one = runner(tmp_path)
    with lock.hold(one.lock_path), pytest.raises(EnvironmentProblem, match="another job"):
        one.run(job("chatter"))


def test_a_job_in_the_background_gives_way(tmp_path: Path) -> None:
    def nice() -> bool:
        nices.append(psutil.Process(pids(tmp_path, 1)[0]).nice())
        return True

    nices: list[int] = []
    runner(tmp_path, stopped=nice).run(job("polite", in_background=True))
    assert nices == [psutil.Process().nice() + jobs._NICE]


def test_the_job_of_a_scheduler_that_was_killed_is_found_and_ended(tmp_path: Path) -> None:
    """Also its children, and without trusting a pid on paper."""
    code = (
        "from pathlib import Path; from engine.schedule.jobs import ChildRunner, ChildJob\n"
        f"r = ChildRunner(workspace=Path({str(tmp_path)!r}), lane='session', program={FAKE!r})\n"
        "r.run(ChildJob(name='family', words=('family',), limit_s=60))\n"
    )
    scheduler = subprocess.Popen([sys.executable, "-c", code])
    family = pids(tmp_path, 2)
    scheduler.kill()
    scheduler.wait()
    assert not any(map(is_gone, family))
    one = runner(tmp_path)
    assert lock.is_held(one.lock_path)
    assert one.recover()
    assert not lock.is_held(one.lock_path)
    while not all(map(is_gone, family)):
        time.sleep(0.01)
    assert not one.recover()


def test_logs_are_moved_aside_by_size_and_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.log"
    for number in range(_KEPT + 3):
        _rotate(path, limit=10)
        path.write_text(f"{number:010d}")
    names = {p.name: p.read_text().lstrip("0") for p in path.parent.iterdir()}
    assert names == {"x.log": "6", "x.log.1": "5", "x.log.2": "4", "x.log.3": "3", "x.log.4": "2"}
    _rotate(path, limit=11)
    assert path.exists()


def test_the_scheduler_s_log_has_one_line_per_event(tmp_path: Path) -> None:
    from engine.runs.events import Noted, StageStarted, Warned

    sink = LogSink(tmp_path / "logs" / "schedule.log", FakeClock(at(4)).now)
    sink.emit(Noted(message="two\nlines"))
    sink.emit(StageStarted(stage="x"))
    sink.emit(Warned(code="alert", message="m"))
    assert (tmp_path / "logs" / "schedule.log").read_text().splitlines() == [
        "2024-11-04T18:00:00+00:00 two lines",
        "2024-11-04T18:00:00+00:00 warning alert: m",
    ]
