"""Models of the workspace: found by name, loaded, and held to what they promise whenever they are called."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.commands.strategies import BUILT_IN, model_summaries
from engine.errors import GateError
from engine.files import write_bytes
from engine.model_kit import Day, Days, LightGBMModel, Model, RidgeModel, State
from engine.workspace_code import UserModule, refuse_shadow, unknown

FITS: dict[str, Callable[[], Model]] = {"ridge": RidgeModel, "lightgbm": LightGBMModel}
"""Built-in models of `engine.model_kit`, by their names in files and tables."""
_PAGE = "docs/models.md"


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A model of a user's module. Errors of its code name its file and line."""

    module: UserModule
    inner: Model

    def fit(self, days: Days) -> None:
        """UsageError where the user's code fails."""
        with self.module.calling("fit"):
            self.inner.fit(days)

    def score(self, day: Day) -> NDArray[np.float64]:
        """GateError unless there is a finite number for each stock and horizon."""
        with self.module.calling("score"):
            score_NH = np.asarray(self.inner.score(day), dtype=np.float64)
        wanted = (len(day.x_NF), len(day.horizons))
        if score_NH.shape != wanted:
            raise GateError(
                f"{self.module.path}: scores of {day.date} have shape {score_NH.shape}, not {wanted} "
                "(stocks, horizons)"
            )
        if not np.isfinite(score_NH).all():
            raise GateError(f"{self.module.path}: a score of {day.date} is not finite")
        return score_NH

    def state(self) -> State:
        """GateError unless it is plain arrays by name."""
        with self.module.calling("state"):
            found = {str(name): np.asarray(array) for name, array in self.inner.state().items()}
        if strange := [name for name, array in found.items() if array.dtype.hasobject]:
            raise GateError(f"{self.module.path}: state {strange[0]!r} is no array of numbers")
        return found

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """UsageError where the user's code fails."""
        with self.module.calling("restore"):
            self.inner.restore(state)


class _TellingModel(OwnModel):
    """One that tells what its columns add."""

    def contributions(self, day: Day, horizon: int) -> NDArray[np.float64]:
        """What the user's model tells. GateError where it has another shape or is not finite."""
        with self.module.calling("contributions"):
            told = cast(Any, self.inner).contributions(day, horizon)
            told_NF = np.asarray(told, dtype=np.float64)
        if told_NF.shape != day.x_NF.shape or not np.isfinite(told_NF).all():
            raise GateError(
                f"{self.module.path}: contributions have shape {told_NF.shape}, not {day.x_NF.shape}, or "
                "are not finite"
            )
        return told_NF


def own_model(name: str, workspace: Path | None) -> UserModule:
    """The module of a model of the workspace. UsageError where there is none that can be used."""
    if workspace:
        refuse_shadow(workspace, "models", name, BUILT_IN)
    module = UserModule.load(workspace, "models", name) if workspace else None
    if module is None:
        raise unknown("models", name, model_summaries(workspace) if workspace else BUILT_IN)
    maker_of(module)
    return module


def maker_of(module: UserModule) -> Callable[[], OwnModel]:
    """What makes a new model, not fitted, of a user's module. UsageError where it defines none."""
    made = module.member("MODEL", wanted="a class with fit, score, state and restore", page=_PAGE)
    with module.calling("MODEL()"):
        inner = made() if callable(made) else None
    if not isinstance(inner, Model):
        raise module.refused(
            "MODEL is no class, called without arguments, with fit, score, state and restore",
            page=_PAGE,
        )
    kind = _TellingModel if callable(getattr(inner, "contributions", None)) else OwnModel

    def make() -> OwnModel:
        with module.calling("MODEL()"):
            return kind(module, cast(Callable[[], Model], made)())

    return make


def makers(
    kinds: Collection[str], workspace: Path | None, keep: Path | None
) -> dict[str, Callable[[], Model]]:
    """Kind -> what makes a new model of it. A copy of each user's module is put beside its fits in ``keep``.

    GateError where a copy that is there has another content: the run has begun with it.
    """
    found: dict[str, Callable[[], Model]] = {}
    for kind in kinds:
        if kind in FITS:
            found[kind] = FITS[kind]
            continue
        module = own_model(kind, workspace)
        if keep is not None:
            _keep(module, keep / code_name(kind))
        found[kind] = maker_of(module)
    return found


def kept_maker(kind: str, code: Sequence[Path]) -> Callable[[], Model]:
    """What makes a new model of a kind, by the copy of its code that was kept with it (none: built-in)."""
    if not code:
        return FITS[kind]
    return maker_of(UserModule.run("models", kind, code[0]))


def code_name(model: str) -> str:
    """Name of the copy of a model's code beside its fits."""
    return f"{model}.py"


def _keep(module: UserModule, copy: Path) -> None:
    content = module.path.read_bytes()
    if not copy.exists():
        write_bytes(copy, content)
    elif copy.read_bytes() != content:
        raise GateError(
            f"{module.file} is not what it was when this run began",
            hint=f"start a new run, or bring back the file: {copy} is a copy",
        )
