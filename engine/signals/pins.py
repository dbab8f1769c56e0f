"""Inputs of sealed signals, kept by their content: what two sessions share is stored once.

    signals/pins/<first 40 hex digits of the SHA-256>.bin

A pin is never changed. It outlives every revision of the data, so that a signal can be made again.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import IntegrityError
from engine.files import write_bytes

_DIGITS = 40
_KEPT = 32
"""Pins whose arrays stay in memory: bars of 4,000 stocks take 0.3 MB, so about 10 MB."""
_Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class PinStore:
    """Bytes by their hash. One store remembers which pins it has checked and the arrays it has read."""

    root: Path
    """``WORKSPACE/signals/pins``."""
    _checked: set[str] = field(default_factory=set, compare=False)
    _arrays: dict[str, _Arrays] = field(default_factory=dict, compare=False)

    def put(self, content: bytes) -> str:
        """Keep the bytes; returns their name. A damaged file of that name is replaced."""
        name = _name_of(content)
        path = self._path(name)
        if not path.is_file() or path.stat().st_size != len(content):
            write_bytes(path, content)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of that name; IntegrityError if they are gone or not the same any more."""
        path = self._path(name)
        if not path.is_file():
            raise IntegrityError(f"{path}: an input of a sealed signal is missing")
        content = path.read_bytes()
        if _name_of(content) != name:
            raise IntegrityError(f"{path}: contents differ from the hash in its name")
        return content

    def check(self, name: str) -> None:
        """IntegrityError unless the pin is what its name says; each pin is read once."""
        if name not in self._checked:
            self.get(name)
            self._checked.add(name)

    def put_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Keep arrays; returns the name of their pin."""
        return self.put(pack(arrays))

    def get_arrays(self, name: str) -> _Arrays:
        """The arrays of a pin, read-only; the newest few are kept, for sessions side by side share most."""
        if name not in self._arrays:
            self._arrays[name] = unpack(self.get(name))
            while len(self._arrays) > _KEPT:
                del self._arrays[next(iter(self._arrays))]
        return self._arrays[name]

    def _path(self, name: str) -> Path:
        return self.root / f"{name}.bin"


def _name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as a compressed ``.npz`` whose bytes depend on nothing but their values and order."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(content: bytes) -> _Arrays:
    """The arrays that `pack` packed. No pickles are read: reading a pin cannot run code."""
    with np.load(io.BytesIO(content), allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def text_array(words: Sequence[str]) -> NDArray[np.uint8]:
    """Text as bytes: numpy's own text arrays would be pickled or padded."""
    return np.frombuffer("\n".join(words).encode("utf-8"), dtype=np.uint8)


def text_of(array: NDArray[Any]) -> tuple[str, ...]:
    """The words that `text_array` packed; none of an empty array."""
    text = array.tobytes().decode("utf-8")
    return tuple(text.split("\n")) if text else ()
