"""What the network sees of a stock: its features over a window of sessions, gathered on the host or, where
they fit, in the memory of the device that computes.
"""

# Shape suffixes: S sessions, N stocks, T sessions of a window, F features, M rows.
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.features.feature_set import FeatureSet

if TYPE_CHECKING:
    from engine.dataset.batch import Batch


def first_session(session: int, window: int) -> int:
    """The session that the window begins with."""
    if session < window - 1:
        raise IndexError(f"session {session} has no window of {window} sessions")
    return session - window + 1


def window_of(
    features: FeatureSet, session: int, window: int, stocks_N: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the network sees of some stocks on a session, and where they were members."""
    first, x_SNF = first_session(session, window), features.x_SNF
    if isinstance(x_SNF, np.ndarray):
        x_TNF = torch.from_numpy(x_SNF[first : session + 1])
        x_NTF = x_TNF.transpose(0, 1)[torch.from_numpy(stocks_N)]
    else:
        x_NTF = torch.from_numpy(x_SNF.of_stocks(first, session + 1, stocks_N)).transpose(0, 1)
    # torch widens half floats with vector instructions, numpy one by one: four times faster.
    wide_NTF = x_NTF.contiguous().float().numpy()
    mask_NT = features.member_SN[first : session + 1][:, stocks_N].T.astype(np.float32)
    return wide_NTF, mask_NT


def windows(
    features: FeatureSet, sessions: Sequence[int], window: int, rows: slice
) -> tuple[Tensor, Tensor]:
    """``x_MTF`` and ``mask_MT`` of some consecutive rows of the batch of these days."""
    parts, start = [], 0
    for session in sessions:
        member_N = np.flatnonzero(features.member_SN[session])
        inside = slice(max(rows.start - start, 0), max(rows.stop - start, 0))
        if (stocks_N := member_N[inside]).size:
            parts.append(window_of(features, session, window, stocks_N))
        start += member_N.size
    return joined([x_NTF for x_NTF, _ in parts]), joined([mask_NT for _, mask_NT in parts])


def joined(parts: Sequence[NDArray[Any]]) -> Tensor:
    """The days one after another, in torch's own memory, which starts at a multiple of 64 bytes.

    In numpy's, the last bits of a matrix product depend on where the array happens to lie, so a resumed
    run would not be equal to an unbroken one.
    """
    return torch.cat([torch.from_numpy(part) for part in parts])


@dataclass(frozen=True, slots=True)
class DevicePanel:
    """Features and members of every session in the memory of a device, which gathers the windows there.

    A step of four days of 2,000 stocks, 20 sessions and 110 features reads 70 MB, which one thread of the
    host would have to gather, widen and send.
    """

    x_SNF: Tensor
    """In the type that the features are stored in."""
    is_member_SN: Tensor
    window: int
    """Sessions."""

    @classmethod
    def of(cls, features: FeatureSet, window: int, device: torch.device, room: int) -> Self | None:
        """None where the features are not in memory, or take more than ``room`` bytes."""
        x_SNF, is_member_SN = features.x_SNF, features.member_SN
        if not isinstance(x_SNF, np.ndarray) or x_SNF.nbytes + is_member_SN.nbytes > room:
            return None
        there = [torch.from_numpy(table).to(device) for table in (x_SNF, is_member_SN)]
        return cls(there[0], there[1], window)

    def filled(self, batch: "Batch") -> "Batch":
        """The batch, which is on this device, with its inputs: the bits that the host would have gathered."""
        if batch.first_M is None:
            return batch
        session_MT = batch.first_M[:, None] + torch.arange(self.window, device=self.x_SNF.device)
        place = session_MT, batch.symbol_M[:, None]
        x_MTF, mask_MT = self.x_SNF[place].float(), self.is_member_SN[place].float()
        return replace(batch, x_MTF=x_MTF, mask_MT=mask_MT, first_M=None)


def sent(batch: "Batch", device: torch.device, panel: DevicePanel | None) -> "Batch":
    """The batch on a device, with the inputs that were left to ``panel``, which is there."""
    moved = batch.to(device)
    return panel.filled(moved) if panel else moved
