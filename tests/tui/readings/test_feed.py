"""Following a run's file through everything that can happen to it."""

import os
import pickle
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from atft_tui.readings import feed
from atft_tui.readings.feed import RunFeed, RunNews, chosen_or_newest
from engine.runs import sink
from engine.runs.events import Noted, StepLogged, Warned
from engine.runs.fold import fold
from engine.runs.launch import ControlFiles
from engine.runs.sink import decode, encode
from engine.runs.state import RunState
from tests.engine.runs.samples import started, step_events, training
from tests.tui.conftest import MakeRun, append

EVENTS = training()


def caught_up(one: RunFeed) -> RunNews:
    news = one.news()
    while news.behind:
        news = one.news()
    return news


def test_nothing_new_is_the_very_same_value(make_run: MakeRun) -> None:
    run = make_run(EVENTS)
    one = RunFeed(run)
    first = one.news()
    assert first.state == fold(EVENTS)
    assert one.news() is first
    append(run, [Noted(message="more")])
    assert one.news().state.log[-1].text == "more"


@pytest.mark.parametrize("way", ["other inode", "same inode"])
@pytest.mark.parametrize("length", ["shorter", "equal", "longer"])
def test_a_replaced_file_is_read_from_its_start(
    make_run: MakeRun, tmp_path: Path, way: str, length: str
) -> None:
    run = make_run(EVENTS)
    one = RunFeed(run)
    assert one.news().state == fold(EVENTS)
    size = run.events_path.stat().st_size
    others = [replace(started(), at="2026-02-02T00:00:00.000+00:00"), Noted(message="another")]
    content = "".join(encode(event) + "\n" for event in others)
    room = {"shorter": 0, "equal": size - len(content), "longer": size - len(content) + 500}[length]
    filler = encode(Noted(message=""))
    if room:
        content += encode(Noted(message="x" * (room - len(filler) - 1))) + "\n"
    assert (len(content) > size, len(content) == size) == (length == "longer", length == "equal")
    if way == "other inode":
        (tmp_path / "other").write_text(content)
        os.replace(tmp_path / "other", run.events_path)
    else:
        run.events_path.write_text(content)
    state = one.news().state
    assert state.started.startswith("2026-02-02")
    assert state.epochs == ()
    assert state.n_events == 2 + bool(room)


def test_a_copy_of_the_same_stream_gives_the_same_picture(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(EVENTS)
    one = RunFeed(run)
    before = one.news().state
    shutil.copy(run.events_path, tmp_path / "copy")
    os.replace(tmp_path / "copy", run.events_path)
    append(run, [Noted(message="after the move")])
    assert one.news().state == fold([*EVENTS, Noted(message="after the move")])
    assert before == fold(EVENTS)


def test_a_file_that_goes_and_comes_again(make_run: MakeRun) -> None:
    run = make_run(EVENTS)
    one = RunFeed(run)
    one.news()
    run.events_path.unlink()
    assert one.news().state == RunState()
    append(run, EVENTS[:5])
    assert one.news().state == fold(EVENTS[:5])


def test_a_torn_last_line_waits_and_unknown_kinds_are_passed_over(make_run: MakeRun) -> None:
    run = make_run(EVENTS[:20])
    torn = encode(EVENTS[20]).encode()
    with run.events_path.open("ab") as file:
        file.write(b'{"type": "Teleported", "step": 3}\n\xff\xfe\n' + torn[:30])
    one = RunFeed(run)
    damaged = decode(b"\xff\xfe")
    assert isinstance(damaged, Warned)
    assert one.news().state == fold([*EVENTS[:20], damaged])
    with run.events_path.open("ab") as file:
        file.write(torn[30:] + b"\n")
    assert one.news().state == fold([*EVENTS[:20], damaged, EVENTS[20]])


def test_a_backlog_comes_in_slices_and_grows(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "_MAX_BYTES", 20_000)
    monkeypatch.setattr(feed, "_SLICE_S", 0.0)
    run = make_run(EVENTS[:10])
    append(run, (event for step in range(1, 401) for event in step_events(step, 0, 0, 0.5)))
    one, seen = RunFeed(run), []
    while (news := one.news()).behind:
        seen.append(news.state.n_events)
    assert len(seen) > 5
    assert seen == sorted(set(seen))
    assert news.state.n_events == 10 + 3 * 400


@pytest.mark.slow
def test_a_run_of_72_hours_and_a_million_lines_takes_what_36_hours_take(
    make_run: MakeRun,
) -> None:
    """A step a second, with gradients and gates, a word of log with every fourth: memory is bounded."""
    run, steps, sizes = make_run(EVENTS[:10]), 72 * 3600, []
    one = RunFeed(run)
    for hour in range(72):
        with run.events_path.open("a") as file:
            for step in range(hour * 3600 + 1, (hour + 1) * 3600 + 1):
                own = [*step_events(step, 0, 0, 0.5), *[Noted(message="a word")] * (step % 4 == 0)]
                file.writelines(encode(event) + "\n" for event in own)
        state = caught_up(one).state
        sizes.append(len(pickle.dumps(state)))
    assert state.n_events > 800_000
    assert state.steps[-1].step == steps
    assert max(sizes[36:]) < 1.05 * max(sizes[:36])


def test_a_line_longer_than_a_whole_read_is_passed_over(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "_MAX_BYTES", 5_000)
    run = make_run(EVENTS[:3])
    with run.events_path.open("ab") as file:
        file.write(b"y" * 17_000 + b"\n")
    append(run, EVENTS[3:5])
    state = caught_up(RunFeed(run)).state
    assert len(state.warnings) == 1, "the end of the line is no event"
    assert state.n_events == 5 + 1


def test_a_clock_that_goes_back_leaves_a_sane_eta(make_run: MakeRun) -> None:
    """Half way the clock falls back by an hour: the ETA is as if it had not."""
    cut = next(i for i, e in enumerate(EVENTS) if isinstance(e, StepLogged) and e.step == 20)
    events = EVENTS[: cut + 1]
    jumped = [
        replace(event, at=event.at.replace("T09:", "T08:")) if i > cut // 2 else event
        for i, event in enumerate(events)
    ]
    right, wrong = fold(events), fold(jumped)
    assert right.eta_seconds is not None
    assert wrong.eta_seconds == pytest.approx(right.eta_seconds, rel=0.1)
    assert RunFeed(make_run(jumped)).news().state == wrong


def test_status_wishes_and_the_end_of_a_process(make_run: MakeRun) -> None:
    run = make_run(EVENTS[:30])
    one = RunFeed(run)
    files = ControlFiles.of(run)
    with run.lock():
        files.ask("pause")
        news = one.news()
        assert (news.status, list(news.asked), news.signal) == ("running", ["pause"], "")
        files.mark_paused()
        assert one.news().status == "paused"
    run.log_path.write_text("loading\nout of memory\x1b[31m\n")
    run.exit_path.write_text("137\n")
    news = one.news()
    assert (news.status, news.signal, news.asked) == ("crashed", "SIGKILL", frozenset())
    assert news.last_words.strip() == "out of memory"


def test_the_newest_of_the_commands_that_a_screen_shows(make_run: MakeRun, tmp_path: Path) -> None:
    first = make_run(EVENTS)
    trial = make_run(EVENTS, command="trial")
    assert (
        chosen_or_newest(
            tmp_path,
            None,
            lambda run: (
                run.command
                in (
                    "train",
                    "tune",
                )
            ),
        )
        == first
    )
    assert chosen_or_newest(tmp_path, None) == first, "the trial was at work beside it"
    assert chosen_or_newest(tmp_path, trial.id, lambda run: run.command in ("train",)) == trial
    assert chosen_or_newest(tmp_path, "gone", lambda run: run.command in ("train",)) == first
    assert chosen_or_newest(tmp_path, None, lambda run: run.command in ("tune",)) is None
