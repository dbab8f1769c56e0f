"""The networks of a model package: their mean score of one session, and why it is what it is.

Always on the CPU, one thread, float32, one session at a time: the same window gives the same bits.
"""

# Shape suffixes: M stocks, T sessions, F features, H horizons, E edges, R explained stocks, X left-out edges,
# L rows of a network's batch, K neighbours of a row, A heads.
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import safetensors
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import Batch
from engine.dataset.neighbours import neighbour_table
from engine.errors import GateError, IntegrityError
from engine.model.atft_gat_fan import ATFTGATFAN, NETWORK
from engine.model.build import build_model
from engine.runs.sink import NullSink
from engine.signals.compose import Ranked
from engine.signals.window import DayWindow, Explained
from engine.training.device import apply_mode, choose_device
from engine.training.snapshots import MODEL

_TINY = 1e-12
"""Added to a day's deviation, as in a walk-forward's mean over seeds."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """One network a seed, in eval mode."""

    networks: tuple[ATFTGATFAN, ...]

    @classmethod
    def load(
        cls,
        weights: Sequence[Path],
        blocks: Sequence[Sequence[str]],
        config: Config,
        n_features: int,
    ) -> Self:
        """Weights of a package whose hashes were checked; others than the configuration's do not fit."""
        apply_mode("safe", choose_device("cpu", NullSink()), config.training.seed)
        networks = []
        for path, on in zip(weights, blocks, strict=True):
            network = build_model(config, n_features)
            try:
                tensors = {k.removeprefix(MODEL): v for k, v in load_file(path).items()}
                _require_network(tensors, path)
                network.load_state_dict(tensors)
            except (safetensors.SafetensorError, OSError, RuntimeError) as error:
                raise IntegrityError(f"{path}: does not hold this network ({error})") from error
            network.set_blocks(on)
            networks.append(network.eval())
        return cls(tuple(networks))

    def rank(self, window: DayWindow, horizon: int) -> Ranked:
        """Mean over networks of the scores, each standardised over the day's stocks."""
        scores, deviations, alphas = [], [], []
        _one_thread()
        with torch.inference_mode():
            batch = batch_of(window)
            for network in self.networks:
                output = network(batch)
                score_MH = output.score_MH.numpy().astype(np.float64)
                deviations.append(float(score_MH[:, horizon].std()))
                scores.append(standardised(score_MH))
                gate = output.gates.get("bypass")
                alphas.append(None if gate is None else float(gate))
        mean_MH: NDArray[np.float64] = np.mean(scores, axis=0)
        return Ranked(
            score_MH=mean_MH.astype(np.float32),
            deviation=float(np.mean(deviations)),
            alpha=tuple(alphas),
        )

    def explain(self, window: DayWindow, horizon: int, rows_R: NDArray[np.int64]) -> Explained:
        """Gradients, attention, and the score without each neighbour of the stocks ``rows_R``.

        A stock without one neighbour is a row more in the batch: a copy of the stock with its other edges.
        Nobody listens to a copy, so all of them are exact at once and the rest of the day is untouched.
        """
        _one_thread()
        _, target_E = window.edge_index_2E
        edge_X = np.flatnonzero(np.isin(target_E, rows_R))
        wide = _with_copies(window, rows_R, edge_X)
        base, edges = len(window.symbols), target_E.size
        batch = batch_of(wide)
        told = [_explain(network, batch, base, rows_R.size, horizon) for network in self.networks]
        place_E = neighbour_table(wide.edge_index_2E, wide.edge_attr_EK, len(wide.symbols)).place_E
        with np.errstate(invalid="ignore"):
            attention_E = np.mean([weight for _, weight, _ in told], axis=0)[place_E[:edges]]
        return Explained(
            contribution_RF=np.mean([c for c, _, _ in told], axis=0),
            attention_E=attention_E,
            edge_X=edge_X,
            score_X=np.mean([score for _, _, score in told], axis=0),
        )


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


def standardised(score_MH: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores ``[M, H]`` with mean 0 and deviation 1 within the day, at each horizon."""
    deviation_H = score_MH.std(axis=0, ddof=1) if len(score_MH) > 1 else 1.0
    return np.asarray((score_MH - score_MH.mean(axis=0)) / (deviation_H + _TINY))


def batch_of(window: DayWindow) -> Batch:
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


_Told = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


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
    weight = np.full(batch.heard_MK.numel(), np.nan)
    if output.attention is not None:
        weight = output.attention.weight_MKA.detach().double().mean(dim=2).flatten().numpy()
    without_X = (score_L[base + explained :].detach().double() - mean) / deviation
    return contribution_RF, weight, without_X.numpy()
