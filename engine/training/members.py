"""What a model package is made of: members, each the networks or the fitted models of one kind, all seeds.

The name of a member says its kind and, with the ending ``-plain``, that it learned the label as it is and not
made neutral to `loss.neutral_to`.
"""

# Shape suffixes: M stocks, T sessions, F columns, H horizons, E edges, R explained stocks, X left-out edges,
# L rows of a network's batch, K neighbours of a row.
import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from engine.config import Config
from engine.dataset.batch import Batch, neighbour_table
from engine.dataset.heard import neighbour_means
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.model_kit import Day
from engine.records.names import PLAIN as PLAIN
from engine.records.train import NETWORK
from engine.signals.window import DayWindow
from engine.training.fitted import FittedModels

PERCEPTRON = "mlp"
"""The network with every block off, by its name in files and tables."""
_TINY = 1e-12
"""Added to a day's deviation, as in a walk-forward's mean over seeds."""


def kind_of(member: str) -> str:
    """Name of the member without the ending that tells its label."""
    return member.removesuffix(PLAIN)


def member_config(config: Config, member: str) -> Config:
    """The configuration that a member's networks are trained with; ``config``: the run's."""
    if member.endswith(PLAIN):
        config = config.model_copy(
            update={"loss": config.loss.model_copy(update={"neutral_to": ()})}
        )
    return _perceptron(config) if kind_of(member) == PERCEPTRON else config


def _perceptron(config: Config) -> Config:
    """The configuration of the network with every block off, taught as in its first phase.

    The last session is all that is read of a window, so the window is one session.
    """
    first = next((phase for phase in config.training.phases if phase.epochs), None)
    phases = (first or config.training.phases[0]).model_copy(update={"blocks": (), "frozen": ()})
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"blocks": ()}),
            "split": config.split.model_copy(update={"window": 1}),
            "training": config.training.model_copy(update={"phases": (phases,)}),
        }
    )


def hears_neighbours(config: Config) -> bool:
    """Whether the models without a graph see their neighbours' means: if configured, and there is a graph."""
    return config.training.rivals_hear_neighbours and config.uses_graph


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberScore:
    """What one member says of a session."""

    score_MH: NDArray[np.float64]
    """Mean over seeds of the scores, each standardised within the day; NaN at a horizon it does not know."""
    deviation: float
    """Mean over seeds of the raw scores' deviation, at the traded horizon."""
    alpha: tuple[float | None, ...] = ()
    """Share of the projected stream of each network; None without a bypass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTold:
    """Why a member gives the explained stocks their scores, in deviations of its scores of the day."""

    contribution_RF: NDArray[np.float64]
    """Of each of its columns to the score."""
    attention: NDArray[np.float64] | None = None
    """Weight of every place of the table of neighbours, mean over heads; None = it does not tell."""
    score_X: NDArray[np.float64]
    """Score of each left-out edge's target without it."""


class Member(Protocol):
    """The models of one kind."""

    @property
    def name(self) -> str:
        """What it is called in the configuration of the blend."""

    def score(self, window: DayWindow, horizon: int) -> MemberScore:
        """Scores of the window's stocks; ``horizon``: column of the traded score."""

    def explain(self, window: DayWindow, base: int, explained: int, horizon: int) -> MemberTold:
        """Why the scores are what they are.

        ``window``: ``base`` stocks, then each of the ``explained`` ones, then one row without each edge.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a member sees of a window: all of it, or the last session, with what neighbours show there."""

    last: bool = False
    heard: np.dtype[np.floating] | None = None
    """Storage type of the columns that hold the neighbours' means; None = there are none."""

    def of(self, window: DayWindow) -> DayWindow:
        """The window as the member sees it."""
        if not self.last:
            return window
        x_MF = window.x_MTF[:, -1]
        if self.heard is not None:
            means_MF = neighbour_means(x_MF, window.edge_index_2E).astype(self.heard)
            x_MF = np.concatenate([x_MF, means_MF.astype(np.float32)], axis=1)
        return replace(window, x_MTF=x_MF[:, None], mask_MT=window.mask_MT[:, -1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMember:
    """One network a seed, in eval mode."""

    name: str = NETWORK
    networks: tuple[ATFTGATFAN, ...]
    view: View = field(default_factory=View)

    def score(self, window: DayWindow, horizon: int) -> MemberScore:
        """Mean over networks of the scores, each standardised over the day's stocks."""
        scores, deviations, alphas = [], [], []
        with torch.inference_mode():
            batch = _batch_of(self.view.of(window))
            for network in self.networks:
                output = network(batch)
                score_MH = output.score_MH.numpy().astype(np.float64)
                deviations.append(float(score_MH[:, horizon].std()))
                scores.append(_standardised(score_MH))
                gate = output.gates.get("bypass")
                alphas.append(None if gate is None else float(gate))
        return MemberScore(
            score_MH=np.mean(scores, axis=0),
            deviation=float(np.mean(deviations)),
            alpha=tuple(alphas),
        )

    def explain(self, window: DayWindow, base: int, explained: int, horizon: int) -> MemberTold:
        """Gradient times input over the window, attention, and scores without an edge."""
        batch = _batch_of(self.view.of(window))
        told = [_explain(network, batch, base, explained, horizon) for network in self.networks]
        weights = [weight for _, weight, _ in told if weight is not None]
        return MemberTold(
            contribution_RF=np.mean([c for c, _, _ in told], axis=0),
            attention=np.mean(weights, axis=0) if weights else None,
            score_X=np.mean([score for _, _, score in told], axis=0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedMember:
    """Ridge, LightGBM or a model of one's own."""

    name: str
    models: FittedModels
    horizons: tuple[int, ...]
    """Sessions of each column of the scores."""
    columns: tuple[str, ...]
    """Names of what it sees."""
    view: View

    def score(self, window: DayWindow, horizon: int) -> MemberScore:
        """Mean over seeds of the scores, standardised over the day's stocks."""
        raw_MH = self.models.score(self._day(window))
        return MemberScore(
            score_MH=_standardised(raw_MH), deviation=float(raw_MH[:, horizon].std())
        )

    def explain(self, window: DayWindow, base: int, explained: int, horizon: int) -> MemberTold:
        """Weight times column, SHAP values or what a column's absence takes; scores without an edge move
        where neighbours are heard.
        """
        day, told = self._day(window), slice(base, base + explained)
        raw_L = self.models.score(day)[:, horizon]
        day_M = raw_L[:base]
        deviation = _deviation(day_M) + _TINY
        contribution_RF = self.models.contributions(day, self.horizons[horizon], told)
        return MemberTold(
            contribution_RF=contribution_RF / deviation,
            score_X=(raw_L[base + explained :] - day_M.mean()) / deviation,
        )

    def _day(self, window: DayWindow) -> Day:
        return Day(
            date=np.datetime64(window.date),
            x_NF=self.view.of(window).x_MTF[:, -1],
            columns=self.columns,
            horizons=self.horizons,
        )


def _batch_of(window: DayWindow) -> Batch:
    """A batch of one day whose future is unknown.

    Copied into torch's own memory, which starts at a multiple of 64 bytes: on numpy's the last bits of a
    product depend on where the array happens to lie.
    """
    M = len(window.symbols)
    unknown_M1 = torch.full((M, 1), torch.nan)
    arrays = {"symbol_M": window.axis_M, "x_MTF": window.x_MTF, "mask_MT": window.mask_MT}
    return Batch.of_rows(
        dates=(dt.date.fromisoformat(window.date),),
        sessions=(0,),
        day_ptr=(0, M),
        neighbours=neighbour_table(window.edge_index_2E, window.edge_attr_EK, M),
        y_MH=unknown_M1,
        target_MH=unknown_M1,
        **{name: torch.from_numpy(array).clone() for name, array in arrays.items()},
    )


def _standardised(score_MH: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores ``[M, H]`` with mean 0 and deviation 1 within the day, at each horizon."""
    deviation_H = score_MH.std(axis=0, ddof=1) if len(score_MH) > 1 else 1.0
    return np.asarray((score_MH - score_MH.mean(axis=0)) / (deviation_H + _TINY))


def _deviation(day_M: NDArray[np.float64]) -> float:
    return float(day_M.std(ddof=1)) if day_M.size > 1 else 1.0


_Told = tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.float64]]


def _explain(network: ATFTGATFAN, batch: Batch, base: int, explained: int, h: int) -> _Told:
    """Contributions ``[R, F]``, attention of every place of the table, scores ``[X]`` without an edge."""
    batch.x_MTF.requires_grad_()
    batch.x_MTF.grad = None
    output = network(batch)
    score_L = output.score_MH[:, h]
    day_M = score_L[:base].detach().double()
    mean, deviation = day_M.mean(), day_M.std() + _TINY
    own = slice(base, base + explained)
    contribution_RF = np.zeros((explained, batch.x_MTF.shape[2]))
    if explained:
        (score_L[own].sum() / deviation.float()).backward()
        assert batch.x_MTF.grad is not None
        product = (batch.x_MTF.grad[own] * batch.x_MTF.detach()[own]).double()
        contribution_RF = product.sum(dim=1).numpy()
    weight = None
    if output.attention is not None:
        weight = output.attention.weight_MKA.detach().double().mean(dim=2).flatten().numpy()
    without_X = (score_L[base + explained :].detach().double() - mean) / deviation
    return contribution_RF, weight, without_X.numpy()
