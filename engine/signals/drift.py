"""How far today's values lie from those that the champion was chosen on.

Features are compared before they are ranked within the day: ranks have the same distribution every day.
"""

# Shape suffixes: F features, Q quantiles, D sessions of the reference, N stocks.
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engine.config import SignalConfig
from engine.records.card import DriftFigures
from engine.signals.seal import pack, text_array, text_of, unpack

_QUANTILES = 101
_BINS = 10
_FLOOR = 1e-3
"""Least share of a bin: an empty one would make the index infinite."""
_CLEARLY = 1.5
"""Times the largest figure of the reference's own sessions."""
_NEARLY = 0.98
"""A KS distance of 1 is the largest there is: nothing can be clearly beyond a usual one near it."""
_Values = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One variable over all stocks and sessions of the reference."""

    quantile_Q: NDArray[np.float64]
    """0 %, 1 % ... 100 %."""
    missing: float
    """Share of unknown values."""
    psi: float
    """Largest index of one of the reference's own sessions: what is usual."""
    ks: float

    @classmethod
    def of(cls, days: Sequence[_Values]) -> Self:
        """The distribution of all ``days``, each ``[N]`` with NaN for unknown values."""
        every = np.concatenate([np.asarray(day, dtype=np.float64) for day in days])
        known = every[np.isfinite(every)]
        quantile_Q = np.full(_QUANTILES, np.nan)
        if known.size:
            share_Q = np.linspace(0.0, 1.0, _QUANTILES)
            quantile_Q = np.quantile(known, share_Q, method="inverted_cdf")
        missing = 1.0 - known.size / every.size if every.size else 1.0
        plain = cls(quantile_Q=quantile_Q, missing=missing, psi=0.0, ks=0.0)
        return cls(
            quantile_Q=quantile_Q,
            missing=missing,
            psi=max((plain.psi_of(day) for day in days), default=0.0),
            ks=max((plain.ks_of(day) for day in days), default=0.0),
        )

    def psi_of(self, values_N: _Values) -> float:
        """Population stability index: sum over bins of (p - q) ln(p / q).

        Bins are the reference's deciles (equal ones joined) and one for unknown values; an empty bin
        counts as half a stock, at least 0.001. 0 = same; 0.1 a little, 0.25 a lot (the usual reading).
        """
        floor = max(_FLOOR, 0.5 / max(values_N.size, 1))
        p, q = (np.maximum(self._shares(v), floor) for v in (values_N, None))
        return float(((p - q) * np.log(p / q)).sum())

    def ks_of(self, values_N: _Values) -> float:
        """Largest distance of the two distribution functions, at the reference's percentiles."""
        known = np.sort(np.asarray(values_N, dtype=np.float64)[np.isfinite(values_N)])
        if not known.size or np.isnan(self.quantile_Q[0]):
            return 0.0 if not known.size and np.isnan(self.quantile_Q[0]) else 1.0
        point = self.quantile_Q[1:-1]
        worst = 0.0
        for side in ("left", "right"):  # at a step both sides of it have to agree
            ours = np.searchsorted(known, point, side=side) / known.size
            theirs = np.searchsorted(self.quantile_Q, point, side=side) / _QUANTILES
            worst = max(worst, float(np.abs(ours - theirs).max()))
        return worst

    def drift(self, today_N: _Values) -> DriftFigures:
        """How far today's values ``[N]`` lie from these; NaN = unknown."""
        return DriftFigures(
            self.psi_of(today_N), self.ks_of(today_N), self.psi, self.ks, float(today_N.size)
        )

    def _shares(self, values_N: _Values | None) -> NDArray[np.float64]:
        """Share of each bin, unknown values last; of the reference itself for None."""
        edges = np.unique(self.quantile_Q[:: (_QUANTILES - 1) // _BINS][1:-1])
        edges = edges[np.isfinite(edges)]
        known: _Values = self.quantile_Q
        missing = self.missing
        if values_N is not None:
            every = np.asarray(values_N, dtype=np.float64)
            known = every[np.isfinite(every)]
            missing = 1.0 - known.size / every.size if every.size else 1.0
        counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=edges.size + 1)
        inside = counts / max(known.size, 1) * (1.0 - missing)
        return np.append(inside, missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Distributions of the champion's validation span."""

    features: Mapping[str, Distribution]
    scores: Distribution
    """Of the ensemble's scores, each day standardised."""
    deviation: float
    """Mean over days and networks of the raw scores' deviation."""
    sessions: int

    def to_bytes(self) -> bytes:
        """As ``reference.npz`` holds it; `from_bytes` reads it."""
        every = [*self.features.values(), self.scores]
        return pack(
            {
                "names": text_array(list(self.features)),
                "quantile": np.stack([d.quantile_Q for d in every]),
                "figures": np.array([[d.missing, d.psi, d.ks] for d in every]),
                "scores": np.array([self.deviation, float(self.sessions)]),
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """What `to_bytes` wrote."""
        data: dict[str, NDArray[Any]] = unpack(content)
        every = [
            Distribution(quantile_Q=q, missing=float(f[0]), psi=float(f[1]), ks=float(f[2]))
            for q, f in zip(data["quantile"], data["figures"], strict=True)
        ]
        return cls(
            features=dict(zip(text_of(data["names"]), every[:-1], strict=True)),
            scores=every[-1],
            deviation=float(data["scores"][0]),
            sessions=int(data["scores"][1]),
        )

    def drift(self, values: Mapping[str, _Values]) -> dict[str, DriftFigures]:
        """How far today's ``values`` (``[N]`` each) of every feature lie from the reference."""
        return {
            name: distribution.drift(values.get(name, np.empty(0)))
            for name, distribution in self.features.items()
        }


def has_drifted(found: DriftFigures, signals: SignalConfig) -> bool:
    """Beyond a limit, and clearly beyond whatever a session of the reference itself showed.

    A few stocks differ from any distribution by chance, on average by a PSI of (bins - 1) / n and, at 95 %,
    by a KS of 1.36 / sqrt(n): that much is allowed besides the limit. Single features move a lot by nature
    on days that move the whole market.
    """
    psi_limit = signals.psi_limit + _BINS / max(found.n, 1.0)
    ks_limit = signals.ks_limit + 1.36 / math.sqrt(max(found.n, 1.0))
    return bool(
        (found.psi > psi_limit and found.psi > _CLEARLY * found.usual_psi)
        or (found.ks > ks_limit and found.ks > min(_CLEARLY * found.usual_ks, _NEARLY))
    )
