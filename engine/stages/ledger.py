"""`ledger`: the shadow ledger of the sealed signals, and how their scores turned out."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.data.load import StoredPanel
from engine.evaluation.inference import newey_west_se
from engine.files import strict, write_json, write_parquet
from engine.portfolio.strategy import load_strategy
from engine.runs.events import Advanced, StageStarted
from engine.signals.book import BARS
from engine.signals.compose import books_of
from engine.signals.inputs import SignalInputs
from engine.signals.live import live_rank_ics
from engine.signals.models import Model, ModelStore
from engine.signals.pins import text_of
from engine.signals.positions import CASH
from engine.signals.seal import Sealed, SealStore
from engine.signals.shadow import (
    ENTRIES,
    PARTS,
    LedgerRow,
    Prices,
    SealedBook,
    ledger_row,
    running,
    summary,
    to_frame,
)
from engine.stages.context import Outcome, StageContext
from engine.stages.evidence import live_evidence
from engine.stages.load import Dataset, load_dataset
from engine.stages.signal_inputs import Gatherer
from engine.stages.signals import open_ensemble, trading_config, waiting_lock
from engine.stages.text import table

_Vector = NDArray[np.float64]


def ledger(context: StageContext) -> Outcome:
    """Fill the newest seal of each session at the next real open and close, and split the gap.

    Written to ``signals/ledger.parquet`` and ``ledger.json``, made anew from what is sealed and the prices
    of the store each time. A session whose next two sessions are not there yet is pending.
    """
    seals = SealStore(context.workspace / "signals")
    models = ModelStore(context.workspace / "models")
    rows: list[LedgerRow] = []
    live: dict[str, Any] = {}
    pending: list[str] = []
    with waiting_lock(context, seals.root):
        newest = sorted(seals.newest(), key=lambda one: str(one.manifest["model"]))
        for name, group in groupby(newest, key=lambda one: str(one.manifest["model"])):
            desk = _Desk(context, seals, models.open(name))
            found, waiting = desk.rows(list(group))
            rows += found
            pending += waiting
            live[name] = desk.live()
        rows.sort(key=lambda row: (row.session, row.entry))
        write_parquet(seals.root / "ledger.parquet", to_frame(rows))
        told: dict[str, Any] = {
            "signals": len(newest),
            "pending": sorted(pending),
            "all": summary(rows, lag=1),
            "traded": summary([row for row in rows if row.verdict == "TRADE"], lag=1),
            "running": running(rows, lag=1),
            "live": live,
        }
        told = strict(told)
        write_json(seals.root / "ledger.json", told)
    return Outcome(json={**told, "rows": [asdict(row) for row in rows]}, text=_text(told, rows))


class _Desk:
    """The sealed signals of one model, on the data of today."""

    def __init__(self, context: StageContext, seals: SealStore, model: Model) -> None:
        self.seals, self.model = seals, model
        self.context = replace(context, config=trading_config(model, context.config))
        context.sink.emit(StageStarted(stage="ledger"))
        self.dataset: Dataset = load_dataset(self.context, context.sink, in_memory=False)

    def rows(self, signals: Sequence[Sealed]) -> tuple[list[LedgerRow], list[str]]:
        """Rows of the signals whose next two sessions are there, and the sessions that wait for theirs."""
        place = {str(day): s for s, day in enumerate(self.dataset.features.dates_S)}
        out: list[LedgerRow] = []
        waiting = []
        for done, sealed in enumerate(signals):
            session = place.get(sealed.session)
            if session is None or session + 2 >= len(place):
                waiting.append(sealed.session)
            else:
                out += self._filled(sealed, session)
            self.context.sink.emit(Advanced(stage="ledger", done=done + 1, total=len(signals)))
        return out, waiting

    def _filled(self, sealed: Sealed, session: int) -> Iterator[LedgerRow]:
        inputs = sealed.inputs()
        book = _sealed_book(sealed, inputs, self.seals, self.model.config(), self.dataset.panel)
        prices = self._prices(book, session)
        rules, _ = inputs.rules(self.model.config())
        today_N = self._on_todays_data(sealed, inputs, book, session)
        for entry in ENTRIES:
            yield ledger_row(book, prices, entry, rules, today_N)

    def _prices(self, book: SealedBook, session: int) -> Prices:
        """Of the panel as it is now."""
        days = self.dataset.features.dates_S[session : session + 3]
        return Prices.after(days, self.dataset.panel.bars(str(days[0])), book.symbols)

    def _on_todays_data(
        self, sealed: Sealed, inputs: SignalInputs, book: SealedBook, session: int
    ) -> _Vector | None:
        """Weights that the same model and rules give on the data of today; None = they are the same data."""
        gatherer = Gatherer(
            dataset=self.dataset,
            session=session,
            model=self.model,
            config=_with_rules(self.model.config(), inputs),
            seals=self.seals,
            positions=inputs.held(),
        )
        if gatherer.key == inputs.key:
            return None
        ranker = open_ensemble(self.model)
        again = gatherer.gather({}, ranker)
        strategy = load_strategy(inputs.trading["portfolio"]["strategy"])
        _, _, books = books_of(
            again,
            self.seals.pins,
            config=self.model.config(),
            ranker=ranker,
            strategy=strategy,
        )
        weight = dict(zip(books.symbols, books.today_N, strict=True))
        return np.array([float(weight.get(symbol, 0.0)) for symbol in book.symbols])

    def live(self) -> dict[str, Any]:
        """RankIC of the sealed scores, day by day, beside the band that was to be expected."""
        config = self.context.config
        horizon = config.portfolio.horizon
        daily = live_rank_ics(
            self.seals.newest(), self.dataset.features, horizon=horizon, model=self.model.id
        )
        told = live_evidence(
            daily,
            self.model,
            horizon=horizon,
            sessions=config.signals.live_sessions,
            sigmas=config.signals.live_sigmas,
        )
        values = np.array([daily[day] for day in sorted(daily)])
        return {**told, "se": newey_west_se(values, lag=horizon), "daily": daily}


def _sealed_book(
    sealed: Sealed, inputs: SignalInputs, seals: SealStore, config: Config, panel: StoredPanel
) -> SealedBook:
    """The sealed directory's weights, positions and orders on one axis of stocks.

    Lots, ticks and sessions a year are those of the data, whatever market the configuration names.
    """
    weights = dict(
        pl.read_parquet(sealed.read("weights.parquet")).select("symbol", "weight").iter_rows()
    )
    held = {
        row["code"]: float(row["shares"])
        for row in _rows(sealed.read("positions.csv"))
        if row["code"] != CASH
    }
    orders = {_plain(row["code"]): row for row in _rows(sealed.read("orders.csv"))}
    card = json.loads(sealed.read("card.json"))
    symbols = tuple(sorted({*weights, *held, *orders}))
    bars = seals.pins.get_arrays(dict(inputs.bars)[sealed.session])
    quoted = dict(zip(text_of(bars["symbols"]), bars["bars"][BARS.index("close_raw")], strict=True))
    sign = {"buy": 1.0, "sell": -1.0}

    def ordered(symbol: str, name: str) -> float:
        return float(orders[symbol][name]) if symbol in orders else float("nan")

    return SealedBook(
        name=sealed.name,
        session=sealed.session,
        verdict=card["verdict"],
        market=panel.market,
        symbols=symbols,
        equity=float(card["orders"]["equity"]),
        weight_N=np.array([float(weights.get(s, 0.0)) for s in symbols]),
        held_N=np.array([held.get(s, 0.0) for s in symbols]),
        change_N=np.array(
            [
                sign[orders[s]["side"]] * ordered(s, "shares") if s in orders else 0.0
                for s in symbols
            ]
        ),
        limit_N=np.array([ordered(s, "limit") for s in symbols]),
        close_N=np.array([float(quoted.get(s, float("nan"))) for s in symbols]),
        adv_N=_adv(inputs, seals, symbols),
        borrow_N=_borrow(inputs, seals, symbols, config) / panel.sessions_per_year,
    )


def _adv(inputs: SignalInputs, seals: SealStore, symbols: Sequence[str]) -> _Vector:
    """Mean turnover of the last 20 sealed sessions; a session without a bar counts 0."""
    recent = inputs.bars[-20:]
    total = dict.fromkeys(symbols, 0.0)
    for _, pin in recent:
        bars = seals.pins.get_arrays(pin)
        turnover = bars["bars"][BARS.index("turnover")]
        for symbol, value in zip(text_of(bars["symbols"]), turnover.tolist(), strict=True):
            if symbol in total and value == value:
                total[symbol] += value
    return np.array([total[s] / len(recent) for s in symbols])


def _borrow(
    inputs: SignalInputs, seals: SealStore, symbols: Sequence[str], config: Config
) -> _Vector:
    """Borrow fee of each stock, fraction a year, by its class in the sealed master data."""
    rules, _ = inputs.rules(config)
    classes = {row[0]: row[5] for row in json.loads(seals.pins.get(inputs.securities))}
    plain = rules.costs.borrow_bps_per_year
    rates = [rules.costs.borrow_classes.get(classes.get(s) or "", plain) for s in symbols]
    return np.array(rates) * 1e-4


def _with_rules(config: Config, inputs: SignalInputs) -> Config:
    """The model's configuration with the sealed trading rules."""
    tables = {name: value for name, value in inputs.trading.items() if name != "initial_cash"}
    cash = {
        "backtest": config.backtest.model_dump() | {"initial_cash": inputs.trading["initial_cash"]}
    }
    return Config.model_validate({**config.model_dump(), **tables, **cash})


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def _plain(code: str) -> str:
    """A code as it was before it was made inert for spreadsheets."""
    return code.removeprefix("'")


def _text(told: dict[str, Any], rows: Sequence[LedgerRow]) -> str:
    columns = ("backtest", *PARTS, "realised")
    body = []
    for entry in ENTRIES:
        found = told["all"][entry]
        body.append(
            [entry, str(found["sessions"])]
            + [_bps(found["mean"][c]) for c in columns]
            + [f"{found['unfilled']}/{found['orders']}"]
        )
    header = ["basis points a session", "n", *columns, "unfilled"]
    lines = [
        f"{told['signals']} sealed signals, {len(told['pending'])} wait for their next two sessions",
        "",
        table(body, header=header),
        "",
    ]
    for name, live in told["live"].items():
        value, low = live["rank_ic"], live["low"]
        error = "" if live["se"] is None else f" ± {live['se']:.4f}"
        shown = "none yet" if value is None else f"{value:+.4f}{error}"
        floor = "" if low is None else f", not below {low:+.4f}"
        lines.append(
            f"live RankIC of {name}, h={live['horizon']}, {live['sessions']} sessions: {shown} "
            f"(expected {live['expected']:+.4f}{floor})"
        )
    return "\n".join(lines)


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{value * 1e4:+.2f}"
