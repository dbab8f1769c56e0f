"""The path that is always there: the last session's features to a state, stock by stock."""

# Shape suffixes: M rows, F features, C channels.
from typing import cast

from torch import Tensor, nn

from engine.model.dropout import Dropout

_WIDTH = 4
"""Width of the first layer, in multiples of the state's channels."""


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
