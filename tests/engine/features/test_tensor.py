"""Blocks on disk: written piece by piece in their files, read by days and by stocks."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from engine.features.rolling import BLOCK
from engine.features.tensor import block_file, new_blocks, open_blocks, write_blocks
from engine.files import read_manifest, write_manifest

SESSIONS, STOCKS_B = 2 * BLOCK + 22, np.array([0, 3, 5])
"""Nobody has entered in the first block."""


def drawn() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(SESSIONS, 5, 2)).astype(np.float16)


def test_blocks_filled_in_their_files_are_the_bytes_of_written_ones(tmp_path: Path) -> None:
    x_SNF = drawn()
    for name in ("written", "filled"):
        (tmp_path / name).mkdir()
    write_blocks(tmp_path / "written", "x", BLOCK, x_SNF, STOCKS_B)
    stop = BLOCK + SESSIONS
    with new_blocks(tmp_path / "filled", "x", BLOCK, stop, STOCKS_B, (2,), x_SNF.dtype) as parts:
        assert [part.shape[:2] for part in parts] == [(64, 0), (64, 3), (22, 5)]
        for b, part in enumerate(parts):
            part[:] = x_SNF[b * BLOCK : b * BLOCK + len(part), : part.shape[1]]
    for block in (1, 2, 3):
        name = block_file("x", block)
        written, filled = (tmp_path / f / name for f in ("written", "filled"))
        assert filled.read_bytes() == written.read_bytes()


def test_a_full_disk_is_an_error_before_anything_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was found out at a write into the map, the process would be killed by SIGBUS."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with (
        pytest.raises(OSError, match="No space"),
        new_blocks(tmp_path, "x", 0, 64, np.array([2]), (1,), np.dtype(np.float32)),
    ):
        pytest.fail("mapped")


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_some_stocks_are_those_of_all(tmp_path: Path, fill: float) -> None:
    x_SNF = drawn()
    write_blocks(tmp_path, "x", 0, x_SNF, STOCKS_B)
    write_manifest(tmp_path, {})
    found = open_blocks(tmp_path, read_manifest(tmp_path), "x", SESSIONS, 5, fill)
    for first, stop in ((0, 10), (60, 70), (100, SESSIONS), (0, SESSIONS)):
        for stocks in ([], [0], [1, 4], [3, 4], [0, 1, 2, 3, 4]):
            stocks_M = np.array(stocks, dtype=np.int64)
            some = found.of_stocks(first, stop, stocks_M)
            np.testing.assert_array_equal(some, found[first:stop][:, stocks_M])
            assert some.dtype == np.float16
