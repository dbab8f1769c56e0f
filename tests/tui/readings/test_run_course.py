"""The course of a run: read piece by piece it is the same as read at once; torn, resumed, replaced."""

import math
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from atft_tui.readings.run_details import Course, CourseReader
from engine.runs.events import EpochEvaluated, FoldStarted, RunEvent, StepLogged
from engine.runs.sink import encode
from tests.engine.runs.samples import evaluated, started, step_events, training

EVENTS = training()
TEXT = "".join(encode(event) + "\n" for event in EVENTS).encode()


def course(tmp_path: Path, events: list[RunEvent]) -> Course:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(encode(event) + "\n" for event in events))
    return CourseReader(path).read()


def test_epochs_losses_phases_and_findings_of_a_training(tmp_path: Path) -> None:
    found = course(tmp_path, EVENTS)
    assert [x for x, _ in found.epochs] == list(range(8))
    assert [event.rank_ic for _, event in found.epochs] == [
        event.rank_ic for event in EVENTS if isinstance(event, EpochEvaluated)
    ]
    first = [e.loss for e in EVENTS if isinstance(e, StepLogged) and e.epoch == 0]
    assert found.losses[0][0] == 0
    assert math.isclose(found.losses[0][1], sum(first) / len(first))
    assert [x for x, _ in found.losses] == list(range(8))
    assert [phase.kept for phase in found.phases] == [True, True, False, True]
    assert [finding.code for finding in found.findings] == ["device", "overfitting"]
    assert found.started is not None
    assert found.finished is not None
    assert found.finished.status == "done"
    assert found.checkpoint is not None


@given(st.lists(st.integers(1, len(TEXT) - 1), max_size=6))
@settings(max_examples=30)
def test_in_pieces_as_at_once(cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        reader = CourseReader(path)
        for stop in [*sorted(cuts), len(TEXT)]:
            path.write_bytes(TEXT[:stop])
            found = reader.read()
            assert reader.read() is found
        assert found == CourseReader(path).read()


def test_steps_repeated_after_a_resume_count_once(tmp_path: Path) -> None:
    steps = [list(step_events(n, 0, 0, 0.1 * n)) for n in range(1, 6)]
    once = [started(), *(event for step in steps for event in step)]
    again = [
        started(),
        *(event for step in steps[:4] for event in step),
        started(resumed=True),
        *(event for step in steps[2:] for event in step),
    ]
    assert course(tmp_path, once).losses == course(tmp_path, again).losses


def test_folds_stand_behind_each_other_and_a_repeated_epoch_replaces(tmp_path: Path) -> None:
    fold = [FoldStarted(fold=n, folds=2, seed=1) for n in range(2)]
    better = replace(evaluated(1, 0), rank_ic=0.5)
    events: list[RunEvent] = [
        started(), fold[0], evaluated(0, 0), evaluated(1, 0), fold[1], evaluated(0, 0),
        started(resumed=True), fold[0], better, fold[1], evaluated(1, 0),
    ]  # fmt: skip
    found = course(tmp_path, events)
    assert [(x, event.epoch) for x, event in found.epochs] == [(0, 0), (1, 1), (2, 0), (3, 1)]
    assert found.epochs[1][1].rank_ic == 0.5


def test_networks_beside_each_other_stand_behind_each_other_too(tmp_path: Path) -> None:
    """Two networks tell an epoch each in turn: every point has a place of its own."""
    both = [(FoldStarted(fold=n, folds=2, seed=1, task=f"{n}")) for n in range(2)]
    epochs = [replace(evaluated(e, 0), task=f"{n}") for e in range(2) for n in range(2)]
    found = course(tmp_path, [started(), *both, *epochs])
    assert [(x, e.task, e.epoch) for x, e in found.epochs] == [
        (0, "0", 0), (1, "0", 1), (2, "1", 0), (3, "1", 1),
    ]  # fmt: skip


def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(TEXT)
    reader = CourseReader(path)
    assert len(reader.read().epochs) == 8
    other = tmp_path / "other"
    other.write_text(encode(evaluated(0, 0)) + "\n" + "x" * len(TEXT))
    other.replace(path)
    assert len(reader.read().epochs) == 1
    path.unlink()
    assert len(reader.read().epochs) == 1
    assert CourseReader(path).read() == Course()


def test_lines_of_another_version_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    line = encode(evaluated(0, 0))
    path.write_text('{"type": "EpochEvaluated"}\n{"type": "New", "a": 1}\n\n' + line + "\n{torn")
    assert len(CourseReader(path).read().epochs) == 1
