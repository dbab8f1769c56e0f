"""How much memory a training needs, and how many processes beside each other a machine has room for."""

import os
from dataclasses import dataclass
from typing import Self

import psutil
import torch
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import SOFT_RANK_NAMES, Batch
from engine.disk import size
from engine.features.feature_set import FeatureSet
from engine.graph.graph import Graph
from engine.model.atft_gat_fan import build_model, parameter_table
from engine.runs.events import Noted, Warned
from engine.runs.sink import EventSink, NullSink
from engine.stages.cluster import cluster_cores
from engine.stages.context import StageContext
from engine.training.device import choose_device, physical_cores
from engine.training.passes import forward_and_loss

GIB = 2**30
_PROCESS = 0.6 * GIB
"""Interpreter and libraries of a process that trains."""
_RAM_SHARE = 0.7
"""Of the memory that is free; the rest is for what the estimate does not know."""
_CHECKPOINT_COPIES = 5
"""resume, healthy, best, kept, and the one being written."""
_REFIT_COPIES = 4
"""Those of a refit, which has no best; in memory the first network stays beside it."""
_OPTIMIZER_FACTOR = 3
"""Weights and two moments."""

_READY_BATCHES = 4
"""The batch at work, two that wait, and one that is being made."""
_COPIES = 4
"""Weights, their gradients and the two moments of AdamW."""
_PASSING_WINDOWS = 8
"""Tensors of the window's size that come and go beside those that autograd keeps, at the worst moment.
Measured: 1,000 to 2,000 stocks, 1 to 4 days, 20 sessions, 110 features, both modes."""


def checkpoint_bytes(config: Config, parameters: int) -> int:
    """Room on the disk for all checkpoints of one network with so many weights."""
    copies = _CHECKPOINT_COPIES + config.training.refit * _REFIT_COPIES
    return copies * _OPTIMIZER_FACTOR * parameters * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Memory and disk of a training, in bytes."""

    tensor: float
    """The inputs of all days; every process maps the same pages."""
    each: float
    """What each process has for itself."""
    disk: float = 0.0
    """Of all checkpoints."""

    @property
    def alone(self) -> float:
        """Of one process that does everything itself."""
        return 2 * self.tensor + self.each

    @classmethod
    def of(cls, config: Config, *, tensor: float, n_features: int, stocks: int) -> Self:
        """``stocks``: members on a day."""
        parameters = sum(parameter_table(build_model(config, n_features)).values())
        weights = 4 * parameters
        beside = config.training.refit * weights  # the chosen network while another is fitted again
        each = _step_bytes(config, n_features, stocks) + beside + _PROCESS
        return cls(tensor=tensor, each=each, disk=checkpoint_bytes(config, parameters))

    @classmethod
    def of_features(cls, config: Config, features: FeatureSet) -> Self:
        """Of a training on these inputs."""
        S, N, F = features.x_SNF.shape
        stocks = -(-int(features.member_SN.sum()) // S)
        tensor = float(S) * N * F * features.x_SNF.dtype.itemsize
        return cls.of(config, tensor=tensor, n_features=F, stocks=stocks)


@dataclass(frozen=True, slots=True)
class _Capacity:
    """A number of processes, and what decided it."""

    jobs: int
    why: str


def capacity(config: Config, needs: Needs, *, device: str, cores: int, free: float) -> _Capacity:
    """As many processes as are configured; else as many as cores and free memory (bytes) allow.

    Models that hear their neighbours hold twice the tensor of their own, so that is counted for each process.
    """
    each = needs.each + (2 * needs.tensor if config.training.rivals_hear_neighbours else 0.0)
    told = f"about {each / GIB:.1f} GiB each"
    if config.executor.jobs:
        return _Capacity(config.executor.jobs, f"executor.jobs, {told}")
    if config.training.mode == "optimized":
        return _Capacity(1, "optimized mode gives all cores to one network")
    if device != "cpu":
        return _Capacity(1, f"{device} is one device")
    room = int((_RAM_SHARE * free - needs.alone) // each) + 1
    jobs = max(1, min(cores, room))
    return _Capacity(jobs, f"{cores} cores, {told} of {free / GIB:.1f} GiB free")


def jobs_for(context: StageContext, features: FeatureSet, sink: EventSink) -> int:
    """How many processes this machine has room for now, told with what decided it."""
    config = context.config
    if config.executor.kind == "ray":
        jobs = config.executor.jobs or cluster_cores(config)
        sink.emit(Noted(message=f"{jobs} at a time on the cluster {config.executor.address}"))
        return jobs
    found = capacity(
        config,
        Needs.of_features(config, features),
        device=choose_device(config.training.device, NullSink()).type,
        cores=usable_cores(),
        free=psutil.virtual_memory().available,
    )
    sink.emit(Noted(message=f"{found.jobs} at a time: {found.why}"))
    return found.jobs


def asked_jobs(config: Config) -> int:
    """As many at a time as are asked for; else one here, as a process takes seconds to start and most of
    these tasks do not, and one a core of a cluster.
    """
    if config.executor.kind == "ray":
        return config.executor.jobs or cluster_cores(config)
    return config.executor.jobs or 1


def warn_of_memory(config: Config, features: FeatureSet, sink: EventSink) -> None:
    """Tell where a training on these inputs is likely to be ended for want of memory."""
    needs, free = Needs.of_features(config, features).alone, psutil.virtual_memory().available
    if needs > free:
        told = f"needs about {size(needs)}, {size(free)} are free"
        hint = "lower training.days_per_step or the size of the universe"
        sink.emit(Warned(code="memory", message=told, hint=hint))


def usable_cores() -> int:
    """Physical cores that this process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical_cores()
    return max(1, min(physical_cores(), allowed))


def _step_bytes(config: Config, n_features: int, n_stocks: int) -> int:
    """Bytes that the tensors of one training step take at their peak, for days of ``n_stocks`` stocks.

    What the graph keeps for the backward pass is counted by autograd itself; beside it stand the network
    with its optimiser, the batches made ahead, and what comes and goes. The process, some 0.6 GiB, and its
    data are not in it.
    """
    with torch.device("meta"):
        model = build_model(config, n_features).train()
        batch = batch_of_shapes(config, n_features, n_stocks)
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage._cdata] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            held = forward_and_loss(model, batch, config, False)
    own = {p.untyped_storage()._cdata for p in model.parameters()}
    graph = sum(size for storage, size in kept.items() if storage not in own)
    del held
    weights = sum(p.nbytes for p in model.parameters())
    window = batch.x_MTF.nbytes
    return graph + _COPIES * weights + (_READY_BATCHES + _PASSING_WINDOWS) * window


def batch_of_shapes(config: Config, n_features: int, n_stocks: int) -> Batch:
    """A batch, on the device that is the default, whose tensors have no numbers yet."""
    days, T, H, k = (
        config.training.days_per_step,
        config.split.window,
        len(config.labels.horizons),
        config.graph.k,
    )
    M, R = days * n_stocks, min(n_stocks, SOFT_RANK_NAMES)
    return Batch(
        dates=(),
        sessions=tuple(range(days)),
        day_ptr=tuple(range(0, M + 1, n_stocks)),
        symbol_M=torch.empty(M, dtype=torch.int64),
        x_MTF=torch.empty(M, T, n_features),
        mask_MT=torch.empty(M, T),
        y_MH=torch.empty(M, H),
        target_MH=torch.empty(M, H),
        neighbour_MK=torch.empty(M, k, dtype=torch.int64),
        edge_attr_MKP=torch.empty(M, k, len(Graph.edge_names)),
        heard_MK=torch.empty(M, k, dtype=torch.bool),
        row_DN=torch.empty(days, n_stocks, dtype=torch.int64),
        sample_DR=torch.empty(days, R, dtype=torch.int64),
    )
