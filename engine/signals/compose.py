"""From pinned inputs to the files of a signal: a pure function, so that a replay is the same call."""

# Shape suffixes: M stocks, H horizons, R explained stocks, F features, E edges, N stocks of the book.
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.data.tables import SECURITY_SCHEMA
from engine.files import digest
from engine.portfolio.strategy import Strategy
from engine.signals.book import Books, Scores, build_books, model_positions, panel_of
from engine.signals.card import (
    Card,
    audit_lights,
    data_lights,
    model_lights,
    order_lights,
    position_lights,
)
from engine.signals.drift import Reference, figures
from engine.signals.explain import Explained, explain_frame
from engine.signals.files import json_bytes, scores_file, table_bytes, table_csv, weights_file
from engine.signals.inputs import SignalInputs
from engine.signals.orders import Order, Plan, Refused, Rules, plan_orders
from engine.signals.pins import PinStore, pack, text_array, text_of
from engine.signals.positions import Positions
from engine.signals.window import DayWindow, assemble


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """What an ensemble says of one session."""

    score_MH: NDArray[np.float32]
    """Mean over networks of each one's scores, standardised within the day."""
    deviation: float
    """Mean over networks of the raw scores' deviation, at the traded horizon."""
    alpha: tuple[float | None, ...]
    """Share of the projected stream of each network; None without a bypass."""


class Ranker(Protocol):
    """The champion's networks."""

    def rank(self, window: DayWindow, horizon: int) -> Ranked: ...

    def explain(self, window: DayWindow, horizon: int, rows_R: NDArray[np.int64]) -> Explained: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The files of a signal, and what a caller wants to know of them."""

    files: dict[str, bytes]
    card: Card


def compose(
    inputs: SignalInputs,
    pins: PinStore,
    *,
    config: Config,
    features: Sequence[str],
    reference: Reference,
    ranker: Ranker,
    strategy: Strategy,
) -> Made:
    """``config``, ``features``, ``reference``: the model's. Same inputs, same bytes."""
    rules, cash = inputs.rules(config)
    horizons = config.labels.horizons
    column = horizons.index(rules.portfolio.horizon)
    window, ranked, books = books_of(inputs, pins, config=config, ranker=ranker, strategy=strategy)
    today = Scores(date=window.date, symbols=window.symbols, score_MH=ranked.score_MH)
    history = [_unpack_scores(day.date, pins.get_arrays(day.pin)) for day in inputs.history]
    held = inputs.held() or model_positions(books, cash, rules)
    rank_M = _ranks(ranked.score_MH[:, column])
    target_N = books.today_N if inputs.decided else _as_held(books, held)
    plan = plan_orders(target_N, books.quotes, held, rules, _notes(today, rank_M, column))
    health = {
        "score_drift": figures(reference.scores, ranked.score_MH[:, column]),
        "dispersion": ranked.deviation / reference.deviation,
        "alpha": ranked.alpha,
    }
    card = _card(inputs, health, plan, float(target_N.sum()), rules)
    explained_R = _largest(books, today, rules)
    explained = explain_frame(
        window,
        ranker.explain(window, column, explained_R),
        explained_R,
        rank_M,
        ranked.score_MH[:, column],
        features,
        [(day.date, dict(zip(day.symbols, _ranks(day.score_MH[:, column]), strict=True)))
         for day in history],
    )  # fmt: skip
    metadata = {"run_id": inputs.key.model, "market": config.data.market}
    files = {
        "inputs.json": inputs.to_bytes(),
        "scores.parquet": scores_file(inputs, today, rank_M, horizons, metadata),
        "weights.parquet": weights_file(inputs, books, rules, strategy),
        "orders.csv": table_csv(Order, plan.orders),
        "refused.csv": table_csv(Refused, plan.refused),
        "positions.csv": held.to_csv().encode(),
        "card.json": json_bytes({**card.to_json(), "orders": _figures(plan)}),
        "card.md": card.to_markdown(_head(inputs, plan, today)).encode(),
        "explain.parquet": table_bytes(explained, metadata),
    }
    return Made(files=files, card=card)


def _card(
    inputs: SignalInputs, health: Mapping[str, Any], plan: Plan, wanted_net: float, rules: Rules
) -> Card:
    return Card(
        session=inputs.key.session,
        exchange=inputs.key.exchange,
        lights=(
            *data_lights(inputs.evidence, rules.signals),
            *position_lights(inputs.evidence),
            *audit_lights(inputs.evidence, rules.signals),
            *model_lights(inputs.evidence, health, rules.signals),
            *order_lights(plan, wanted_net, rules.signals),
        ),
    )


def books_of(
    inputs: SignalInputs, pins: PinStore, *, config: Config, ranker: Ranker, strategy: Strategy
) -> tuple[DayWindow, Ranked, Books]:
    """The part up to the book: window, scores, weights."""
    rules, _ = inputs.rules(config)
    column = config.labels.horizons.index(rules.portfolio.horizon)
    window = assemble(
        inputs.key.session,
        [pins.get_arrays(pin) for _, pin in inputs.window],
        pins.get_arrays(inputs.edges) if inputs.edges else None,
    )
    ranked = ranker.rank(window, column)
    today = Scores(date=window.date, symbols=window.symbols, score_MH=ranked.score_MH)
    history = [_unpack_scores(day.date, pins.get_arrays(day.pin)) for day in inputs.history]
    given = inputs.held()
    books = build_books(
        [*history, today] if inputs.decided else history,
        _panel(inputs, pins, config),
        list(given.shares) if given else [],
        strategy,
        rules,
        horizon=column,
        day=dt.date.fromisoformat(inputs.key.session),
    )
    return window, ranked, books


def _ranks(score_M: NDArray[np.floating]) -> NDArray[np.int64]:
    """1 = best; equal scores share the better rank."""
    ordered = np.sort(-score_M.astype(np.float64))
    return np.searchsorted(ordered, -score_M.astype(np.float64), side="left") + 1


def pack_scores(scores: Scores) -> bytes:
    return pack({"symbols": text_array(scores.symbols), "score": scores.score_MH})


def _unpack_scores(date: str, arrays: Mapping[str, NDArray[Any]]) -> Scores:
    return Scores(date=date, symbols=text_of(arrays["symbols"]), score_MH=arrays["score"])


def securities_bytes(securities: pl.DataFrame) -> bytes:
    """Name, sector and lending terms of the stocks involved, as JSON rows."""
    rows = securities.select(list(SECURITY_SCHEMA)).sort("symbol").rows()
    return json.dumps(rows, allow_nan=False).encode()


def _panel(inputs: SignalInputs, pins: PinStore, config: Config) -> Any:
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


def _notes(today: Scores, rank_M: NDArray[np.int64], column: int) -> dict[str, str]:
    n = len(today.symbols)
    rows = zip(today.symbols, rank_M, today.score_MH[:, column], strict=True)
    return {symbol: f"rank {rank} of {n}, score {score:+.3f}" for symbol, rank, score in rows}


def _largest(books: Books, today: Scores, rules: Rules) -> NDArray[np.int64]:
    """Rows of the stocks that are explained: the largest positions of the book, by size, then code."""
    place = {symbol: m for m, symbol in enumerate(today.symbols)}
    sized = sorted(
        (-abs(float(w)), s) for s, w in zip(books.symbols, books.today_N, strict=True) if w
    )
    names = [s for _, s in sized if s in place][: rules.signals.explain_names]
    return np.array([place[s] for s in names], dtype=np.int64)


def _figures(plan: Plan) -> dict[str, Any]:
    names = ("equity", "turnover", "cost", "refused_share", "gross", "net", "cash")
    counts = {"lines": len(plan.orders), "refused": len(plan.refused)}
    return counts | {name: getattr(plan, name) for name in names}


def _head(inputs: SignalInputs, plan: Plan, today: Scores) -> list[str]:
    return [
        f"key `{inputs.key}`",
        f"{len(today.symbols):,} stocks scored, {len(plan.orders):,} orders, "
        f"{len(plan.refused):,} lines refused or cut",
        f"turnover {plan.turnover:.2%}, estimated cost {plan.cost * 1e4:.2f} basis points, "
        f"gross {plan.gross:.2%}, net {plan.net:+.2%} of {plan.equity:,.0f}",
        f"inputs {digest(inputs.pins())}",
    ]
