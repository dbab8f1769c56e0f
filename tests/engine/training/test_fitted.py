"""Fitted models: what they add up to, and that a file gives back the model, bit for bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import IntegrityError
from engine.files import write_bytes
from engine.model_kit import Day, Days, Model, RidgeModel, State
from engine.training.fitted import FittedModels
from engine.training.own_models import FITS

RNG = np.random.default_rng(7)
X_MF = RNG.standard_normal((600, 3)).astype(np.float32)
Y_M = (2 * X_MF[:, 0] - X_MF[:, 1] + 0.1 * RNG.standard_normal(600)).astype(np.float32)
ALL = slice(None)


def day(x_NF: NDArray[Any] = X_MF, horizons: tuple[int, ...] = (5, 20)) -> Day:
    columns = tuple("abc"[: x_NF.shape[1]])
    return Day(
        date=np.datetime64("2020-01-02"), x_NF=x_NF.astype(np.float32), columns=columns,
        horizons=horizons,
    )  # fmt: skip


def lesson(seed: int, sign: float = 1.0) -> Days:
    target_MH = np.stack([sign * Y_M, Y_M], axis=1).astype(np.float32)
    return Days(
        dates_M=np.repeat(np.datetime64("2020-01-01"), 600), x_MF=X_MF, target_MH=target_MH,
        return_MH=target_MH, weight_M=None, columns=("a", "b", "c"), horizons=(5, 20), seed=seed,
    )  # fmt: skip


def line(weights: Mapping[int, list[float]], constant: float) -> RidgeModel:
    model, state = RidgeModel(), dict[str, NDArray[Any]]()
    for horizon, weight_F in weights.items():
        state |= {
            f"{horizon}.weight": np.array(weight_F),
            f"{horizon}.constant": np.array(constant),
        }
    model.restore(state)
    return model


@pytest.fixture(scope="module")
def models() -> dict[str, FittedModels]:
    found = {}
    for kind, make in FITS.items():
        first, second = make(), make()
        first.fit(lesson(1))
        second.fit(lesson(2, sign=-1.0))
        found[kind] = FittedModels([first, second], (5, 20))
    return found


@pytest.mark.parametrize("kind", FITS)
def test_a_file_gives_back_the_same_scores(
    kind: str, models: dict[str, FittedModels], tmp_path: Path
) -> None:
    path = tmp_path / "fits.npz"
    models[kind].write(path)
    again = FittedModels.read(path, FITS[kind])
    assert again.horizons == (5, 20)
    np.testing.assert_array_equal(again.score(day()), models[kind].score(day()))
    models[kind].write(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes(), "its hash is its content"


@pytest.mark.parametrize("kind", FITS)
def test_contributions_and_a_constant_are_the_score(
    kind: str, models: dict[str, FittedModels]
) -> None:
    score_M = models[kind].score(day())[:50, 1]
    rest_M = score_M - models[kind].contributions(day(), 20, slice(50)).sum(axis=1)
    np.testing.assert_allclose(rest_M, rest_M[0], atol=1e-9)
    told_MF = models[kind].contributions(day(), 20, ALL)
    assert abs(told_MF[:, 0]).mean() > abs(told_MF[:, 1]).mean() > 5 * abs(told_MF[:, 2]).mean()


def test_a_line_by_hand() -> None:
    model, today = line({5: [2.0, -1.0]}, 0.5), day(np.array([[1.0, 1.0], [3.0, 0.0]]), (5,))
    assert model.score(today).tolist() == [[1.5], [6.5]]
    assert model.contributions(today, 5).tolist() == [[2.0, -1.0], [6.0, 0.0]]
    assert model.contributions(today, 1).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_the_score_is_the_mean_over_seeds_and_unknown_without_a_model() -> None:
    both = FittedModels([line({5: [1.0]}, 0.0), line({5: [3.0]}, 1.0)], (5,))
    today = day(np.array([[2.0]]), (1, 5))
    found = both.score(today)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 4.5
    assert both.contributions(today, 5, ALL).tolist() == [[4.0]]
    assert both.contributions(today, 1, ALL).tolist() == [[0.0]]


class Silent:
    """Twice the first column less its mean over the day, times the second; it tells no contributions."""

    def fit(self, days: Days) -> None:
        self.factor = np.array(2.0)

    def score(self, day: Day) -> NDArray[np.float64]:
        x_NF = day.x_NF.astype(np.float64)
        first_N = x_NF[:, 0] - x_NF[:, 0].mean()
        return np.stack([self.factor * first_N * x_NF[:, 1]] * len(day.horizons), axis=1)

    def state(self) -> State:
        return {"a.factor": self.factor}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.factor = state["a.factor"]


def test_of_a_model_that_does_not_tell_the_columns_are_left_out_one_by_one(tmp_path: Path) -> None:
    model = Silent()
    model.fit(lesson(1))
    assert isinstance(model, Model)
    both = FittedModels([model], (5,))
    today = day(np.array([[4.0, 1.0], [1.0, 2.0], [1.0, 3.0]]), (5,))
    # stock 0: 2 * (4 - 2) * 1 = 4; without its first column 2 * (0 - 2/3) = -4/3; without its second 0
    np.testing.assert_allclose(both.contributions(today, 5, slice(1)), [[4 + 4 / 3, 4.0]])
    both.write(tmp_path / "own.npz")
    again = FittedModels.read(tmp_path / "own.npz", Silent)
    assert again.horizons == (5,)
    np.testing.assert_array_equal(again.score(today), both.score(today))


def test_a_file_of_before_names_its_horizons_in_its_arrays(tmp_path: Path) -> None:
    arrays = {
        "5.0.weight": np.array([1.0]), "5.0.constant": np.array(0.0),
        "5.1.weight": np.array([3.0]), "5.1.constant": np.array(1.0),
    }  # fmt: skip
    with (tmp_path / "ridge.npz").open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    found = FittedModels.read(tmp_path / "ridge.npz", RidgeModel)
    assert found.horizons == (5,)
    assert found.score(day(np.array([[2.0]]), (5,))).tolist() == [[4.5]]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_file_that_holds_no_models_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ridge.npz"
    write_bytes(path, content)
    with pytest.raises(IntegrityError, match=r"ridge\.npz: holds no fitted models"):
        FittedModels.read(path, RidgeModel)
