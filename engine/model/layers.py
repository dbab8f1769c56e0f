"""Layers that several blocks share."""

# Shape suffixes: M rows, T sessions, C channels.
import torch
from torch import Tensor, nn

from engine.model.dropout import Dropout


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
