"""How much memory a training step needs: counted on a network and a batch that have shapes but no numbers."""

import torch
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import Batch
from engine.dataset.neighbours import SOFT_RANK_NAMES
from engine.graph.graph import Graph
from engine.model.build import build_model
from engine.training.passes import forward_and_loss

_READY_BATCHES = 4
"""The batch at work, two that wait, and one that is being made."""
_COPIES = 4
"""Weights, their gradients and the two moments of AdamW."""
_PASSING_WINDOWS = 8
"""Tensors of the window's size that come and go beside those that autograd keeps, at the worst moment.
Measured: 1,000 to 2,000 stocks, 1 to 4 days, 20 sessions, 110 features, both modes."""


def step_bytes(config: Config, n_features: int, n_stocks: int) -> int:
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
