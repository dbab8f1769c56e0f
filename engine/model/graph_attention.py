"""What a stock hears from its neighbours, and how it is blended with what it knows itself."""

# Shape suffixes: M rows, C channels, K neighbours of a row, P attributes of an edge, A heads, D = A x
# channels of a head.
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, embedding, leaky_relu
from torch_geometric.nn import GATv2Conv

from engine.model.dropout import Dropout
from engine.model.layers import MixingGate


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """Whom each row listens to, in a table of fixed width: places without a neighbour are not heard."""

    neighbour_MK: Tensor
    """int64 row."""
    attr_MKP: Tensor
    """Signed and absolute correlation first."""
    heard_MK: Tensor
    """bool, True where there is a neighbour."""

    def hears_M1(self) -> Tensor:
        """True where the row listens to anybody."""
        return self.heard_MK.any(dim=1, keepdim=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionUse:
    """How a layer shares its attention among a stock's neighbours."""

    weight_MKA: Tensor
    """Share of each neighbour and head in what the row hears; 0 where there is none."""
    entropy: Tensor
    """Scalar, mean over stocks of -sum w ln w / ln(degree): 0 = one neighbour is heard, 1 = all alike."""
    weak_share: Tensor
    r"""Scalar, mean over stocks of sum w (1 - \|rho\|): the attention that weak correlations get."""


class GraphAttention(nn.Module):
    """One to three layers of GATv2 with edge attributes over a table of neighbours.

    Brody, Alon & Yahav, "How Attentive are Graph Attention Networks?", ICLR 2022, arXiv:2105.14491. The
    parameters are those of torch-geometric's `GATv2Conv`, which sums over a list of edges; with a bounded
    number of neighbours the same sum is a gather, whose bits do not depend on the device's scheduling.
    Inner layers join their heads' channels and keep what a stock knew; the last one averages its heads and
    keeps nothing, so that what comes out was said by neighbours. There is no self-loop: a stock that
    listens to nobody hears exactly 0.

    Shapes: ``h_MC`` and `Neighbourhood` -> ``(M, C)`` and the first layer's `AttentionUse`: always in eval
    mode, in train mode only with ``watch``, since the penalties that need it are rare.
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
        self.watch = watch

    def forward(self, h_MC: Tensor, edges: Neighbourhood) -> tuple[Tensor, AttentionUse | None]:
        a_MC, use = self.norm(h_MC), None
        for depth, layer in enumerate(self.layers):
            b_MC, weight_MKA = _gatv2(layer, a_MC, edges)
            if depth == 0 and (self.watch or not self.training):
                use = _attention_use(weight_MKA, edges)
            a_MC = b_MC if depth == len(self.layers) - 1 else a_MC + self.dropout(elu(b_MC))
        return torch.where(edges.hears_M1(), a_MC, 0.0), use


def _gatv2(layer: GATv2Conv, a_MC: Tensor, edges: Neighbourhood) -> tuple[Tensor, Tensor]:
    """What ``layer`` gives for these edges ``(M, C)``, and each neighbour's share ``(M, K, A)``.

    ``w_i. = softmax_j(att . leaky(l_j + r_i + W e_ij))``, ``out_i = sum_j w_ij l_j + bias``, head by head.
    Rows without a neighbour get the bias.
    """
    A, M, K = layer.heads, *edges.heard_MK.shape
    left_MD = layer.lin_l(a_MC)
    left_MKD = embedding(edges.neighbour_MK, left_MD)
    sum_MKD = left_MKD + layer.lin_r(a_MC)[:, None] + layer.lin_edge(edges.attr_MKP)
    # Head by head the product with its attention vector, as one product with a matrix of blocks.
    head_DA = torch.eye(A, device=a_MC.device).repeat_interleave(layer.out_channels, dim=0)
    logit_MKA = leaky_relu(sum_MKD, layer.negative_slope) @ (layer.att.view(-1, 1) * head_DA)
    logit_MKA = logit_MKA.masked_fill(~edges.heard_MK[..., None], -1e4)
    weight_MKA = torch.softmax(logit_MKA.float(), dim=1) * edges.heard_MK[..., None]
    weight_MKA = weight_MKA.to(left_MKD.dtype)
    out_MAd = (weight_MKA[..., None] * left_MKD.view(M, K, A, -1)).sum(dim=1)
    out_MC = out_MAd.flatten(1) if layer.concat else out_MAd.mean(dim=1)
    return out_MC + layer.bias, weight_MKA


class ResidualBypass(nn.Module):
    """``z = alpha * P [h ; g] + (1 - alpha) * g``; ``g`` is what the neighbours say and holds no ``h``.

    ``alpha = sigmoid(logit)`` is the share of the stream that knows the stock itself, so at 0 the neighbours
    alone are heard. ``P`` starts as the identity over ``alpha_init`` on ``h``, so that a stock is what it was
    before, and as a random map times ``graph_scale`` on ``g``: concatenated without it, the graph's columns
    of the original got 1e-10 of the gradient.

    Shapes: ``h_MC``, ``g_MC`` -> ``(M, C)`` and alpha (scalar).
    """

    def __init__(self, channels: int, alpha_init: float, graph_scale: float) -> None:
        super().__init__()
        self.alpha = MixingGate(alpha_init)
        self.project = nn.Linear(2 * channels, channels)
        with torch.no_grad():
            nn.init.xavier_uniform_(self.project.weight, gain=0.1)
            self.project.weight[:, :channels] = torch.eye(channels) / alpha_init
            self.project.weight[:, channels:] *= graph_scale
            self.project.bias.zero_()

    def forward(self, h_MC: Tensor, g_MC: Tensor) -> tuple[Tensor, Tensor]:
        alpha = self.alpha()
        projected_MC = self.project(torch.cat([h_MC, g_MC], dim=-1))
        return alpha * projected_MC + (1.0 - alpha) * g_MC, alpha


def _attention_use(weight_MKA: Tensor, edges: Neighbourhood) -> AttentionUse:
    degree_M = edges.heard_MK.sum(dim=1)
    entropy_MA = -(weight_MKA * weight_MKA.clamp_min(1e-12).log()).sum(dim=1)
    relative_M = entropy_MA.mean(dim=1) / degree_M.clamp_min(2).log()
    weak_M = (weight_MKA.mean(dim=2) * (1.0 - edges.attr_MKP[..., 1])).sum(dim=1)
    several_M = degree_M > 1
    count = several_M.sum().clamp_min(1)
    return AttentionUse(
        weight_MKA=weight_MKA,
        entropy=(relative_M * several_M).sum() / count,
        weak_share=(weak_M * several_M).sum() / count,
    )
