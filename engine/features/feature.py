"""One named input of the network: what it is, what it needs, and the function that computes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engine.features.context import Context

_Array = NDArray[np.float64]
_AT_CLOSE = "known at the close of the session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    name: str
    family: str
    formula: str
    """Letters as in `engine.features.catalog`."""
    unit: str
    lookback: int
    """Sessions before t that the value can depend on."""
    compute: Callable[["Context"], _Array]
    """``[N, S]`` for stock scope, ``[S]`` for market scope; NaN = unknown."""
    scope: Literal["stock", "market"] = "stock"
    """Stock: ranked within the day afterwards, so only its order matters. Market: the same for all stocks
    of a day and scaled by its own past."""
    source: str = "bars"
    """Table that must be there."""
    published: str = _AT_CLOSE
    """From when on a row of that table may be used."""
    core: bool = False
    """One of the columns of ``features.breadth = core``."""
    depth: int = 1
    """How many running sums are taken of one another: each reaches up to a block further back."""
    own: bool = False
    """A stock's value depends on its own row and the market only, so stocks can be taken in portions."""


@dataclass(frozen=True, slots=True)
class Family:
    """Makes the features of one family, so that a definition is one call."""

    name: str
    source: str = "bars"
    published: str = _AT_CLOSE
    own: bool = True

    def stock(
        self,
        name: str,
        formula: str,
        unit: str,
        lookback: int,
        compute: Callable[["Context"], _Array],
        *,
        core: bool = False,
        depth: int = 1,
        own: bool | None = None,
    ) -> Feature:
        return Feature(
            name=name,
            family=self.name,
            formula=formula,
            unit=unit,
            lookback=lookback,
            compute=compute,
            source=self.source,
            published=self.published,
            core=core,
            depth=depth,
            own=self.own if own is None else own,
        )

    def market(
        self,
        name: str,
        formula: str,
        lookback: int,
        compute: Callable[["Context"], _Array],
        *,
        unit: str = "z against its last 252 sessions",
        core: bool = False,
    ) -> Feature:
        return Feature(
            name=name,
            family=self.name,
            formula=formula,
            unit=unit,
            lookback=lookback + 252,
            compute=compute,
            scope="market",
            source=self.source,
            published=self.published,
            core=core,
        )


def log(x: _Array) -> _Array:
    """Natural logarithm; NaN where not positive."""
    return np.log(np.where(x > 0, x, np.nan))


def ratio(a: _Array, b: _Array) -> _Array:
    """a / b; NaN where b is 0."""
    return a / np.where(b != 0, b, np.nan)
