"""Quantiles of the standardised label, one set per horizon."""

# Shape suffixes: M rows, C channels, H horizons, Q quantiles.
import torch
from torch import Tensor, nn


class QuantileHeads(nn.Module):
    """Monotone quantiles: a median, and steps up and down from it that cannot be negative.

    ``q_(m+j) = median + sum softplus(step)``, likewise below: quantiles never cross. The score of a
    stock is its median. Shapes: ``z_MC`` -> ``(M, H, Q)``.
    """

    def __init__(
        self, channels: int, n_horizons: int, levels: tuple[float, ...], dropout: float
    ) -> None:
        super().__init__()
        self.n_horizons, self.n_levels = n_horizons, len(levels)
        self.median = levels.index(0.5)
        self.trunk = nn.Sequential(nn.Linear(channels, 2 * channels), nn.ELU(), nn.Dropout(dropout))
        self.out = nn.Linear(2 * channels, n_horizons * len(levels))

    def forward(self, z_MC: Tensor) -> Tensor:
        raw_MHQ = self.out(self.trunk(z_MC)).view(-1, self.n_horizons, self.n_levels)
        below, median, above = raw_MHQ.split(
            [self.median, 1, self.n_levels - self.median - 1], dim=-1
        )
        down = torch.nn.functional.softplus(below).flip(-1).cumsum(-1).flip(-1)
        up = torch.nn.functional.softplus(above).cumsum(-1)
        return torch.cat([median - down, median, median + up], dim=-1)
