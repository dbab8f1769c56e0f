"""Models of the workspace: that of docs/models.md keeps its promises, and the kit finds those that do not."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from atft_tui.app import CockpitApp
from atft_tui.screens.command_form import CommandForm
from engine.cli import main
from engine.errors import GateError, UsageError
from engine.model_kit import Day, Days, LightGBMModel, RidgeModel, State
from engine.training.model_contract import check_model
from engine.training.own_models import FITS, OwnModel, maker_of, makers, own_model
from engine.workspace_code import UserModule

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
RIDGE = "from engine.model_kit import RidgeModel\nclass MODEL(RidgeModel):\n    penalty = 0.1\n"


def put(workspace: Path, text: str, name: str = "mine") -> Path:
    path = workspace / "models" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def page_model() -> str:
    """The page's ten lines, with fewer and smaller trees for the kit's small market."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_ten_lines_of_the_page_keep_their_promises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("skops", reason="estimators are kept by skops")
    lines = [line for line in page_model().splitlines() if line.strip()]
    assert len(lines) <= 10
    put(tmp_path, page_model().replace("ExtraTreesRegressor(60", "ExtraTreesRegressor(2"), "forest")
    assert main(["models", "forest", "--workspace", str(tmp_path)]) == 0
    assert "no label is read in score" in capsys.readouterr().out
    assert main(["models", "--workspace", str(tmp_path)]) == 0
    assert re.search(r"forest +yours +A forest of scikit-learn", capsys.readouterr().out)


async def test_the_form_of_a_walk_forward_offers_it(tmp_path: Path) -> None:
    put(tmp_path, RIDGE)
    app = CockpitApp(tmp_path)
    async with app.run_test() as pilot:
        app.ask("walkforward", {"model": "mine"})
        await pilot.pause()
        assert isinstance(app.screen, CommandForm)
        assert app.screen.values()["model"] == "mine"


@pytest.mark.parametrize("kind", FITS)
def test_the_built_in_models_keep_them_too(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LightGBMModel, "rounds", 10)
    assert [check for check in check_model(FITS[kind]) if not check.passed] == []


class Odd(RidgeModel):
    """A line that breaks one promise, by name."""

    fault = ""
    draws = iter(range(10_000))

    def fit(self, days: Days) -> None:
        super().fit(days)
        self.days, self.shift, self.before = days, 0.0, 0.0
        if self.fault == "unsteady":
            self.shift = float(next(self.draws))
        if self.fault == "in place":
            days.x_MF[0, 0] += 1.0

    def score(self, day: Day) -> NDArray[np.float64]:
        score_NH = super().score(day)
        if self.fault == "shape":
            return score_NH[:, :1]
        if self.fault == "nan":
            score_NH[0] = np.nan
        if self.fault == "labels":
            score_NH += np.nanmean(self.days.target_MH[self.days.dates_M == day.date])
        if self.fault == "memory":
            score_NH, self.before = score_NH + self.before, self.before + 1.0
        if self.fault == "place":
            score_NH *= np.arange(len(score_NH))[:, None]
        if self.fault == "upside down":
            return -score_NH
        return np.asarray(score_NH + self.shift)

    def state(self) -> State:
        found = super().state()
        return dict(list(found.items())[:2]) if self.fault == "state" else found

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        super().restore(state)
        self.shift, self.before = 0.0, 0.0


@pytest.mark.parametrize(
    ("fault", "promise"),
    [
        ("shape", "a finite score"),
        ("nan", "a finite score"),
        ("unsteady", "the same twice"),
        ("in place", "its inputs stay"),
        ("labels", "no label is read"),
        ("memory", "a day's score depends"),
        ("place", "the order of the stocks"),
        ("state", "its state gives it back"),
        ("upside down", "higher scores earn more"),
    ],
)
def test_the_kit_finds_a_model_that_breaks_a_promise(fault: str, promise: str) -> None:
    odd = type("M", (Odd,), {"fault": fault})
    module = UserModule(kind="models", name="m", path=Path("m.py"), sha256="", module=math)
    broken = [c for c in check_model(lambda: OwnModel(module, odd())) if not c.passed]
    assert any(check.name.startswith(promise) for check in broken), broken
    assert all(check.detail for check in broken)


def test_an_honest_line_breaks_none() -> None:
    assert [check for check in check_model(Odd) if not check.passed] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A = 1\n", r"mine\.py: defines no MODEL, a class with fit"),
        ("MODEL = 3\n", r"mine\.py: MODEL is no class"),
        ("class MODEL:\n    def fit(self, days): ...\n", r"mine\.py: MODEL is no class"),
        (
            "class MODEL:\n    def __init__(self):\n        raise KeyError('x')\n",
            r"mine\.py:3: MODEL",
        ),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, text: str, said: str) -> None:
    put(tmp_path, text)
    with pytest.raises(UsageError, match=said):
        own_model("mine", tmp_path)


def test_names_of_built_in_models_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    put(tmp_path, RIDGE, "ridge")
    with pytest.raises(UsageError, match="the name of a built-in one"):
        own_model("ridge", tmp_path)
    with pytest.raises(UsageError, match="there is no model 'lightgmb'") as refused:
        own_model("lightgmb", tmp_path)
    assert "lightgbm" in refused.value.hint


def test_every_call_is_held_to_shape_and_finiteness(tmp_path: Path) -> None:
    put(tmp_path, RIDGE + "    def score(self, day):\n        return [[float('nan')]]\n")
    day = Day(
        date=np.datetime64("2020-01-01"), x_NF=np.zeros((1, 1), np.float32), columns=("a",), horizons=(5,)
    )  # fmt: skip
    with pytest.raises(GateError, match=r"mine\.py: a score of 2020-01-01 is not finite"):
        maker_of(own_model("mine", tmp_path))().score(day)
    put(tmp_path, RIDGE + "    def score(self, day):\n        return 1 / 0\n")
    with pytest.raises(UsageError, match=r"mine\.py:5: score: ZeroDivisionError"):
        maker_of(own_model("mine", tmp_path))().score(day)
    put(tmp_path, RIDGE + "    def state(self):\n        return {'a': [object()]}\n")
    with pytest.raises(GateError, match="state 'a' is no array of numbers"):
        maker_of(own_model("mine", tmp_path))().state()


def test_a_run_goes_on_with_the_code_that_it_began_with(tmp_path: Path) -> None:
    path, keep = put(tmp_path, RIDGE), tmp_path / "fits"
    makers(["ridge", "mine"], tmp_path, keep)
    assert (keep / "mine.py").read_text(encoding="utf-8") == RIDGE
    makers(["mine"], tmp_path, keep)
    path.write_text(RIDGE + "# a word\n", encoding="utf-8")
    with pytest.raises(GateError, match=r"models/mine\.py is not what it was when this run began"):
        makers(["mine"], tmp_path, keep)
