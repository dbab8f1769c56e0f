"""The models of one kind and all seeds, kept as a file of plain arrays: ridge, LightGBM, and one's own.

They see the columns of one session.
"""

# Shape suffixes: N stocks, F columns, H horizons.
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self, cast
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from engine import hashes
from engine.errors import IntegrityError
from engine.files import write_bytes
from engine.model_kit import Day, Model, PerHorizon

_HORIZONS, _ALL = "horizons", "all"


class _Explaining(Protocol):
    def contributions(self, day: Day, horizon: int) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True)
class FittedModels:
    """All models of one kind, one a seed. The score is their mean."""

    models: Sequence[Model]
    horizons: tuple[int, ...]
    """Sessions that each of their scores looks ahead."""

    def score(self, day: Day) -> NDArray[np.float64]:
        """Mean over seeds at each of the day's horizons, ``[N, H]``; NaN at one that they do not know."""
        known = replace(day, horizons=self.horizons)
        mean = np.mean([model.score(known) for model in self.models], axis=0)
        score_NH = np.full((len(day.x_NF), len(day.horizons)), np.nan)
        for h, horizon in enumerate(day.horizons):
            if horizon in self.horizons:
                score_NH[:, h] = mean[:, self.horizons.index(horizon)]
        return score_NH

    def contributions(self, day: Day, horizon: int, rows: slice) -> NDArray[np.float64]:
        """What each column adds to the score of a horizon, for some stocks of the day, ``[R, F]``.

        Of a model that does not tell: by how much the score falls when the column is missing for them (0).
        """
        if horizon not in self.horizons:
            return np.zeros(day.x_NF[rows].shape)
        known = replace(day, horizons=self.horizons)
        told = [_contributions(model, known, horizon, rows) for model in self.models]
        return np.asarray(np.mean(told, axis=0))

    def write(self, path: Path) -> None:
        """One file with all of them, complete or absent; nothing in it is executed when it is read."""
        named: dict[str, NDArray[Any]] = {_HORIZONS: np.array(self.horizons)}
        for n, model in enumerate(self.models):
            for key, array in model.state().items():
                horizon, dot, part = key.partition(".")
                group = horizon if dot and horizon.isdigit() else _ALL
                named[f"{group}.{n}.{key if group == _ALL else part}"] = array
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **named)
        write_bytes(path, content.getvalue())

    @classmethod
    def read(cls, path: Path, make: Callable[[], Model]) -> Self:
        """``make``: a model of this kind. IntegrityError where the file does not hold such models."""
        try:
            horizons, states = _read(path)
            models = []
            for n in sorted(states):
                model = make()
                model.restore(states[n])
                models.append(model)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise IntegrityError(f"{path}: holds no fitted models ({error})") from error
        return cls(models, horizons)


def _read(path: Path) -> tuple[tuple[int, ...], Mapping[int, dict[str, NDArray[Any]]]]:
    """Horizons, and the state of each seed. A file of before names its horizons in those of the arrays."""
    states: dict[int, dict[str, NDArray[Any]]] = {}
    named: set[int] = set()
    with np.load(io.BytesIO(hashes.read(path)), allow_pickle=False) as data:
        for name in data.files:
            if name == _HORIZONS:
                continue
            group, n, part = name.split(".", 2)
            if group != _ALL:
                named.add(int(group))
            states.setdefault(int(n), {})[part if group == _ALL else f"{group}.{part}"] = data[name]
        kept = data[_HORIZONS].tolist() if _HORIZONS in data.files else sorted(named)
    return tuple(kept), states


def _contributions(model: Model, day: Day, horizon: int, rows: slice) -> NDArray[np.float64]:
    inner = getattr(model, "inner", model)
    if isinstance(inner, PerHorizon) and type(inner).score is PerHorizon.score:  # row by row
        day, rows = replace(day, x_NF=day.x_NF[rows]), slice(None)
    if hasattr(model, "contributions"):
        told = cast(_Explaining, model).contributions(day, horizon)
        return np.asarray(told, dtype=np.float64)[rows]
    h = day.horizons.index(horizon)
    whole = model.score(day)[rows, h]
    found = np.zeros((len(whole), day.x_NF.shape[1]))
    for f in range(day.x_NF.shape[1]):
        without = day.x_NF.copy()
        without[rows, f] = 0.0
        found[:, f] = whole - model.score(replace(day, x_NF=without))[rows, h]
    return found
