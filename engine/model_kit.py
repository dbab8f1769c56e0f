"""What a model of one's own is, and bases that make one of scikit-learn or LightGBM in ten lines.

The simple models of the product, ridge and LightGBM, are models of this kind; docs/models.md tells more.
"""

# Shape suffixes: M rows (a stock on a day), N stocks of one day, F columns, H horizons.
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    import lightgbm

Matrix = NDArray[np.float32]
State = dict[str, NDArray[Any]]
"""What a fitted model is, as plain arrays by name: all that is kept of it."""


def idle() -> None:
    """Nobody asks in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What is known of the stocks of one session at its close. It holds no label."""

    date: np.datetime64
    x_NF: Matrix
    """One row a stock of the universe. Scaled within the day; 0 = missing."""
    columns: tuple[str, ...]
    """Names of the F columns; neighbours' means, where they are heard, come after a stock's own."""
    horizons: tuple[int, ...]
    """Sessions that each of the H columns of the scores looks ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """What may be learned: the stocks of many sessions one below the other, oldest session first."""

    dates_M: NDArray[np.datetime64]
    """Session of each row."""
    x_MF: Matrix
    """As in `Day`."""
    target_MH: Matrix
    """What the network learns: normal scores of the day's returns, neutral to `loss.neutral_to`. NaN =
    unknown."""
    return_MH: Matrix
    """Forward returns, from the entry at t+1 to the close of t+1+h, as a fraction. NaN = unknown."""
    weight_M: Matrix | None
    """Weight of each row's day, mean 1 (`training.recency_half_life`); None = all alike."""
    columns: tuple[str, ...]
    horizons: tuple[int, ...]
    seed: int
    """Of everything that is drawn. Of several seeds the mean score counts."""
    alive: Callable[[], None] = field(default=idle, compare=False)
    """To be called now and then within a long fit: it ends the fit where a person asked to stop."""

    def known(self, horizon: int) -> tuple[Matrix, Matrix, Matrix | None]:
        """Columns ``[K, F]``, targets ``[K]`` and weights ``[K]`` (None: equal) of the rows whose target of
        this horizon is known.
        """
        y_M = self.target_MH[:, self.horizons.index(horizon)]
        known_M = np.isfinite(y_M)
        return self.x_MF[known_M], y_M[known_M], _part(self.weight_M, known_M)


@runtime_checkable
class Model(Protocol):
    """A model of all horizons, for one seed. A class of it is called without arguments.

    It may also have ``contributions(day, horizon)``: what each column adds to the scores of a horizon,
    ``[N, F]``. Without it the why panel shows by how much a score falls when a column is left out.
    """

    def fit(self, days: Days) -> None:
        """Learn. Nothing is kept of an earlier fit."""

    def score(self, day: Day) -> NDArray[np.float64]:
        """Scores ``[N, H]``: higher = expected to return more; they are compared within the day only."""

    def state(self) -> State:
        """What was learned, as plain arrays; no pickle is ever written or read."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Become the model that `state` was asked of, to the last bit of its scores."""


class Fitted(Protocol):
    """What was fitted to one horizon."""

    def score(self, x_MF: Matrix) -> NDArray[np.float64]:
        """Scores ``[M]`` of the columns ``[M, F]``."""

    def arrays(self) -> State:
        """What it is."""


class PerHorizon:
    """A model that fits each horizon by itself. A subclass says how to fit one, and how to read it again."""

    fitted: dict[int, Any]

    def fit_one(self, x_MF: Matrix, y_M: Matrix, weight_M: Matrix | None, days: Days) -> Fitted:
        """Fit targets ``[M]`` with weights ``[M]`` (None: equal)."""
        raise NotImplementedError

    def read_one(self, arrays: Mapping[str, NDArray[Any]]) -> Fitted:
        """What `Fitted.arrays` was asked of. ValueError or KeyError for other arrays."""
        raise NotImplementedError

    def fit(self, days: Days) -> None:
        """One fit a horizon, on the rows whose target is known."""
        self.fitted = {}
        for horizon in days.horizons:
            self.fitted[horizon] = self.fit_one(*days.known(horizon), days)

    def score(self, day: Day) -> NDArray[np.float64]:
        """``[N, H]``; NaN at a horizon that was not learned."""
        score_NH = np.full((len(day.x_NF), len(day.horizons)), np.nan)
        for h, horizon in enumerate(day.horizons):
            if horizon in self.fitted:
                score_NH[:, h] = self.fitted[horizon].score(day.x_NF)
        return score_NH

    def state(self) -> State:
        """``HORIZON.NAME`` -> array."""
        return {
            f"{horizon}.{name}": array
            for horizon, fitted in self.fitted.items()
            for name, array in fitted.arrays().items()
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Read every horizon again."""
        parts: dict[int, State] = {}
        for name, array in state.items():
            horizon, _, part = name.partition(".")
            parts.setdefault(int(horizon), {})[part] = array
        self.fitted = {horizon: self.read_one(arrays) for horizon, arrays in parts.items()}


class _Explained(PerHorizon):
    """One whose fits say what each column adds."""

    def contributions(self, day: Day, horizon: int) -> NDArray[np.float64]:
        """``[N, F]``; 0 at a horizon that was not learned."""
        if horizon not in self.fitted:
            return np.zeros(day.x_NF.shape)
        return np.asarray(self.fitted[horizon].contributions(day.x_NF))


@dataclass(frozen=True, slots=True)
class _Line:
    """A weight a column and a constant."""

    weight_F: NDArray[np.float64]
    constant: float

    def score(self, x_MF: Matrix) -> NDArray[np.float64]:
        return np.asarray(x_MF.astype(np.float64) @ self.weight_F + self.constant)

    def contributions(self, x_MF: Matrix) -> NDArray[np.float64]:
        """Weight times column, ``[M, F]``."""
        return np.asarray(x_MF.astype(np.float64) * self.weight_F)

    def arrays(self) -> State:
        return {"weight": self.weight_F, "constant": np.array(self.constant)}


class RidgeModel(_Explained):
    """A line, solved at once; nothing of it is drawn."""

    penalty: ClassVar[float] = 1e-3
    """Times the number of rows."""

    def fit_one(self, x_MF: Matrix, y_M: Matrix, weight_M: Matrix | None, days: Days) -> Fitted:
        """Weights ``[F]`` and a constant."""
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=self.penalty * y_M.size).fit(x_MF, y_M, sample_weight=weight_M)
        return _Line(np.asarray(model.coef_, dtype=np.float64), float(model.intercept_))

    def read_one(self, arrays: Mapping[str, NDArray[Any]]) -> Fitted:
        """Weights and constant as they are."""
        return _Line(arrays["weight"], float(arrays["constant"]))


@dataclass(frozen=True, slots=True)
class _Trees:
    """Gradient-boosted trees of LightGBM."""

    booster: "lightgbm.Booster"

    def score(self, x_MF: Matrix) -> NDArray[np.float64]:
        """The sum of the leaves, ``[M]``."""
        return np.asarray(self.booster.predict(x_MF), dtype=np.float64)

    def contributions(self, x_MF: Matrix) -> NDArray[np.float64]:
        """SHAP values of the trees (Lundberg et al. 2020), ``[M, F]``."""
        with_base = self.booster.predict(x_MF, pred_contrib=True)
        return np.asarray(with_base, dtype=np.float64)[:, :-1]

    def arrays(self) -> State:
        """LightGBM's own text, every number in full."""
        text = self.booster.model_to_string().encode()
        return {"trees": np.frombuffer(text, dtype=np.uint8)}


class LightGBMModel(_Explained):
    """Gradient-boosted trees (Ke et al., NeurIPS 2017), set for weak signals: slow and heavily bagged."""

    rounds: ClassVar[int] = 300
    parameters: ClassVar[Mapping[str, object]] = {}
    """LightGBM's parameters, where they shall not be those of the product."""

    def fit_one(self, x_MF: Matrix, y_M: Matrix, weight_M: Matrix | None, days: Days) -> Fitted:
        """The trees after all rounds."""
        import lightgbm

        parameters = {
            "objective": "regression",
            "learning_rate": 0.03,
            "num_leaves": 31,
            "min_data_in_leaf": max(50, y_M.size // 1000),
            "feature_fraction": 0.5,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "seed": days.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 2,
            "verbosity": -1,
            **self.parameters,
        }
        rows = lightgbm.Dataset(x_MF, y_M, weight=weight_M)
        callbacks = [lambda _round: days.alive()]
        return _Trees(lightgbm.train(parameters, rows, self.rounds, callbacks=callbacks))

    def read_one(self, arrays: Mapping[str, NDArray[Any]]) -> Fitted:
        """The trees of LightGBM's text."""
        import lightgbm

        try:
            return _Trees(lightgbm.Booster(model_str=arrays["trees"].tobytes().decode()))
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Estimator:
    """A fitted estimator of scikit-learn, kept in the format of skops, which runs nothing when it is read."""

    estimator: Any

    def score(self, x_MF: Matrix) -> NDArray[np.float64]:
        return np.asarray(self.estimator.predict(x_MF), dtype=np.float64)

    def arrays(self) -> State:
        return {"skops": np.frombuffer(_skops().dumps(self.estimator), dtype=np.uint8)}


class SklearnModel(PerHorizon):
    """A regressor or a pipeline of scikit-learn; a subclass says which. Kept by ``skops``, so its parts are
    those of scikit-learn, SciPy and NumPy.
    """

    def build(self, seed: int) -> Any:
        """A new estimator, not fitted; ``seed`` for its ``random_state`` if it has one."""
        raise NotImplementedError

    def fit_one(self, x_MF: Matrix, y_M: Matrix, weight_M: Matrix | None, days: Days) -> Fitted:
        """The estimator of `build`, fitted. UsageError where days have weights and it takes none."""
        from sklearn.utils.validation import has_fit_parameter

        estimator, weighted = self.build(days.seed), {}
        if weight_M is not None:
            if not has_fit_parameter(estimator, "sample_weight"):
                raise UsageError(
                    f"{type(estimator).__name__} takes no weights of days",
                    hint="leave training.recency_half_life at 0, or take another estimator",
                )
            weighted = {"sample_weight": weight_M}
        return _Estimator(estimator.fit(x_MF, y_M, **weighted))

    def read_one(self, arrays: Mapping[str, NDArray[Any]]) -> Fitted:
        """The estimator. UsageError where a part is neither scikit-learn's nor trusted by skops."""
        skops, content = _skops(), arrays["skops"].tobytes()
        doubted = skops.get_untrusted_types(data=content)
        if strange := [name for name in doubted if not name.startswith("sklearn.")]:
            raise UsageError(
                f"an estimator with parts of other makes cannot be kept: {', '.join(strange)}",
                hint="use parts of scikit-learn, or write state() and restore() with plain arrays",
            )
        return _Estimator(skops.loads(content, trusted=doubted))


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise EnvironmentProblem(
            "models of scikit-learn are kept by skops, which is not installed",
            hint="pip install 'atft-tui[sklearn]'",
        ) from error
    return skops.io


def _part(weight_M: Matrix | None, known_M: NDArray[np.bool_]) -> Matrix | None:
    return None if weight_M is None else weight_M[known_M]
