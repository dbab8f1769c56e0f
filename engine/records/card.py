"""The go / no-go card of a signal: one light a question, each with its figure, its limit and its reason; and
the evidence that it judges.
"""

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


class DataEvidence(Struct, frozen=True, kw_only=True):
    """Whether the session's file is there and whole."""

    names: int
    """Stocks with a bar of the session."""
    usual: int
    """Median number of stocks on the sessions before."""
    min_coverage: float
    """Least fraction of ``usual`` that counts as whole."""
    repeated: bool
    """The session repeats the prices of the one before."""
    missing_sessions: tuple[str, ...]
    """ISO dates of recent sessions of the exchange without data."""


class QualityEvidence(Struct, frozen=True, kw_only=True):
    """What the quality gates said of the store."""

    verdict: Literal["ok", "degraded", "refused"]
    worst: str
    """The first finding of level error in words; empty without one."""
    notes: tuple[str, ...] = ()


class PositionEvidence(Struct, frozen=True, kw_only=True):
    """How the file of positions was matched to the store."""

    lines: int
    notes: tuple[str, ...]
    missing: dict[str, str]
    """Held code as the file spells it -> why it has no price here."""


class AuditEvidence(Struct, frozen=True, kw_only=True):
    """What the last full audit said."""

    verdict: str
    age: int | None
    """Sessions since; None = it was of other data or other rules."""
    leaks: tuple[str, ...]
    """Names of the first columns that saw ahead."""


class StepEvidence(Struct, frozen=True, kw_only=True):
    """Whether noise in the newest session moves anything before it."""

    leaks: tuple[str, ...]
    columns: int
    """Columns that were checked; 0 = the sample was too small."""


class ModelAge(Struct, frozen=True, kw_only=True):
    """How long ago the champion stopped learning."""

    age: int
    """Sessions."""
    last_session: str
    """The last one whose label it has learned from, ISO date."""


class DriftFigures(Struct, frozen=True, array_like=True):
    """How far today's values of one variable lie from those of the reference; unitless."""

    psi: float
    """Population stability index; 0 = the same distribution."""
    ks: float
    """Largest distance of the two distribution functions, 0..1."""
    usual_psi: float
    usual_ks: float
    """The largest of the reference's own sessions."""
    n: float
    """Number of values of today."""


class LiveRankIC(Struct, frozen=True, kw_only=True):
    """RankIC of the sealed scores of one model beside what was to be expected; NaN = not known yet."""

    rank_ic: float = math.nan
    """Mean over the newest sealed signals whose outcome is known."""
    sessions: int = 0
    """Signals that the mean is of."""
    horizon: int = 0
    """Sessions that the scores look ahead."""
    expected: float = math.nan
    """Mean out of sample, before the model was promoted."""
    low: float = math.nan
    """Below it the model counts as broken."""


class DayEvidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known before anything is scored."""

    data: DataEvidence
    quality: QualityEvidence
    positions: PositionEvidence | None = None
    """None where no file of positions was given."""


class SignalEvidence(DayEvidence, frozen=True, kw_only=True, omit_defaults=True):
    """Everything besides the scores and the orders."""

    audit: AuditEvidence | None
    """None = no audit was ever run."""
    audit_session: StepEvidence
    model: ModelAge
    drift: dict[str, DriftFigures]
    """Feature -> its drift."""
    live: LiveRankIC


class Health(Struct, frozen=True, kw_only=True):
    """What the networks themselves say about a session."""

    score_drift: DriftFigures
    dispersion: float
    """Spread of the scores over that of the reference's days; 1 = the same."""
    alpha: tuple[float | None, ...]
    """Share of the projected stream in each network's gate; None without a bypass."""
