"""How baselines are called, and which of them a small picture keeps."""

import math
from collections.abc import Sequence

from atft_tui import format as fmt

_SHOWN = {
    "lightgbm": "LightGBM",
    "mlp": "MLP",
    "ridge": "ridge",
    "equal_weight": "equal weight",
    "index": "index",
    "reversal_1": "1-day reversal",
    "reversal_5": "5-day reversal",
    "momentum_12_1": "momentum 12-1",
    "random": "random scores",
    "oracle": "oracle",
}
OLDER = "Made by an older version: run the backtest again (b)."
_FIRST = ("lightgbm", "equal_weight", "index")
"""Kept before any other."""
_LAST = ("oracle", "random")
"""Kept only where there is room: what nobody can have, and what knows nothing."""


def shown(name: str) -> str:
    """The name of a baseline as a reader knows it."""
    return _SHOWN.get(name, fmt.clean(name))


def kept(names: Sequence[str], count: int) -> list[str]:
    """So many of the names: `_FIRST`, then the others in their order, then `_LAST`."""
    first = [name for name in _FIRST if name in names]
    last = [name for name in _LAST if name in names]
    rest = [name for name in names if name not in _FIRST + _LAST]
    return (first + rest + last)[: max(0, count)]


def percent(value: float, digits: int = 1, *, sign: bool = True) -> str:
    """``+12.3 %``; a dash for what is not known."""
    if not math.isfinite(value):
        return fmt.DASH
    return f"{value * 100:{'+' if sign else ''}.{digits}f} %"


def ratio(value: float) -> str:
    """``+0.71``; a dash for what is not known."""
    return f"{value:+.2f}" if math.isfinite(value) else fmt.DASH
