"""What was read lately, within so many bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


@dataclass(slots=True)
class Recent(Generic[_Key, _Value]):
    """Values by key; those not asked for the longest go, until the rest takes at most ``limit`` bytes.

    The newest one stays, whatever its size. Several threads may ask.
    """

    limit: int
    size: Callable[[_Value], int]
    """Bytes of a value."""
    held: int = 0
    """Bytes of all that is there."""
    _values: OrderedDict[_Key, _Value] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """The value of a key, made if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self.held += self.size(value)
            while self.held > self.limit and len(self._values) > 1:
                self.held -= self.size(self._values.popitem(last=False)[1])
        return value
