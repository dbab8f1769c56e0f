"""The go / no-go card of a signal: one light a question, each with its figure, its limit and its reason."""

import math
from collections.abc import Sequence
from typing import Literal, Self

from msgspec import Struct

from engine.errors import GateError

Verdict = Literal["TRADE", "HOLD", "STOP"]
_VERDICTS: tuple[Verdict, ...] = ("TRADE", "HOLD", "STOP")
"""From the best to the worst."""


class Light(Struct, frozen=True, kw_only=True):
    """One question of the card and its answer."""

    name: str
    verdict: Verdict
    value: float | str | None = None
    """What was measured; None where there is nothing to measure."""
    limit: float | str | None = None
    reason: str = ""


class TradeFigures(Struct, frozen=True, kw_only=True):
    """What trading the whole list of orders would do; fractions of equity unless a field says otherwise."""

    lines: int = 0
    """Number of orders."""
    refused: int = 0
    """Number of lines that a rule refused or cut."""
    equity: float = math.nan
    """Cash and positions at the close, quote currency; a position without a price counts nothing."""
    turnover: float = math.nan
    """Bought plus sold."""
    cost: float = math.nan
    """Estimated commission and slippage."""
    refused_share: float = math.nan
    """Share of the value of everything asked for, a fraction of that value."""
    gross: float = math.nan
    net: float = math.nan
    """Exposure after all orders."""
    cash: float = math.nan
    """Cash after all orders at their limits and commission: the least it can be. Quote currency."""


class Card(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The lights of one session; its verdict is the worst of them."""

    session: str
    exchange: str
    verdict: Verdict
    lights: tuple[Light, ...]
    orders: TradeFigures | None = None
    """None for an attempt that ended before there was a list of orders."""

    @classmethod
    def of(
        cls,
        session: str,
        exchange: str,
        lights: Sequence[Light],
        orders: TradeFigures | None = None,
    ) -> Self:
        """The card of these lights. Without any light the verdict is STOP."""
        worst: Verdict = "STOP"
        if lights:
            worst = max((light.verdict for light in lights), key=_VERDICTS.index)
        return cls(
            session=session, exchange=exchange, verdict=worst, lights=tuple(lights), orders=orders
        )

    @property
    def exit_code(self) -> int:
        """0 for TRADE, else the exit code of a gate that stays shut."""
        return 0 if self.verdict == "TRADE" else GateError.exit_code

    @property
    def troubles(self) -> tuple[Light, ...]:
        """The lights that are not TRADE, STOP first."""
        bad = (light for light in self.lights if light.verdict != "TRADE")
        return tuple(sorted(bad, key=lambda light: -_VERDICTS.index(light.verdict)))

    def light(self, name: str) -> Light | None:
        """The light of this name, or None where the card has none."""
        return next((light for light in self.lights if light.name == name), None)

    @property
    def line(self) -> str:
        """The verdict in one line, and why it is not TRADE."""
        why = why_not(self.lights)
        return f"{self.session} {self.exchange}  {self.verdict}{'  ' + why if why else ''}"

    def markdown(self, head: Sequence[str]) -> str:
        """The card as a page: its heading, the lines of ``head`` as a list, and a table of all lights."""
        rows = [
            f"| {light.verdict} | {light.name} | {_shown(light.value)} | {_shown(light.limit)} "
            f"| {light.reason} |"
            for light in self.lights
        ]
        return "\n".join(
            [
                f"# {self.session} {self.exchange}: {self.verdict}",
                "",
                *(f"- {line}" for line in head),
                "",
                "| | light | value | limit | reason |",
                "|---|---|---|---|---|",
                *rows,
                "",
            ]
        )


def why_not(lights: Sequence[Light]) -> str:
    """Name and reason of every light that is not TRADE, in the order of the card."""
    return "; ".join(f"{x.name}: {x.reason}" for x in lights if x.verdict != "TRADE")


def _shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.6g}"
