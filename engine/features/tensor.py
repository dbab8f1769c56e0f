"""A day-major array on disk in blocks of 64 sessions, so that a new day rewrites the last block only.

A block knows the stocks that had entered the universe by its last session; those of the symbol axis that
came later are filled in when it is read.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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

    def of_stocks(self, first: int, stop: int, stocks_M: NDArray[np.int64]) -> NDArray[Any]:
        """Consecutive sessions of some stocks, which are given in increasing order: ``[T, M, ...]``."""


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
        for at, part in self._parts_of(start, stop):
            out[at, : part.shape[1]] = part
        return out

    def of_stocks(self, first: int, stop: int, stocks_M: NDArray[np.int64]) -> NDArray[Any]:
        """``[T, M, ...]``; what other stocks have is not read."""
        shape = (stop - first, stocks_M.size, *self.shape[2:])
        out = np.full(shape, self.fill, dtype=self.dtype)
        for at, part in self._parts_of(first, stop):
            known = int(np.searchsorted(stocks_M, part.shape[1]))
            out[at, :known] = part[:, stocks_M[:known]]
        return out

    def _parts_of(self, start: int, stop: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The sessions that each block has, mapped, and their place among those asked for."""
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            part, first = self._part(block), block * BLOCK
            a, b = max(start, first), min(stop, first + part.shape[0])
            yield slice(a - start, b - start), part[a - first : b - first]

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


@contextmanager
def new_blocks(
    directory: Path,
    kind: str,
    first: int,
    stop: int,
    stocks_B: NDArray[np.int64],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Iterator[list[NDArray[Any]]]:
    """The blocks ``[T, N, *shape]`` of the sessions ``first`` (a multiple of 64) to ``stop``, to be filled in
    their files: in memory they would be a quarter of what a build takes.

    The files have their room on the disk before they are mapped, so that a full one is an error here.
    """
    parts = []
    for b, stocks in enumerate(stocks_B):
        start = first + b * BLOCK
        whole = (min(stop, start + BLOCK) - start, int(stocks), *shape)
        path = directory / block_file(kind, start // BLOCK)
        with path.open("wb") as file:
            about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, about | {"shape": whole})
            size = file.tell() + int(np.prod(whole)) * dtype.itemsize
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            file.truncate(size)
        parts.append(np.load(path, mmap_mode="r+"))
    yield parts
    for part in parts:
        part.flush()
