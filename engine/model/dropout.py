"""Dropout with one mask a stock, whatever the session, that does not depend on how the rows are cut."""

# Shape suffixes: M rows, C channels.
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

_RESOLUTION = 2**16
_DRAWS = 4
"""16-bit numbers of one 64-bit random number."""


@dataclass(slots=True)
class StepMasks:
    """The masks of one step: nothing but the seed, the number of the call and the row decides them.

    So a part of the rows, in a thread of its own or read a second time, has the masks it has among all rows.
    """

    seed: int
    n_rows: int
    """Rows of the whole step."""
    _drawn: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lanes_MC(self, call: int, like: Tensor) -> Tensor:
        """int16 random numbers of all rows and the channels of ``like``, drawn once for each call."""
        key = call, like.shape[-1]
        with self._lock:
            if key not in self._drawn:
                self._drawn[key] = self._draw(call, like)
            return self._drawn[key]

    def _draw(self, call: int, like: Tensor) -> Tensor:
        # torch's generator of the CPU looks at 32 bits of its seed: neighbours must differ in those.
        generator = torch.Generator(like.device).manual_seed(
            (self.seed + call * 0x9E3779B9) % 2**32
        )
        count = self.n_rows * like.shape[-1]
        words = torch.empty(-(-count // _DRAWS), dtype=torch.int64, device=like.device)
        words.random_(-(2**63), None, generator=generator)
        return words.view(torch.int16)[:count].view(self.n_rows, -1)


@dataclass(slots=True)
class MaskStream:
    """Hands out a step's masks of some of its rows, call after call."""

    masks: StepMasks
    rows: slice = field(default_factory=lambda: slice(None))
    calls: int = 0
    """Masks handed out so far."""

    def next_mask(self, x: Tensor, p: float) -> Tensor:
        """0 with probability ``p``, else 1 / (1 - p); one row of channels for each row of ``x``."""
        self.calls += 1
        lanes_MC = self.masks.lanes_MC(self.calls, x)[self.rows]
        n_drop = min(round(p * _RESOLUTION), _RESOLUTION - 1)
        scale = _RESOLUTION / (_RESOLUTION - n_drop)
        mask_MC = (lanes_MC >= n_drop - _RESOLUTION // 2) * scale
        return _per_row(mask_MC.to(x.dtype), x)


class _Current(threading.local):
    stream: MaskStream | None = None


_current = _Current()


@contextmanager
def masks_from(stream: MaskStream) -> Iterator[MaskStream]:
    """Let ``stream`` make the masks of this thread inside the block.

    Outside of one, and in compiled code, they come from torch's generator of the device.
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
    """Sets a share ``p`` of a stock's channels to zero in training and scales the others by 1 / (1 - p).

    Srivastava et al., JMLR 15, 2014. A channel is dropped for the whole window of a stock or not at all
    (Gal & Ghahramani, NeurIPS 2016), so what is drawn does not grow with the window. ``p`` is rounded to
    1 / 65536. Shapes: ``(M, C)`` or ``(M, T, C)``; the share must lie in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"dropout share {p} is not in [0, 1)")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        if torch.compiler.is_compiling() or _current.stream is None:
            ones_MC = x.new_ones(x.shape[0], x.shape[-1])
            return x * _per_row(torch.nn.functional.dropout(ones_MC, self.p), x)
        return x * _current.stream.next_mask(x, self.p)

    def extra_repr(self) -> str:
        """What torch prints of the module."""
        return f"p={self.p}"


def _per_row(mask_MC: Tensor, x: Tensor) -> Tensor:
    """The mask in a shape that fits ``x``."""
    return mask_MC[:, None] if x.ndim == 3 else mask_MC
