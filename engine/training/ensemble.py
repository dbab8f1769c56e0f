"""The members of a model package: their score of one session, and why it is what it is.

Always on the CPU, one thread, float32, one session at a time: the same window gives the same bits.
"""

# Shape suffixes: M stocks, T sessions, F columns, H horizons, E edges, R explained stocks, X left-out edges,
# L rows of a member's batch.
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import safetensors
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import neighbour_table
from engine.dataset.heard import with_heard_names
from engine.errors import GateError, IntegrityError
from engine.evaluation.blend import blend, centred_ranks, ranks_among
from engine.model.atft_gat_fan import ATFTGATFAN, NETWORK, build_model
from engine.records.train import NETWORK as NETWORK_NAME
from engine.runs.sink import NullSink
from engine.signals.compose import Ranked
from engine.signals.models import MemberFiles
from engine.signals.window import DayWindow, Explained
from engine.training.device import apply_mode, choose_device
from engine.training.fitted import FittedModels
from engine.training.members import (
    PERCEPTRON,
    FittedMember,
    Member,
    MemberScore,
    MemberTold,
    NetworkMember,
    View,
    hears_neighbours,
    kind_of,
    member_config,
)
from engine.training.own_models import FITS, kept_maker
from engine.training.snapshots import MODEL


@dataclass(frozen=True, slots=True)
class Ensemble:
    """One member, whose score counts as it is, or several, whose ranks are averaged."""

    members: tuple[Member, ...]

    @classmethod
    def load(cls, members: Sequence[MemberFiles], config: Config, features: Sequence[str]) -> Self:
        """Files of a package whose hashes were checked; others than the configuration's do not fit.

        ``features``: names of a stock's own columns.
        """
        apply_mode("safe", choose_device("cpu", NullSink()), config.training.seed)
        return cls(tuple(_load(member, config, tuple(features)) for member in members))

    @property
    def is_thread_safe(self) -> bool:
        """A model of one's own promises nothing of threads; all others have the same bits in any."""
        known = {NETWORK_NAME, PERCEPTRON, *FITS}
        return all(kind_of(member.name) in known for member in self.members)

    def rank(self, window: DayWindow, horizon: int) -> Ranked:
        """The score of each stock: of the only member, or the blend of all."""
        return _ranked(self._scores(window, horizon))

    def explain(self, window: DayWindow, horizon: int, rows_R: NDArray[np.int64]) -> Explained:
        """Contributions, attention, and the score without each neighbour of the stocks ``rows_R``.

        A stock without one neighbour is a row more in the batch: a copy of the stock with its other edges.
        Nobody listens to a copy, so all of them are exact at once and the rest of the day is untouched.
        """
        _one_thread()
        _, target_E = window.edge_index_2E
        edge_X = np.flatnonzero(np.isin(target_E, rows_R))
        wide = _with_copies(window, rows_R, edge_X)
        base = len(window.symbols)
        told = [member.explain(wide, base, rows_R.size, horizon) for member in self.members]
        place_E = neighbour_table(wide.edge_index_2E, wide.edge_attr_EK, len(wide.symbols)).place_E
        weights = [
            one.attention[place_E[: target_E.size]] for one in told if one.attention is not None
        ]
        found = Explained(
            contribution_RF=_mean_contribution(told),
            attention_E=np.mean(weights, axis=0) if weights else np.full(target_E.size, np.nan),
            edge_X=edge_X,
            score_X=told[0].score_X,
        )
        if len(self.members) == 1:
            return found
        scored = [one.score_MH[:, horizon] for one in self._scores(window, horizon)]
        return replace(
            found,
            score_X=_blended_without(told, scored, target_E[edge_X]),
            member_R={
                member.name: centred_ranks(score_M.astype(np.float32))[rows_R]
                for member, score_M in zip(self.members, scored, strict=True)
            },
        )

    def _scores(self, window: DayWindow, horizon: int) -> list[MemberScore]:
        _one_thread()
        return [member.score(window, horizon) for member in self.members]


def _ranked(scores: Sequence[MemberScore]) -> Ranked:
    """The blend of the members; one alone keeps its scores.

    The deviation is the geometric mean of theirs, so that a member that collapses takes it along.
    """
    K = len(scores)
    whole = [one.score_MH for one in scores]
    return Ranked(
        score_MH=whole[0].astype(np.float32) if K == 1 else blend(whole),
        deviation=math.prod(one.deviation for one in scores) ** (1.0 / K),
        alpha=tuple(alpha for one in scores for alpha in one.alpha),
    )


def _mean_contribution(told: Sequence[MemberTold]) -> NDArray[np.float64]:
    """Mean over members; one that does not see a column has nothing from it."""
    widest = max(one.contribution_RF.shape[1] for one in told)
    total_RF = np.zeros((told[0].contribution_RF.shape[0], widest))
    for one in told:
        total_RF[:, : one.contribution_RF.shape[1]] += one.contribution_RF
    return total_RF / len(told)


def _blended_without(
    told: Sequence[MemberTold],
    scored: Sequence[NDArray[np.float64]],
    target_X: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Blended score of each left-out edge's target without it, ``[X]``."""
    ranks = []
    for one, score_M in zip(told, scored, strict=True):
        day_M = score_M.astype(np.float32)
        value_X = one.score_X.astype(np.float32)
        rank_X = np.empty(value_X.size)
        for x, target in enumerate(target_X.tolist()):
            rank_X[x] = ranks_among(value_X[x : x + 1], np.delete(day_M, target))[0]
        ranks.append(rank_X)
    return np.asarray(np.nanmean(ranks, axis=0))


def _load(files: MemberFiles, config: Config, features: tuple[str, ...]) -> Member:
    """The models of one member, as they see a window."""
    kind, own = kind_of(files.name), member_config(config, files.name)
    if kind == NETWORK_NAME:
        return NetworkMember(name=files.name, networks=_networks(files, own, len(features)))
    heard = np.dtype(config.features.dtype) if hears_neighbours(config) else None
    view = View(last=True, heard=heard)
    columns = features if heard is None else with_heard_names(features)
    if kind == PERCEPTRON:
        networks = _networks(files, own, len(columns))
        return NetworkMember(name=files.name, networks=networks, view=view)
    return FittedMember(
        name=files.name,
        models=FittedModels.read(files.paths[0], kept_maker(kind, files.paths[1:])),
        horizons=config.labels.horizons,
        columns=columns,
        view=view,
    )


def _networks(files: MemberFiles, config: Config, n_features: int) -> tuple[ATFTGATFAN, ...]:
    networks = []
    for path, on in zip(files.paths, files.blocks, strict=True):
        network = build_model(config, n_features)
        try:
            tensors = {k.removeprefix(MODEL): v for k, v in load_file(path).items()}
            _require_network(tensors, path)
            network.load_state_dict(tensors)
        except (safetensors.SafetensorError, OSError, RuntimeError) as error:
            raise IntegrityError(f"{path}: does not hold this network ({error})") from error
        network.set_blocks(on)
        networks.append(network.eval())
    return tuple(networks)


def _require_network(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Weights of another network have other names or, worse, the same ones."""
    theirs = int(tensors.get("network", torch.tensor(1)))
    if theirs != NETWORK:
        raise GateError(
            f"{path}: weights of network {theirs}, this version runs network {NETWORK}",
            hint="train and promote again; what network 1 signed is replayed by the version that made it",
        )


def _one_thread() -> None:
    """Again before each pass: numba's first parallel kernel sets OpenMP's threads, torch's with them.

    With two threads a gradient had other last bits, in a process that had run no such kernel before.
    """
    torch.set_num_threads(1)


def _with_copies(
    window: DayWindow, rows_R: NDArray[np.int64], edge_X: NDArray[np.int64]
) -> DayWindow:
    """The day, then each explained stock once with all its edges, then once without each of them."""
    source_E, target_E = window.edge_index_2E
    copied_L = np.concatenate([rows_R, target_E[edge_X]])
    M = len(window.symbols)
    sources, targets, kept = [source_E], [target_E], [np.arange(target_E.size)]
    into = {row: np.flatnonzero(target_E == row) for row in np.unique(rows_R).tolist()}
    for place, row in enumerate(copied_L.tolist()):
        edges = into[row]
        if place >= rows_R.size:
            edges = edges[edges != edge_X[place - rows_R.size]]
        sources.append(source_E[edges])
        targets.append(np.full(edges.size, M + place))
        kept.append(edges)
    rows_L = np.concatenate([np.arange(M), copied_L])
    edge_L = np.concatenate(kept)
    return DayWindow(
        date=window.date,
        symbols=tuple(window.symbols[m] for m in rows_L),
        axis_M=window.axis_M[rows_L],
        x_MTF=window.x_MTF[rows_L],
        mask_MT=window.mask_MT[rows_L],
        edge_index_2E=np.stack([np.concatenate(sources), np.concatenate(targets)]),
        edge_attr_EK=window.edge_attr_EK[edge_L],
    )
