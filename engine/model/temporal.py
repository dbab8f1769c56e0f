"""The temporal encoder: gated recurrence over the window, then attention of the last session to all."""

# Shape suffixes: M rows, T sessions, C channels, A heads.
import math

import torch
from torch import Tensor, nn

from engine.model.layers import GatedResidual, GatedResidualNetwork


class TemporalEncoder(nn.Module):
    """Gated residual network, one-layer LSTM, gated skip.

    The locality layer of the Temporal Fusion Transformer (Lim et al. 2021, section 4.5.1).
    Shapes: ``(M, T, C)`` -> ``(M, T, C)``.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.enrich = GatedResidualNetwork(channels, dropout)
        self.lstm = nn.LSTM(channels, channels, batch_first=True)
        self.gate = GatedResidual(channels, dropout)

    def forward(self, h_MTC: Tensor) -> Tensor:
        h_MTC = self.enrich(h_MTC)
        out_MTC, _ = self.lstm(h_MTC)
        return self.gate(out_MTC, h_MTC)  # type: ignore[no-any-return]


class LastStepAttention(nn.Module):
    """Interpretable multi-head attention, asked by the last session only.

    Lim et al. 2021, eq. 13-16: each head has its own queries and keys, all share the values, and the
    heads' weights are averaged, so one weight per session can be read off. Only the last session is
    scored, so only its query is computed: O(T), not O(T^2).

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
        M, T, C = h_MTC.shape
        last_MC = h_MTC[:, -1]
        query_MAd1 = self.query(last_MC).view(M, self.heads, C // self.heads, 1)
        key_MATd = self.key(h_MTC).view(M, T, self.heads, C // self.heads).transpose(1, 2)
        logit_MAT = (key_MATd @ query_MAd1).squeeze(-1) / math.sqrt(C // self.heads)
        logit_MAT = logit_MAT + (mask_MT[:, None, :] - 1.0) * 1e4
        weight_MT = torch.softmax(logit_MAT, dim=-1).mean(dim=1)
        mixed_Md = (weight_MT[:, None, :] @ self.value(h_MTC)).squeeze(1)
        return self.gate(self.out(mixed_Md), last_MC)  # type: ignore[no-any-return]
