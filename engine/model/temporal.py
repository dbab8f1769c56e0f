"""The temporal encoder: gated recurrence over the window, then attention of the last session to all."""

# Shape suffixes: M rows, T sessions, C channels, A heads, H hidden channels, G channels of the four gates.
import math

import torch
from torch import Tensor, nn

from engine.model.layers import GatedResidual, GatedResidualNetwork

_BLOCK_ROWS = 512
"""Rows whose gates of a whole window stay in a core's cache. Measured at 64 channels and 20 sessions on the
CPU, forward and backward: 67 ms per 1,000 rows in blocks of 256 to 512, 95 ms for 4,000 rows at once."""


class _WindowLSTM(nn.LSTM):
    """One-layer LSTM (Hochreiter & Schmidhuber, 1997) from a zero state: `nn.LSTM`.

    On the CPU block by block: rows do not depend on each other, so the blocks change nothing but the time it
    takes. Parameters and their names are those of `nn.LSTM`. Shapes: ``x_MTC`` -> ``(M, T, hidden)``.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__(channels, hidden, batch_first=True)

    def forward(self, x_MTC: Tensor) -> Tensor:  # type: ignore[override]
        if x_MTC.device.type != "cpu" or x_MTC.shape[0] <= _BLOCK_ROWS:
            return super().forward(x_MTC)[0]
        return torch.cat(
            [super(_WindowLSTM, self).forward(b)[0] for b in torch.split(x_MTC, _BLOCK_ROWS)]
        )


def _lstm_by_formula(layer: nn.LSTM, x_MTC: Tensor) -> Tensor:
    """What the layer gives, session by session: torch.compile cannot look into torch's own layer."""
    input_GC, state_GH, input_G, state_G = layer.parameters()
    input_MTG = nn.functional.linear(x_MTC, input_GC, input_G)
    state_MH = cell_MH = x_MTC.new_zeros(x_MTC.shape[0], layer.hidden_size)
    states = []
    for input_MG in input_MTG.unbind(dim=1):
        gate_MG = input_MG + nn.functional.linear(state_MH, state_GH, state_G)
        enter, forget, new, leave = gate_MG.chunk(4, dim=1)
        cell_MH = torch.sigmoid(forget) * cell_MH + torch.sigmoid(enter) * torch.tanh(new)
        state_MH = torch.sigmoid(leave) * torch.tanh(cell_MH)
        states.append(state_MH)
    return torch.stack(states, dim=1)


class TemporalEncoder(nn.Module):
    """Gated residual network, one-layer LSTM, gated skip.

    The locality layer of the Temporal Fusion Transformer (Lim et al. 2021, section 4.5.1).
    Shapes: ``(M, T, C)`` -> ``(M, T, C)``.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.enrich = GatedResidualNetwork(channels, dropout)
        self.lstm = _WindowLSTM(channels, channels)
        self.gate = GatedResidual(channels, dropout)

    def forward(self, h_MTC: Tensor) -> Tensor:
        h_MTC = self.enrich(h_MTC)
        compiling = torch.compiler.is_compiling()
        state_MTC = _lstm_by_formula(self.lstm, h_MTC) if compiling else self.lstm(h_MTC)
        return self.gate(state_MTC, h_MTC)  # type: ignore[no-any-return]


class LastStepAttention(nn.Module):
    """Interpretable multi-head attention, asked by the last session only.

    Lim et al. 2021, eq. 13-16: each head has its own queries and keys, all share the values, and the
    heads' weights are averaged, so one weight per session can be read off. Only the last session is
    scored, so only its query is computed: O(T), not O(T^2).

    Neither keys nor values are formed: ``q . (K h_t) = (K' q) . h_t`` and ``sum w_t V h_t = V sum w_t h_t``
    move both maps from every session to the one query: T times fewer products, the same numbers.

    Shapes: ``h_MTC``, ``mask_MT`` (1 = the stock was in the universe) -> ``(M, C)``.
    """

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels // heads)
        self.out = nn.Linear(channels // heads, channels)
        self.gate = GatedResidual(channels, dropout)

    def forward(self, h_MTC: Tensor, mask_MT: Tensor) -> Tensor:
        M, _, C = h_MTC.shape
        A, d = self.heads, C // self.heads
        last_MC = h_MTC[:, -1]
        query_AMd = self.query(last_MC).view(M, A, d).transpose(0, 1)
        asked_MAC = (query_AMd @ self.key.weight.view(A, d, C)).transpose(0, 1)
        offset_AM1 = query_AMd @ self.key.bias.view(A, d, 1)
        logit_MAT = asked_MAC @ h_MTC.transpose(1, 2) + offset_AM1.transpose(0, 1)
        logit_MAT = logit_MAT / math.sqrt(d) + (mask_MT[:, None, :] - 1.0) * 1e4
        weight_MT = torch.softmax(logit_MAT, dim=-1).mean(dim=1)
        mixed_MC = (weight_MT[:, None, :] @ h_MTC).squeeze(1)
        return self.gate(self.out(self.value(mixed_MC)), last_MC)  # type: ignore[no-any-return]
