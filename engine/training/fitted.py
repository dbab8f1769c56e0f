"""Models that a library fits in one call, kept as files: a line (ridge) and boosted trees (LightGBM).

They see the columns of one session and give the score of one horizon.
"""

# Shape suffixes: M stocks, F columns, H horizons.
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from engine import hashes
from engine.errors import IntegrityError
from engine.files import write_bytes

if TYPE_CHECKING:
    import lightgbm

Matrix = NDArray[np.float32]


class FittedModel(Protocol):
    """One model of one horizon and seed."""

    def score(self, x_MF: Matrix) -> NDArray[np.float64]:
        """Scores ``[M]`` of the columns ``[M, F]``."""

    def contributions(self, x_MF: Matrix) -> NDArray[np.float64]:
        """What each column adds to the score, ``[M, F]``; with a constant they sum to it."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What it is, for its file."""


@dataclass(frozen=True, slots=True)
class Line:
    """A weight a column and a constant."""

    weight_F: NDArray[np.float64]
    constant: float

    def score(self, x_MF: Matrix) -> NDArray[np.float64]:
        """The weighted sum of the columns, ``[M]``."""
        return np.asarray(x_MF.astype(np.float64) @ self.weight_F + self.constant)

    def contributions(self, x_MF: Matrix) -> NDArray[np.float64]:
        """Weight times column, ``[M, F]``."""
        return np.asarray(x_MF.astype(np.float64) * self.weight_F)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights ``[F]`` and the constant."""
        return {"weight": self.weight_F, "constant": np.array(self.constant)}


@dataclass(frozen=True, slots=True)
class Trees:
    """Gradient-boosted trees of LightGBM."""

    booster: "lightgbm.Booster"

    def score(self, x_MF: Matrix) -> NDArray[np.float64]:
        """The sum of the leaves, ``[M]``."""
        return np.asarray(self.booster.predict(x_MF), dtype=np.float64)

    def contributions(self, x_MF: Matrix) -> NDArray[np.float64]:
        """SHAP values of the trees (Lundberg et al. 2020), ``[M, F]``."""
        with_base = self.booster.predict(x_MF, pred_contrib=True)
        return np.asarray(with_base, dtype=np.float64)[:, :-1]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """LightGBM's own text, every number in full."""
        text = self.booster.model_to_string().encode()
        return {"trees": np.frombuffer(text, dtype=np.uint8)}


@dataclass(frozen=True, slots=True)
class FittedModels:
    """All models of one kind: by horizon in sessions, one a seed. The score is their mean."""

    by_horizon: Mapping[int, Sequence[FittedModel]]

    def score(self, x_MF: Matrix, horizons: Sequence[int]) -> NDArray[np.float64]:
        """Mean over seeds at each horizon, ``[M, H]``; NaN at a horizon without a model."""
        score_MH = np.full((len(x_MF), len(horizons)), np.nan)
        for h, horizon in enumerate(horizons):
            if horizon in self.by_horizon:
                score_MH[:, h] = np.mean([m.score(x_MF) for m in self.by_horizon[horizon]], axis=0)
        return score_MH

    def contributions(self, x_MF: Matrix, horizon: int) -> NDArray[np.float64]:
        """What each column adds to the score of a horizon, ``[M, F]``; 0 without a model of it."""
        models = self.by_horizon.get(horizon, ())
        total_MF = np.zeros(x_MF.shape)
        for model in models:
            total_MF += model.contributions(x_MF) / len(models)
        return total_MF

    def write(self, path: Path) -> None:
        """One file with all of them, complete or absent; nothing in it is executed when it is read."""
        named = {
            f"{horizon}.{n}.{name}": array
            for horizon, models in self.by_horizon.items()
            for n, model in enumerate(models)
            for name, array in model.arrays().items()
        }
        content = io.BytesIO()
        np.savez_compressed(content, **named)  # type: ignore[arg-type]  # names are no option of it
        write_bytes(path, content.getvalue())

    @classmethod
    def read(cls, path: Path) -> Self:
        """IntegrityError where the file does not hold such models."""
        try:
            with np.load(io.BytesIO(hashes.read(path)), allow_pickle=False) as data:
                parts: dict[tuple[int, int], dict[str, NDArray[Any]]] = {}
                for name in data.files:
                    horizon, n, part = name.split(".")
                    parts.setdefault((int(horizon), int(n)), {})[part] = data[name]
            found: dict[int, list[FittedModel]] = {}
            for (horizon, _), arrays in sorted(parts.items()):
                found.setdefault(horizon, []).append(_model(arrays))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise IntegrityError(f"{path}: holds no fitted models ({error})") from error
        return cls(found)


def _model(arrays: Mapping[str, NDArray[Any]]) -> FittedModel:
    if "trees" not in arrays:
        return Line(arrays["weight"], float(arrays["constant"]))
    import lightgbm

    try:
        return Trees(lightgbm.Booster(model_str=arrays["trees"].tobytes().decode()))
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(str(error)) from error
