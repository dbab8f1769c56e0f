"""Layers that several blocks share."""

# Shape suffixes: M rows, T sessions, F features, C channels.
from typing import cast

import torch
from torch import Tensor, nn

from engine.model.dropout import Dropout

_WIDTH = 4
"""Width of the first layer, in multiples of the state's channels."""


class GatedResidual(nn.Module):
    """``LayerNorm(skip + GLU(W x))``: the update passes through a gate that can close.

    Gate and add-and-norm of the Temporal Fusion Transformer (Lim et al., Int. J. Forecasting 37, 2021,
    eq. 5). Shapes: ``(..., C)`` and ``(..., C)`` -> ``(..., C)``.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(channels, 2 * channels)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        update = torch.nn.functional.glu(self.linear(self.dropout(x)), dim=-1)
        return self.norm(skip + update)  # type: ignore[no-any-return]


class GatedResidualNetwork(nn.Module):
    """``LayerNorm(a + GLU(W1 ELU(W2 a)))``.

    Lim et al. 2021, eq. 2-4, without context. Shapes: ``(..., C)`` -> ``(..., C)``.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(channels, channels)
        self.outer = nn.Linear(channels, channels)
        self.gate = GatedResidual(channels, dropout)

    def forward(self, a: Tensor) -> Tensor:
        hidden = self.outer(torch.nn.functional.elu(self.inner(a), inplace=True))
        return self.gate(hidden, a)  # type: ignore[no-any-return]


_ENTRY_GAIN = 0.05


def entry(channels_in: int, channels_out: int) -> nn.Linear:
    """A linear map through which a block joins a state that is trained already: near zero, bias 0.

    Zero itself would leave everything behind it without gradient at the first step, and the start-up
    assertions blind to it. At a gain of 0.05 a block moves the state by about 5 % of its size.
    """
    layer = nn.Linear(channels_in, channels_out)
    nn.init.xavier_uniform_(layer.weight, gain=_ENTRY_GAIN)
    nn.init.zeros_(layer.bias)
    return layer


class MixingGate(nn.Module):
    """A learned share in 0..1: ``sigmoid(logit)``, one number, started at ``init``."""

    def __init__(self, init: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.logit(torch.tensor(init)))

    def forward(self) -> Tensor:
        return torch.sigmoid(self.logit)


class VariableSelection(nn.Module):
    """A weight for each feature of each stock, from the window's last values and means.

    Lim et al. 2021, section 4.2, weigh the outputs of F networks of C^2 parameters each, which made 85 to
    96 % of the original's parameters and most of its time. Here the caller multiplies the features by their
    weights and embeds them with one linear map: ``(w * x) E = sum_f w_f x_f E_f``, the same weighted sum.
    The weights are ``F * softmax(logits / 2)``: 1 on average, and all 1 at the start, since the last layer
    of the scorer starts at zero.

    Shapes: ``x_MTF`` -> ``w_MF``.
    """

    def __init__(self, n_features: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.n_features = n_features
        self.scorer = nn.Sequential(
            nn.Linear(2 * n_features, channels),
            nn.ELU(),
            Dropout(dropout),
            nn.Linear(channels, n_features),
        )
        for parameter in self.scorer[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x_MTF: Tensor) -> Tensor:
        summary_M2F = torch.cat([x_MTF[:, -1], x_MTF.mean(dim=1)], dim=-1)
        logit_MF = self.scorer(summary_M2F)
        return self.n_features * torch.softmax(logit_MF / 2.0, dim=-1)


class SessionEncoder(nn.Module):
    """Two layers of linear map, layer normalisation, GELU and dropout: ``F -> 4C -> C``.

    With the heads behind it, this is the multilayer perceptron that the network is when every block is
    off. Shapes: ``x_MF`` (0 where missing) -> ``(M, C)``.
    """

    def __init__(self, n_features: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, _WIDTH * channels),
            nn.LayerNorm(_WIDTH * channels),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(_WIDTH * channels, channels),
            nn.LayerNorm(channels),
            nn.GELU(),
            Dropout(dropout),
        )

    def forward(self, x_MF: Tensor) -> Tensor:
        return cast(Tensor, self.layers(x_MF))
