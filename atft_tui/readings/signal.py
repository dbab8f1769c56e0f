"""One sealed signal as rows: every stock with rank, weight, order and refusal, and what changed since.

Every byte comes through `Seal.content`, so nothing that was changed after it was sealed becomes a row.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from atft_tui.readings.card import Card, read_card
from atft_tui.readings.explain import EMPTY, Explanations
from atft_tui.readings.parquet import read_table
from atft_tui.readings.seals import Seal
from engine.errors import IntegrityError
from engine.files import from_json

_PIN_DIGITS = 40
"""Hex digits of the SHA-256 that name a pin."""
_KEPT = 6
"""Signals kept in memory: the one shown, its neighbours, and those just visited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    side: str
    shares: float
    notional: float
    """NaN where there is no price."""
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One stock of a session."""

    code: str
    name: str = ""
    sector: str = ""
    rank: int | None = None
    """1 = best; None = not scored."""
    before: int | None = None
    """Rank in the session compared with."""
    score: float = float("nan")
    """Standardised within the day."""
    weight: float = 0.0
    """Of the book, fraction of equity."""
    weight_before: float = 0.0
    """Of the book compared with."""
    side: str = ""
    """buy or sell; empty without an order."""
    shares: int = 0
    lots: int = 0
    limit: float = float("nan")
    close: float = float("nan")
    notional: float = 0.0
    held: float = 0.0
    reason: str = ""
    refused: tuple[Refusal, ...] = ()

    @property
    def move(self) -> int | None:
        """Places gained; negative = lost."""
        return None if self.rank is None or self.before is None else self.before - self.rank

    @property
    def book(self) -> str:
        return "long" if self.weight > 0 else "short" if self.weight < 0 else ""

    @property
    def is_in_book(self) -> bool:
        return bool(self.weight or self.side or self.refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The book and the ranks against those of an earlier session."""

    since: str
    """Name of the sealed signal; empty when there is none before it."""
    same_model: bool
    entered: tuple[Line, ...]
    left: tuple[Line, ...]
    flipped: tuple[Line, ...]
    moves: tuple[Line, ...]
    """Stocks ranked in both, those that moved most first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signal:
    """What is shown of a session. Equal only to itself: unchanged files give the very same value."""

    seal: Seal
    card: Card
    lines: tuple[Line, ...] = ()
    """By rank; without one last."""
    horizon: int = 0
    """Sessions that the traded score looks ahead."""
    explain: Explanations = EMPTY
    change: Change | None = None
    by_code: Mapping[str, Line] = field(default_factory=dict)

    @property
    def scored(self) -> int:
        return sum(line.rank is not None for line in self.lines)


_known: list[tuple[Seal, Seal | None, Signal]] = []
"""The newest last. Seals are the same value while their directories are unchanged."""


def read_signal(seal: Seal, before: Seal | None) -> Signal:
    """The rows of a sealed directory, compared with an earlier one. A broken seal has a card and no rows."""
    for known, then, made in _known:
        if known is seal and then is before:
            return made
    card = read_card(seal)
    signal = Signal(seal=seal, card=card)
    if card.verdict is not None:
        try:
            signal = _of(seal, card, before)
        except IntegrityError as error:
            signal = _refused(signal, error.message)
        except (ValueError, KeyError, TypeError) as error:
            signal = _refused(signal, f"a file is of another version: {error}")
    _known.append((seal, before, signal))
    del _known[:-_KEPT]
    return signal


def earlier(seals: Sequence[Seal], seal: Seal) -> Seal | None:
    """The newest whole revision of the session before; it is what a rank change is counted from."""
    older = [one for one in seals if one.session < seal.session and one.standing == "sealed"]
    return older[-1] if older else None


def _refused(signal: Signal, trouble: str) -> Signal:
    card = replace(signal.card, standing="broken", verdict=None, trouble=trouble)
    return replace(signal, card=card, lines=())


def _of(seal: Seal, card: Card, before: Seal | None) -> Signal:
    inputs = from_json(seal.content("inputs.json"))
    horizon = int(inputs["trading"]["portfolio"]["horizon"])
    ranks, scores = _scores(seal, horizon)
    then = _then(before, card.model)
    weights = _weights(seal)
    names = _names(seal.directory.parent / "pins", str(inputs["securities"]))
    orders = {_plain(row["code"]): row for row in _rows(seal, "orders.csv")}
    refused: dict[str, list[Refusal]] = {}
    for row in _rows(seal, "refused.csv"):
        refused.setdefault(_plain(row["code"]), []).append(_refusal(row))
    lines = [
        _line(
            Line(
                code=code,
                name=names.get(code, ("", ""))[0],
                sector=names.get(code, ("", ""))[1],
                rank=ranks.get(code),
                before=then.ranks.get(code),
                score=scores.get(code, float("nan")),
                weight=weights.get(code, (0.0, 0.0))[0],
                weight_before=then.weight(code, weights),
                refused=tuple(refused.get(code, ())),
            ),
            orders.get(code),
        )
        for code in {*ranks, *weights, *orders, *refused, *then.weights}
    ]
    lines.sort(key=lambda line: (line.rank is None, line.rank or 0, line.code))
    explain = Explanations.read(seal.content("explain.parquet"))
    change = _change(lines, then)
    shown = tuple(line for line in lines if line.rank is not None or line.is_in_book)
    return Signal(
        seal=seal,
        card=card,
        lines=shown,
        horizon=horizon,
        explain=explain,
        change=change,
        by_code={line.code: line for line in lines},
    )


# ---- the earlier session -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Then:
    """What is known of the session compared with."""

    name: str
    same_model: bool
    ranks: Mapping[str, int]
    weights: Mapping[str, float]
    """Of its sealed book; empty without an earlier seal."""

    def weight(self, code: str, now: Mapping[str, tuple[float, float]]) -> float:
        """Of the earlier sealed book; without one, of the decision before, which every seal records."""
        return self.weights.get(code, 0.0) if self.name else now.get(code, (0.0, 0.0))[1]


def _then(before: Seal | None, model: str) -> _Then:
    """An earlier signal that cannot be read is none: the one that is shown stands by itself."""
    if before is None:
        return _Then("", True, {}, {})
    try:
        horizon = int(from_json(before.content("inputs.json"))["trading"]["portfolio"]["horizon"])
        ranks, _ = _scores(before, horizon)
        weights = {code: now for code, (now, _) in _weights(before).items()}
    except (IntegrityError, ValueError, KeyError, TypeError):
        return _Then("", True, {}, {})
    return _Then(before.name, before.model == model, ranks, weights)


def _change(lines: Iterable[Line], then: _Then) -> Change:
    lines = list(lines)
    moved = [line for line in lines if line.move]
    moved.sort(key=lambda line: (-abs(line.move or 0), line.code))
    return Change(
        since=then.name,
        same_model=then.same_model,
        entered=_sized(line for line in lines if line.weight and not line.weight_before),
        left=_sized(line for line in lines if line.weight_before and not line.weight),
        flipped=_sized(line for line in lines if line.weight * line.weight_before < 0),
        moves=tuple(moved),
    )


def _sized(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Largest position first, now or then."""
    return tuple(
        sorted(lines, key=lambda line: (-max(abs(line.weight), abs(line.weight_before)), line.code))
    )


# ---- the files -----------------------------------------------------------------------------------


def _scores(seal: Seal, horizon: int) -> tuple[dict[str, int], dict[str, float]]:
    columns = ("symbol", "rank", f"score_{horizon}")
    rows = read_table(seal.content("scores.parquet"), columns, name="scores.parquet").rows()
    return {code: rank for code, rank, _ in rows}, {code: score for code, _, score in rows}


def _weights(seal: Seal) -> dict[str, tuple[float, float]]:
    """Of the book now, and of the decision before."""
    columns = ("symbol", "weight", "weight_before")
    rows = read_table(seal.content("weights.parquet"), columns, name="weights.parquet").rows()
    return {code: (now, then) for code, now, then in rows}


def _names(pins: Path, pin: str) -> dict[str, tuple[str, str]]:
    """Name and sector by code, of the master data that the signal rests on; empty if they are lost.

    Rows are symbol, name, sector, ...; names only label rows, so ``verify`` is what tells of a lost pin.
    """
    try:
        content = (pins / f"{pin}.bin").read_bytes()
    except OSError:
        return {}
    if hashlib.sha256(content).hexdigest()[:_PIN_DIGITS] != pin:
        return {}
    return {str(row[0]): (str(row[1] or ""), str(row[2] or "")) for row in from_json(content)}


def _rows(seal: Seal, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(seal.content(name).decode("utf-8"))))


def _plain(code: str) -> str:
    """A code as it was before it was made inert for spreadsheets."""
    return code.removeprefix("'")


def _refusal(row: Mapping[str, str]) -> Refusal:
    return Refusal(
        side=row["side"],
        shares=_number(row["shares"]),
        notional=_number(row["notional"]),
        rule=row["rule"],
        reason=row["reason"],
    )


def _line(line: Line, order: Mapping[str, Any] | None) -> Line:
    if order is None:
        return line
    return replace(
        line,
        side=order["side"],
        shares=int(order["shares"]),
        lots=int(order["lots"]),
        limit=_number(order["limit"]),
        close=_number(order["close"]),
        notional=_number(order["notional"]),
        held=_number(order["held"]),
        reason=order["reason"],
    )


def _number(text: str) -> float:
    return float(text) if text else float("nan")
