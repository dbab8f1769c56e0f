"""`report`: which formats there are, and what is refused before anything is written."""

from pathlib import Path

import pytest

from engine.config import Config
from engine.errors import EngineError, UsageError
from engine.files import read_json
from engine.runs.events import Noted
from engine.runs.sink import ListSink
from engine.runs.store import Run
from engine.stages import report as stage
from engine.stages.context import StageContext, StopFlag
from tests.engine.report.samples import facts


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    return StageContext(workspace=tmp_path, config=Config(), sink=ListSink(), stop=StopFlag())


@pytest.fixture
def run(context: StageContext, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose facts are known."""
    made = context.store.create("train", context.config)
    made.path("train.json").write_text("{}")
    monkeypatch.setattr(stage, "gather", lambda workspace, run: facts(run_id=run.id))
    return made


@pytest.mark.parametrize("given", ["", "word", "html,docx"])
def test_an_unknown_format_is_refused_with_those_that_are_known(
    context: StageContext, run: Run, given: str
) -> None:
    with pytest.raises(UsageError, match="known are html, json, md, csv, parquet, pdf"):
        stage.report(context, run=run.id, format=given)


def test_each_format_is_written_beside_the_run_or_where_it_was_asked_for(
    context: StageContext, run: Run, tmp_path: Path
) -> None:
    answer = stage.report(context, run=run.id, format="html, json,md,csv")
    assert answer.json == {n: str(run.path(f"report.{n}")) for n in ("html", "json", "md", "csv")}
    assert run.path("report.html").read_text().startswith("<!")
    assert read_json(run.path("report.json"))["backtest"]["sharpe"] == 0.4
    assert run.path("report-holdings.csv").is_file()
    other = tmp_path / "elsewhere"
    stage.report(context, run=run.id, format="md", output=str(other))
    assert (other / "report.md").read_text() == run.path("report.md").read_text()


def test_a_run_that_is_not_trained_has_no_report(context: StageContext) -> None:
    untrained = context.store.create("train", context.config)
    with pytest.raises(EngineError):
        stage.report(context, run=untrained.id, format="md")
    untrained.events_path.touch()
    untrained.path("train.json").write_text('{"status": "stopped"}')
    with pytest.raises(UsageError, match="not trained to its end"):
        stage.report(context, run=untrained.id, format="md")


def test_two_runs_have_no_tables_side_by_side(context: StageContext, run: Run) -> None:
    with pytest.raises(UsageError, match="--compare has no csv"):
        stage.report(context, run=run.id, format="csv", compare=run.id)
    with pytest.raises(UsageError, match="3 sessions in common"):
        stage.report(context, run=run.id, format="md", compare=run.id)


def test_all_runs_are_tried_and_the_failed_ones_named(
    context: StageContext, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "status", lambda self: "done")
    assert stage.report(context, run="all", format="md").json["reports"].keys() == {run.id}

    def broken(workspace: Path, run: Run) -> None:
        raise UsageError("no scores")

    monkeypatch.setattr(stage, "gather", broken)
    with pytest.raises(UsageError, match=f"0 reports written, 1 failed: {run.id}: no scores"):
        stage.report(context, run="all", format="md")
    assert isinstance(context.sink, ListSink)
    assert [e.message for e in context.sink.events if isinstance(e, Noted)] == [
        f"{run.id}: no scores"
    ]
