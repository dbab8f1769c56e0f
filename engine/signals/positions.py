"""What an account holds, in the codes of the store."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

CASH = "$cash"
"""Stands for the cash among the codes of a positions file: no exchange has such a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    shares: Mapping[str, float]
    """Code -> shares held; negative = short."""
    cash: float
    """Quote currency, what was received for open short sales included."""

    def to_csv(self) -> str:
        """A row a code, sorted, and the cash; `read_position_file` reads it."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["code", "shares"])
        writer.writerows((code, repr(value)) for code, value in self.shares.items())
        writer.writerow([CASH, repr(self.cash)])
        return buffer.getvalue()
