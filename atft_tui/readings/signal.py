"""One sealed signal as rows: every stock with rank, weight, order, refusal and reasons, and what changed.

Every byte comes through `Seal.read`, so nothing that was changed after it was sealed becomes a row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from atft_tui.readings.files import read_table
from atft_tui.readings.seals import ShownCard, read_card
from engine.errors import IntegrityError
from engine.files import from_json
from engine.hashes import sha256
from engine.records.orders import Order, Refused, rows_of
from engine.records.seal import Seal

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("symbol", "kind", "name", "value", "rank_without")


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    code: str
    attention: float | None
    """Weight among what the stock listens to; None = the network does not tell."""
    rank_without: int | None
    """The stock's rank had it not heard this neighbour; None = not worked out for this stock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    code: str
    variables: tuple[tuple[str, float], ...] = ()
    """Feature and its contribution to the standardised score; of the largest positions only."""
    members: tuple[tuple[str, float], ...] = ()
    """Model of a blend and its centred rank of the stock, -0.5..0.5; the score is their mean."""
    neighbours: tuple[Neighbour, ...] = ()
    """The neighbours by attention, most first."""
    own: float | None = None
    """Attention of the stock on itself."""
    past: tuple[tuple[str, int], ...] = ()
    """Session and rank, oldest first."""

    @property
    def is_explained(self) -> bool:
        return bool(self.variables)


@dataclass(frozen=True, slots=True, eq=False)
class Explanations:
    """All rows of the file as a frame; a stock's are taken out when they are asked for."""

    frame: "pl.DataFrame | None" = None
    place: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Code -> first row and number of rows: the file is sorted by code."""

    @classmethod
    def read(cls, content: bytes) -> "Explanations":
        frame = read_table(content, COLUMNS, name="explain.parquet")
        place: dict[str, tuple[int, int]] = {}
        for row, code in enumerate(frame["symbol"]):
            start, count = place.get(code, (row, 0))
            place[code] = start, count + 1
        return cls(frame, place)

    def of(self, code: str) -> Why:
        """About 0.1 ms. A stock that the file does not name has no reasons."""
        if self.frame is None or code not in self.place:
            return Why(code=code)
        start, count = self.place[code]
        rows = [row[1:] for row in self.frame.slice(start, count).iter_rows()]
        neighbours = [
            Neighbour(code=str(name), attention=value, rank_without=without)
            for kind, name, value, without in rows
            if kind == "neighbour"
        ]
        neighbours.sort(key=lambda one: (one.attention is None, -(one.attention or 0.0), one.code))
        return Why(
            code=code,
            variables=tuple((str(n), float(v)) for kind, n, v, _ in rows if kind == "variable"),
            members=tuple(
                (str(n), float(v)) for kind, n, v, _ in rows if kind == "member" and v is not None
            ),
            neighbours=tuple(neighbours),
            own=next((value for kind, _, value, _ in rows if kind == "self"), None),
            past=tuple((str(n), int(v)) for kind, n, v, _ in rows if kind == "past"),
        )


_UNEXPLAINED = Explanations()


_KEPT = 6
"""Signals kept in memory: the one shown, its neighbours, and those just visited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLine:
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
    """Weight in the book, fraction of equity."""
    weight_before: float = 0.0
    """Weight in the book compared with, fraction of equity."""
    order: Order | None = None
    refused: tuple[Refused, ...] = ()

    @property
    def move(self) -> int | None:
        """Places gained; negative = lost."""
        return None if self.rank is None or self.before is None else self.before - self.rank

    @property
    def book(self) -> str:
        return "long" if self.weight > 0 else "short" if self.weight < 0 else ""

    @property
    def is_in_book(self) -> bool:
        return bool(self.weight or self.order or self.refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookChange:
    """The book and the ranks against those of an earlier session."""

    since: str
    """Name of the sealed signal; empty when there is none before it."""
    same_model: bool
    entered: tuple[StockLine, ...]
    left: tuple[StockLine, ...]
    flipped: tuple[StockLine, ...]
    moves: tuple[StockLine, ...]
    """Stocks ranked in both, those that moved most first."""


@dataclass(frozen=True, slots=True)
class TopOrder:
    """One of the largest orders of a signal."""

    order: Order
    name: str
    """Empty where the master data do not tell."""


@lru_cache(maxsize=_KEPT)
def top_orders(seal: Seal, count: int) -> tuple[TopOrder, ...]:
    """The orders of the largest notional, the largest first; IntegrityError for a broken seal."""
    names = _names(seal)
    largest = sorted(_orders(seal), key=lambda order: (-order.notional, order.symbol))[:count]
    return tuple(TopOrder(order, names.get(order.symbol, ("",))[0]) for order in largest)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signal:
    """What is shown of a session. Equal only to itself: unchanged files give the very same value."""

    seal: Seal
    card: ShownCard
    lines: tuple[StockLine, ...] = ()
    """The stocks by rank; one without a rank stands last."""
    horizon: int = 0
    """Sessions that the traded score looks ahead."""
    explain: Explanations = _UNEXPLAINED
    change: BookChange | None = None
    by_code: Mapping[str, StockLine] = field(default_factory=dict)

    @property
    def scored(self) -> int:
        return sum(line.rank is not None for line in self.lines)


@lru_cache(maxsize=_KEPT)
def read_signal(seal: Seal, before: Seal | None) -> Signal:
    """The rows of a sealed directory, compared with an earlier one. A broken seal has a card and no rows."""
    signal = Signal(seal=seal, card=read_card(seal))
    if signal.card.card is None:
        return signal
    try:
        return _with_rows(signal, before)
    except IntegrityError as error:
        card = replace(signal.card, standing="broken", card=None, trouble=error.message)
        return replace(signal, card=card)


def earlier(seals: Sequence[Seal], seal: Seal) -> Seal | None:
    """The newest whole revision of the session before; it is what a rank change is counted from."""
    older = [one for one in seals if one.session < seal.session and one.standing == "sealed"]
    return older[-1] if older else None


def _with_rows(signal: Signal, before: Seal | None) -> Signal:
    seal = signal.seal
    inputs = seal.inputs()
    ranks, scores = _scores(seal, inputs.horizon)
    then, weights = _then(before, inputs.key.model), _weights(seal)
    names = _names(seal)
    orders = {row.symbol: row for row in _orders(seal)}
    refused: dict[str, list[Refused]] = {}
    for row in rows_of(seal.read("refused.csv"), Refused, "refused.csv"):
        refused.setdefault(row.symbol, []).append(row)
    lines = [
        StockLine(
            code=code,
            name=names.get(code, ("", ""))[0],
            sector=names.get(code, ("", ""))[1],
            rank=ranks.get(code),
            before=then.ranks.get(code),
            score=scores.get(code, float("nan")),
            weight=weights.get(code, (0.0, 0.0))[0],
            weight_before=then.weight(code, weights),
            order=orders.get(code),
            refused=tuple(refused.get(code, ())),
        )
        for code in {*ranks, *weights, *orders, *refused, *then.weights}
    ]
    lines.sort(key=lambda line: (line.rank is None, line.rank or 0, line.code))
    return replace(
        signal,
        lines=tuple(line for line in lines if line.rank is not None or line.is_in_book),
        horizon=inputs.horizon,
        explain=Explanations.read(seal.read("explain.parquet")),
        change=_change(lines, then),
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
    """Weights of its sealed book; empty without an earlier seal."""

    def weight(self, code: str, now: Mapping[str, tuple[float, float]]) -> float:
        """Weight in the earlier sealed book; without one, in that of the decision before."""
        return self.weights.get(code, 0.0) if self.name else now.get(code, (0.0, 0.0))[1]


def _then(before: Seal | None, model: str) -> _Then:
    """An earlier signal that cannot be read is none: the one that is shown stands by itself."""
    if before is None:
        return _Then("", True, {}, {})
    try:
        inputs = before.inputs()
        ranks, _ = _scores(before, inputs.horizon)
        weights = {code: now for code, (now, _) in _weights(before).items()}
    except IntegrityError:
        return _Then("", True, {}, {})
    return _Then(before.name, inputs.key.model == model, ranks, weights)


def _change(lines: Sequence[StockLine], then: _Then) -> BookChange:
    moved = [line for line in lines if line.move]
    moved.sort(key=lambda line: (-abs(line.move or 0), line.code))
    return BookChange(
        since=then.name,
        same_model=then.same_model,
        entered=_sized(line for line in lines if line.weight and not line.weight_before),
        left=_sized(line for line in lines if line.weight_before and not line.weight),
        flipped=_sized(line for line in lines if line.weight * line.weight_before < 0),
        moves=tuple(moved),
    )


def _sized(lines: Iterable[StockLine]) -> tuple[StockLine, ...]:
    """Largest position first, now or then."""
    return tuple(
        sorted(lines, key=lambda line: (-max(abs(line.weight), abs(line.weight_before)), line.code))
    )


# ---- the files -----------------------------------------------------------------------------------


def _rows(seal: Seal, name: str, *columns: str) -> list[tuple[str, Any, Any]]:
    """Symbol and two columns of a sealed table."""
    return read_table(seal.read(name), ("symbol", *columns), name=name).rows()


def _scores(seal: Seal, horizon: int) -> tuple[dict[str, int], dict[str, float]]:
    rows = _rows(seal, "scores.parquet", "rank", f"score_{horizon}")
    return {code: rank for code, rank, _ in rows}, {code: score for code, _, score in rows}


def _weights(seal: Seal) -> dict[str, tuple[float, float]]:
    """Weights in the book now, and in that of the decision before."""
    rows = _rows(seal, "weights.parquet", "weight", "weight_before")
    return {code: (now, then) for code, now, then in rows}


def _orders(seal: Seal) -> list[Order]:
    return rows_of(seal.read("orders.csv"), Order, "orders.csv")


def _names(seal: Seal) -> dict[str, tuple[str, str]]:
    """Name and sector by code, of the master data that the signal rests on; empty if they are lost.

    Rows are symbol, name, sector, ...; names only label rows, so ``verify`` is what tells of a lost pin.
    """
    path = seal.directory.parent / "pins" / f"{seal.inputs().securities}.bin"
    if not path.is_file() or not sha256(path).startswith(path.stem):
        return {}
    rows = from_json(path.read_bytes())
    return {str(row[0]): (str(row[1] or ""), str(row[2] or "")) for row in rows}
