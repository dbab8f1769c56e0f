"""From pinned inputs to the files of a signal: a pure function, so that a replay is the same call.

The way is straight: `unpack` opens the pins once, the networks rank the window, `book_of` makes the book of
the scores, `plan_orders` its orders, the lights judge them, and everything becomes bytes.
"""

# Shape suffixes: M stocks, H horizons, R explained stocks, N stocks of the book.
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

# Shape suffixes: M stocks.
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.config import Config
from engine.data.panel import Panel
from engine.data.tables import SECURITY_SCHEMA
from engine.errors import GateError
from engine.files import digest
from engine.portfolio.prediction import Prediction, Weights, score_column
from engine.portfolio.strategy import Strategy, traded_scores
from engine.records import record
from engine.records.card import Card, Health
from engine.records.orders import Order, Positions, Refused, rows_csv
from engine.records.seal import SealKey, SignalInputs
from engine.signals.book import Books, Scores, build_books, model_positions, panel_of
from engine.signals.card import evidence_lights, order_lights
from engine.signals.drift import Reference
from engine.signals.orders import OrderList, plan_orders
from engine.signals.seal import (
    PinStore,
    TradingRules,
    pack,
    rules_of,
    text_array,
    text_of,
    with_trading,
)
from engine.signals.window import DayWindow, Explained, assemble, explain_frame


def _scores_file(
    key: SealKey,
    today: Scores,
    rank_M: NDArray[np.int64],
    horizons: Sequence[int],
    metadata: Mapping[str, str],
) -> bytes:
    """``scores.parquet``: a row a stock with its rank, 1 = best, and its score at each horizon that the model
    knows.
    """
    known = {h: score_M for h, score_M in zip(horizons, today.score_MH.T, strict=True)
             if np.isfinite(score_M).any()}  # fmt: skip
    frame = pl.DataFrame(
        {
            "symbol": pl.Series(today.symbols, dtype=pl.String),
            **{score_column(h): score_M for h, score_M in known.items()},
            "rank": rank_M,
        }
    ).select(
        pl.lit(key.session).str.to_date().alias("date"),
        "symbol",
        pl.lit(0, pl.Int16).alias("fold"),
        pl.lit("test").alias("split"),
        *map(score_column, known),
        "rank",
    )
    frame = frame.sort("symbol")
    checked = Prediction(
        frame=frame,
        run_id=metadata["run_id"],
        horizons=tuple(known),
        market=metadata["market"],  # type: ignore[arg-type]
        data_fingerprint=key.data,
    )
    return _table_bytes(
        checked.frame, {**metadata, "config_digest": "", "data_fingerprint": key.data}
    )


def _weights_file(key: SealKey, books: Books, rules: TradingRules, strategy: Strategy) -> bytes:
    """``weights.parquet``: a row a stock of today's book or the one before it, fractions of equity."""
    held_N = np.flatnonzero((books.today_N != 0) | (books.before_N != 0))
    frame = pl.DataFrame(
        {
            "symbol": pl.Series([books.symbols[n] for n in held_N], dtype=pl.String),
            "weight": books.today_N[held_N],
            "weight_before": books.before_N[held_N],
        }
    ).select(pl.lit(key.session).str.to_date().alias("date"), pl.all())
    checked = Weights(
        frame=frame,
        strategy=strategy.name,
        run_id=key.model,
        max_gross=rules.portfolio.investable,
        max_net=rules.portfolio.max_net,
        max_weight=rules.portfolio.max_weight,
    )
    limits = {name: repr(getattr(checked, name)) for name in ("max_gross", "max_net", "max_weight")}
    return _table_bytes(
        checked.frame, {"run_id": checked.run_id, "strategy": strategy.name, **limits}
    )


def _table_bytes(frame: pl.DataFrame, metadata: Mapping[str, str]) -> bytes:
    """Parquet with text metadata; equal rows give equal bytes."""
    table = frame.rechunk().to_arrow().replace_schema_metadata(dict(metadata))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """What an ensemble says of one session."""

    score_MH: NDArray[np.float32]
    """Of the networks the mean of their scores, each standardised within the day; of a blend the mean of its
    members' centred ranks."""
    deviation: float
    """Mean over networks of the raw scores' deviation, at the traded horizon; of a blend the geometric mean
    of its members'."""
    alpha: tuple[float | None, ...]
    """Share of the projected stream of each network; None without a bypass."""


class Scorer(Protocol):
    """The champion's models."""

    @property
    def is_thread_safe(self) -> bool:
        """Whether several threads may have sessions ranked at once."""

    def rank(self, window: DayWindow, horizon: int) -> Ranked:
        """The scores of the window's stocks; ``horizon``: column of the traded score."""

    def explain(self, window: DayWindow, horizon: int, rows_R: NDArray[np.int64]) -> Explained:
        """Why the stocks of the rows ``rows_R`` have their scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unpacked:
    """The inputs of a signal, every pin opened."""

    inputs: SignalInputs
    config: Config
    """The model's, with the signal's trading rules."""
    rules: TradingRules
    column: int
    """Of `portfolio.horizon` among the scores: what is judged and explained."""
    traded: tuple[int, ...]
    """Of the horizons that make the book."""
    window: DayWindow
    history: tuple[Scores, ...]
    """Of the decisions before this session, ascending."""
    panel: Panel

    def traded_of(self, score_MH: NDArray[np.float32]) -> NDArray[np.float32]:
        """The score that makes the book, ``[M]``. GateError where the model does not know it."""
        score_1M = traded_scores(score_MH.T[list(self.traded), None])
        if np.isnan(score_1M).all():
            raise GateError(
                f"model {self.inputs.key.model} has no score of a horizon that is traded",
                hint="trade portfolio.horizon with portfolio.score = 'horizon', and promote a model of it",
            )
        return np.asarray(score_1M[0], dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The files of a signal, and the card among them."""

    files: dict[str, bytes]
    card: Card


def unpack(inputs: SignalInputs, pins: PinStore, config: Config) -> _Unpacked:
    """Open what the inputs name; ``config``: the model's. IntegrityError where a pin is lost or damaged."""
    whole = with_trading(config, inputs.trading)
    rules = rules_of(whole)
    window = assemble(
        inputs.key.session,
        [pins.get_arrays(pin) for _, pin in inputs.window],
        pins.get_arrays(inputs.edges) if inputs.edges else None,
    )
    return _Unpacked(
        inputs=inputs,
        config=whole,
        rules=rules,
        column=config.labels.horizons.index(rules.portfolio.horizon),
        traded=tuple(config.labels.horizons.index(h) for h in whole.traded_horizons),
        window=window,
        history=tuple(_scores(day.date, pins.get_arrays(day.pin)) for day in inputs.history),
        panel=_panel(inputs, pins, config),
    )


def book_of(day: _Unpacked, ranked: Ranked, strategy: Strategy) -> tuple[Scores, Books]:
    """Today's scores, and the book that they and those of the earlier decisions make."""
    window, inputs = day.window, day.inputs
    today = Scores(date=window.date, symbols=window.symbols, score_MH=ranked.score_MH)
    books = build_books(
        [*day.history, today] if inputs.decided else day.history,
        day.panel,
        list(inputs.positions.shares) if inputs.positions else [],
        strategy,
        day.rules,
        columns=day.traded,
        day=dt.date.fromisoformat(inputs.key.session),
    )
    return today, books


def compose(
    day: _Unpacked,
    *,
    features: Sequence[str],
    reference: Reference,
    scorer: Scorer,
    strategy: Strategy,
) -> _Made:
    """The files of a signal; ``features`` (names of the columns) and ``reference``: the model's.

    Same inputs, same bytes.
    """
    inputs, rules, key = day.inputs, day.rules, day.inputs.key
    ranked = scorer.rank(day.window, day.column)
    today, books = book_of(day, ranked, strategy)
    score_M = day.traded_of(ranked.score_MH)
    judged_M = ranked.score_MH[:, day.column]
    rank_M = _ranks(score_M)
    held = inputs.positions or model_positions(books, rules)
    target_N = books.today_N if inputs.decided else _as_held(books, held)
    plan = plan_orders(target_N, books.quotes, held, rules, _notes(today, rank_M, score_M))
    health = Health(
        score_drift=reference.scores.drift(judged_M),
        dispersion=ranked.deviation / reference.deviation,
        alpha=ranked.alpha,
    )
    lights = [
        *evidence_lights(inputs.told, health, rules.signals),
        *order_lights(plan.figures, plan.refused, float(target_N.sum()), rules.signals),
    ]
    card = Card.of(key.session, key.exchange, lights, plan.figures)
    metadata = {"run_id": key.model, "market": day.config.data.market}
    explained = _explained(day, books, scorer, features, judged_M)
    files = {
        "inputs.json": record.to_bytes(inputs, indent=1),
        "scores.parquet": _scores_file(key, today, rank_M, day.config.labels.horizons, metadata),
        "weights.parquet": _weights_file(key, books, rules, strategy),
        "orders.csv": rows_csv(Order, plan.orders),
        "refused.csv": rows_csv(Refused, plan.refused),
        "positions.csv": held.csv(),
        "card.json": record.to_bytes(card),
        "card.md": card.markdown(_head(inputs, plan, today)).encode(),
        "explain.parquet": _table_bytes(explained, metadata),
    }
    return _Made(files=files, card=card)


def _explained(
    day: _Unpacked,
    books: Books,
    scorer: Scorer,
    features: Sequence[str],
    score_M: NDArray[np.float32],
) -> pl.DataFrame:
    """Why the stocks rank as they do: the largest positions of the book in full, by size, then code."""
    place = {symbol: m for m, symbol in enumerate(day.window.symbols)}
    sized = sorted(
        (-abs(float(w)), s) for s, w in zip(books.symbols, books.today_N, strict=True) if w
    )
    names = [s for _, s in sized if s in place][: day.rules.signals.explain_names]
    rows_R = np.array([place[s] for s in names], dtype=np.int64)
    told = scorer.explain(day.window, day.column, rows_R)
    past = [
        (then.date, dict(zip(then.symbols, _ranks(day.traded_of(then.score_MH)), strict=True)))
        for then in day.history
    ]
    return explain_frame(day.window, told, rows_R, score_M, features, past)


def _ranks(score_M: NDArray[np.floating]) -> NDArray[np.int64]:
    """1 = best; equal scores share the better rank."""
    ordered = np.sort(-score_M.astype(np.float64))
    return np.searchsorted(ordered, -score_M.astype(np.float64), side="left") + 1


def pack_scores(scores: Scores) -> bytes:
    """The content of a pin of scores."""
    return pack({"symbols": text_array(scores.symbols), "score": scores.score_MH})


def _scores(date: str, arrays: Mapping[str, NDArray[Any]]) -> Scores:
    return Scores(date=date, symbols=text_of(arrays["symbols"]), score_MH=arrays["score"])


def securities_bytes(securities: pl.DataFrame) -> bytes:
    """Name, sector and lending terms of the stocks involved, as JSON rows."""
    rows = securities.select(list(SECURITY_SCHEMA)).sort("symbol").rows()
    return json.dumps(rows, allow_nan=False).encode()


def _panel(inputs: SignalInputs, pins: PinStore, config: Config) -> Panel:
    rows = json.loads(pins.get(inputs.securities))
    securities = pl.DataFrame(rows, schema=dict(SECURITY_SCHEMA), orient="row")
    index = None
    if inputs.index:
        data = pins.get_arrays(inputs.index)
        index = pl.DataFrame({"date": pl.Series(data["day"]).cast(pl.Date), "close": data["close"]})
    slices = [(date, pins.get_arrays(pin)) for date, pin in inputs.bars]
    return panel_of(slices, securities, index, config.data.market, config.data.calendar)


def _as_held(books: Books, held: Positions) -> NDArray[np.float64]:
    """Weights of what is held: on a day without a decision the book is left alone."""
    close_N = np.nan_to_num(books.quotes.close_N)
    value_N = close_N * np.array([held.shares.get(s, 0.0) for s in books.symbols])
    equity = held.cash + float(value_N.sum())
    return np.asarray(value_N / equity) if equity > 0 else np.zeros(value_N.size)


def _notes(
    today: Scores, rank_M: NDArray[np.int64], score_M: NDArray[np.float32]
) -> dict[str, str]:
    n = len(today.symbols)
    rows = zip(today.symbols, rank_M, score_M, strict=True)
    return {symbol: f"rank {rank} of {n}, score {score:+.3f}" for symbol, rank, score in rows}


def _head(inputs: SignalInputs, plan: OrderList, today: Scores) -> list[str]:
    figures = plan.figures
    return [
        f"key `{inputs.key}`",
        f"{len(today.symbols):,} stocks scored, {figures.lines:,} orders, "
        f"{figures.refused:,} lines refused or cut",
        f"turnover {figures.turnover:.2%}, estimated cost {figures.cost * 1e4:.2f} basis points, "
        f"gross {figures.gross:.2%}, net {figures.net:+.2%} of {figures.equity:,.0f}",
        f"inputs {digest(inputs.pins())}",
    ]
