"""Dropout whose mask costs little on the CPU."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

RESOLUTION = 2**16
DRAWS = 4
"""16-bit lanes of one 64-bit random number."""


class _Source(threading.local):
    generator: torch.Generator | None = None
    """None: torch's default generator."""


_source = _Source()


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Masks made by this thread come from ``generator``, so that threads beside it change none of them."""
    before, _source.generator = _source.generator, generator
    try:
        yield
    finally:
        _source.generator = before


class Dropout(nn.Module):
    """Sets a share ``p`` of the values to zero in training and scales the others by 1 / (1 - p).

    Srivastava et al., JMLR 15, 2014. On the CPU torch draws one Bernoulli number per value (9 ns each:
    more than the matrix product that follows); here one 64-bit number, of torch's default generator or of
    the one in `drawing_from`, decides four values, so ``p`` is rounded to 1 / 65536, and the scale belongs to
    the rounded one. Elsewhere
    it is `torch.nn.functional.dropout`. Any shape; the share must lie in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"dropout share {p} is not in [0, 1)")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        if x.device.type != "cpu":
            return torch.nn.functional.dropout(x, self.p, training=True)
        return x * keep_mask(x, self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def keep_mask(x: Tensor, p: float) -> Tensor:
    """0 with probability ``p``, else 1 / (1 - p), in the shape and type of ``x``; CPU only."""
    n_drop = min(round(p * RESOLUTION), RESOLUTION - 1)
    words = torch.empty(-(-x.numel() // DRAWS), dtype=torch.int64)
    lanes = words.random_(-(2**63), None, generator=_source.generator).view(torch.int16)[
        : x.numel()
    ]
    mask = torch.empty(x.shape, dtype=x.dtype)
    # The comparison writes floats: a boolean mask would cost a conversion ten times as long.
    torch.ge(lanes.view(x.shape), n_drop - RESOLUTION // 2, out=mask)
    return mask.mul_(RESOLUTION / (RESOLUTION - n_drop))
