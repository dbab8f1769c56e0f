"""`report`: which formats there are, and what is refused before anything is written."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from engine.config import Config
from engine.errors import EngineError, UsageError
from engine.files import read_json
from engine.report.facts import Facts
from engine.runs.events import Noted
from engine.runs.sink import ListSink
from engine.runs.store import Run
from engine.stages import report as stage
from engine.stages.context import StageContext, StopFlag
from tests.engine.report.samples import facts
from tests.engine.stages.here import BesideHere


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


@pytest.mark.parametrize("output", [None, "elsewhere"])
def test_reports_of_several_processes_are_the_same_bytes(
    context: StageContext,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output: str | None,
) -> None:
    """Made at one time, so that the moment in them is the same; one run that has none stops no other."""
    second, third = (context.store.create("train", context.config) for _ in range(2))
    for made in (second, third):
        made.path("train.json").write_text("{}")

    def known(workspace: Path, run: Run) -> Facts:
        if run == third:
            raise UsageError("no scores")
        return facts(run_id=run.id)

    monkeypatch.setattr(stage, "gather", known)
    monkeypatch.setattr(stage, "beside", BesideHere())
    monkeypatch.setattr(Run, "status", lambda self: "done")
    moment = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    context = replace(context, now=lambda: moment)
    place = None if output is None else str(tmp_path / output)
    names = ("report.html", "report.json", "report-holdings.csv")
    folders = [Path(place) / r.id if place else r.directory for r in (run, second)]
    found = []
    for jobs in (1, 2):
        with pytest.raises(UsageError, match=f"2 reports written, 1 failed: {third.id}: no scores"):
            stage.report(context, run="all", format="html,json,csv", output=place, jobs=jobs)
        found.append([(folder / name).read_bytes() for folder in folders for name in names])
        for folder in folders:
            (folder / "report.html").unlink()
    assert found[0] == found[1]
    assert not any(r.path("tasks").exists() for r in (run, second, third))


def test_a_cluster_that_does_not_see_the_workspace_makes_no_report(context: StageContext) -> None:
    with pytest.raises(UsageError, match="rests on the whole workspace") as raised:
        stage.report(context, run="all", format="md", executor="ray")
    assert "executor.shared" in raised.value.hint
