"""Fitted models: what they add up to, and that a file gives back the model, bit for bit."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import IntegrityError
from engine.training.baselines import FITS
from engine.training.fitted import FittedModels, Line

RNG = np.random.default_rng(7)
X_MF = RNG.standard_normal((600, 3)).astype(np.float32)
Y_M = (2 * X_MF[:, 0] - X_MF[:, 1] + 0.1 * RNG.standard_normal(600)).astype(np.float32)


def idle() -> None:
    """Nobody asks between the rounds."""


@pytest.fixture(scope="module")
def models() -> dict[str, FittedModels]:
    return {
        kind: FittedModels(
            {
                5: [fit(X_MF, Y_M, None, 1, idle), fit(X_MF, -Y_M, None, 2, idle)],
                20: [fit(X_MF, Y_M, None, 3, idle)],
            }
        )
        for kind, fit in FITS.items()
    }


@pytest.mark.parametrize("kind", FITS)
def test_a_file_gives_back_the_same_scores(
    kind: str, models: dict[str, FittedModels], tmp_path: Path
) -> None:
    path = tmp_path / "fits.npz"
    models[kind].write(path)
    again = FittedModels.read(path)
    np.testing.assert_array_equal(again.score(X_MF, (5, 20)), models[kind].score(X_MF, (5, 20)))
    models[kind].write(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes(), "its hash is its content"


@pytest.mark.parametrize("kind", FITS)
def test_contributions_and_a_constant_are_the_score(
    kind: str, models: dict[str, FittedModels]
) -> None:
    score_M = models[kind].score(X_MF[:50], (20,))[:, 0]
    rest_M = score_M - models[kind].contributions(X_MF[:50], 20).sum(axis=1)
    np.testing.assert_allclose(rest_M, rest_M[0], atol=1e-9)
    told_MF = models[kind].contributions(X_MF, 20)
    assert abs(told_MF[:, 0]).mean() > abs(told_MF[:, 1]).mean() > 5 * abs(told_MF[:, 2]).mean()


def test_a_line_by_hand() -> None:
    line = Line(np.array([2.0, -1.0]), 0.5)
    x_MF = np.array([[1.0, 1.0], [3.0, 0.0]], np.float32)
    assert line.score(x_MF).tolist() == [1.5, 6.5]
    assert line.contributions(x_MF).tolist() == [[2.0, -1.0], [6.0, 0.0]]


def test_the_score_is_the_mean_over_seeds_and_unknown_without_a_model() -> None:
    both = FittedModels({5: [Line(np.array([1.0]), 0.0), Line(np.array([3.0]), 1.0)]})
    found = both.score(np.array([[2.0]], np.float32), (1, 5))
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 4.5
    assert both.contributions(np.array([[2.0]], np.float32), 5).tolist() == [[4.0]]
    assert both.contributions(np.array([[2.0]], np.float32), 1).tolist() == [[0.0]]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_file_that_holds_no_models_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ridge.npz"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"ridge\.npz: holds no fitted models"):
        FittedModels.read(path)
