"""Searches and differences of settings."""

import math
from pathlib import Path
from typing import Any

import pytest

from atft_tui.readings.runs import RunTable
from atft_tui.readings.runs_screen import ABSENT, config_diff
from atft_tui.readings.searches import read_studies
from engine.config.file import resolve
from engine.files import write_json
from engine.records.study import counted
from engine.runs.events import RunFinished
from engine.runs.store import RunStore
from tests.engine.runs.samples import searching, started
from tests.tui.conftest import MakeRun


def row(number: int, state: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        "number": number, "run_id": f"trial-{number}", "state": state, "value": value,
        "rank_ic": None if value is None else value + 0.01, "rank_ic_se": 0.01, "n_dates": 252,
        "seconds": 60.0, "size": 4000, "parameters": {"training.learning_rate": 0.00123}, "error": "",
        "folds": [], **more,
    }  # fmt: skip


def study(run_id: str, **more: Any) -> dict[str, Any]:
    return {
        "study": "lr", "run_id": run_id, "score_horizon": 5, "counts": {}, "best": None,
        "importances": {"training.learning_rate": 0.8, "model.hidden": 0.2},
        "trials": [
            row(0, "complete", -0.01), row(1, "pruned", None), row(2, "complete", 0.02),
            row(3, "complete", 0.01), row(4, "failed", None, error="loss nan"),
        ],
        **more,
    }  # fmt: skip


def test_a_search_that_has_ended(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run([started(), RunFinished(status="done")], command="tune")
    write_json(tmp_path / "tune" / "lr" / "study.json", study(run.id))
    (found,) = read_studies(tmp_path, RunTable(tmp_path).read().runs)
    assert (found.found.study, found.status, found.wanted) == ("lr", "done", 5)
    assert list(counted(found.found.trials).values()) == [3, 1, 1]
    assert found.best is not None
    assert found.best.number == 2
    assert [trial.is_noise for trial in found.found.trials] == [True, True, False, False, True]
    assert [row.best_so_far for row in found.rows()] == [True, False, True, False, False]
    assert found.found.course() == [(0, -0.01), (1, -0.01), (2, 0.02), (3, 0.02), (4, 0.02)]
    assert math.isnan(found.found.trials[1].value)
    assert found.found.trials[0].settings == "learning_rate=0.00123"
    assert found.found.importances == {"training.learning_rate": 0.8, "model.hidden": 0.2}


def test_a_search_at_work_is_told_by_its_events_also_when_it_was_continued(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run([started(), *searching()], command="tune")
    write_json(run.path("tune.json"), {"study": "lr", "trials": 12, "jobs": 1})
    write_json(tmp_path / "tune" / "lr" / "study.json", study(run.id))
    with run.lock():
        (found,) = read_studies(tmp_path, RunTable(tmp_path).read().runs)
    assert (found.found.study, found.status, found.wanted) == ("lr", "running", 12)
    assert [trial.number for trial in found.found.trials] == [0, 1, 2, 3]
    assert list(counted(found.found.trials).values()) == [2, 1, 1]
    assert found.best is not None
    assert found.best.number == 2


def test_no_search_no_trial(tmp_path: Path, make_run: MakeRun) -> None:
    assert read_studies(tmp_path, ()) == ()
    make_run([started()], command="tune")
    (found,) = read_studies(tmp_path, RunTable(tmp_path).read().runs)
    assert (found.best, found.found.course(), found.found.trials) == (None, [], ())


def test_only_keys_that_differ_with_the_value_of_each(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    name = "training.phases.baseline.epochs"
    a = store.create("train", resolve([], overrides=["training.seed=1"]).config)
    b = store.create(
        "train", resolve([], overrides=["training.seed=2", "graph.kind=none", f"{name}=7"]).config
    )
    diff = config_diff(tmp_path, [a.id, b.id])
    rows = {row.key: row.values for row in diff.rows}
    assert set(rows) == {"training.seed", "graph.kind", name}
    assert rows["training.seed"] == ("1", "2")
    assert rows["graph.kind"] == ("correlation", "none")
    assert diff.same > 150
    assert config_diff(tmp_path, [a.id, a.id]).rows == ()
    text = b.path("config.toml").read_text()
    c = store.create("train", b.config())
    c.path("config.toml").write_text(text.replace("seed = 2\n", "", 1))
    assert any(ABSENT in row.values for row in config_diff(tmp_path, [a.id, c.id]).rows)
    c.path("config.toml").unlink()
    with pytest.raises(Exception, match=r"config\.toml"):
        config_diff(tmp_path, [store.create("train", b.config()).id, "gone"])
