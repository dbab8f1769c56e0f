"""Progress on stderr: lines in a pipe, one bar on a terminal, and never a reason to stop working."""

import io

from msgspec.structs import replace

from engine.runs.events import Advanced, EpochEvaluated, Noted, TaskFinished
from engine.runs.terminal import TerminalSink
from tests.engine.runs.samples import evaluated, training


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ClosedPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def told(stream: io.StringIO) -> str:
    sink = TerminalSink(stream)
    for event in training():
        sink.emit(event)
    sink.close()
    return stream.getvalue()


def test_a_pipe_gets_plain_lines() -> None:
    text = told(io.StringIO())
    assert "\r" not in text
    assert "\x1b" not in text
    assert "11,828 parameters: gat 6,912, heads 4,916" in text
    assert "phase 2 gat" in text
    assert "epoch 7 validation RankIC +0.0380 ± 0.0080 (null ±0.0120, n=252) best" in text
    assert text.count("train ") < 10, "steps are summed up, not listed"


def test_a_terminal_gets_a_bar() -> None:
    text = told(Terminal())
    assert "\r" in text
    assert "train: 100%" in text
    assert "48/48" in text


def test_a_value_inside_its_null_band_says_so() -> None:
    stream = io.StringIO()
    event = replace(evaluated(0, 0), rank_ic=0.001)
    assert isinstance(event, EpochEvaluated)
    TerminalSink(stream).emit(event)
    assert "~ inside the null band" in stream.getvalue()


def test_lines_of_a_part_of_the_run_begin_with_its_name() -> None:
    stream = io.StringIO()
    sink = TerminalSink(stream)
    for event in (evaluated(0, 0), TaskFinished()):
        sink.emit(replace(event, task="fold-1-seed-2"))
    first, second = stream.getvalue().splitlines()
    assert first.startswith("fold-1-seed-2: epoch 0 validation RankIC")
    assert second == "fold-1-seed-2: done"


def test_a_reader_that_has_gone_stops_nothing() -> None:
    sink = TerminalSink(ClosedPipe())
    for event in training():
        sink.emit(event)
    sink.emit(Noted(message="still here"))
    sink.emit(Advanced(stage="features", done=1, total=2))
    sink.close()
