"""ATFT-GAT-FAN, read top to bottom.

    x -> FAN -> SAN -> selection -+-> encoder of the last session -------(+)-> h -> bypass -> heads
                                  +-> embedding -> temporal -> attention -^   |       ^
                                                                             GAT -> g-'

Every block between input and heads can be switched off and is then the identity (`selection`: all
weights 1; `temporal` and `attention` off: the last session alone; `gat` off: the state goes straight to
the heads; `bypass` off: what the neighbours say, `g`, is added to the state). With all of them off
the network is a multilayer perceptron on the last session's features, the strongest simple model there
is on daily bars.

So that a block has to earn its place and cannot spoil what is learned already, its output enters through a
map that starts near zero (`entry`): at the first step of its phase the scores are those of the phase
before, and the block has gradient in every layer.
"""

# Shape suffixes: M rows (stocks of the batch's days), T sessions, F features, C channels, H horizons,
# Q quantiles, K channels of the trunk.
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.config import Config, ModelConfig
from engine.errors import ConfigError
from engine.graph.graph import Graph
from engine.model.dropout import Dropout
from engine.model.graph_attention import AttentionUse, GraphAttention, Neighbourhood, ResidualBypass
from engine.model.layers import SessionEncoder, VariableSelection, entry
from engine.model.normalization import FrequencyAdaptiveNorm, SliceAdaptiveNorm
from engine.model.temporal import LastStepAttention, TemporalEncoder

if TYPE_CHECKING:
    from engine.dataset.batch import Batch


_MIN_SCALE, _MIN_FREEDOM = 1e-2, 2.0

NETWORK = 2
"""Version of what the weights mean. 1: a stock heard itself among its neighbours, and the bypass blended the
state with itself; weights of version 1 do not name theirs."""
_WINDOW_BLOCKS = frozenset({"temporal", "attention"})
"""Blocks that look at more than the last session."""


class _QuantileHeads(nn.Module):
    """Monotone quantiles: a median, and steps up and down from it that cannot be negative.

    ``q_(m+j) = median + sum softplus(step)``, likewise below: quantiles never cross. The score of a
    stock is its median. With ``student_t`` also scale and degrees of freedom of a Student t around it
    (Student 1908; above 2, so that its variance exists). Shapes: ``z_MC`` -> ``(M, H, Q)`` and ``(M, H, 2)``
    or None.
    """

    def __init__(
        self,
        channels: int,
        n_horizons: int,
        levels: tuple[float, ...],
        dropout: float,
        *,
        student_t: bool = False,
    ) -> None:
        super().__init__()
        self.n_horizons, self.n_levels = n_horizons, len(levels)
        self.median = levels.index(0.5)
        self.trunk = nn.Sequential(nn.Linear(channels, 2 * channels), nn.ELU(), Dropout(dropout))
        self.out = nn.Linear(2 * channels, n_horizons * len(levels))
        self.student = nn.Linear(2 * channels, 2 * n_horizons) if student_t else None

    def forward(self, z_MC: Tensor) -> tuple[Tensor, Tensor | None]:
        t_MK = self.trunk(z_MC)
        return self._quantiles(t_MK), None if self.student is None else self._shape(t_MK)

    def _shape(self, t_MK: Tensor) -> Tensor:
        assert self.student is not None
        raw_MH2 = torch.nn.functional.softplus(self.student(t_MK)).view(-1, self.n_horizons, 2)
        return raw_MH2 + raw_MH2.new_tensor([_MIN_SCALE, _MIN_FREEDOM])

    def _quantiles(self, t_MK: Tensor) -> Tensor:
        raw_MHQ = self.out(t_MK).view(-1, self.n_horizons, self.n_levels)
        below, median, above = raw_MHQ.split(
            [self.median, 1, self.n_levels - self.median - 1], dim=-1
        )
        down = torch.nn.functional.softplus(below).flip(-1).cumsum(-1).flip(-1)
        up = torch.nn.functional.softplus(above).cumsum(-1)
        return torch.cat([median - down, median, median + up], dim=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerOutput:
    """What the network says of the rows of a batch."""

    score_MH: Tensor
    """Median quantile: higher = expected to return more. Unit: deviations of the day's label."""
    quantile_MHQ: Tensor
    student_MH2: Tensor | None
    """Scale (deviations of the label) and degrees of freedom (> 2) around the score, if configured."""
    gates: dict[str, Tensor]
    """``bypass``: share of the projected stream; ``fan``, ``san``: share of the normalised window.
    Scalars in 0..1; blocks that are off are absent."""
    selection_F: Tensor
    """Mean variable-selection weight of each feature; 1 on average."""
    attention: AttentionUse | None
    """How the graph's first layer shares its attention; None while the GAT is off, and in train mode
    unless the network was built with ``watch_attention``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowState:
    """What the network makes of each row by itself, before the stocks of a day hear of each other."""

    h_MC: Tensor
    heard_MC: Tensor
    """What the graph passes on: the state and the message; the state alone while the GAT is off."""
    gates: dict[str, Tensor]
    selection_F: Tensor


class ATFTGATFAN(nn.Module):
    """Adaptive Temporal Fusion Transformer + Graph Attention + Frequency Adaptive Normalization.

    Parameters are drawn from torch's default generator: seed it before construction. With
    ``watch_attention`` the graph's `AttentionUse` is there in train mode too, for a loss that needs it.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        n_features: int,
        n_horizons: int,
        window: int,
        n_edge_attrs: int = 3,
        watch_attention: bool = False,
    ) -> None:
        super().__init__()
        C, dropout = config.hidden, config.dropout
        self.register_buffer("network", torch.tensor(NETWORK))
        self.n_features, self.window = n_features, window
        self.available = frozenset(config.blocks)
        self.blocks: frozenset[str] = self.available
        self.fan = FrequencyAdaptiveNorm(window, n_features, C, config.fan_frequencies)
        self.san = SliceAdaptiveNorm(window, n_features, C, config.san_slices)
        self.selection = VariableSelection(n_features, C, dropout)
        self.encoder = SessionEncoder(n_features, C, dropout)
        self.embedding = nn.Linear(n_features + 1, C)
        self.input_dropout = Dropout(dropout / 2)
        self.temporal = TemporalEncoder(C, dropout)
        self.attention = LastStepAttention(C, config.attention_heads, dropout)
        self.window_entry = entry(C, C)
        self.messages = nn.Linear(n_features, C)
        self.gat = GraphAttention(
            C, config.gat_heads, n_edge_attrs, dropout / 2, watch=watch_attention
        )
        self.graph_entry = entry(C, C)
        self.bypass = ResidualBypass(C, config.alpha_init, config.graph_scale)
        self.head = _QuantileHeads(
            C, n_horizons, config.quantiles, dropout, student_t=config.student_t
        )

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
            "gat": nn.ModuleList([self.messages, self.gat, self.graph_entry]),
            "bypass": self.bypass,
        }
        groups = {name: module for name, module in groups.items() if name in self.available}
        heads: list[nn.Module] = [self.encoder, self.head]
        if self.available & _WINDOW_BLOCKS:
            heads += [self.embedding, self.window_entry]
        return groups | {"heads": nn.ModuleList(heads)}

    def forward(self, batch: "Batch", *, half: bool = False) -> RankerOutput:
        return self.rank(self.read(batch.x_MTF, batch.mask_MT, half=half), batch)

    def read(self, x_MTF: Tensor, mask_MT: Tensor, *, half: bool = False) -> RowState:
        """Everything in front of the graph, row by row, so that any cut of the rows gives the same.

        ``x_MTF``: 0 where missing; ``mask_MT``: 1 where the stock was in the universe.

        ``half``: what costs most, the way of the window to its state, in bfloat16. All else, heads, ranks
        and losses above all, is float32 always.
        """
        if x_MTF.shape[1:] != (self.window, self.n_features):
            raise ConfigError(
                f"the network was built for windows of {self.window} sessions x {self.n_features} "
                f"features, the batch has {x_MTF.shape[1]} x {x_MTF.shape[2]}"
            )
        gates: dict[str, Tensor] = {}
        message_MC = x_MTF.new_zeros(1)
        for name, normalise in (("fan", self.fan), ("san", self.san)):
            if name in self.blocks:
                x_MTF, own_MC, gates[name] = normalise(x_MTF)
                message_MC = message_MC + own_MC
        selection_F = x_MTF.new_ones(self.n_features)
        if not self.blocks & _WINDOW_BLOCKS:
            x_MTF, mask_MT = x_MTF[:, -1:], mask_MT[:, -1:]
        if "selection" in self.blocks:
            weight_MF = self.selection(x_MTF)
            x_MTF = x_MTF * weight_MF[:, None, :]
            selection_F = weight_MF.detach().mean(dim=0)
        h_MC = self.encoder(x_MTF[:, -1]) + message_MC
        if self.blocks & _WINDOW_BLOCKS:
            with torch.autocast(x_MTF.device.type, torch.bfloat16) if half else nullcontext():
                window_MC = self._read_window(x_MTF, mask_MT)
            h_MC = h_MC + self.window_entry(window_MC.float() if half else window_MC)
        heard_MC = h_MC + self.messages(x_MTF[:, -1]) if "gat" in self.blocks else h_MC
        return RowState(h_MC=h_MC, heard_MC=heard_MC, gates=gates, selection_F=selection_F)

    def rank(self, state: RowState, batch: "Batch") -> RankerOutput:
        """Graph and heads: where the stocks of a day meet. Of the batch only the edges are used."""
        h_MC, gates, attention = state.h_MC, dict(state.gates), None
        if "gat" in self.blocks:
            edges = Neighbourhood(
                neighbour_MK=batch.neighbour_MK,
                attr_MKP=batch.edge_attr_MKP,
                heard_MK=batch.heard_MK,
            )
            news_MC, attention = self.gat(state.heard_MC, edges)
            # Who hears nobody is told nothing, not even the entry's bias.
            g_MC = torch.where(edges.hears_M1(), self.graph_entry(news_MC), 0.0)
            if "bypass" in self.blocks:
                h_MC, gates["bypass"] = self.bypass(h_MC, g_MC)
            else:
                h_MC = h_MC + g_MC
        quantile_MHQ, student_MH2 = self.head(h_MC)
        return RankerOutput(
            score_MH=quantile_MHQ[..., self.head.median],
            quantile_MHQ=quantile_MHQ,
            student_MH2=student_MH2,
            gates=gates,
            selection_F=state.selection_F,
            attention=attention,
        )

    def _read_window(self, x_MTF: Tensor, mask_MT: Tensor) -> Tensor:
        """What the sessions up to the last one say, ``(M, C)``."""
        inputs_MTF = torch.cat([self.input_dropout(x_MTF), mask_MT[..., None]], dim=-1)
        h_MTC = self.embedding(inputs_MTF)
        if "temporal" in self.blocks:
            h_MTC = self.temporal(h_MTC)
        if "attention" in self.blocks:
            attended_MC: Tensor = self.attention(h_MTC, mask_MT)
            return attended_MC
        last_MC: Tensor = h_MTC[:, -1]
        return last_MC


def build_model(config: Config, n_features: int) -> ATFTGATFAN:
    """A network with fresh weights from torch's default generator, all configured blocks on."""
    return ATFTGATFAN(
        config.model,
        n_features=n_features,
        n_horizons=len(config.labels.horizons),
        window=config.split.window,
        n_edge_attrs=len(Graph.edge_names),
        watch_attention=bool(config.loss.attention_entropy or config.loss.edge_penalty),
    )


def parameter_table(model: ATFTGATFAN) -> dict[str, int]:
    """Number of parameters per block; blocks that the configuration leaves out do not count."""
    return {name: count_parameters(module) for name, module in model.module_groups().items()}


def count_parameters(module: nn.Module) -> int:
    """How many numbers the module learns."""
    return sum(parameter.numel() for parameter in module.parameters())
