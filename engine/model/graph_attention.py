"""What a stock hears from its neighbours, and how it is blended with what it knows itself."""

# Shape suffixes: M rows, C channels, E edges, K edge attributes, A heads.
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv
from torch_geometric.utils import scatter

from engine.model.dropout import Dropout
from engine.model.fused_gatv2 import SortedEdges, fused_gatv2
from engine.model.layers import MixingGate


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionUse:
    """How a layer shares its attention among a stock's neighbours."""

    weight_EA: Tensor
    """Share of each edge and head in what its target hears: the edges as given, then each row's own."""
    entropy: Tensor
    """Scalar, mean over stocks of -sum w ln w / ln(degree): 0 = one neighbour is heard, 1 = all alike."""
    weak_share: Tensor
    r"""Scalar, mean over stocks of sum w (1 - \|rho\|): the attention that weak correlations get."""


class GraphAttention(nn.Module):
    """One to three layers of GATv2 with edge attributes, self-loops and a residual.

    Brody, Alon & Yahav, "How Attentive are Graph Attention Networks?", ICLR 2022, arXiv:2105.14491;
    torch-geometric's `GATv2Conv`. A self-loop has the attributes of a perfect neighbour (rho 1, same
    sector), so an isolated stock hears itself. Inner layers join their heads' channels, the last one
    averages its heads.

    Shapes: ``h_MC``, ``edge_index_2E`` (source -> target rows), ``edge_attr_EK`` (signed and absolute
    correlation first) -> ``(M, C)`` and the first layer's `AttentionUse`: always in eval mode, in train
    mode only with ``watch``, since the penalties that need it are rare.
    """

    def __init__(
        self,
        channels: int,
        heads: Sequence[int],
        edge_dim: int,
        dropout: float,
        *,
        watch: bool = False,
    ) -> None:
        super().__init__()
        common = {"edge_dim": edge_dim, "add_self_loops": False}
        inner = [GATv2Conv(channels, channels // n, heads=n, **common) for n in heads[:-1]]
        last = GATv2Conv(channels, channels, heads=heads[-1], concat=False, **common)
        self.norm = nn.LayerNorm(channels)
        self.layers = nn.ModuleList([*inner, last])
        self.dropout = Dropout(dropout)
        self.out_norm = nn.LayerNorm(channels)
        self.watch = watch

    def forward(
        self, h_MC: Tensor, edge_index_2E: Tensor, edge_attr_EK: Tensor
    ) -> tuple[Tensor, AttentionUse | None]:
        M = h_MC.shape[0]
        loop_M = torch.arange(M, device=h_MC.device)
        edge_index_2E = torch.cat([edge_index_2E, loop_M.expand(2, M)], dim=1)
        edge_attr_EK = torch.cat([edge_attr_EK, edge_attr_EK.new_ones(M, edge_attr_EK.shape[1])])
        fused = self._is_fused(h_MC)
        edges = SortedEdges.of(edge_index_2E, edge_attr_EK, M) if fused else None
        a_MC, use = self.norm(h_MC), None
        for depth, layer in enumerate(self.layers):
            if edges is not None:
                b_MC, weight_EA = fused_gatv2(layer, a_MC, edges)
            else:
                b_MC, (_, weight_EA) = layer(
                    a_MC, edge_index_2E, edge_attr_EK, return_attention_weights=True
                )
            if depth == 0 and (self.watch or not self.training):
                weight_EA = weight_EA if edges is None else edges.as_given(weight_EA)
                use = _attention_use(weight_EA, edge_index_2E[1], edge_attr_EK[:, 1], M)
            if depth < len(self.layers) - 1:
                b_MC = self.dropout(torch.nn.functional.elu(b_MC))
            a_MC = b_MC + a_MC
        return self.out_norm(a_MC), use

    def _is_fused(self, h_MC: Tensor) -> bool:
        """Float32 on the CPU, unless a loss differentiates the attention weights."""
        if h_MC.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return False
        return not (self.watch and self.training)


class ResidualBypass(nn.Module):
    """``z = alpha * projected + (1 - alpha) * graph``, ``projected = W [temporal ; graph]``.

    ``alpha = sigmoid(logit)`` is the share of the *projected* stream. The projection starts as the
    identity on the temporal half and as a random map, times ``graph_scale``, on the graph half:
    concatenated without it, the graph's columns of the original got 1e-10 of the gradient.

    Shapes: ``h_MC``, ``g_MC`` -> ``(M, C)`` and alpha (scalar).
    """

    def __init__(self, channels: int, alpha_init: float, graph_scale: float) -> None:
        super().__init__()
        self.alpha = MixingGate(alpha_init)
        self.project = nn.Linear(2 * channels, channels)
        with torch.no_grad():
            nn.init.xavier_uniform_(self.project.weight, gain=0.1)
            self.project.weight[:, :channels] = torch.eye(channels)
            self.project.weight[:, channels:] *= graph_scale
            self.project.bias.zero_()

    def forward(self, h_MC: Tensor, g_MC: Tensor) -> tuple[Tensor, Tensor]:
        alpha = self.alpha()
        projected_MC = self.project(torch.cat([h_MC, g_MC], dim=-1))
        return alpha * projected_MC + (1.0 - alpha) * g_MC, alpha


def _attention_use(
    weight_EA: Tensor, target_E: Tensor, strength_E: Tensor, n_rows: int
) -> AttentionUse:
    degree_M = scatter(torch.ones_like(target_E, dtype=weight_EA.dtype), target_E, dim_size=n_rows)
    own_EA = -weight_EA * weight_EA.clamp_min(1e-12).log()
    entropy_MA = scatter(own_EA, target_E, dim_size=n_rows)
    relative_M = entropy_MA.mean(dim=1) / degree_M.clamp_min(2.0).log()
    weak_M = scatter(weight_EA.mean(dim=1) * (1.0 - strength_E), target_E, dim_size=n_rows)
    several_M = (degree_M > 1).to(relative_M.dtype)
    count = several_M.sum().clamp_min(1.0)
    return AttentionUse(
        weight_EA=weight_EA,
        entropy=(relative_M * several_M).sum() / count,
        weak_share=(weak_M * several_M).sum() / count,
    )
