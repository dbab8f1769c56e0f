"""The book that is best after risk and costs: Newton's method on the prices of its limits.

Given a price for the net weight, for each factor's exposure, for gross and for turnover, every name's best
weight is known in closed form; the prices that make the limits hold are the maximum of the dual, a concave
function that is quadratic in pieces. Its second derivative costs M x F^2 and few steps are needed, where an
interior-point solver factors a programme of three variables a name some twenty times (docs/book.md).
"""

# Shape suffixes: M stocks, F factors, R figures of a stock, P prices: net, each factor, gross, turnover.
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.portfolio.risk import FactorRisk

_Vector = NDArray[np.float64]
_Matrix = NDArray[np.float64]
_Inverse = NDArray[np.floating]
_DEAR = 0.1
"""Largest price of turnover, above every gain: its limit is exceeded only where the others demand it."""
_STEPS, _TRIALS, _ROUNDS = 200, 30, 10_000
"""Steps of Newton, dampings of one of them, rounds over the exposures."""
_GAIN, _OWN, _HELD, _COST, _IMPACT, _LEAST, _MOST = range(7)
"""Rows of a stock's figures."""
_SMOOTHING = (*(10.0 ** -np.arange(0.0, 6.0, 0.5)), 0.0)
"""Impacts that are added, from large to none, where the first attempt fails: each begins at the prices of the
one before. With low aversion and binding limits the dual has thousands of narrow pieces."""
_EXACT, _ENOUGH = 1e-11, 1e-7
"""Where the steps end, and what is still taken as solved. Fractions of equity."""


class SolverError(EngineError):
    """No book keeps all limits, or the solver did not find it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a book is to be best at, and its limits. Weights are fractions of equity, returns a session's."""

    gain_M: _Vector
    """Expected return."""
    risk: FactorRisk
    aversion: float
    """What variance costs: the objective is gain - aversion / 2 x variance - costs."""
    held_M: _Vector
    price_M: _Vector
    """Cost of trading one unit of weight, spread over the sessions that it is held."""
    impact_M: _Vector
    """The same for the square of the traded weight."""
    least_M: _Vector
    most_M: _Vector
    """Bounds of each weight, on both sides of 0."""
    net: float
    """Sum of the weights."""
    gross: float
    """Most that the absolute weights add up to."""
    max_turnover: float = np.inf
    """Most that purchases and sales add up to. A book that breaks another limit through what happened outside
    (a name that is gone) may trade more.
    """
    max_lean_F: _Vector | None = None
    """Largest absolute exposure to each factor; None = no limit."""


def best_book(wanted: Wanted, what: str) -> _Vector:
    """The weights ``[M]``; SolverError, which begins with ``what``, where no book keeps the limits."""
    risk = wanted.risk
    F = risk.covariance_FF.shape[0]
    lean_F = np.full(F, np.inf) if wanted.max_lean_F is None else wanted.max_lean_F
    figures_RM = np.stack(
        [
            wanted.gain_M,
            wanted.aversion * risk.specific_M,
            wanted.held_M,
            wanted.price_M,
            wanted.impact_M,
            wanted.least_M,
            wanted.most_M,
        ]
    )
    limits = np.array([wanted.net, wanted.gross, min(wanted.max_turnover, 1e6)])
    covariance_FF = wanted.aversion * risk.covariance_FF
    price_P, exposure_MF = np.zeros(F + 3), np.ascontiguousarray(risk.exposure_MF)
    for extra in (0.0, *_SMOOTHING):
        smooth_RM = figures_RM.copy()
        smooth_RM[_IMPACT] += extra
        weight_M, gap = _maximise(price_P, smooth_RM, exposure_MF, covariance_FF, lean_F, limits)
        if gap <= _ENOUGH and not extra:
            return np.asarray(weight_M)
    raise SolverError(
        f"{what}: no best book was found, its limits are missed by {gap:.1g} of the equity",
        hint="the limits may exclude each other: widen portfolio.max_lean",
    )


@njit(cache=True)
def _weights(
    price_P: _Vector,
    figures_RM: _Matrix,
    exposure_MF: _Matrix,
    out_M: _Vector,
    free_M: NDArray[np.bool_],
) -> float:
    """Each name's best weight at these prices, and whether it moves with them; returns the sum of the minima.

    Of ``own / 2 w^2 - gain w + c |w - held| + k (w - held)^2 + m |w|``, whose slope jumps at 0 and at held.
    """
    M, F = exposure_MF.shape
    total = 0.0
    gross, turnover = price_P[F + 1], price_P[F + 2]
    for i in range(M):
        gain = figures_RM[_GAIN, i] - price_P[0]
        for f in range(F):
            gain -= exposure_MF[i, f] * price_P[1 + f]
        own, held, k = figures_RM[_OWN, i], figures_RM[_HELD, i], figures_RM[_IMPACT, i]
        cost = figures_RM[_COST, i] + turnover
        curve, pull = own + 2.0 * k, gain + 2.0 * k * held
        low, high = min(0.0, held), max(0.0, held)
        between = gross - cost if held > 0.0 else cost - gross
        free_M[i] = True
        if curve * low - pull - gross - cost > 0.0:
            w = (pull + gross + cost) / curve
        elif curve * low - pull + between >= 0.0:
            w, free_M[i] = low, False
        elif curve * high - pull + between > 0.0:
            w = (pull - between) / curve
        elif curve * high - pull + gross + cost >= 0.0:
            w, free_M[i] = high, False
        else:
            w = (pull - gross - cost) / curve
        if w <= figures_RM[_LEAST, i] or w >= figures_RM[_MOST, i]:
            w = min(max(w, figures_RM[_LEAST, i]), figures_RM[_MOST, i])
            free_M[i] = False
        moved = w - held
        total += 0.5 * own * w * w - gain * w + cost * abs(moved) + k * moved * moved
        total += gross * abs(w)
        out_M[i] = w
    return total


@njit(cache=True)
def _exposures(
    price_F: _Vector, covariance_FF: _Matrix, inverse_FF: _Inverse, lean_F: _Vector, out_F: _Vector
) -> float:
    """Least of ``y' C y / 2 - price y`` within the leans, coordinate by coordinate where one binds."""
    out_F[:] = inverse_FF @ price_F
    if np.any(np.abs(out_F) > lean_F):
        out_F[:] = np.minimum(np.maximum(out_F, -lean_F), lean_F)
        for _ in range(_ROUNDS):
            change = 0.0
            for f in range(price_F.size):
                slope = price_F[f] - covariance_FF[f] @ out_F
                y = out_F[f] + slope / covariance_FF[f, f]
                y = min(max(y, -lean_F[f]), lean_F[f])
                change = max(change, abs(y - out_F[f]))
                out_F[f] = y
            if change < 1e-15:
                break
    return float(0.5 * out_F @ (covariance_FF @ out_F) - price_F @ out_F)


@njit(cache=True)
def _excess(
    weight_M: _Vector, y_F: _Vector, exposure_MF: _Matrix, held_M: _Vector, limits: _Vector
) -> _Vector:
    """Derivative ``[P]`` of the dual by the prices: how far each limit is exceeded."""
    M, F = exposure_MF.shape
    out_P = np.zeros(F + 3)
    for i in range(M):
        w = weight_M[i]
        out_P[0] += w
        out_P[F + 1] += abs(w)
        out_P[F + 2] += abs(w - held_M[i])
        if w != 0.0:
            for f in range(F):
                out_P[1 + f] += exposure_MF[i, f] * w
    out_P[0] -= limits[0]
    out_P[F + 1] -= limits[1]
    out_P[F + 2] -= limits[2]
    out_P[1 : F + 1] -= y_F
    return out_P


@njit(cache=True)
def _curvature(
    weight_M: _Vector,
    free_M: NDArray[np.bool_],
    figures_RM: _Matrix,
    exposure_MF: _Matrix,
    y_F: _Vector,
    lean_F: _Vector,
    covariance_FF: _Matrix,
) -> _Matrix:
    """Minus the second derivative ``[P, P]``, of the piece that these prices lie in."""
    M, F = exposure_MF.shape
    out_PP, row_P = np.zeros((F + 3, F + 3)), np.ones(F + 3)
    for i in range(M):
        if free_M[i]:
            row_P[1 : F + 1] = exposure_MF[i]
            row_P[F + 1] = 1.0 if weight_M[i] > 0.0 else -1.0
            row_P[F + 2] = 1.0 if weight_M[i] > figures_RM[_HELD, i] else -1.0
            curve = figures_RM[_OWN, i] + 2.0 * figures_RM[_IMPACT, i]
            for a in range(F + 3):
                for b in range(F + 3):
                    out_PP[a, b] += row_P[a] * row_P[b] / curve
    loose = np.flatnonzero(np.abs(y_F) < lean_F)
    if loose.size:
        part = np.linalg.inv(_part(covariance_FF, loose))
        for a in range(loose.size):
            for b in range(loose.size):
                out_PP[1 + loose[a], 1 + loose[b]] += part[a, b]
    return out_PP


@njit(cache=True)
def _part(matrix: _Matrix, at: NDArray[np.int64]) -> _Matrix:
    out = np.empty((at.size, at.size))
    for a in range(at.size):
        for b in range(at.size):
            out[a, b] = matrix[at[a], at[b]]
    return out


@njit(cache=True)
def _dual(
    price_P: _Vector,
    figures_RM: _Matrix,
    exposure_MF: _Matrix,
    factors: tuple[_Matrix, _Inverse, _Vector],
    limits: _Vector,
    found: tuple[_Vector, NDArray[np.bool_], _Vector],
) -> float:
    """Value of the dual; ``found`` takes the weights, which of them are free, and the exposures."""
    F = exposure_MF.shape[1]
    value = _weights(price_P, figures_RM, exposure_MF, found[0], found[1])
    value += _exposures(price_P[1 : F + 1], factors[0], factors[1], factors[2], found[2])
    return float(
        value - price_P[0] * limits[0] - price_P[F + 1] * limits[1] - price_P[F + 2] * limits[2]
    )


@njit(cache=True)
def _maximise(
    price_P: _Vector,
    figures_RM: _Matrix,
    exposure_MF: _Matrix,
    covariance_FF: _Matrix,
    lean_F: _Vector,
    limits: _Vector,
) -> tuple[_Vector, float]:
    """Weights ``[M]`` at the maximum of the dual, and the most by which a limit is missed there.

    Newton's steps, damped until they rise (Levenberg), from ``price_P``, which ends as the best prices.
    """
    M, F = exposure_MF.shape
    factors = (covariance_FF, np.linalg.inv(covariance_FF), lean_F)
    found = (np.zeros(M), np.zeros(M, dtype=np.bool_), np.zeros(F))
    trial_P, damping, gap, better = np.zeros(F + 3), 1e-10, np.inf, True
    for _ in range(_STEPS):
        value = _dual(price_P, figures_RM, exposure_MF, factors, limits, found)
        slope_P = _excess(found[0], found[2], exposure_MF, figures_RM[_HELD], limits)
        on_P = np.ones(F + 3, dtype=np.bool_)
        for p in (F + 1, F + 2):
            on_P[p] = price_P[p] > 0.0 or slope_P[p] > 0.0
        on_P[F + 2] &= price_P[F + 2] < _DEAR or slope_P[F + 2] < 0.0
        gap = float(np.max(np.abs(slope_P) * on_P))
        if gap <= _EXACT:
            break
        at = np.flatnonzero(on_P)
        curve_PP = _curvature(
            found[0], found[1], figures_RM, exposure_MF, found[2], lean_F, covariance_FF
        )
        part, unit = _part(curve_PP, at), np.eye(at.size)
        largest = max(1e-12, np.max(np.diag(part)))
        for _ in range(_TRIALS):
            trial_P[:] = price_P
            trial_P[at] += np.linalg.solve(part + damping * largest * unit, slope_P[at])
            trial_P[F + 1] = max(trial_P[F + 1], 0.0)
            trial_P[F + 2] = min(max(trial_P[F + 2], 0.0), _DEAR)
            trial = _dual(trial_P, figures_RM, exposure_MF, factors, limits, found)
            rise = 1e-4 * float(slope_P @ (trial_P - price_P))
            better = trial >= value + rise - 1e-15 * abs(value)
            if better:
                damping = max(damping * 1e-2, 1e-13)
                break
            damping *= 10.0
        if not better:
            break
        price_P[:] = trial_P
    _dual(price_P, figures_RM, exposure_MF, factors, limits, found)
    return found[0], gap
