"""ATFT-GAT-FAN, read top to bottom.

    x -> FAN -> SAN -> selection -> embedding -> temporal -> attention -> GAT -> bypass -> heads

Every block between input and heads can be switched off and is then the identity (`selection`: all
weights 1; `temporal` and `attention` off: the last session alone; `gat` off: the temporal state goes
straight to the heads; `bypass` off: temporal + graph). With all of them off the network is an MLP on the
last session's features.
"""

# Shape suffixes: M rows (stocks of the batch's days), T sessions, F features, C channels, H horizons,
# Q quantiles, E edges, K edge attributes.
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.config import ModelConfig
from engine.errors import ConfigError
from engine.model.dropout import Dropout
from engine.model.graph_attention import GraphAttention, ResidualBypass
from engine.model.heads import QuantileHeads
from engine.model.normalization import FrequencyAdaptiveNorm, SliceAdaptiveNorm
from engine.model.temporal import LastStepAttention, TemporalEncoder
from engine.model.variable_selection import VariableSelection

if TYPE_CHECKING:
    from engine.dataset.batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerOutput:
    score_MH: Tensor
    """Median quantile: higher = expected to return more. Unit: deviations of the day's label."""
    quantile_MHQ: Tensor
    gates: dict[str, Tensor]
    """``bypass``: share of the projected stream; ``fan``, ``san``: share of the normalised window.
    Scalars in 0..1; blocks that are off are absent."""
    selection_F: Tensor
    """Mean variable-selection weight of each feature; 1 on average."""
    gat_entropy: Tensor
    """Relative entropy of the neighbours' weights, 0..1; NaN in train mode or while the GAT is off."""


class ATFTGATFAN(nn.Module):
    """Adaptive Temporal Fusion Transformer + Graph Attention + Frequency Adaptive Normalization.

    Parameters are drawn from torch's default generator: seed it before construction.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        n_features: int,
        n_horizons: int,
        window: int,
        n_edge_attrs: int = 3,
    ) -> None:
        super().__init__()
        C, dropout = config.hidden, config.dropout
        self.n_features, self.window = n_features, window
        self.available = frozenset(config.blocks)
        self.blocks: frozenset[str] = self.available
        self.fan = FrequencyAdaptiveNorm(window, n_features, C, config.fan_frequencies)
        self.san = SliceAdaptiveNorm(window, n_features, C, config.san_slices)
        self.selection = VariableSelection(n_features, C, dropout)
        self.embedding = nn.Linear(n_features + 1, C)
        self.input_dropout = Dropout(dropout / 2)
        self.temporal = TemporalEncoder(C, dropout)
        self.attention = LastStepAttention(C, config.attention_heads, dropout)
        self.gat = GraphAttention(C, config.gat_heads, n_edge_attrs, dropout / 2)
        self.bypass = ResidualBypass(C, config.alpha_init, config.graph_scale)
        self.head = QuantileHeads(C, n_horizons, config.quantiles, dropout)

    def set_blocks(self, blocks: Collection[str]) -> None:
        """Switch exactly these blocks on. One that the configuration left out is a ConfigError."""
        unknown = set(blocks) - self.available
        if unknown:
            raise ConfigError(
                f"model.blocks has no {', '.join(sorted(unknown))}, but a phase switches it on"
            )
        self.blocks = frozenset(blocks)

    def module_groups(self) -> dict[str, nn.Module]:
        """Blocks by name, as gradients and parameters are reported."""
        groups: dict[str, nn.Module] = {
            "fan": self.fan,
            "san": self.san,
            "selection": self.selection,
            "temporal": self.temporal,
            "attention": self.attention,
            "gat": self.gat,
            "bypass": self.bypass,
        }
        groups = {name: module for name, module in groups.items() if name in self.available}
        return groups | {"heads": nn.ModuleList([self.embedding, self.head])}

    def forward(self, batch: "Batch") -> RankerOutput:
        x_MTF, mask_MT = batch.x_MTF, batch.mask_MT
        if x_MTF.shape[1:] != (self.window, self.n_features):
            raise ConfigError(
                f"the network was built for windows of {self.window} sessions x {self.n_features} "
                f"features, the batch has {x_MTF.shape[1]} x {x_MTF.shape[2]}"
            )
        gates: dict[str, Tensor] = {}
        h_MC = x_MTF.new_zeros(1)
        if "fan" in self.blocks:
            x_MTF, message_MC, gates["fan"] = self.fan(x_MTF)
            h_MC = h_MC + message_MC
        if "san" in self.blocks:
            x_MTF, message_MC, gates["san"] = self.san(x_MTF)
            h_MC = h_MC + message_MC
        h_MC, selection_F = self._encode(x_MTF, mask_MT, h_MC)
        entropy = h_MC.new_full((), torch.nan)
        if "gat" in self.blocks:
            g_MC, entropy = self.gat(h_MC, batch.edge_index_2E, batch.edge_attr_EK)
            if "bypass" in self.blocks:
                h_MC, gates["bypass"] = self.bypass(h_MC, g_MC)
            else:
                h_MC = h_MC + g_MC
        quantile_MHQ = self.head(h_MC)
        return RankerOutput(
            score_MH=quantile_MHQ[..., self.head.median],
            quantile_MHQ=quantile_MHQ,
            gates=gates,
            selection_F=selection_F,
            gat_entropy=entropy,
        )

    def _encode(self, x_MTF: Tensor, mask_MT: Tensor, message_MC: Tensor) -> tuple[Tensor, Tensor]:
        """Selected features -> state of the last session ``(M, C)``, and the mean weights ``(F,)``."""
        selection_F = x_MTF.new_ones(self.n_features)
        if not self.blocks & {"temporal", "attention"}:
            x_MTF, mask_MT = x_MTF[:, -1:], mask_MT[:, -1:]
        if "selection" in self.blocks:
            weight_MF = self.selection(x_MTF)
            x_MTF = x_MTF * weight_MF[:, None, :]
            selection_F = weight_MF.detach().mean(dim=0)
        inputs_MTF = torch.cat([self.input_dropout(x_MTF), mask_MT[..., None]], dim=-1)
        h_MTC = self.embedding(inputs_MTF)
        if "temporal" in self.blocks:
            h_MTC = self.temporal(h_MTC)
        h_MC = h_MTC[:, -1]
        if "attention" in self.blocks:
            h_MC = self.attention(h_MTC, mask_MT)
        return h_MC + message_MC, selection_F
