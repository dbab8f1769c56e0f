"""JSON nested beyond any reader: the one run that has it cannot be read, the others stand."""

from pathlib import Path

import pytest

from engine.config import Config
from engine.config.file import resolve
from engine.errors import IntegrityError
from engine.files import from_json, read_json, write_json
from engine.hashes import LIST
from engine.records.train import read_train
from engine.report.facts import _ablations
from engine.runs.events import Warned
from engine.runs.lock import hold, holder
from engine.runs.sink import NullSink, decode
from engine.runs.store import RunStore
from engine.runs.summary import summarise
from engine.stages.context import StageContext, StopFlag
from engine.stages.runs import runs

DEEP = "[" * 100_000


@pytest.fixture
def config() -> Config:
    return resolve([]).config


def test_nesting_is_a_value_error_and_a_broken_file() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        from_json(DEEP)
    with pytest.raises(ValueError, match="nested too deeply"):
        from_json('{"a":' * 100_000)


@pytest.mark.parametrize("name", ["manifest.json", "backtest.json", "train.json", "labels.json"])
def test_the_run_says_that_it_is_unreadable_and_the_others_are_listed(
    name: str, tmp_path: Path, config: Config
) -> None:
    store = RunStore(tmp_path / "runs")
    broken, whole = store.create("train", config), store.create("train", config)
    broken.path(LIST).unlink()  # as in a run of a version before
    broken.path(name).write_text(DEEP)
    with pytest.raises(IntegrityError, match="nested too deeply"):
        read_json(broken.path(name))
    about = summarise(broken)
    assert (about.status, about.id) == ("created", broken.id)
    assert about.trouble.startswith(f"unreadable: {name}: ")
    assert not summarise(whole).trouble
    context = StageContext(workspace=tmp_path, config=config, sink=NullSink(), stop=StopFlag())
    answer = runs(context)
    assert {row["id"]: bool(row["trouble"]) for row in answer.json["runs"]} == {
        broken.id: True,
        whole.id: False,
    }
    assert "unreadable" in answer.text


@pytest.mark.parametrize("name", ["manifest.json", "backtest.json", "train.json"])
def test_a_report_passes_over_another_run_that_cannot_be_read(
    name: str, tmp_path: Path, config: Config
) -> None:
    store = RunStore(tmp_path / "runs")
    mine = store.create("train", config)
    told = {"features_fingerprint": "f", "splits": {}, "model": "network", "test": {"rank_ic": 0.1}}
    other = config.model_copy(update={"graph": config.graph.model_copy(update={"kind": "random"})})
    assert other.graph.kind != config.graph.kind
    readable, broken = store.create("train", other), store.create("train", other)
    for run in (readable, broken):
        write_json(run.path("train.json"), told)
    train = read_train(readable.directory)
    assert {row.run_id for row in _ablations(tmp_path, mine, train)} == {readable.id, broken.id}
    broken.path(name).write_text(DEEP)
    assert [row.run_id for row in _ablations(tmp_path, mine, train)] == [readable.id]


def test_events_and_locks_that_are_too_deep_are_damaged_ones(tmp_path: Path) -> None:
    assert isinstance(decode(DEEP), Warned)
    with hold(tmp_path / "lock"):
        (tmp_path / "lock").write_text(DEEP)
        assert holder(tmp_path / "lock") is None
