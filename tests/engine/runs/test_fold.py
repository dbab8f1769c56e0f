"""Events folded by the block give the very state that one event after another gives."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.runs.events import (
    Continued,
    FoldStarted,
    GradientsLogged,
    MachineLogged,
    Paused,
    RunEvent,
    StepLogged,
)
from engine.runs.fold import _MAX_POINTS, decoded, fold
from engine.runs.lines import decode, encode
from engine.runs.state import RunState
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
    lines = long_run(2 * _MAX_POINTS)
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
    assert len(state.gradients) <= _MAX_POINTS
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
