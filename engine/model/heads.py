"""Quantiles of the standardised label, one set per horizon."""

# Shape suffixes: M rows, C channels, K channels of the trunk, H horizons, Q quantiles.
import torch
from torch import Tensor, nn

from engine.model.dropout import Dropout

_MIN_SCALE, _MIN_FREEDOM = 1e-2, 2.0


class QuantileHeads(nn.Module):
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
