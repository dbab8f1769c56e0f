"""Any moment of a run is the plain fold of its first events."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atft_tui.readings import feed as module
from atft_tui.readings.feed import Timeline
from engine.runs import sink
from engine.runs.events import RunEvent, Warned
from engine.runs.fold import fold
from engine.runs.sink import decode, encode
from engine.runs.state import RunState
from tests.engine.runs.samples import step_events, training

EVENTS = training()


def write(path: Path, events: list[RunEvent]) -> Path:
    path.write_text("".join(encode(event) + "\n" for event in events), encoding="utf-8")
    return path


def read_all(line: Timeline) -> Timeline:
    for _ in range(10_000):
        line.read_on()
        if line.complete:
            return line
    raise AssertionError("it never ends")


@pytest.fixture
def dense(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces, many kept states and doublings in a short file."""
    monkeypatch.setattr(sink, "_MAX_BYTES", 3000)
    monkeypatch.setattr(module, "_MAX_KEPT", 8)


@pytest.mark.usefixtures("dense")
def test_every_position_is_the_fold_up_to_there(tmp_path: Path) -> None:
    line = read_all(Timeline(write(tmp_path / "e", EVENTS), stride=3))
    assert line.position == len(EVENTS)
    assert len(line._kept) <= 9
    for position in range(len(EVENTS) + 1):
        assert line.at(position) == fold(EVENTS[:position]), position
    assert line.at(-5) == RunState()
    assert line.at(10_000) == line.state


@pytest.mark.usefixtures("dense")
def test_a_growing_file_with_torn_and_strange_lines(tmp_path: Path) -> None:
    path = tmp_path / "e"
    line = Timeline(path)
    line.read_on()
    assert (line.position, line.complete) == (0, True)
    first, rest = EVENTS[:30], EVENTS[30:]
    torn = encode(rest[0])
    strange = '{"type": "Unheard", "x": 1}\nnot json\n\xff\n'
    whole = "".join(encode(e) + "\n" for e in first)
    path.write_text(strange + whole + torn[:20], encoding="utf-8")
    read_all(line)
    damaged = [event for word in strange.splitlines() if (event := decode(word))]
    assert [type(event) for event in damaged] == [Warned, Warned]
    assert line.state == fold([*damaged, *first])
    path.write_text(strange + whole + "".join(encode(e) + "\n" for e in rest), encoding="utf-8")
    read_all(line)
    for position in (0, 1, 2, 3, 31, 32, 33, len(EVENTS) + 2):
        assert line.at(position) == fold([*damaged, *EVENTS][:position])


@pytest.mark.parametrize("length", [10, 200])
def test_a_replaced_file_starts_anew(tmp_path: Path, length: int) -> None:
    """Shorter, and longer with another beginning."""
    path = write(tmp_path / "e", EVENTS)
    line = read_all(Timeline(path))
    others = [event for step in range(length) for event in step_events(step, 0, 0, 0.5)]
    write(path, others)
    read_all(line)
    assert line.state == fold(others)
    assert line.at(5) == fold(others[:5])


def test_marks_are_jumped_to_in_order(tmp_path: Path) -> None:
    line = read_all(Timeline(write(tmp_path / "e", EVENTS)))
    kinds = frozenset({"epoch"})
    epochs = [mark.position for mark in line.marks if mark.kind == "epoch"]
    assert next(m.label for m in line.marks if m.kind == "epoch").startswith("epoch 0, RankIC")
    position, seen = 0, []
    while (position := line.next_mark(position, 1, kinds)) != line.position:
        seen.append(position)
    assert seen == epochs
    assert line.next_mark(epochs[0], -1, kinds) == 0
    assert line.next_mark(line.position, -1, kinds) == epochs[-1]
    for position in epochs:
        assert line.at(position).epochs[-1] == EVENTS[position - 1]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 200), max_size=5), st.integers(1, 9), st.integers(0, 200))
def test_how_it_grew_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], stride: int, position: int
) -> None:
    path = tmp_path_factory.mktemp("t") / "e"
    line = Timeline(path, stride=stride)
    for cut in sorted(cuts):
        write(path, EVENTS[:cut])
        read_all(line)
        assert line.position == min(cut, len(EVENTS))
        assert line.at(position) == fold(EVENTS[: min(position, cut)])


def test_a_position_that_stands_still_is_folded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = read_all(Timeline(write(tmp_path / "e", EVENTS)))
    first = line.at(40)
    monkeypatch.setattr(module, "fold", lambda *_: pytest.fail("folded again"))
    line.read_on()
    assert line.at(40) is first
