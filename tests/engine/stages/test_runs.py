"""The commands about runs, called as functions: what they answer, refuse and leave behind."""

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from engine.config import Config
from engine.errors import EnvironmentProblem, GateError, Interrupted, LockedError, UsageError
from engine.records import record
from engine.records.protocol import CountedLook, DaySpan, JudgedDays
from engine.runs.events import ControlAnswered, Noted, Paused, RunEvent, RunFinished
from engine.runs.launch import ControlFiles
from engine.runs.sink import ListSink, encode
from engine.runs.store import Run
from engine.runs.trials import add_looks
from engine.stages import runs as listing
from engine.stages.context import (
    AnyStop,
    StageContext,
    StopFlag,
    open_or_create,
    require_model,
    run_session,
)
from engine.stages.text import table

FIGURES = {"rank_ic": 0.021, "rank_ic_se": 0.004, "null_band": 0.009, "n_dates": 250}


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    return StageContext(workspace=tmp_path, config=Config(), sink=ListSink(), stop=StopFlag())


def tell(run: Run, *events: RunEvent) -> None:
    with run.events_path.open("a") as file:
        file.writelines(encode(event) + "\n" for event in events)


def trained(context: StageContext, **more: Any) -> Run:
    """A run that has ended with the same figures on validation and test days."""
    run = context.store.create("train", context.config)
    told = {"best": FIGURES, "test": FIGURES, "seconds": 12.4, **more}
    run.path("train.json").write_text(json.dumps(told))
    tell(run, RunFinished(status="done"))
    return run


def test_a_run_is_one_row_with_its_figures(context: StageContext) -> None:
    run = trained(context, baselines={"ridge": {"validation": FIGURES, "test": FIGURES}})
    run.path("backtest.json").write_text('{"sharpe": 0.7, "sharpe_low": -0.1, "sharpe_high": 1.5}')
    answer = listing.runs(context)
    (row,) = answer.json["runs"]
    assert (row["id"], row["status"], row["seconds"]) == (run.id, "done", 12.4)
    assert row["test"]["rank_ic"] == 0.021
    assert set(row["figures"]) == {"network", "ridge"}
    line = answer.text.splitlines()[2]
    assert "+0.0210 ± 0.0040" in line
    assert "+0.70 [-0.10, +1.50]" in line
    assert "12 s" in line
    shown = listing.show(context, run=run.id)
    assert "ridge  validation  +0.0210 ± 0.0040  null ±0.0090 (n=250)" in shown.text
    assert shown.json["manifest"]["command"] == "train"


def test_what_fits_is_listed_and_nothing_else(context: StageContext) -> None:
    kept, other = trained(context), context.store.create("backtest", context.config)
    listing.tag(context, run=kept.id, tags=["keep"])

    def ids(**asked: Any) -> set[str]:
        return {row["id"] for row in listing.runs(context, **asked).json["runs"]}

    assert ids() == {kept.id, other.id}
    assert ids(tag=["keep"]) == ids(status="done") == ids(command="train") == {kept.id}
    assert len(ids(limit=1)) == 1
    assert listing.runs(context, tag=["gone"]).text == "no run fits"
    with pytest.raises(UsageError, match="at least 1"):
        listing.runs(context, limit=0)


def test_watching_ends_with_the_run(context: StageContext) -> None:
    run = context.store.create("train", context.config)
    tell(run, Noted(message="hello"), RunFinished(status="failed", error="out of disk"))
    answer = listing.watch(context, run=run.id)
    assert answer.json == {"run_id": run.id, "status": "failed"}
    sink = context.sink
    assert isinstance(sink, ListSink)
    assert [type(event).__name__ for event in sink.events] == ["Noted", "RunFinished"]
    assert "error: out of disk" in listing.show(context, run=run.id).text
    with pytest.raises(UsageError, match="nobody is working on it"):
        listing.stop(context, run=run.id)


def test_tags_and_note_are_told_back(context: StageContext) -> None:
    run = trained(context)
    assert listing.tag(context, run=run.id, tags=["b", "a"]).json["tags"] == ["a", "b"]
    assert listing.tag(context, run=run.id, tags=["a"], remove=True).text == f"{run.id}  tags: b"
    assert listing.note(context, run=run.id, text="good").json["note"] == "good"
    assert listing.note(context, run=run.id).text == f"{run.id}  note: good"
    assert listing.note(context, run=run.id, clear=True).text == f"{run.id}  note: none"
    with pytest.raises(UsageError, match="contradict"):
        listing.note(context, run=run.id, text="x", clear=True)


def test_deleting_says_what_was_freed_and_asks_first(context: StageContext) -> None:
    run, other = trained(context), trained(context)
    with pytest.raises(UsageError, match="nobody was asked"):
        listing.delete(context, run=[run.id])
    with other.lock(), pytest.raises(LockedError, match="works on it"):
        listing.delete(context, run=[run.id, other.id], yes=True)
    assert run.directory.exists(), "none of them, if one may not be deleted"
    answer = listing.delete(context, run=[run.id], yes=True)
    assert answer.json["deleted"][0]["run_id"] == run.id
    assert not run.directory.exists()


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        (Paused(step=7), "paused at step 7, checkpoint saved"),
        (None, "asked; it answers at the end of its step"),
    ],
)
def test_a_wish_is_left_and_its_answer_told(
    context: StageContext, monkeypatch: pytest.MonkeyPatch, event: RunEvent | None, detail: str
) -> None:
    run = context.store.create("train", context.config)
    ask = ControlFiles.ask

    def answered(files: ControlFiles, wish: Any) -> None:
        ask(files, wish)
        tell(run, *([event] if event else []))

    monkeypatch.setattr(ControlFiles, "ask", answered)
    with run.lock():
        answer = listing.pause(context, run=run.id, wait=1 if event else 0)
        assert ControlFiles.of(run).asked() == {"pause"}
        assert listing.continue_(context, run=run.id).json["asked"]
    assert ControlFiles.of(run).asked() == frozenset()
    assert detail in answer.text
    assert answer.json["answered"] is (event is not None)


def test_a_refusal_and_an_early_end_are_errors(
    context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = context.store.create("train", context.config)
    refused = ControlAnswered(action="rollback", done=False, step=3, detail="no healthy checkpoint")
    monkeypatch.setattr(ControlFiles, "ask", lambda files, wish: tell(run, refused))
    with run.lock(), pytest.raises(GateError, match="no healthy checkpoint"):
        listing.rollback(context, run=run.id, wait=5)
    alive = iter([True, False, False])
    monkeypatch.setattr(Run, "is_alive", lambda self: next(alive))
    with pytest.raises(EnvironmentProblem, match="ended before it answered"):
        listing.checkpoint(context, run=run.id, wait=5)


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "done"), (Interrupted("x"), "stopped"), (GateError("x"), "failed"), (OSError(), "failed")],
)  # fmt: skip
def test_a_session_ends_with_exactly_one_end(
    context: StageContext, error: Exception | None, status: str
) -> None:
    run, within = open_or_create(context, "train")
    raised = pytest.raises(type(error)) if error is not None else nullcontext()
    with raised, run_session(within, run) as session:
        session.summary = {"seconds": 1.0}
        if error is not None:
            raise error
    ends = [event for event in run.events() if isinstance(event, RunFinished)]
    assert [end.status for end in ends] == [status]
    assert run.holder() is None
    if status == "done":
        with pytest.raises(UsageError, match="already done"):
            open_or_create(context, "train", resume=run.id)
        with pytest.raises(UsageError, match="no tune run"):
            open_or_create(context, "tune", resume=run.id)


def test_permuted_labels_never_make_a_model(context: StageContext) -> None:
    training = context.config.training.model_copy(update={"permute_labels": True})
    permuted = context.config.model_copy(update={"training": training})
    require_model(context.store.create("train", context.config))
    with pytest.raises(GateError, match="permuted labels"):
        require_model(context.store.create("train", permuted))


def test_any_of_the_stops_stops() -> None:
    one, other = StopFlag(), StopFlag()
    assert not AnyStop((one, other)).requested
    other.requested = True
    assert AnyStop((one, other)).requested


def test_a_table_puts_numbers_right_and_words_left() -> None:
    lines = table([["a", "+1.5"], ["bcd", "-20"]], header=["name", "value"]).split(os.linesep)
    assert lines == ["name  value", "────  ─────", "a      +1.5", "bcd     -20"]
    assert table([]) == ""


def test_figures_on_days_of_a_protocol_say_which_and_other_workspaces_say_nothing(
    context: StageContext,
) -> None:
    plain = trained(context)
    assert "protocol" not in listing.runs(context).text
    span = DaySpan(name="confirmation", first="2015-01-02", last="2015-12-31", sessions=252)
    days = record.as_json(JudgedDays(market="us", spans=(span,)))
    kept = trained(context, judged_days=days)
    add_looks(context.store.root, [look(name) for name in ("gone", kept.id)])
    answer = listing.runs(context)
    header, _, *lines = answer.text.splitlines()
    assert "protocol" in header
    assert {line.split()[0]: "looked at 2 times" in line for line in lines} == {
        kept.id: True, plain.id: False,
    }  # fmt: skip
    assert {row["id"]: row.get("days", "") for row in answer.json["runs"]} == {
        kept.id: "looked at 2 times", plain.id: "",
    }  # fmt: skip
    shown = listing.show(context, run=kept.id)
    assert "protocol: looked at 2 times" in shown.text.splitlines()
    assert shown.json["judged_days"] == days


def look(run: str) -> CountedLook:
    return CountedLook(run=run, market="us", first="2015-06-01", last="2015-06-30")
