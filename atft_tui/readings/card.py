"""The go / no-go card of a session, as it was sealed, or of the last attempt that sealed nothing.

Pure JSON and hashes. A card whose seal does not hold has no verdict: `Card.word` says so instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from atft_tui.readings.seals import Seal, newest
from engine.errors import IntegrityError
from engine.files import from_json

_Verdict = Literal["TRADE", "HOLD", "STOP"]
_VERDICTS: tuple[_Verdict, ...] = ("TRADE", "HOLD", "STOP")
_CardStanding = Literal["sealed", "unsealed", "torn", "broken"]
"""``unsealed``: an attempt whose data were not complete. Otherwise as `seals.Standing`."""
ATTEMPT = Path("signals") / "attempt.json"
"""In the workspace: the card of the last attempt that was answered without a seal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One question of the card."""

    name: str
    verdict: _Verdict
    value: float | str | None
    limit: float | str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What trading the list would do. Fractions of equity unless it says otherwise."""

    lines: int
    refused: int
    equity: float
    """Quote currency."""
    turnover: float
    cost: float
    refused_share: float
    gross: float
    net: float
    cash: float
    """Quote currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    name: str
    """Of the sealed directory: ``2016-12-30`` or ``2016-12-30-r1``."""
    session: str
    standing: _CardStanding
    exchange: str = ""
    verdict: _Verdict | None = None
    """None when the card cannot be trusted."""
    lights: tuple[Light, ...] = ()
    figures: Figures | None = None
    trouble: str = ""
    """What is wrong with the seal."""
    revision: int = 0
    reason: str = ""
    """Why it was revised."""
    digest: str = ""
    """SHA-256 of the manifest, as sealed."""
    model: str = ""

    @property
    def word(self) -> str:
        """TRADE, HOLD or STOP; NOT VALID for a seal that does not hold."""
        return self.verdict or "NOT VALID"

    @property
    def may_trade(self) -> bool:
        return self.standing == "sealed" and self.verdict == "TRADE"

    @property
    def troubles(self) -> tuple[Light, ...]:
        """The lights that are not TRADE, STOP first."""
        bad = [light for light in self.lights if light.verdict != "TRADE"]
        return tuple(sorted(bad, key=lambda light: -_VERDICTS.index(light.verdict)))

    def light(self, name: str) -> Light | None:
        return next((light for light in self.lights if light.name == name), None)


_known: dict[Path, tuple[Seal, Card]] = {}


def read_card(seal: Seal) -> Card:
    """The card of a sealed directory; the very same value while the directory is unchanged."""
    known = _known.get(seal.directory)
    if known is not None and known[0] is seal:
        return known[1]
    card = _of_seal(seal)
    _known[seal.directory] = (seal, card)
    return card


def newest_card(workspace: Path) -> Card | None:
    """Of the newest session that a signal was sealed or tried for; None before the first."""
    seal, attempt = newest(workspace), read_attempt(workspace)
    if attempt is not None and (seal is None or attempt.session > seal.session):
        return attempt
    return None if seal is None else read_card(seal)


def read_attempt(workspace: Path) -> Card | None:
    """The last attempt that sealed nothing; None if there was none. A torn file raises ValueError."""
    try:
        found = from_json((workspace / ATTEMPT).read_bytes())
    except FileNotFoundError:
        return None
    return _parse_card(found, name=str(found["session"]), standing="unsealed")


def _parse_card(found: Mapping[str, Any], *, name: str, standing: _CardStanding) -> Card:
    """From ``card.json``; fields it does not know are left out. ValueError for an unknown verdict."""
    figures = found.get("orders")
    return Card(
        name=name,
        session=str(found["session"]),
        standing=standing,
        exchange=str(found.get("exchange", "")),
        verdict=_verdict(found["verdict"]),
        lights=tuple(_light(light) for light in found["lights"]),
        figures=_figures(figures) if isinstance(figures, Mapping) else None,
    )


def _of_seal(seal: Seal) -> Card:
    untrusted = Card(
        name=seal.name,
        session=seal.session,
        standing=seal.standing,
        trouble=seal.trouble,
        revision=seal.revision,
        reason=seal.reason,
        digest=seal.digest,
        model=seal.model,
    )
    if seal.standing != "sealed":
        return untrusted
    try:
        card = _parse_card(
            from_json(seal.content("card.json")), name=seal.name, standing=seal.standing
        )
    except IntegrityError as error:
        return replace(untrusted, standing="broken", trouble=error.message)
    except (ValueError, KeyError, TypeError) as error:
        trouble = f"card.json is of another version: {error}"
        return replace(untrusted, standing="broken", trouble=trouble)
    if card.session != seal.session:
        trouble = f"card.json is of {card.session}"
        return replace(untrusted, standing="broken", trouble=trouble)
    return replace(
        card, revision=seal.revision, reason=seal.reason, digest=seal.digest, model=seal.model
    )


def _verdict(text: object) -> _Verdict:
    for verdict in _VERDICTS:
        if text == verdict:
            return verdict
    raise ValueError(f"unknown verdict {text!r}")


def _light(found: Mapping[str, Any]) -> Light:
    return Light(
        name=str(found["name"]),
        verdict=_verdict(found["verdict"]),
        value=_figure(found.get("value")),
        limit=_figure(found.get("limit")),
        reason=str(found.get("reason", "")),
    )


def _figure(value: object) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value)
    raise ValueError(f"{value!r} is neither a number nor a word")


def _figures(found: Mapping[str, Any]) -> Figures:
    def number(name: str) -> float:
        value = found.get(name)
        return float("nan") if value is None else float(value)

    return Figures(
        lines=int(found.get("lines", 0)),
        refused=int(found.get("refused", 0)),
        equity=number("equity"),
        turnover=number("turnover"),
        cost=number("cost"),
        refused_share=number("refused_share"),
        gross=number("gross"),
        net=number("net"),
        cash=number("cash"),
    )
