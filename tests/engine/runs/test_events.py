"""The stream: strict JSON, readable by older and newer programs, one file that a kill cannot spoil."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs import sink
from engine.runs.events import GatesLogged, Noted, StepLogged, Warned
from engine.runs.sink import _KINDS, JsonlSink, ListSink, TeeSink, decode, encode, read_new
from tests.engine.runs.samples import asked, searching, training


def test_every_kind_of_event_comes_back_as_it_went() -> None:
    events = [*training(), *searching(), *asked()]
    assert {type(event).__name__ for event in events} == {kind.__name__ for kind in _KINDS}
    for event in events:
        again = decode(encode(event))
        assert repr(again) == repr(event)


def test_the_lines_are_strict_json_without_nan() -> None:
    event = GatesLogged(step=1, alpha={"bypass": math.nan, "fan": math.inf})
    line = json.loads(encode(event), parse_constant=lambda name: pytest.fail(name))
    assert line["alpha"] == {"bypass": None, "fan": None}


def test_golden_line() -> None:
    event = GatesLogged(seq=4, at="2026-01-05T09:00:00.000+00:00", step=7, alpha={"bypass": 0.5})
    line = (
        '{"type":"GatesLogged","seq":4,"at":"2026-01-05T09:00:00.000+00:00","task":"","step":7,'
        '"alpha":{"bypass":0.5},"crc":"e60a3f88"}'
    )
    assert encode(event) == line
    assert decode(line) == event
    without = line.replace(',"crc":"8d454edd"', "")
    with_spaces = without.replace(":{", ": {").replace(",", ", ").replace('":', '": ')
    assert decode(with_spaces) == event, "as versions before this one wrote it"


def test_unknown_kinds_and_fields_of_a_newer_program_are_passed_over() -> None:
    assert decode('{"type": "Teleported", "seq": 3}') is None
    line = json.loads(encode(Noted(message="hello")))
    assert decode(json.dumps({**line, "colour": "red"})) == Noted(message="hello")


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60)))
def test_any_line_of_rubbish_is_a_warning_never_an_exception(line: str | bytes) -> None:
    assert isinstance(decode(line), Warned) or not line.strip() or line.strip() in ("{}", b"{}")


def test_no_flipped_bit_of_a_line_is_another_event() -> None:
    """Each bit of the line is tried: the event that was written, or a warning."""
    event = GatesLogged(seq=4, at="2026-01-05T09:00:00.000+00:00", step=7, alpha={"bypass": 0.5})
    line, told = encode(event).encode(), set()
    for place in range(len(line) * 8):
        flipped = bytearray(line)
        flipped[place // 8] ^= 1 << place % 8
        found = decode(bytes(flipped))
        told.add(type(found))
        assert found == event or isinstance(found, Warned), bytes(flipped)
    assert told == {GatesLogged, Warned}


def test_numbers_go_on_over_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonlSink(path)
    sink.emit(Noted(message="one"))
    sink.emit(Noted(message="two"))
    sink.close()
    with path.open("ab") as file:
        file.write(b'{"type": "Noted", "seq": 2, "at": "2026')
    sink = JsonlSink(path)
    sink.emit(Noted(message="three"))
    sink.close()
    events, _ = read_new(path, 0)
    assert [(e.seq, e.message) for e in events if isinstance(e, Noted)] == [
        (0, "one"),
        (1, "two"),
        (2, "three"),
    ]


def test_a_reader_never_sees_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    whole = encode(Noted(message="a" * 50)) + "\n"
    data = (whole * 3).encode()
    offset, seen = 0, 0
    for size in range(1, len(data) + 1, 7):
        path.write_bytes(data[:size])
        events, offset = read_new(path, offset)
        seen += len(events)
    path.write_bytes(data)
    events, offset = read_new(path, offset)
    assert seen + len(events) == 3
    assert read_new(path, offset) == ([], offset)
    path.write_bytes(data[: len(whole)])
    events, _ = read_new(path, offset)
    assert len(events) == 1, "a file that became shorter is read from its start"


def test_a_huge_backlog_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "_MAX_BYTES", 1000)
    path = tmp_path / "events.jsonl"
    path.write_text("".join(encode(Noted(message=str(i))) + "\n" for i in range(100)))
    seen: list[str] = []
    offset = -1
    new = 0
    while new != offset:
        offset = new
        events, new = read_new(path, offset)
        seen += [event.message for event in events if isinstance(event, Noted)]
    assert seen == [str(i) for i in range(100)]


def test_a_missing_file_has_no_events(tmp_path: Path) -> None:
    assert read_new(tmp_path / "none", 99) == ([], 0)


def test_a_tee_hands_on_in_order() -> None:
    a, b = ListSink(), ListSink()
    TeeSink([a, b]).emit(Noted(message="x"))
    assert a.events == b.events == [Noted(seq=0, message="x")]


def test_floats_keep_every_digit() -> None:
    event = next(e for e in training() if isinstance(e, StepLogged))
    again = decode(encode(event))
    assert isinstance(again, StepLogged)
    assert again.loss.hex() == event.loss.hex()
