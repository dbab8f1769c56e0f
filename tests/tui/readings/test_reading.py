"""How a snapshot was read: from the manifest's plans and evidence to lines, whatever is absent."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atft_tui.widgets.data_panels import reading_lines
from engine.records import record
from engine.records.reading import Column, Evidence, Problem, ReadingPlan, Unread
from engine.records.record import RecordError
from engine.records.snapshot import _NO_FILE, _OLD, SourceReading

PLAN = ReadingPlan(
    table="bars",
    path="prices.csv",
    files=1,
    columns=(Column(ours="close", theirs="Close"),),
    unread=(Unread(file="b.pdf", reason="not a table"),),
)
EVIDENCE = Evidence(rows=10, symbols=1, first="2024-01-02", last="2024-01-16", on_sessions=0.9)
WRONG = Problem(what="half the days are no sessions", mend="--date-format")


def manifest(**more: object) -> dict[str, object]:
    told = {"source": "files(prices.csv)", "plans": [PLAN], "evidence": EVIDENCE, **more}
    value: dict[str, object] = msgspec.to_builtins(told)
    return value


def read_of(told: dict[str, object]) -> SourceReading:
    return record.convert(told, SourceReading, "manifest.json")


def test_plan_evidence_and_revision_are_lines_with_a_word() -> None:
    read = read_of(manifest(revision={"equal": 3, "changed": 2, "prices": 1}))
    said = dict(read.reading_lines())
    assert said["bars"].startswith("prices.csv")
    assert said["columns"] == "close <- Close"
    assert "b.pdf (not a table)" in said["NOT READ, 1 file"]
    assert "90.0%" in said["evidence"]
    assert said["rows"] == "10 of 1 codes, 2024-01-02 to 2024-01-16"
    assert said["revision"] == "3 bars as they were, 2 changed (1 in a price)"
    assert (read.reading_verdict, read.error) == ("ok", "")


def test_problems_decide_the_verdict_and_a_refusal_is_told_once() -> None:
    warned = msgspec.structs.replace(
        EVIDENCE, problems=(Problem(what="few sectors", refused=False),)
    )
    read = read_of(manifest(evidence=warned))
    assert (read.reading_verdict, dict(read.reading_lines())["warning"]) == (
        "warned",
        "few sectors",
    )
    refused = msgspec.structs.replace(EVIDENCE, problems=(WRONG,))
    read = read_of(manifest(evidence=refused, error=f"refused: {WRONG.what}", hint=WRONG.mend))
    assert (read.reading_verdict, read.hint) == ("refused", "--date-format")
    assert "refused" not in dict(read.reading_lines())


def test_what_was_not_recorded_is_said() -> None:
    assert read_of({"source": "files(a.csv)"}).reading_lines() == [("source", _OLD)]
    assert read_of({"source": "synthetic(seed=7)", "plans": []}).reading_lines() == [
        ("source", f"synthetic(seed=7): {_NO_FILE}")
    ]


@pytest.mark.parametrize("bad", [{"plans": [{"table": 3}]}, {"evidence": []}, {"plans": "x"}])
def test_a_record_that_does_not_fit_names_the_file(bad: dict[str, object]) -> None:
    with pytest.raises(RecordError, match=r"^manifest\.json: Expected"):
        read_of(bad)


@given(
    st.lists(st.text(max_size=300), max_size=6),
    st.text(max_size=200),
    st.integers(4, 120),
)
@settings(max_examples=60)
def test_no_text_leaves_its_width(notes: list[str], error: str, width: int) -> None:
    said = SourceReading(source=error, plans=(PLAN,), notes=tuple(notes), error=error)
    drawn = reading_lines(said, max(width, 14))
    assert all(line.cell_len <= max(width, 14) for line in drawn)


def test_nothing_of_a_refusal_is_cut_off() -> None:
    path = "/very/long/" + "folder/" * 30 + "prices.csv: 01/02/2024"
    text = "".join(line.plain.strip() for line in reading_lines(SourceReading(error=path), 40))
    assert path.replace(" ", "") in text.replace(" ", "")
