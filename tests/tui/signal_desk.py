"""Sealed signals with the engine's own writers, small: the reader cannot drift from the writer."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from engine.config import AlertConfig
from engine.files import write_parquet
from engine.records import record
from engine.records.agenda import Outlook
from engine.records.card import Card, Light, TradeFigures, Verdict
from engine.records.champion import Action, GateCondition
from engine.records.orders import Order, Refused, rows_csv
from engine.records.seal import Seal, SealKey, SealManifest, SignalInputs
from engine.records.shadow import SIMULATED, LiveRecord, ShadowLedger, ShadowRow
from engine.schedule.agenda import write_outlook
from engine.schedule.jobs import LogSink
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.timetable import Session
from engine.signals.compose import _table_bytes, securities_bytes
from engine.signals.models import ModelStore
from engine.signals.seal import SealStore
from engine.signals.shadow import running, to_frame, totals
from engine.signals.window import _SCHEMA

DAYS = ("2026-11-20", "2026-11-24", "2026-11-25")
NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
MODEL = "0b8685179751b2a7"
NAMES = {
    "7203": ("トヨタ自動車", "輸送用機器"),
    "6758": ("ソニーグループ", "電気機器"),
    "130A": ("ベリタス・イン・シリコ", "医薬品"),
    "9984": ("ソフトバンクグループ", "情報・通信業"),
    "0050": ("SPAC No. 50", "その他"),
}
RANKS = {
    DAYS[0]: ("6758", "7203", "9984", "130A", "0050"),
    DAYS[1]: ("7203", "6758", "130A", "9984", "0050"),
    DAYS[2]: ("130A", "7203", "6758", "0050", "9984"),
}
WEIGHTS: Mapping[str, Mapping[str, float]] = {
    DAYS[0]: {"6758": 0.3, "0050": -0.3},
    DAYS[1]: {"7203": 0.3, "9984": -0.15, "0050": -0.15},
    DAYS[2]: {"130A": 0.2, "7203": 0.1, "9984": -0.2, "0050": 0.1},
}


FIGURES = TradeFigures(
    lines=4, refused=1, equity=1e7, turnover=0.18, cost=2.1e-4,
    refused_share=0.01, gross=0.6, net=0.0, cash=9e6,
)  # fmt: skip


def card(
    session: str,
    verdict: Verdict = "TRADE",
    names: Sequence[str] = ("data",),
    figures: TradeFigures | None = None,
) -> Card:
    """All lights TRADE but the named ones."""
    plain = {
        "data": (3950.0, 2765.0, "3,950 stocks, usually 3,950"),
        "fresh": (0.0, 0.0, "no exchange session is missing before it"),
        "quality": ("ok", "not refused", "no finding of level error"),
        "audit": (12.0, 63.0, "passed 12 sessions ago"),
        "audit_session": (0.0, 0.0, "noise in the new session moves none of 45 columns before it"),
        "model_age": (12.0, 126.0, "12 sessions old"),
        "drift_features": (0.05, 0.3, "2 of 41 features drifted: volume_ratio_5_60 (PSI 0.41)"),
        "drift_scores": (0.01, 0.25, "PSI 0.010, KS 0.024 (up to 0.020, 0.044 on the reference)"),
        "live_rank_ic": (None, None, "3 sealed signals with an outcome, too few to judge"),
        "gate": (0.498, 0.02, "alpha 0.498"),
        "dispersion": (1.02, 0.3, "scores spread 1.02 times as much as on the reference's days"),
        "turnover": (0.18, 1.0, "18.0% of the equity"),
        "cost": (2.1, 20.0, "2.10 basis points"),
        "refused": (0.01, 0.25, "1 order refused or cut: above 5% of the mean turnover"),
        "net": (0.0, 0.1, "long less short +0.00% after the orders, +0.00% wanted"),
    }
    lights = [
        Light(
            name=name,
            verdict=verdict if name in names else "TRADE",
            value=value,  # type: ignore[arg-type]
            limit=limit,  # type: ignore[arg-type]
            reason="data incomplete 2,812/3,950" if (name, verdict) == ("data", "HOLD") else reason,
        )
        for name, (value, limit, reason) in plain.items()
    ]
    return Card.of(session, "XTKS", lights, figures)


def seal(
    workspace: Path,
    session: str,
    *,
    revision: int = 0,
    reason: str = "",
    verdict: Verdict = "TRADE",
    names: Mapping[str, tuple[str, str]] = NAMES,
) -> Seal:
    """The first three sessions differ in ranks and weights; 0050 turns from short to long."""
    store = SealStore(workspace / "signals")
    ranked, weights = RANKS[session], WEIGHTS[session]
    files = {
        "inputs.json": record.to_bytes(inputs(store, session, names), indent=1),
        "scores.parquet": _table_bytes(
            pl.DataFrame(
                {
                    "symbol": sorted(ranked),
                    "score_5": [2.0 - ranked.index(code) for code in sorted(ranked)],
                    "rank": [ranked.index(code) + 1 for code in sorted(ranked)],
                },
                schema_overrides={"score_5": pl.Float32},
            ),
            {},
        ),
        "weights.parquet": _table_bytes(
            pl.DataFrame(
                {
                    "symbol": sorted(weights),
                    "weight": [weights[code] for code in sorted(weights)],
                    "weight_before": [0.0 for _ in weights],
                }
            ),
            {},
        ),
        "orders.csv": rows_csv(Order, _orders(weights)),
        "refused.csv": rows_csv(Refused, [_refusal()] if session == DAYS[2] else []),
        "positions.csv": b"code,shares\n$cash,10000000\n",
        "card.json": record.to_bytes(card(session, verdict, figures=FIGURES)),
        "card.md": b"# card\n",
        "explain.parquet": _table_bytes(_explain(ranked), {}),
    }
    key = _key(session)
    manifest = SealManifest(
        key=key, key_text=str(key), model=MODEL, revision=revision, reason=reason, files={}
    )
    return store.publish(session, revision, files, manifest)


def _key(session: str) -> SealKey:
    return SealKey(exchange="XTKS", session=session, model=MODEL, data="d6094b6aa17e3b46")


def inputs(store: SealStore, session: str, names: Mapping[str, tuple[str, str]]) -> SignalInputs:
    rows = [
        {"symbol": code, "name": name, "sector": sector, "industry": None, "shortable": True,
         "borrow_class": None}
        for code, (name, sector) in names.items()
    ]  # fmt: skip
    return SignalInputs(
        key=_key(session),
        decided=True,
        trading={"portfolio": {"horizon": 5}, "initial_cash": 1e7},
        positions=None,
        window=(),
        edges=None,
        history=(),
        bars=(),
        index=None,
        securities=store.pins.put(securities_bytes(pl.DataFrame(rows))),
        evidence={},
    )


def _orders(weights: Mapping[str, float]) -> list[Order]:
    return [
        Order(
            symbol=code,
            side="buy" if weight > 0 else "sell",
            shares=1000 * (n + 1),
            lots=10 * (n + 1),
            limit=2850.5 + n,
            close=2850.0,
            notional=2850.0 * 1000 * (n + 1),
            held=0.0,
            reason=f"open: rank {n + 1} of 5, score {weight:+.3f}",
        )
        for n, (code, weight) in enumerate(weights.items())
    ]


def _refusal() -> Refused:
    return Refused(
        symbol="6758", side="sell", shares=500.0, notional=float("nan"), rule="adv",
        reason="5% of 20-day turnover is 0 shares",
    )  # fmt: skip


def _explain(ranked: Sequence[str]) -> pl.DataFrame:
    """The best stock is explained; the second has neighbours and past ranks only; others nothing."""
    first, second = ranked[:2]
    rows = [
        (first, "variable", "reversal_5", 0.41, None),
        (first, "variable", "volume_ratio_5_60", -0.17, None),
        (first, "neighbour", second, 0.2, 3),
        (first, "neighbour", ranked[2], 0.5, 1),
        (first, "self", first, 0.3, 1),
        (first, "past", "2026-11-18", 4.0, None),
        (first, "past", "2026-11-19", 2.0, None),
        (second, "neighbour", first, None, None),
        (second, "past", "2026-11-19", 5.0, None),
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("symbol", maintain_order=True)


def shadow(workspace: Path, n: int = 12) -> None:
    """`ledger.json` and `ledger.parquet` as the stage writes them: gaps of -1, -2, ... basis points."""
    rows = [
        ShadowRow(
            session=f"2026-10-{d + 1:02}", verdict="TRADE", entry=entry,
            filled=f"2026-10-{d + 2:02}", until=f"2026-10-{d + 3:02}", backtest=1e-3, revision=0.0,
            sizing=0.0, rounding=0.0, missed=0.0, cost=-1e-4 * (d + 1),
            realised=1e-3 - 1e-4 * (d + 1), orders=4, unfilled=1, unfilled_names="6758",
        )
        for d in range(n)
        for entry in SIMULATED
    ]  # fmt: skip
    live = LiveRecord(
        rank_ic=0.021, low=-0.01, sessions=n, expected=0.02, horizon=5, se=0.004
    )  # fmt: skip
    told = ShadowLedger(
        signals=n + 2, pending=("2026-11-24", "2026-11-25"), all=totals(rows, lag=1),
        traded=totals(rows, lag=1), running=running(rows, lag=1), live={MODEL: live},
    )  # fmt: skip
    record.write(workspace / "signals" / "ledger.json", told)
    write_parquet(workspace / "signals" / "ledger.parquet", to_frame(rows))


def schedule(workspace: Path) -> None:
    """Tokyo: one session done, one late, one that waits for its data; the next is due in 21.5 hours."""
    book = ScheduleLedger(workspace, AlertConfig(), ())
    sessions = [_session(day) for day in (20, 24, 25)]
    for number, session in enumerate(sessions):
        if number != 1:
            book.open(session, give_up_at=session.cutoff_at, caught_up=False)
    book.start(sessions[0])
    book.finish(sessions[0], sessions[0].due_at, verdict="TRADE", seal="", exit_code=0, alerts=(),
                errands=[("report", "2026-11-20")])  # fmt: skip
    with book.database.transaction() as connection:
        connection.execute(
            "INSERT INTO sessions (exchange, session, state, due_at, give_up_at, next_at, caught_up,"
            " reason) VALUES ('XTKS', '2026-11-24', 'late', ?, ?, ?, 0, 'nobody was awake')",
            (sessions[1].due_at.isoformat(),) * 3,
        )
    book.start(sessions[2])
    book.retry(sessions[2], NOW, NOW + dt.timedelta(minutes=5), reason="update: no bars yet")
    book.note("the machine slept for 8 hours", NOW)
    book.close()
    due = _session(26)
    outlook = Outlook(
        exchange="XTKS", at=NOW.isoformat(), due=("2026-11-24", "2026-11-25"),
        next_session="2026-11-26", next_at=due.due_at.isoformat(), calendar_days_left=300,
        heartbeat_seconds=30.0, zone="Asia/Tokyo",
    )  # fmt: skip
    write_outlook(workspace, outlook)
    log = LogSink(workspace / "logs" / "schedule.log", lambda: NOW)
    log._write("XTKS 2026-11-25: update")
    log._write("warning schedule: XTKS 2026-11-25: update: no bars yet")


def _session(day: int) -> Session:
    due = dt.datetime(2026, 11, day, 9, 30, tzinfo=dt.UTC)
    return Session(
        exchange="XTKS", date=due.date(), due_at=due, cutoff_at=due + dt.timedelta(hours=12)
    )


def champion(workspace: Path) -> None:
    """Two were promoted, a third refused."""
    store = ModelStore(workspace / "models")
    facts = {
        "blocks": [[], [], []], "last_session": "2026-11-06", "score_horizon": 5,
        "test": {"rank_ic": 0.0205, "rank_ic_se": 0.0042, "null_band": 0.0098, "n_dates": 252},
    }  # fmt: skip
    (store.root / MODEL).mkdir(parents=True)
    (store.root / MODEL / "model.json").write_text(json.dumps(facts))
    detail = "test RankIC +0.0205, null band ±0.0098"
    gate = [GateCondition(name="noise", passed=True, detail=detail)]
    entries: tuple[tuple[Action, str, str], ...] = (
        ("promoted", "aaaa000011112222", "the first one"),
        ("promoted", MODEL, ""),
        ("refused", "cccc000011112222", ""),
    )
    for action, model, reason in entries:
        store.record(
            action, model, at=NOW, run="20261109-090000-train-7c1e", reason=reason, gate=gate
        )


def whole(workspace: Path) -> None:
    for day in DAYS:
        seal(workspace, day)
    shadow(workspace)
    schedule(workspace)
    champion(workspace)
