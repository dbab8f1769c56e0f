"""The doctor's panel: five criteria, the newest finding with its remedy, cut to the room there is."""

import pytest
from msgspec.structs import replace

from atft_tui.widgets.doctor_panel import LINE_WIDTH, DoctorPanel, criteria_line
from engine.runs.fold import fold
from engine.runs.state import RunState
from tests.engine.runs.samples import diagnosed, training


@pytest.fixture
def state() -> RunState:
    return fold(training())


def lines(state: RunState, width: int, height: int) -> list[str]:
    return DoctorPanel(id="doctor").picture(state, width, height).plain.split("\n")


def test_criteria_come_first_then_the_newest_finding(state: RunState) -> None:
    shown = lines(state, 200, 12)
    verdicts = [line[:10].strip() for line in shown[:5]]
    assert verdicts == ["met", "not met", "not shown", "met", "met"]
    assert "RankIC 0.0380 ± 0.0080  validation RankIC > 0.020" in shown[0]
    assert shown[5] == "doctor: 1 finding, last overfitting (warned) at step 48"
    assert shown[7:] == ["more dropout", "--set model.dropout=0.4"]


@pytest.mark.parametrize(("width", "height"), [(30, 4), (65, 6), (78, 9)])
def test_it_stays_in_its_box(state: RunState, width: int, height: int) -> None:
    shown = lines(state, width, height)
    assert len(shown) <= height
    assert max(map(len, shown)) <= width


def test_before_the_first_validation_nothing_is_claimed() -> None:
    shown = lines(RunState(), 80, 9)
    assert all(line.startswith("not shown") for line in shown[:5])
    assert shown[5] == "doctor: no finding"
    assert criteria_line(RunState(), 30).plain == "criteria 0/5 met"


def test_the_verdict_line_says_each_criterion_where_there_is_room(state: RunState) -> None:
    wide = criteria_line(state, LINE_WIDTH).plain
    assert wide == "criteria 3/5 RankIC yes IC no stable open spread yes graph yes"
    assert len(wide) <= LINE_WIDTH
    assert criteria_line(state, 40).plain == "criteria 3/5 met"


def test_words_from_outside_cannot_steer_the_terminal(state: RunState) -> None:
    nasty = "\x1b[31mred\x07"
    finding = replace(diagnosed(), code=nasty, message=nasty, remedy=nasty, patch={nasty: nasty})
    text = "".join(lines(replace(state, diagnoses=(finding,)), 120, 12))
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
