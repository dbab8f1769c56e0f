"""Weaknesses that a child of the drill is born with: its ``sitecustomize`` changes the product."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

READER_WITHOUT_HASH = """
from engine import hashes
hashes._require = lambda *_: None
"""
WRITER_THAT_SWALLOWS = """
import contextlib, os
from engine import files, hashes
@contextlib.contextmanager
def atomic_path(path, *, listed=True, size=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with contextlib.suppress(OSError):
        yield temporary
    if temporary.exists():
        hashes.note(path, temporary)
        temporary.replace(path)
files.atomic_path = atomic_path
"""
MONTH_THAT_SWALLOWS = """
import contextlib
from engine.data import months
write = months.write_month
def write_month(*arguments):
    with contextlib.suppress(Exception):
        write(*arguments)
months.write_month = write_month
"""
WRITER_WITHOUT_SYNC = """
import contextlib
from engine import files, hashes
@contextlib.contextmanager
def atomic_path(path, *, listed=True, size=None):
    temporary = path.with_name(f".{path.name}.tmp")
    yield temporary
    hashes.note(path, temporary)
    temporary.replace(path)
files.atomic_path = atomic_path
"""


@contextmanager
def plant(weakness: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every child that is started inside has the weakness."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(weakness)
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{folder}:{Path(__file__).parents[3]}")
        yield
