"""Gathers what a signal is made from: pins the windows, the edges, the bars, the scores of past decisions;
reads the positions, and makes a card where a line of them has no price.
"""

import datetime as dt
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from engine.config import Config
from engine.data.calendar import EXCHANGES
from engine.data.load import clean_panel
from engine.data.store import Snapshot
from engine.data.tables import SECURITY_SCHEMA
from engine.dataset.split import valid_sessions
from engine.errors import GateError, UsageError
from engine.features.feature_set import FeatureSet
from engine.files import json_text, text_digest
from engine.portfolio.market_data import LOOK_BACK
from engine.portfolio.prediction import score_column
from engine.portfolio.strategy import load_strategy
from engine.records import record
from engine.records.card import Card, DayEvidence, PositionEvidence, SignalEvidence
from engine.records.orders import Positions
from engine.records.seal import ScoredDay, Seal, SealKey, SignalInputs, read_seal
from engine.runs.events import Noted
from engine.signals.account import Account, account_of
from engine.signals.book import LOOK, Scores, bar_slice, decision_sessions
from engine.signals.card import data_lights, position_lights
from engine.signals.compose import Scorer, pack_scores, securities_bytes
from engine.signals.models import Model
from engine.signals.position_file import MOST, read_position_file
from engine.signals.seal import PinStore, SealStore, same_inputs, trading_tables
from engine.signals.window import day_slice, edge_slice
from engine.stages.context import StageContext
from engine.stages.load import Dataset, session_window


def seal_exchange(snapshot: Snapshot) -> str:
    """What the key of a seal calls the exchange: its calendar's code, or the name of a market without one."""
    market = snapshot.manifest.market
    return snapshot.calendar or EXCHANGES.get(market, market)


class KnownData:
    """Digests of everything that was known at the close of each session of a dataset.

    Of the stocks' master data those count that had been in the universe by then; they change on few days, so
    their text is kept from one session to the next.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._panel, self._entry_N = dataset.panel, dataset.universe.entry_N
        self._days = {day: place for place, day in enumerate(dataset.panel.snapshot.days)}
        self._dates_S, self._symbols = dataset.features.dates_S, dataset.universe.symbols
        self._known, self._text = -1, ""

    @cached_property
    def _rows(self) -> list[tuple[Any, ...]]:
        return self._panel.securities.select(list(SECURITY_SCHEMA)).sort("symbol").rows()

    def digest(self, session: int) -> str:
        """The digest of the raw rows up to the session, and of the master data, as in the key of a signal."""
        inside_N = self._entry_N <= session
        if int(inside_N.sum()) != self._known:  # who is inside stays inside: as many are the same
            self._known = int(inside_N.sum())
            known = {self._symbols[n] for n in np.flatnonzero(inside_N)}
            self._text = json_text([row for row in self._rows if row[0] in known])
        place = self._days[str(self._dates_S[session])]
        panel = self._panel
        head = json_text([panel.market, panel.chain[place]]).removesuffix("]")
        return text_digest(f"{head}, {self._text}]")


@dataclass(frozen=True, kw_only=True)
class Gatherer:
    """One session of one dataset for one model."""

    dataset: Dataset
    session: int
    """Nothing after it is looked at."""
    model: Model
    config: Config
    """The model's, with the caller's tables of trading."""
    seals: SealStore
    pins: PinStore
    positions: Positions | None

    @property
    def features(self) -> FeatureSet:
        """Features of all sessions, in memory order."""
        return self.dataset.features

    @property
    def _today(self) -> dt.date:
        day: dt.date = self.features.dates_S[self.session].item()
        return day

    @cached_property
    def key(self) -> SealKey:
        """What the signal is of."""
        return SealKey(
            exchange=seal_exchange(self.dataset.panel.snapshot),
            session=str(self.features.dates_S[self.session]),
            model=self.model.id,
            data=self.known.digest(self.session),
        )

    @cached_property
    def _trading(self) -> dict[str, object]:
        return trading_tables(self.config, self.seals.workspace)

    @cached_property
    def same(self) -> str:
        """What a seal of the same key, rules and positions has in its manifest."""
        return same_inputs(self.key, self._trading, self.positions)

    @cached_property
    def known(self) -> KnownData:
        """What was known at the close of each session."""
        return KnownData(self.dataset)

    def gather(self, evidence: SignalEvidence | None, scorer: Scorer) -> SignalInputs:
        """Pin everything and write down where it is. GateError for a session that cannot be scored.

        Without ``evidence`` the inputs give a book and its orders, but no card.
        """
        if self.session not in self._usable:
            members = int(self.features.member_SN[self.session].sum())
            raise GateError(
                f"{self.key.session}: {members} stocks in the universe, "
                f"{self.config.universe.min_names} and a window of {self.config.split.window} sessions "
                "are needed"
            )
        history = self._history(scorer)
        first = min([self.session, *(self._number(day.date) for day in history)])
        bars = self.dataset.panel.bars(str(self.features.dates_S[max(0, first - LOOK)]))
        edges = edge_slice(self.dataset.graphs, self.session)
        return SignalInputs(
            key=self.key,
            decided=self.session % self.config.portfolio.rebalance_sessions == 0,
            trading=self._trading,
            positions=self.positions,
            window=self._window(),
            edges=self.pins.put_arrays(edges) if edges else None,
            history=history,
            bars=self._bars(bars, max(0, first - LOOK)),
            index=self._index(bars),
            securities=self._master_data(),
            evidence={} if evidence is None else record.as_json(evidence),
        )

    # ---- what earlier signals have pinned already ------------------------------------------------

    @cached_property
    def _earlier(self) -> SignalInputs | None:
        """Inputs of this model's newest sealed signal on the same past: their pins still hold."""
        days = {str(day): s for s, day in enumerate(self.features.dates_S[: self.session])}
        for place in reversed(self.seals.newest()):
            session = days.get(place.session)
            if session is None:
                continue
            seal = read_seal(place.directory)
            if seal.key.model == self.model.id and seal.key.data == self.known.digest(session):
                return seal.inputs()
        return None

    def _known(self, name: Literal["window", "bars"]) -> dict[str, str]:
        return {} if self._earlier is None else dict(getattr(self._earlier, name))

    def _number(self, date: str) -> int:
        return int(np.searchsorted(self.features.dates_S, np.datetime64(date)))

    def _window(self) -> tuple[tuple[str, str], ...]:
        known = self._known("window")
        out = []
        for s in range(self.session - self.config.split.window + 1, self.session + 1):
            date = str(self.features.dates_S[s])
            pin = known.get(date) or self.pins.put_arrays(day_slice(self.features, s))
            out.append((date, pin))
        return tuple(out)

    def _bars(self, bars: pl.DataFrame, first: int) -> tuple[tuple[str, str], ...]:
        known = self._known("bars")
        day = pl.col("date")
        days = map(str, self.features.dates_S[first : self.session + 1])
        out = {d: known[d] for d in days if d in known}
        fresh = bars.filter(
            day.is_between(self.features.dates_S[first].item(), self._today),
            ~day.cast(pl.String).is_in(list(out)),
        )
        for (date,), rows in fresh.group_by("date", maintain_order=True):
            out[str(date)] = self.pins.put_arrays(bar_slice(rows))
        return tuple(sorted(out.items()))

    def _index(self, bars: pl.DataFrame) -> str | None:
        index = self.dataset.panel.index_of(bars)
        if index is None:
            return None
        inside = pl.col("date").is_between(bars["date"].min(), self._today)
        rows = index.filter(inside).sort("date")
        return self.pins.put_arrays(
            {"day": rows["date"].to_physical().to_numpy(), "close": rows["close"].to_numpy()}
        )

    def _master_data(self) -> str:
        universe = self.dataset.universe
        entered = np.flatnonzero(universe.entry_N <= self.session)
        names = {universe.symbols[n] for n in entered} | {
            *(self.positions.shares if self.positions else ())
        }
        table = self.dataset.panel.securities
        return self.pins.put(securities_bytes(table.filter(pl.col("symbol").is_in(sorted(names)))))

    # ---- scores of the decisions before this session ---------------------------------------------

    @cached_property
    def _usable(self) -> frozenset[int]:
        """Sessions that can be scored."""
        found = valid_sessions(self.features, self.config.split, self.config.universe.min_names)
        return frozenset(found.tolist())

    @cached_property
    def _earlier_decisions(self) -> tuple[int, ...]:
        strategy = load_strategy(self.config.portfolio.strategy, self.seals.workspace)
        config = self.config
        wanted = decision_sessions(self.session, strategy, config.portfolio, config.signals)
        return tuple(s for s in wanted if s != self.session and s in self._usable)

    def unpriced(self) -> dict[str, str]:
        """Held stocks without a close in the sessions that the book looks at, and since when."""
        held = [code for code, n in (self.positions.shares if self.positions else {}).items() if n]
        first = max(0, min((*self._earlier_decisions, self.session)) - LOOK_BACK)
        if not held:
            return {}
        day, begin = pl.col("date"), self.features.dates_S[first].item()
        closes = self.dataset.panel.bars(str(begin)).filter(
            day.is_between(begin, self._today), pl.col("close_raw").is_not_null()
        )
        gone = sorted(set(held) - set(closes["symbol"]))
        return dict.fromkeys(gone, f"no close from {begin} to {self._today}")

    def _history(self, scorer: Scorer) -> tuple[ScoredDay, ...]:
        """Scores of the decisions before this session: of a sealed signal of this model on the same data,
        else by its models, one session a core at a time. Both have the same bits.
        """
        from engine.stages.capacity import usable_cores  # with torch, which a ledger has no use for

        days = {
            s: (str(self.features.dates_S[s]), self.known.digest(s))
            for s in self._earlier_decisions
        }
        found = {s: self._sealed(*day) for s, day in days.items()}
        missing = [s for s, scores in found.items() if scores is None]
        made: dict[int, Scores] = {}
        if missing:
            threads = usable_cores() if scorer.is_thread_safe else 1
            with ThreadPoolExecutor(threads, "decisions") as executor:
                ranked = executor.map(lambda session: self._ranked(session, scorer), missing)
                made = dict(zip(missing, ranked, strict=True))
        return tuple(
            self._pinned(found[s] or made[s], date, data) for s, (date, data) in days.items()
        )

    def _pinned(self, scores: ScoredDay | Scores, date: str, data: str) -> ScoredDay:
        if isinstance(scores, ScoredDay):
            return scores
        return ScoredDay(date=date, data=data, pin=self.pins.put(pack_scores(scores)))

    def _sealed(self, date: str, data: str) -> ScoredDay | Scores | None:
        """What an earlier signal has pinned or sealed of the day; None: nothing."""
        for day in self._earlier.history if self._earlier else ():
            if (day.date, day.data) == (date, data):
                return day
        for seal in reversed(self.seals.of(date)):
            if (seal.key.model, seal.key.data) == (self.model.id, data):
                return self._sealed_scores(seal)
        return None

    def _ranked(self, session: int, scorer: Scorer) -> Scores:
        window = session_window(self.dataset, session, self.config.split.window)
        column = self.config.labels.horizons.index(self.config.portfolio.horizon)
        score_MH = scorer.rank(window, column).score_MH
        return Scores(date=window.date, symbols=window.symbols, score_MH=score_MH)

    def _sealed_scores(self, seal: Seal) -> Scores:
        """The sealed scores in the order that the networks give them: that of the symbol axis."""
        frame = pl.read_parquet(seal.read("scores.parquet"))
        order = {symbol: n for n, symbol in enumerate(self.features.symbols)}
        place = np.argsort([order[s] for s in frame["symbol"]])
        names = [score_column(h) for h in self.config.labels.horizons]
        columns = [
            pl.col(c) if c in frame.columns else pl.lit(np.nan, pl.Float32).alias(c) for c in names
        ]
        return Scores(
            date=seal.session,
            symbols=tuple(frame["symbol"][place]),
            score_MH=np.ascontiguousarray(frame.select(columns).to_numpy()[place]),
        )


def read_account(
    context: StageContext,
    snapshot: Snapshot,
    positions: str | None,
    columns: Mapping[str, str],
    cash: float | None,
) -> Account | None:
    """The file's lines in the codes of the stocks that have a bar by the session; what was done is said."""
    if positions is None and cash is not None:
        raise UsageError("--cash needs --positions", hint="an account without a file holds nothing")
    if positions is None:
        return None
    path = Path(positions)
    if cash is not None and not (math.isfinite(cash) and abs(cash) <= MOST["cash"]):
        raise UsageError(f"--cash {cash:g} is no amount of cash")
    panel = clean_panel(context.workspace, context.config, snapshot.id)
    known = panel.symbols
    file = read_position_file(
        path, columns=columns, currency=panel.currency, known=frozenset(known)
    )
    account = account_of(
        file, known=known, market=snapshot.exchange, currency=panel.currency, cash=cash
    )
    for note in account.notes:
        context.sink.emit(Noted(message=f"{path.name}: {note}"))
    return account


def position_evidence(account: Account, unpriced: Mapping[str, str]) -> PositionEvidence:
    """What the card looks at; no path is in it. ``unpriced``: `Gatherer.unpriced`."""
    return PositionEvidence(
        lines=account.lines, notes=account.notes, missing={**account.missing, **unpriced}
    )


def stopped_by_positions(evidence: DayEvidence, snapshot: Snapshot, config: Config) -> Card | None:
    """The card of data and positions if a held line has no price; None if all have one."""
    lights = position_lights(evidence)
    if all(light.verdict == "TRADE" for light in lights):
        return None
    session, exchange = snapshot.days[-1], seal_exchange(snapshot)
    return Card.of(session, exchange, [*data_lights(evidence, config.signals), *lights])
