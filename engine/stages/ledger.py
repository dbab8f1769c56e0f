"""`ledger`: the shadow ledger of the sealed signals, and how their scores turned out."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import groupby, repeat
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.data.load import StoredPanel
from engine.evaluation.inference import newey_west_se
from engine.files import strict, write_parquet
from engine.portfolio.strategy import load_strategy
from engine.records import record
from engine.records.figure import Figure
from engine.records.orders import Order, Positions, rows_of
from engine.records.seal import Seal, SealKey, SignalInputs, read_seal
from engine.records.shadow import (
    ACTUAL,
    PARTS,
    SIMULATED,
    LiveRecord,
    SessionFills,
    ShadowLedger,
    ShadowRow,
    read_fills,
)
from engine.runs.events import Advanced, StageStarted
from engine.signals.book import BARS
from engine.signals.compose import book_of, unpack
from engine.signals.models import Model, ModelStore
from engine.signals.seal import (
    PinStore,
    SealStore,
    TradingRules,
    rules_of,
    text_of,
    trading_config,
    with_trading,
)
from engine.signals.shadow import (
    Executed,
    FilledBook,
    Prices,
    RealPrices,
    running,
    shadow_row,
    to_frame,
    totals,
)
from engine.stages.context import Outcome, StageContext, waiting_lock
from engine.stages.evidence import live_evidence, live_rank_ics
from engine.stages.load import Dataset, load_dataset
from engine.stages.signal_inputs import Gatherer, KnownData, seal_exchange
from engine.stages.text import table

if TYPE_CHECKING:
    from engine.training.ensemble import Ensemble

_Vector = NDArray[np.float64]
_ADV_SESSIONS = 20
_KEPT = 32
"""Pins whose quotes stay in memory: more than the sessions of a mean turnover."""
_SIGN = {"buy": 1.0, "sell": -1.0}


def ledger(context: StageContext) -> Outcome:
    """Fill the newest seal of each session at the next real open and close, and split the gap.

    Written to ``signals/ledger.parquet`` and ``ledger.json``, made anew from what is sealed and the prices
    of the store each time. A session whose next two sessions are not there yet is pending.
    """
    seals = SealStore(context.workspace / "signals")
    models = ModelStore(context.workspace / "models")
    rows: list[ShadowRow] = []
    live: dict[str, LiveRecord] = {}
    pending: list[str] = []
    with waiting_lock(context, seals.root):
        newest = [read_seal(place.directory) for place in seals.newest()]
        newest.sort(key=lambda seal: seal.manifest.model)
        for name, group in groupby(newest, key=lambda seal: seal.manifest.model):
            reckoner = _Reckoner(context, seals, models.open(name))
            mine = list(group)
            found, waiting = reckoner.rows(mine)
            rows += found
            pending += waiting
            live[name] = reckoner.live(mine)
        rows.sort(key=lambda row: (row.session, row.entry))
        write_parquet(seals.root / "ledger.parquet", to_frame(rows))
        told = ShadowLedger(
            signals=len(newest),
            pending=tuple(sorted(pending)),
            all=totals(rows, lag=1),
            traded=totals([row for row in rows if row.verdict == "TRADE"], lag=1),
            running=running(rows, lag=1),
            live=live,
        )
        record.write(seals.root / "ledger.json", told)
    shown = [record.as_json(row) for row in rows]
    return Outcome(json={**strict(record.as_json(told)), "rows": shown}, text=_text(told))


class _Reckoner:
    """Fills the sealed signals of one model on the data of today."""

    def __init__(self, context: StageContext, seals: SealStore, model: Model) -> None:
        self.seals, self.model, self.pins = seals, model, seals.pins
        self.packed = self.config = model.config()
        self.pinned = _PinnedMarket(self.pins)
        self.trading: dict[str, object] = {}
        self.context = replace(context, config=trading_config(self.packed, context.config))
        context.sink.emit(StageStarted(stage="ledger"))
        self.dataset: Dataset = load_dataset(self.context, context.sink, in_memory=False)
        self._known = KnownData(self.dataset)
        self._exchange = seal_exchange(self.dataset.panel.snapshot)

    @cached_property
    def _ensemble(self) -> "Ensemble":
        from engine.stages.signals import open_ensemble  # torch: only where the data have changed

        return open_ensemble(self.model)

    def rows(self, signals: Sequence[Seal]) -> tuple[list[ShadowRow], list[str]]:
        """Rows of the signals whose next two sessions are there, and the sessions that wait for theirs."""
        place = {str(day): s for s, day in enumerate(self.dataset.features.dates_S)}
        out: list[ShadowRow] = []
        waiting = []
        first = min((place.get(seal.session, len(place)) for seal in signals), default=len(place))
        days_S = self.dataset.features.dates_S[first:]
        if days_S.size > 2:
            real = RealPrices.of(days_S, self.dataset.panel.bars(str(days_S[0])))
        for done, seal in enumerate(signals):
            session = place.get(seal.session)
            if session is None or session + 2 >= len(place):
                waiting.append(seal.session)
            else:
                out += self._filled(seal, session, real)
            self.context.sink.emit(Advanced(stage="ledger", done=done + 1, total=len(signals)))
        return out, waiting

    def _filled(self, seal: Seal, session: int, real: RealPrices) -> Iterator[ShadowRow]:
        inputs = seal.inputs()
        if inputs.trading != self.trading:  # most days have the rules of the day before
            self.trading, self.config = inputs.trading, with_trading(self.packed, inputs.trading)
        config = self.config
        rules = rules_of(config)
        book = _filled_book(seal, inputs, self.pinned, rules, self.dataset.panel)
        prices = Prices.after(real, self.dataset.features.dates_S[session], book.symbols)
        today_N = self._on_todays_data(inputs, config, book.symbols, session)
        for entry in SIMULATED:
            yield shadow_row(book, prices, entry, rules, today_N)
        if fills := read_fills(self.seals.root, seal, seal.digest):
            yield shadow_row(book, prices, ACTUAL, rules, today_N, _executed(book, fills))

    def _on_todays_data(
        self, inputs: SignalInputs, config: Config, symbols: Sequence[str], session: int
    ) -> _Vector | None:
        """Weights that the same model and rules give on the data of today; None = they are the same data."""
        dataset = self.dataset
        key = SealKey(
            exchange=self._exchange,
            session=str(dataset.features.dates_S[session]),
            model=self.model.id,
            data=self._known.digest(session),
        )
        if key == inputs.key:
            return None
        gatherer = Gatherer(
            dataset=dataset,
            session=session,
            model=self.model,
            config=config,
            seals=self.seals,
            pins=self.pins,
            positions=inputs.positions,
        )
        day = unpack(gatherer.gather(None, self._ensemble), self.pins, self.packed)
        ranked = self._ensemble.rank(day.window, day.column)
        strategy = load_strategy(config.portfolio.strategy, self.context.workspace)
        _, books = book_of(day, ranked, strategy)
        weight = dict(zip(books.symbols, books.today_N, strict=True))
        return np.array([float(weight.get(symbol, 0.0)) for symbol in symbols])

    def live(self, signals: Sequence[Seal]) -> LiveRecord:
        """RankIC of the sealed scores, day by day, beside the band that was to be expected."""
        config, features = self.context.config, self.dataset.features
        horizon = config.portfolio.horizon
        daily = live_rank_ics(signals, features, horizon=horizon)
        told = live_evidence(daily, self.model, config)
        values = np.array([daily[day] for day in sorted(daily)])
        error = newey_west_se(values, lag=horizon)
        return LiveRecord(**msgspec.structs.asdict(told), se=error, daily=daily)


class _PinnedMarket:
    """Quotes and master data that the seals rest on. Sessions side by side share most: each is read once."""

    def __init__(self, pins: PinStore) -> None:
        self._pins = pins
        self.quoted = lru_cache(_KEPT)(self._quoted)
        self.classes = lru_cache(_KEPT)(self._classes)

    def _quoted(self, pin: str) -> tuple[dict[str, float], dict[str, float]]:
        """Close as quoted (NaN = none) and turnover (0 = none) of each stock of a session, quote currency."""
        bars = self._pins.get_arrays(pin)
        symbols, values = text_of(bars["symbols"]), bars["bars"]
        close = values[BARS.index("close_raw")].tolist()
        turnover = np.nan_to_num(values[BARS.index("turnover")]).tolist()
        return dict(zip(symbols, close, strict=True)), dict(zip(symbols, turnover, strict=True))

    def _classes(self, pin: str) -> dict[str, str | None]:
        """Borrow class of each stock, None = not known."""
        return {row[0]: row[5] for row in json.loads(self._pins.get(pin))}


def _filled_book(
    seal: Seal,
    inputs: SignalInputs,
    pinned: _PinnedMarket,
    rules: TradingRules,
    panel: StoredPanel,
) -> FilledBook:
    """The sealed directory's weights, positions and orders on one axis of stocks.

    Lots, ticks and sessions a year are those of the data, whatever market the configuration names.
    """
    frame = pl.read_parquet(seal.read("weights.parquet"), columns=["symbol", "weight"])
    weights = dict(zip(frame["symbol"].to_list(), frame["weight"].to_list(), strict=True))
    held = Positions.from_csv(seal.read("positions.csv")).shares
    orders = {row.symbol: row for row in rows_of(seal.read("orders.csv"), Order, "orders.csv")}
    card = seal.card()
    symbols = tuple(sorted({*weights, *held, *orders}))
    close, _ = pinned.quoted(dict(inputs.bars)[seal.session])
    change = {s: _SIGN[order.side] * order.shares for s, order in orders.items()}

    def vector(values: Mapping[str, float], missing: float = 0.0) -> _Vector:
        return np.fromiter(map(values.get, symbols, repeat(missing)), np.float64, len(symbols))

    return FilledBook(
        session=seal.session,
        verdict=card.verdict,
        market=panel.market,
        symbols=symbols,
        equity=card.orders.equity if card.orders else math.nan,
        weight_N=vector(weights),
        held_N=vector(held),
        change_N=vector(change),
        limit_N=vector({s: order.limit for s, order in orders.items()}, math.nan),
        close_N=vector(close, math.nan),
        adv_N=_adv(inputs, pinned, symbols),
        borrow_N=_borrow(pinned.classes(inputs.securities), symbols, rules)
        / panel.sessions_per_year,
    )


def _executed(book: FilledBook, fills: SessionFills) -> Executed:
    """The fills on the book's axis of stocks."""
    orders = {order.code: order for order in fills.orders if order.filled}
    mine = [orders.get(symbol) for symbol in book.symbols]
    return Executed(
        shares_N=np.array([_SIGN[one.side] * one.filled if one else 0.0 for one in mine]),
        price_N=np.array([one.price / one.close if one else math.nan for one in mine]),
        commission=math.fsum(order.commission for order in orders.values()),
    )


def _adv(inputs: SignalInputs, pinned: _PinnedMarket, symbols: Sequence[str]) -> _Vector:
    """Mean turnover of the last 20 sealed sessions; a session without a bar counts 0."""
    recent = inputs.bars[-_ADV_SESSIONS:]
    total_N = np.zeros(len(symbols))
    for _, pin in recent:
        _, turnover = pinned.quoted(pin)
        total_N += np.fromiter(map(turnover.get, symbols, repeat(0.0)), np.float64, len(symbols))
    return total_N / len(recent)


def _borrow(
    classes: Mapping[str, str | None], symbols: Sequence[str], rules: TradingRules
) -> _Vector:
    """Borrow fee of each stock, fraction a year, by its class in the sealed master data."""
    plain = rules.costs.borrow_bps_per_year
    rates = [rules.costs.borrow_classes.get(classes.get(s) or "", plain) for s in symbols]
    return np.array(rates) * 1e-4


def _text(told: ShadowLedger) -> str:
    columns = ("backtest", *PARTS, "realised")
    body = []
    for entry, found in told.all.items():
        means = [getattr(found.mean, name) * 1e4 for name in columns]
        body.append(
            [entry, str(found.sessions)]
            + ["-" if math.isnan(value) else f"{value:+.2f}" for value in means]
            + [f"{found.unfilled}/{found.orders}"]
        )
    header = ["basis points a session", "n", *columns, "unfilled"]
    lines = [
        f"{told.signals} sealed signals, {len(told.pending)} wait for their next two sessions",
        "",
        table(body, header=header),
        "",
    ]
    for name, live in told.live.items():
        shown = "none yet" if math.isnan(live.rank_ic) else Figure(live.rank_ic, live.se).text()
        floor = "" if math.isnan(live.low) else f", not below {live.low:+.4f}"
        lines.append(
            f"live RankIC of {name}, h={live.horizon}, {live.sessions} sessions: {shown} "
            f"(expected {live.expected:+.4f}{floor})"
        )
    return "\n".join(lines)
