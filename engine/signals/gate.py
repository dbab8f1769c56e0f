"""What a challenger has to be before it may trade."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from engine.records.judgement import is_noise

MIN_COMMON_DAYS = 20
"""Fewer days that neither model was trained on tell nothing about which is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    name: str
    passed: bool
    detail: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def against_noise(cls, test: Mapping[str, Any]) -> Self:
        """Positive, and outside the band of shuffled scores."""
        value, band = test["rank_ic"], test["null_band"]
        if value is None or band is None:
            return cls(name="noise", passed=False, detail="no test day is defined")
        detail = f"test RankIC {value:+.4f}, null band ±{band:.4f}"
        return cls(name="noise", passed=value > 0 and not is_noise(value, band), detail=detail)

    @classmethod
    def against_baseline(cls, name: str, figures: Mapping[str, Any] | None) -> Self:
        """Better than a simple model on the same test days."""
        if figures is None:
            return cls(name=name, passed=False, detail="was not fitted on the same days")
        found = figures["test_difference"]
        return cls.difference(name, found["difference"], found["se"], found["n_dates"])

    @classmethod
    def difference(cls, name: str, mean: float | None, error: float | None, days: int) -> Self:
        if mean is None or error is None or math.isnan(mean):
            return cls(name=name, passed=False, detail=f"undefined on {days} common days")
        detail = f"RankIC {mean:+.4f} ± {error:.4f} better on {days} common days"
        return cls(name=name, passed=mean > 0, detail=detail)


def passed(rows: Sequence[Row]) -> bool:
    return all(row.passed for row in rows)
