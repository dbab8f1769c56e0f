"""Events folded by the block give the very state that one event after another gives."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.runs.events import (
    Advanced,
    Continued,
    FoldStarted,
    GradientsLogged,
    MachineLogged,
    Paused,
    RunEvent,
    StepLogged,
    TaskFinished,
)
from engine.runs.fold import decoded, fold
from engine.runs.sink import decode, encode
from engine.runs.state import RunState
from engine.runs.steps import MAX_POINTS
from tests.engine.runs.samples import asked, evaluated, searching, started, step_events, training

LINES = [encode(event).encode() for event in [*training(), *searching(), *asked()]]
BAD = [b"", b"rubbish", b'{"type": "StepLogged", "seq": 3', b'{"type": "Teleported", "step": 3}',
       b'{"type": "Noted", "seq": 3, "at": "", "message": 5}', b"[]", b"\xff\xfe"]  # fmt: skip
DAMAGED = [b'{"type": "StepLogged", "seq": 3, "at": "", "step": 7, "epoch": "x"}',
           b'{"type": "GatesLogged", "seq": 3, "at": "2026", "step": 5}',
           b'{"type": "MachineLogged", "seq": 3, "at": "2026", "cpu_percent": "x"}']  # fmt: skip
"""Whole lines that look like a monitored step and are none."""


def slowly(lines: list[bytes]) -> RunState:
    """Each event by itself, so that no two are ever taken in as one block."""
    state = RunState()
    for line in lines:
        if event := decode(line):
            state = fold([event], state)
    return state


def folded(lines: list[bytes], state: RunState) -> RunState:
    return fold(decoded(lines), state)


def long_run(steps: int) -> list[bytes]:
    """Machine figures, epochs, a pause, a resume that replays, and a second fold, among the steps."""
    events: list[RunEvent] = [started(), *training()[4:10]]
    for step in range(1, steps + 1):
        events += step_events(step, step // 100, 0, step % 100 / 100)
        if step % 7 == 0:
            events.append(
                MachineLogged(
                    cpu_percent=float(step), memory_mib=1, memory_total_mib=2, disk_free_gib=3
                )
            )
        if step % 100 == 0:
            events.append(evaluated(step // 100 - 1, 0, best=step % 200 == 0))
        if step == steps // 3:
            events += [Paused(step=step), Continued(step=step, seconds=9.0), started(resumed=True)]
            events += step_events(step - 20, (step - 20) // 100, 0, 0.1)
        if step == steps // 2:
            events.append(FoldStarted(fold=1, folds=2, seed=1))
    lines = []
    for second, event in enumerate(events):
        minutes, hours = second // 60 % 60, second // 3600 % 24
        at = f"2026-01-05T{hours:02d}:{minutes:02d}:{second % 60:02d}+00:00"
        lines.append(encode(replace(event, at=at)).encode())
    return lines


def test_a_long_run_in_slices_of_any_size() -> None:
    lines = long_run(2 * MAX_POINTS)
    expected = slowly(lines)
    assert len(expected.steps) > 100
    assert expected.training_seconds > 0
    for size in (len(lines), 97):
        state = RunState()
        for start in range(0, len(lines), size):
            state = folded(lines[start : start + size], state)
        assert state == expected, size


@given(st.lists(st.sampled_from([*LINES, *BAD]), max_size=60), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_any_lines_in_any_order(lines: list[bytes], cut: int) -> None:
    state = folded(lines[cut:], folded(lines[:cut], RunState()))
    assert repr(state) == repr(slowly(lines))


@given(st.lists(st.sampled_from([*LINES[:30], *DAMAGED]), max_size=40))
@settings(max_examples=50, deadline=None)
def test_a_damaged_step_breaks_nothing(lines: list[bytes]) -> None:
    whole = [line for line in lines if line not in DAMAGED]
    assert repr(folded(lines, RunState())) == repr(folded(whole, RunState()))


@given(st.lists(st.integers(1, 40), max_size=80))
@settings(max_examples=50, deadline=None)
def test_steps_that_come_again_in_any_order(steps: list[int]) -> None:
    lines = [LINES[0]]
    for step in steps:
        lines += [encode(event).encode() for event in step_events(step, 0, 0, 0.5)]
    assert folded(lines, RunState()) == slowly(lines)


def test_the_lowest_gradient_of_the_graph_survives_the_thinning() -> None:
    rng = random.Random(5)
    events = [
        GradientsLogged(
            step=step, norm={"gat": 1e-9 if step == 777 else rng.uniform(1, 2)}, clipped=False
        )
        for step in range(4000)
    ]
    state = fold(events)
    assert len(state.gradients) <= MAX_POINTS
    assert min(event.norm["gat"] for event in state.gradients) == 1e-9
    fast = folded([encode(event).encode() for event in events], RunState())
    assert fast.gradients == state.gradients


def test_figures_without_a_number_are_read_as_nan_also_in_mappings() -> None:
    line = (
        b'{"type": "GradientsLogged", "seq": 1, "at": "", "step": 3, "norm": {"gat": null}, '
        b'"clipped": true}'
    )
    event = decode(line)
    assert isinstance(event, GradientsLogged)
    assert event.norm["gat"] != event.norm["gat"]
    assert repr(folded([line], RunState())) == repr(fold([event]))


def test_a_value_of_another_type_is_a_damaged_line() -> None:
    good = next(line for line in LINES if b"StepLogged" in line).partition(b',"crc"')[0] + b"}"
    assert isinstance(decode(good), StepLogged)
    for field in (b"step", b"loss", b"terms", b"learning_rate"):
        head, _, tail = good.partition(b'"' + field + b'":')
        value, _, rest = tail.partition(b',"')
        for wrong in (b'"x"', b"[1]", b"true"):
            broken = head + b'"' + field + b'":' + wrong + b',"' + rest
            if field == b"terms":
                broken = good.replace(b'"terms":{', b'"terms":[1],"other":{')
            assert decode(broken) is None, (field, wrong, value)


def beside() -> tuple[list[RunEvent], list[RunEvent]]:
    """What two networks tell: six steps and an epoch of fold 0, four steps of fold 1."""
    first: list[RunEvent] = [FoldStarted(fold=0, folds=2, seed=1), *training()[4:11]]
    first += [event for step in range(1, 7) for event in step_events(step, 0, 0, step / 6)]
    first.append(evaluated(0, 0))
    second: list[RunEvent] = [FoldStarted(fold=1, folds=2, seed=1), *training()[4:11]]
    second += [event for step in range(1, 5) for event in step_events(step, 0, 0, step / 6)]
    return first, second


def tagged(events: list[RunEvent], task: str) -> list[RunEvent]:
    return [replace(event, task=task) for event in events]


def mixed() -> list[RunEvent]:
    """Both streams, an event of each in turn."""
    one, other = (tagged(events, name) for events, name in zip(beside(), "ab", strict=True))
    pairs = itertools.zip_longest(one, other)
    return [started(), *(event for pair in pairs for event in pair if event is not None)]


def test_each_of_two_networks_beside_each_other_looks_as_if_it_were_alone() -> None:
    state = fold(mixed())
    assert [task.name for task in state.tasks] == ["a", "b"]
    for name, events in zip("ab", beside(), strict=True):
        alone, seen = fold(events), state.of_task(name)
        assert seen.seen == name
        for field in ("plan", "phases", "epochs", "steps", "gradients", "gates", "model"):
            assert getattr(seen, field) == getattr(alone, field), field
    assert state.steps == state.of_task("a").steps, "the one that began first is shown"
    assert [(n.fold, n.epochs) for n in state.networks] == [(0, 1), (1, 0)]
    assert state.n_events == len(mixed())


def test_slices_of_a_mixed_stream_give_the_same_state() -> None:
    whole = fold(mixed())
    state = RunState()
    for event in mixed():
        state = fold([event], state)
    assert state == whole


def test_time_that_two_networks_trained_beside_each_other_counts_once() -> None:
    """Steps of one at 0, 10 and 20 seconds, of the other at 5, 15 and 25: 25 seconds, in any slices."""
    events = [
        replace(step, at=f"2026-01-05T09:00:{second:02d}+00:00", task=task)
        for second, task in zip((0, 5, 10, 15, 20, 25), "ababab", strict=True)
        for step in step_events(1 + second // 10, 0, 0, 0.1)
        if isinstance(step, StepLogged)
    ]
    state = RunState()
    for event in events:
        state = fold([event], state)
    assert fold(events).training_seconds == state.training_seconds == 25.0


def test_a_network_that_is_done_leaves_its_place_to_the_next() -> None:
    state = fold([*mixed(), TaskFinished(task="a")])
    assert [task.name for task in state.tasks] == ["b"]
    assert (state.seen, len(state.steps)) == ("b", 4)
    assert state.networks[0].epochs == 1, "what it reached stays"
    assert fold([*mixed(), started(resumed=True)]).tasks == ()


def test_the_share_that_is_done_counts_every_network_at_work() -> None:
    """Of two networks of 8 epochs each, one has done an epoch and the other four sixths of one."""
    assert fold(mixed()).done_share == pytest.approx((1 + 4 / 6) / 8 / 2)


def test_the_refit_of_one_network_is_not_that_of_the_other() -> None:
    refit = Advanced(stage="refit", done=3, total=4, task="b", at="2026-01-05T10:00:00+00:00")
    state = fold([*mixed(), refit])
    assert (state.seen, state.refit_share) == ("a", 0.0)
    assert state.of_task("b").refit_share == 0.75
    assert state.advanced == refit


def test_a_pause_of_a_task_is_one_of_the_run_and_its_lines_say_whose_they_are() -> None:
    state = fold([*mixed(), Paused(step=6, task="a", at="2026-01-05T09:00:00+00:00")])
    assert state.paused_at == "2026-01-05T09:00:00+00:00"
    assert state.log[-1].text == "a: paused at step 6"
    assert fold([Continued(step=6, seconds=1.0, task="b")], state).paused_at == ""
