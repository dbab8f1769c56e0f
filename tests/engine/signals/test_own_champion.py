"""The ten lines of docs/models.md as champion: sealed, explained, and replayed byte for byte though the file
in the workspace is another one by then. A strategy of the workspace is sealed by its hash.
"""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.errors import GateError
from engine.hashes import sha256
from engine.records.train import read_train
from engine.signals.models import Model
from engine.stages.load import load_dataset, session_window
from engine.stages.promote import promote
from engine.stages.sealed import champion, replay
from engine.stages.signals import open_ensemble
from engine.stages.walkforward import walkforward
from tests.engine.signals.desk import Desk

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("few_trees")]
DOCS = Path(__file__).parents[3] / "docs"


def put(workspace: Path, page: str, place: str) -> Path:
    """The page's module in the workspace; a forest of few trees."""
    found = re.search(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    path = workspace / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(found[1].replace("ExtraTreesRegressor(60", "ExtraTreesRegressor(8"))
    return path


def walked(desk: Desk, model: str, **changes: object) -> str:
    done = walkforward(
        desk.context(**changes), first_test=str(desk.days[-60]), last_test=None, step="1y", seeds=2,
        with_baselines=False, model=model,
    )  # fmt: skip
    return str(done.json["run_id"])


@pytest.fixture(scope="module")
def crowned(
    trained_desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Desk, str, Model]:
    pytest.importorskip("skops", reason="estimators are kept by skops")
    desk = trained_desk.copy(tmp_path_factory.mktemp("own") / "workspace")
    put(desk.workspace, "models.md", "models/forest.py")
    run = walked(desk, "forest", training__rivals_hear_neighbours=True)
    promote(desk.context(), run=run, force_reason="a test")
    return desk, run, desk.models.require_champion()


def test_the_run_is_that_of_the_forest_and_names_its_code(crowned: tuple[Desk, str, Model]) -> None:
    desk, name, model = crowned
    run, code = desk.context().store.open(name), desk.workspace / "models" / "forest.py"
    found = read_train(run.directory)
    assert found.model == "forest"
    assert {"ridge", "lightgbm", "mlp"} <= set(found.baselines)
    assert run.manifest.code == {"models/forest.py": sha256(code)}
    assert run.config().training.own_models == ("forest",)
    assert model.facts.words == "forest"
    assert (model.directory / "forest.py").read_bytes() == code.read_bytes()
    assert champion(desk.context(), action="show").json["model"] == model.id


def test_the_package_scores_a_day_as_the_walk_forward_did(crowned: tuple[Desk, str, Model]) -> None:
    desk, name, model = crowned
    dataset = load_dataset(desk.context(), desk.context().sink, in_memory=False)
    run = desk.context().store.open(name)
    scores = pl.read_parquet(run.path("predictions.parquet"))
    assert [c for c in scores.columns if c.startswith("score_")] == ["score_5", "score_20"]
    for day in scores["date"].unique().sort()[::20]:
        session = int(np.searchsorted(dataset.features.dates_S, np.datetime64(day)))
        window = session_window(dataset, session, model.config().split.window)
        ours = open_ensemble(model).rank(window, 1).score_MH[np.argsort(window.symbols), 1]
        theirs = scores.filter(pl.col("date") == day).sort("symbol")["score_5"].to_numpy()
        assert np.corrcoef(ours, theirs)[0, 1] > 0.9999


def test_its_signal_is_replayed_though_the_file_is_another_one_by_now(
    crowned: tuple[Desk, str, Model],
) -> None:
    desk, _, model = crowned
    desk.next_day()
    done = desk.signals()
    assert done.json["key"].split(":")[2] == model.id
    seal = desk.seals.open(str(desk.last))
    code = desk.workspace / "models" / "forest.py"
    assert seal.manifest.code["models/forest.py"] == sha256(code)
    explained = pl.read_parquet(desk.workspace / "signals" / str(desk.last) / "explain.parquet")
    told = explained.filter(pl.col("kind") == "variable")
    assert told.filter(pl.col("value") != 0).height > 0
    again = replay(desk.context(), session=str(desk.last))
    assert (again.exit_code, again.json["same_code"]) == (0, True), again.text
    before = code.read_bytes()
    code.write_bytes(before + b"# edited\n")
    edited = replay(desk.context(), session=str(desk.last))
    assert (edited.exit_code, edited.json["changed_modules"]) == (0, ["models/forest.py"])
    assert "models/forest.py is another one by now" in edited.text
    code.write_bytes(before)


def test_it_is_a_member_of_a_blend_with_each_label(crowned: tuple[Desk, str, Model]) -> None:
    desk, _, _ = crowned
    members = ("ridge", "forest", "forest-plain")
    name = walked(desk, "blend", blend__members=members)
    promote(desk.context(), run=name, force_reason="a test")
    model = desk.models.require_champion()
    assert model.facts.words == "blend of ridge, forest, forest (plain label)"
    dataset = load_dataset(desk.context(), desk.context().sink, in_memory=False)
    session = int(dataset.features.dates_S.size) - 1
    window = session_window(dataset, session, model.config().split.window)
    opened = open_ensemble(model)
    assert not opened.is_thread_safe, "a model of one's own promises nothing of threads"
    told = opened.explain(window, 1, np.array([0, 3]))
    assert set(told.member_R) == set(members)


def test_a_signal_names_a_strategy_that_has_changed(trained_desk: Desk, tmp_path: Path) -> None:
    desk = trained_desk.copy(tmp_path / "workspace")
    code = put(desk.workspace, "strategies.md", "strategies/conviction.py")
    desk.next_day()
    desk.signals(config={"portfolio.strategy": "conviction"})
    inputs = desk.seals.open(str(desk.last)).inputs()
    assert inputs.trading["code"] == {"strategies/conviction.py": sha256(code)}
    assert replay(desk.context(), session=str(desk.last)).exit_code == 0
    code.write_text(code.read_text().replace("> 1.0", "> 0.5"))
    with pytest.raises(GateError, match=r"made with another strategies/conviction\.py"):
        replay(desk.context(), session=str(desk.last))
