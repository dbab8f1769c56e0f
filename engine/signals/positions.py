"""What an account holds: a CSV that a person or a broker's export can write."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.errors import EnvironmentProblem, UsageError

CASH = "$cash"
"""Stands for the cash among the codes of a positions file: no exchange has such a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    shares: Mapping[str, float]
    """Code -> shares held; negative = short."""
    cash: float
    """Quote currency, what was received for open short sales included."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """A CSV with columns code and shares, and a row ``$cash`` with the amount."""
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise EnvironmentProblem(f"{path}: cannot be read ({error})") from error
        rows = csv.DictReader(io.StringIO(text))
        names = {name.strip().lower(): name for name in rows.fieldnames or () if name}
        code, shares = names.get("code", names.get("symbol")), names.get("shares")
        if code is None or shares is None:
            raise UsageError(f"{path}: needs columns code and shares")
        found: dict[str, float] = {}
        for row in rows:
            name, value = (row[code] or "").strip(), _number(row[shares])
            place = f"{path}:{rows.line_num}"
            if not name or value is None:
                raise UsageError(f"{place}: expected a code and a number of shares")
            if name in found:
                raise UsageError(f"{place}: {name} is given twice")
            found[name] = value
        if CASH not in found:
            raise UsageError(
                f"{path}: no row {CASH}", hint=f"add a line like `{CASH},1000000` with the cash"
            )
        cash = found.pop(CASH)
        return cls(shares=dict(sorted(found.items())), cash=cash)

    def to_csv(self) -> str:
        """The same, sorted; reading it gives the same positions."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["code", "shares"])
        writer.writerows((code, repr(value)) for code, value in self.shares.items())
        writer.writerow([CASH, repr(self.cash)])
        return buffer.getvalue()


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
