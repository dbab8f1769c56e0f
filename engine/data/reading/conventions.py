"""What a column of factors means. Vendors differ, the names do not tell, the quoted prices do.

At 2:1 one writes 0.5 (earlier prices times it), one 2.0 (new shares an old one), one a level that goes from
0.5 to 1 or from 1 to 2; and some divide their prices by later splits already. The right reading makes the
jump of the quoted close on these days smaller.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.data.reading.numbers import BadValue
from engine.data.reading.ratio import RowOrder
from engine.records.reading import DecidedBy, Factor

_Floats = NDArray[np.float64]
_Wanted = Literal["auto", "earlier_times", "new_per_old", "cumulative"]
_WORDS = {
    "earlier_times": "earlier prices times factor",
    "new_per_old": "new shares per old share",
    "times_level": "level: adjusted price = price x level",
    "over_level": "level: adjusted price = price / level",
    "no events": "no events",
}
_BIG = 0.1
"""Log size from which an event stands out of a day's own move; smaller ones count where all are small."""
_SURE = 3.0
"""Standard errors by which small factors must speak against the likely reading."""
_MANY = 10
"""Bars of one day, most of them with a value: so many stocks do not split at once, it is a level."""
_HINT = "say what it means with --factor, or that it is not to be used with --price-scale raw or adjusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """A column of factors as read."""

    factor: _Floats
    """What earlier prices are multiplied by, a row in the order of an `RowOrder`; 1 otherwise."""
    divided: bool
    """The file's prices are divided by later splits already."""
    plan: Factor


def convention_of(
    values: _Floats,
    close: _Floats,
    order: RowOrder,
    *,
    column: Literal["factor", "split"],
    wanted: _Wanted,
) -> Convention:
    """Read a column (NaN, 0 and 1 = nothing). BadValue where no reading makes the jumps smaller.

    A column of splits has new shares an old one, and prices that do not jump with it are divided by later
    splits already; one of factors multiplies earlier prices. That is so as long as the prices do not say
    otherwise.
    """
    values = np.where(np.isfinite(values) & (values > 0), values, 1.0)
    traded = np.isfinite(close) & (close > 0)
    before = order.before(traded)
    moved = traded & (before >= 0)
    jump = np.full(close.size, np.nan)
    jump[moved] = np.log(close[moved] / close[before[moved]])
    level = _is_level(values, order) if wanted == "auto" else wanted == "cumulative"
    factor, names = _as_factor(values, order, level)
    down = np.log(factor)
    event = np.abs(down) > 1e-9
    if not event.any():
        plan = Factor(column=column, convention=_WORDS["no events"])
        return Convention(factor=np.ones(close.size), divided=False, plan=plan)
    _refuse_beside(down, jump, event, order, column, wanted)
    likely = 1 if column == "split" and not level else 0
    sign, decided_by = _direction(down, jump, event, likely, column, wanted)
    name = names[1 if sign < 0 else 0] if sign else "new_per_old"
    log_factor = (sign or -1.0) * down
    seen = event & np.isfinite(jump)
    left = np.abs(jump - log_factor) if sign else np.abs(jump)
    whole = np.abs(jump) if sign else np.abs(jump + log_factor)
    plan = Factor(
        column=column,
        convention=_WORDS[name] + ("" if sign else ", prices divided by later splits"),
        events=int(event.sum()),
        jump_before=float(np.median(whole[seen])) if seen.any() else 0.0,
        jump_after=float(np.median(left[seen])) if seen.any() else 0.0,
        decided_by=decided_by if wanted == "auto" else "option",
    )
    return Convention(factor=factor if sign > 0 else 1 / factor, divided=not sign, plan=plan)


def _is_level(values: _Floats, order: RowOrder) -> bool:
    """Whether the column keeps its value from row to row, where it is not 1."""
    inner = ~order.first
    previous = np.concatenate(([1.0], values[:-1]))[: values.size]
    told = (values != 1.0) & inner
    if not told.any():
        return values.size >= _MANY and bool(np.mean(values != 1.0) > 0.5)
    return bool(np.mean(previous[told] == values[told]) > 0.5)


def _as_factor(values: _Floats, order: RowOrder, level: bool) -> tuple[_Floats, tuple[str, str]]:
    """The factor if the column multiplies earlier prices, and names of this reading and of its inverse."""
    if not level:
        return values, ("earlier_times", "new_per_old")
    change = np.ones(values.size)
    change[1:] = values[:-1] / values[1:]
    change[order.first] = 1.0
    return change, ("times_level", "over_level")


def _direction(
    down: _Floats,
    jump: _Floats,
    event: NDArray[np.bool_],
    likely: int,
    column: str,
    wanted: _Wanted,
) -> tuple[float, DecidedBy]:
    """1: the log factors are right; -1: their inverse; 0: right as splits, but taken out of the prices."""
    prior = (1.0, -1.0)[likely]
    if wanted in ("earlier_times", "new_per_old"):
        return (1.0 if wanted == "earlier_times" else -1.0), "option"
    seen = event & np.isfinite(jump)
    if not seen.any():
        return prior, "name"
    if not (seen & (np.abs(down) >= _BIG)).any():
        return _small_direction(down[seen], jump[seen], prior)
    seen &= np.abs(down) >= _BIG
    moves, factors = jump[seen], down[seen]
    far = {
        0.0: float(np.abs(moves).sum()),
        1.0: float(np.abs(moves - factors).sum()),
        -1.0: float(np.abs(moves + factors).sum()),
    }
    best = min((prior, -prior, 0.0), key=lambda sign: far[sign])
    if best:
        return best, "values"
    if column == "split" and far[0.0] < 0.5 * float(np.abs(factors).sum()):
        return 0.0, "values"
    raise BadValue(
        f"The {column} column makes the jumps of the close larger whichever way it is read: "
        f"{np.median(np.abs(moves)):.3f} without it, {np.median(np.abs(moves - factors)):.3f} with earlier "
        f"prices times it, {np.median(np.abs(moves + factors)):.3f} with new shares an old one "
        f"(median log move over {int(seen.sum())} bars)",
        hint=_HINT,
    )


def _refuse_beside(
    down: _Floats,
    jump: _Floats,
    event: NDArray[np.bool_],
    order: RowOrder,
    column: str,
    wanted: str,
) -> None:
    """BadValue where the quoted jumps of large events stand on the row before or after that of the factor."""
    at = np.flatnonzero(event & (np.abs(down) >= _BIG))
    if not at.size or wanted not in ("auto", "cumulative"):
        return
    size = float(np.abs(down[at]).sum())

    def left(step: int) -> float:
        near = np.clip(at + step, 0, jump.size - 1)
        move = np.where(order.start[near] == order.start[at], np.nan_to_num(jump[near]), 0.0)
        return min(float(np.abs(move - sign * down[at]).sum()) for sign in (1.0, -1.0))

    places = ((0, ""), (1, "before"), (-1, "after"))
    said = next((said for step, said in places if left(step) < 0.5 * size), "")
    if said:
        raise BadValue(
            f"The {column} column stands a row {said} the jump of the close that it explains "
            f"({at.size} events): its dates are not the days from which the price is another",
            hint="--price-scale raw leaves it out, and splits are inferred from the prices; or give them "
            "with their ex-dates by --actions",
        )


def _small_direction(factors: _Floats, moves: _Floats, prior: float) -> tuple[float, DecidedBy]:
    """The likely reading, unless moves against it stand out of the stocks' own."""
    size = float(np.sqrt((factors**2).sum()))
    slope = float((moves * factors).sum()) / size
    against = -prior * slope > _SURE * float(np.sqrt((moves**2).mean()))
    return (-prior, "values") if against else (prior, "name")
