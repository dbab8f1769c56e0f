"""A day-major array on disk in blocks of 64 sessions, so that a new day rewrites the last block only.

A block knows the stocks that had entered the universe by its last session; those of the symbol axis that
came later are filled in when it is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from engine import hashes
from engine.features.rolling import BLOCK
from engine.files import verify_files


def block_file(kind: str, block: int) -> str:
    """Name of the file of a block; the kind is ``x`` (inputs) or ``y`` (labels)."""
    return f"{kind}-{block:04d}.npy"


class DayTensor(Protocol):
    """``[S, N, ...]`` whose days come when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def head(self, sessions: int) -> "DayTensor":
        """The first sessions."""

    def __getitem__(self, key: int | np.integer[Any] | slice) -> NDArray[Any]:
        """One session ``[N, ...]``, or consecutive ones ``[T, N, ...]``."""


@dataclass(frozen=True)
class BlockTensor:
    """``[S, N, ...]``; days are read from disk when they are asked for.

    A block's hash is checked when it is first touched; a damaged one is an IntegrityError.
    """

    directory: Path
    manifest: Mapping[str, Any]
    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: float
    """Where a block does not know a stock."""
    _parts: dict[int, NDArray[Any]] = field(default_factory=dict)

    def head(self, sessions: int) -> "BlockTensor":
        """The first sessions."""
        return replace(self, shape=(sessions, *self.shape[1:]))

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, key: slice) -> NDArray[Any]: ...
    def __getitem__(self, key: int | np.integer[Any] | slice) -> NDArray[Any]:
        """One session ``[N, ...]``, or consecutive ones ``[T, N, ...]``, copied."""
        if not isinstance(key, slice):
            days: NDArray[Any] = self[slice(int(key), int(key) + 1)]
            return np.asarray(days[0])
        start, stop, step = key.indices(self.shape[0])
        if step != 1:
            raise IndexError("only consecutive sessions can be read")
        out = np.full((max(0, stop - start), *self.shape[1:]), self.fill, dtype=self.dtype)
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            part, first = self._part(block), block * BLOCK
            a, b = max(start, first), min(stop, first + part.shape[0])
            out[a - start : b - start, : part.shape[1]] = part[a - first : b - first]
        return out

    def _part(self, block: int) -> NDArray[Any]:
        if block not in self._parts:
            name = block_file(self.kind, block)
            verify_files(self.directory, self.manifest, (name,))
            self._parts[block] = np.load(self.directory / name, mmap_mode="r")
        return self._parts[block]


def open_blocks(
    directory: Path, manifest: Mapping[str, Any], kind: str, sessions: int, stocks: int, fill: float
) -> BlockTensor:
    """The array ``[S, N, ...]`` of one kind, mapped; ``fill`` where a block does not know a stock."""
    first = np.load(hashes.checked(directory / block_file(kind, 0)), mmap_mode="r")
    return BlockTensor(
        directory=directory,
        manifest=manifest,
        kind=kind,
        shape=(sessions, stocks, *first.shape[2:]),
        dtype=first.dtype,
        fill=fill,
    )


def write_blocks(
    directory: Path,
    kind: str,
    first: int,
    rows_TN: NDArray[Any],
    stocks_B: Sequence[int] | NDArray[np.int64],
) -> None:
    """Write consecutive sessions ``[T, N, ...]`` as the blocks from session ``first`` on, a multiple of 64.

    ``stocks_B``: how many stocks each of these blocks knows.
    """
    for b, stocks in enumerate(stocks_B):
        part = rows_TN[b * BLOCK : (b + 1) * BLOCK, :stocks]
        np.save(directory / block_file(kind, first // BLOCK + b), np.ascontiguousarray(part))
