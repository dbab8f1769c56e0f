"""The list of runs: read once, again when something changed, thousands in pieces."""

import json
import math
import os
from pathlib import Path

import pytest

from atft_tui.readings import runs as reading
from atft_tui.readings.run_details import Course, read_details
from atft_tui.readings.runs import RunTable, figure_words, list_runs, sharpe_words
from engine.records.rank_ic import RankICSummary
from engine.records.run import RunSummary
from engine.runs.events import RunFinished
from engine.runs.labels import add_tags, set_note
from engine.runs.store import Run
from engine.runs.summary import _figure, summarise
from tests.engine.runs.samples import training
from tests.tui.conftest import MakeRun, append

EVENTS = training()
BACKTEST = {
    "sharpe": 0.71, "sharpe_low": -0.12, "sharpe_high": 1.49, "sharpe_deflated": 0.38, "trials": 41,
    "verdict": "undecided",
}  # fmt: skip


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the runs that were read, in order."""
    seen: list[str] = []

    def count(run: Run) -> RunSummary:
        seen.append(run.id)
        return summarise(run)

    monkeypatch.setattr(reading, "summarise", count)
    return seen


def later(path: Path) -> None:
    """As if it was written a moment later, on a clock of any resolution."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))


def test_an_end_without_a_time_leaves_the_seconds_unknown(make_run: MakeRun) -> None:
    for at in ("soon", "2026-01-05T09:00:00"):
        about = summarise(make_run([RunFinished(status="done", at=at)]))
        assert (about.status, about.trouble) == ("done", "")
        assert math.isnan(about.seconds)


def test_a_damaged_history_of_champions_leaves_the_rest_of_the_details(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(EVENTS)
    path = tmp_path / "models" / "champion.json"
    entry = {"n": 1, "action": "promoted", "model": "m", "run": run.id, "at": "2026-01-05"}
    path.parent.mkdir()
    path.write_text(json.dumps({"history": [entry]}))
    found = read_details(tmp_path, run, summarise(run), Course(), "")
    assert (found.gate is None, found.is_champion, found.gate_trouble) == (False, True, "")
    for history in (json.dumps({"history": [{"run": run.id}]}), '{"history": 5}', "[]"):
        path.write_text(history)
        found = read_details(tmp_path, run, summarise(run), Course(), "")
        assert (found.gate, found.is_champion) == (None, False)
        assert "models/champion.json" in found.gate_trouble


def test_figures_of_a_finished_run(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(EVENTS)
    run.path("backtest.json").write_text(json.dumps(BACKTEST))
    add_tags(run, ["keep"])
    set_note(run, "the one to beat")
    (about,) = RunTable(tmp_path).read().runs
    assert (about.id, about.status, about.command) == (run.id, "done", "train")
    assert about.validation == RankICSummary(
        rank_ic=0.021, rank_ic_se=0.009, null_band=0.012, n_dates=252
    )
    assert about.sharpe is not None
    assert (about.sharpe.deflated, about.sharpe.trials) == (0.38, 41)
    assert about.labels.tags == ("keep",)
    assert about.labels.note == "the one to beat"
    assert sharpe_words(about.sharpe) == "+0.71 [-0.12, +1.49] undecided"


def test_a_finished_run_is_read_once_and_again_when_something_changed(
    make_run: MakeRun, tmp_path: Path, counted: list[str]
) -> None:
    first, second = make_run(EVENTS), make_run(EVENTS)
    table = RunTable(tmp_path)
    before = table.read()
    assert counted == [second.id, first.id]
    assert table.read() == before
    assert len(counted) == 2
    add_tags(first, ["new"])
    later(first.directory)
    after = table.read()
    assert counted[2:] == [first.id]
    assert after.runs[0] is before.runs[0]
    assert after.runs[1].labels.tags == ("new",)
    with second.lock():
        assert table.read().runs[0].status == "running"
        assert table.read().runs[0].status == "running"
    later(second.path("lock"))
    assert table.read().runs[0].status == "done"
    assert table.read().runs[0].status == "done"


def test_a_run_at_work_is_read_every_time(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(EVENTS[:20])
    table = RunTable(tmp_path)
    with run.lock():
        assert table.read().runs[0].progress.startswith("epoch 0")
        append(run, EVENTS[20:-1])
        assert table.read().runs[0].progress == ""
    later(run.path("lock"))
    assert table.read().runs[0].status == "crashed"


def test_without_time_the_rest_comes_with_the_next_readings(
    make_run: MakeRun, tmp_path: Path, counted: list[str]
) -> None:
    runs = [make_run(EVENTS) for _ in range(5)]
    table = RunTable(tmp_path)
    found = table.read(budget_s=0.0)
    assert found.pending == 5
    assert [about.id for about in found.runs] == [run.id for run in reversed(runs)]
    assert {about.status for about in found.runs} == {""}
    for left in (4, 3, 2, 1, 0):
        found = table.read(budget_s=1e-9)
        assert found.pending == left
    assert {about.status for about in found.runs} == {"done"}
    assert sorted(counted) == sorted(run.id for run in runs)


def test_a_deleted_run_is_forgotten(make_run: MakeRun, tmp_path: Path) -> None:
    from engine.runs.deletion import delete

    kept, gone = make_run(EVENTS), make_run(EVENTS)
    table = RunTable(tmp_path)
    table.read()
    delete(gone)
    assert [about.id for about in table.read().runs] == [kept.id]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("backtest.json", "{ torn"),
        ("backtest.json", '{"sharpe": "x", "sharpe_low": 0, "sharpe_high": 1}'),
        ("train.json", "[]"),
        ("labels.json", "{"),
        ("manifest.json", "3"),
        ("config.toml", "a = = b"),
    ],
)
def test_what_cannot_be_read_is_said_in_its_line(
    make_run: MakeRun, tmp_path: Path, name: str, content: str
) -> None:
    good, bad = make_run(EVENTS), make_run(EVENTS)
    if name == "config.toml":
        manifest = json.loads(bad.path("manifest.json").read_text())
        del manifest["settings"]
        bad.path("manifest.json").write_text(json.dumps(manifest))
    bad.path(name).write_text(content)
    first, second = RunTable(tmp_path).read().runs
    assert first.trouble.startswith("unreadable")
    assert (second.id, second.trouble) == (good.id, "")
    if name not in ("manifest.json", "config.toml"):  # a short list needs neither
        assert "unreadable" in list_runs(tmp_path)[0].trouble


def test_noise_is_marked_also_where_the_band_is_not_known() -> None:
    inside = RankICSummary(rank_ic=0.01, rank_ic_se=0.002, null_band=0.012, n_dates=9)
    outside = RankICSummary(rank_ic=-0.02, rank_ic_se=0.1, null_band=0.012, n_dates=9)
    assert figure_words(inside) == "~+0.0100 ± 0.0020"
    assert figure_words(outside) == " -0.0200 ± 0.1000"
    unknown = {"rank_ic_se": 0.01, "null_band": None, "n_dates": 9}
    one, other = (_figure({"rank_ic": value, **unknown}) for value in (0.0195, 0.0197))
    assert one is not None
    assert other is not None
    assert (one.is_noise, other.is_noise) == (True, False), "1.96 standard errors stand for it"
    assert figure_words(None).strip() == "—"
