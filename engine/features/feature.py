"""One named input of the network: what it is, what it needs, and the function that computes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engine.features.context import Context

_Array = NDArray[np.float64]
_Scope = Literal["stock", "market"]
AT_CLOSE = "known at the close of the session"
Together = Callable[[Sequence[str], "Context", NDArray[np.float32], int, int], None]
"""Of features by name, context, ``[F, N, T]``, and the first feature and the first stock to write there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of the network's input, before it is scaled."""

    name: str
    family: str
    formula: str
    """In the language of `docs/features.md`, or in words."""
    unit: str
    lookback: int
    """Sessions before t that the value can depend on."""
    compute: Callable[["Context"], _Array]
    """``[N, S]`` for stock scope, ``[S]`` for market scope; NaN = unknown."""
    scope: _Scope = "stock"
    """Stock: ranked within the day afterwards, so only its order matters. Market: the same for all stocks
    of a day and scaled by its own past."""
    source: str = "bars"
    """Table that must be there; several have a + between them."""
    published: str = AT_CLOSE
    """When a row of that table is known, and may be used from then on."""
    core: bool = False
    """One of the columns of ``features.breadth = core``."""
    depth: int = 1
    """How many running sums are taken of one another: each reaches up to a block further back."""
    own: bool = False
    """A stock's value depends on its own row and the market only, so stocks can be taken in portions."""
    together: "Together | None" = None
    """What computes all features that have the same one in one pass, instead of `compute`."""
    text: str = ""
    """Digest of the file of a feature of the workspace's own; empty for those of the catalog."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of `source`, without the bars that every source has."""
        return tuple(name for name in self.source.split("+") if name != "bars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the features of a table have in common; calling it makes a feature, so each is one row."""

    name: str
    prefix: str = ""
    """Stands before every name."""
    source: str = "bars"
    published: str = AT_CLOSE
    scope: _Scope = "stock"

    def __call__(
        self,
        name: str,
        formula: str,
        unit: str,
        lookback: int,
        compute: Callable[["Context"], _Array],
        *,
        scope: _Scope | None = None,
    ) -> Feature:
        """The feature of that name; ``lookback`` in sessions."""
        return Feature(
            name=self.prefix + name,
            family=self.name,
            formula=formula,
            unit=unit,
            lookback=lookback,
            compute=compute,
            scope=scope or self.scope,
            source=self.source,
            published=self.published,
        )


def log(x: _Array) -> _Array:
    """Natural logarithm of an array of any shape; NaN where it is not positive."""
    return np.asarray(np.log(np.where(x > 0, x, np.nan)))


def ratio(a: _Array, b: _Array) -> _Array:
    """a / b of arrays of any shape; NaN where b is 0."""
    return np.asarray(a / np.where(b != 0, b, np.nan))
