"""What a catalog entry says about one feature."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.features.context import Array, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    name: str
    family: str
    formula: str
    unit: str
    lookback: int
    """Sessions before t that the value can depend on (exponential means: five spans). Rows of optional
    tables do not count: they are given whole."""
    compute: Callable[[Context], Array]
    scope: Literal["stock", "market"] = "stock"
    source: str = "bars"
    """Name of the table it is read from."""
    published: str = "at the close of the session"
    """When the newest value in it was known."""
