"""Dropout whose mask costs little on the CPU and does not depend on how the rows are cut."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_RESOLUTION = 2**16
_DRAWS = 4
"""16-bit lanes of one 64-bit random number."""
STEP, BITS = 0x9E3779B97F4A7C15, 2**64 - 1


@dataclass(slots=True)
class MaskStream:
    """Where the masks of one pass come from: nothing but a seed, the number of the call and the row.

    So a part of the rows, in a thread of its own, gets the masks it would get among all rows.
    """

    seed: int
    calls: int = 0
    first_row: int = 0
    """Number, among all rows, of the first row that is passed."""

    def next_key(self) -> int:
        """Key of the next mask, 64 bits."""
        self.calls += 1
        return _mixed(self.seed + self.calls * STEP)


class _Current(threading.local):
    stream: MaskStream | None = None


_current = _Current()


@contextmanager
def masks_from(stream: MaskStream) -> Iterator[MaskStream]:
    """Let ``stream`` make the masks of this thread inside the block.

    Outside of one, torch's generator seeds every mask.
    """
    before, _current.stream = _current.stream, stream
    try:
        yield stream
    finally:
        _current.stream = before


def new_seed() -> int:
    """A seed from torch's default generator."""
    return int(torch.randint(2**63 - 1, ()))


class Dropout(nn.Module):
    """Sets a share ``p`` of the values to zero in training and scales the others by 1 / (1 - p).

    Srivastava et al., JMLR 15, 2014. On the CPU torch draws one Bernoulli number per value (9 ns each:
    more than the matrix product that follows); here the hash of a value's position decides, four values to
    a hash, so ``p`` is rounded to 1 / 65536, and the scale belongs to the rounded one. Elsewhere it is
    `torch.nn.functional.dropout`. Rows first; the share must lie in [0, 1).
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
        out: Tensor = _Dropped.apply(x, self.p)  # type: ignore[no-untyped-call]
        return out

    def extra_repr(self) -> str:
        """What torch prints of the module."""
        return f"p={self.p}"


class _Dropped(torch.autograd.Function):
    """``x * mask``; what is kept of the mask are its random bits, a quarter of its size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        ctx.lanes, ctx.p = _lanes(x), p
        return _dropped(x, ctx.lanes, p)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _dropped(grad, ctx.lanes, ctx.p), None


def _dropped(x: Tensor, lanes: NDArray[np.int16], p: float) -> Tensor:
    n_drop, scale = _rounded(p)
    least, x = n_drop - _RESOLUTION // 2, x.detach().contiguous()
    out = torch.empty_like(x)
    if x.dtype == torch.float32:
        _select(x.view(-1).numpy(), lanes, out.view(-1).numpy(), least, np.float32(scale))
        return out
    if x.dtype != torch.bfloat16:
        raise TypeError(f"dropout of {x.dtype}: float32 or bfloat16 only")
    # numpy has no bfloat16: the bits of what is dropped become those of 0.
    bits = x.view(torch.int16).view(-1).numpy(), out.view(torch.int16).view(-1).numpy()
    _select(bits[0], lanes, bits[1], least, np.int16(1))
    return out.mul_(scale)


def keep_mask(x: Tensor, p: float) -> Tensor:
    """The mask of `Dropout`: 0 with probability ``p``, else 1 / (1 - p), shaped like ``x``; CPU only."""
    n_drop, scale = _rounded(p)
    lanes = torch.from_numpy(_lanes(x)).view(x.shape)
    return (lanes >= n_drop - _RESOLUTION // 2).to(x.dtype) * scale


def _rounded(p: float) -> tuple[int, float]:
    """How many of the `_RESOLUTION` values of a lane drop, and the scale of what is kept."""
    n_drop = min(round(p * _RESOLUTION), _RESOLUTION - 1)
    return n_drop, _RESOLUTION / (_RESOLUTION - n_drop)


def _lanes(x: Tensor) -> NDArray[np.int16]:
    """16 random bits for each value of ``x``, flat."""
    stream = _current.stream or MaskStream(new_seed())
    first = stream.first_row * (x[:1].numel())
    words = np.empty(-(-(first % _DRAWS + x.numel()) // _DRAWS), np.uint64)
    _hash(words, np.uint64(stream.next_key()), np.uint64(first // _DRAWS))
    return words.view(np.int16)[first % _DRAWS :][: x.numel()]


def _mixed(state: int) -> int:
    """SplitMix64's output function (Steele, Lea & Flood, OOPSLA 2014): 64 bits that look random."""
    state &= BITS
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & BITS
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & BITS
    return state ^ (state >> 31)


@njit(cache=True, nogil=True)
def _hash(words: NDArray[np.uint64], key: np.uint64, first: np.uint64) -> None:
    """SplitMix64 of consecutive positions: `_mixed(key + (first + i) * STEP)`."""
    for i in range(words.size):
        state = key + (first + np.uint64(i)) * np.uint64(STEP)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        words[i] = state ^ (state >> np.uint64(31))


@njit(cache=True, nogil=True)
def _select(
    x: NDArray[Any],
    lanes: NDArray[np.int16],
    out: NDArray[Any],
    least: int,
    scale: np.float32 | np.int16,
) -> None:
    """``scale * x`` where the lane is at least ``least``, else 0; ``x`` and ``scale`` of one type."""
    bound, zero = np.int16(least), scale - scale
    for i in range(x.size):
        out[i] = scale * x[i] if lanes[i] >= bound else zero
