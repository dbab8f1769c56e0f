"""What a stock hears from its neighbours, and how it is blended with what it knows itself."""

# Shape suffixes: M rows, C channels, E edges, K edge attributes, A heads.
import torch
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv
from torch_geometric.utils import scatter

from engine.model.dropout import Dropout
from engine.model.layers import MixingGate


class GraphAttention(nn.Module):
    """Two layers of GATv2 with edge attributes and self-loops.

    Brody, Alon & Yahav, "How Attentive are Graph Attention Networks?", ICLR 2022, arXiv:2105.14491;
    torch-geometric's `GATv2Conv`. A self-loop has the attributes of a perfect neighbour (rho 1, same
    sector), so an isolated stock hears itself.

    Shapes: ``h_MC``, ``edge_index_2E`` (source -> target rows), ``edge_attr_EK`` -> ``(M, C)`` and the
    attention's entropy: mean over stocks of -sum w ln w / ln(degree) in the first layer, 0 = one
    neighbour is heard, 1 = all alike (eval mode only, else NaN).
    """

    def __init__(
        self, channels: int, heads: tuple[int, int], edge_dim: int, dropout: float
    ) -> None:
        super().__init__()
        first, second = heads
        common = {"edge_dim": edge_dim, "add_self_loops": False}
        self.norm = nn.LayerNorm(channels)
        self.first = GATv2Conv(channels, channels // first, heads=first, **common)
        self.second = GATv2Conv(channels, channels, heads=second, concat=False, **common)
        self.dropout = Dropout(dropout)
        self.out_norm = nn.LayerNorm(channels)

    def forward(
        self, h_MC: Tensor, edge_index_2E: Tensor, edge_attr_EK: Tensor
    ) -> tuple[Tensor, Tensor]:
        M = h_MC.shape[0]
        loop_M = torch.arange(M, device=h_MC.device)
        edge_index_2E = torch.cat([edge_index_2E, loop_M.expand(2, M)], dim=1)
        edge_attr_EK = torch.cat([edge_attr_EK, edge_attr_EK.new_ones(M, edge_attr_EK.shape[1])])
        a_MC = self.norm(h_MC)
        entropy = h_MC.new_full((), torch.nan)
        if self.training:
            b_MC = self.first(a_MC, edge_index_2E, edge_attr_EK)
        else:
            b_MC, (edges_2E, weight_EA) = self.first(
                a_MC, edge_index_2E, edge_attr_EK, return_attention_weights=True
            )
            entropy = _relative_entropy(weight_EA, edges_2E[1], M)
        b_MC = self.dropout(torch.nn.functional.elu(b_MC)) + a_MC
        return self.out_norm(self.second(b_MC, edge_index_2E, edge_attr_EK) + b_MC), entropy


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


def _relative_entropy(weight_EA: Tensor, target_E: Tensor, n_rows: int) -> Tensor:
    degree_M = scatter(torch.ones_like(target_E, dtype=weight_EA.dtype), target_E, dim_size=n_rows)
    own_EA = -weight_EA * weight_EA.clamp_min(1e-12).log()
    entropy_MA = scatter(own_EA, target_E, dim_size=n_rows)
    relative_M = entropy_MA.mean(dim=1) / degree_M.clamp_min(2.0).log()
    several_M = (degree_M > 1).to(relative_M.dtype)
    mean: Tensor = (relative_M * several_M).sum() / several_M.sum().clamp_min(1.0)
    return mean
