"""A workspace with everything that Home shows, written by the engine's own writers."""

import datetime as dt
from pathlib import Path

from engine.alerts.alert import Alert
from engine.config import AlertConfig, ScheduleConfig
from engine.files import write_json, write_manifest, write_text
from engine.records import record
from engine.records.card import Card, Light, TradeFigures, Verdict
from engine.records.orders import Order, rows_csv
from engine.records.preflight import AUDIT, AuditResult
from engine.records.quality import QUALITY, CheckedQuality, NamesPerSession, SessionCoverage
from engine.records.seal import Seal, SealManifest
from engine.records.shadow import LiveRecord, ShadowLedger
from engine.schedule.agenda import write_outlook
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.timetable import Timetable
from engine.signals.models import ModelStore
from engine.signals.seal import SealStore
from tests.tui.signal_desk import DAYS as DESK_DAYS
from tests.tui.signal_desk import NAMES, inputs

NOW = dt.datetime(2026, 11, 25, 12, 0, 40, tzinfo=dt.UTC)
TIMETABLE = Timetable(ScheduleConfig(), "XTKS")
MODEL = "0b8685179751b2a7"
RUN = "20261119-083000-train-00aa"
"""That the champion was made of."""
DAYS = ("2026-11-18", "2026-11-19", "2026-11-20", "2026-11-24")


def light(name: str, verdict: Verdict, reason: str) -> Light:
    return Light(name=name, verdict=verdict, value=1.0, limit=1.0, reason=reason)


LIGHTS = (
    light("data", "TRADE", "3,902 stocks, usually 3,899"),
    light("turnover", "HOLD", "118.0% of the equity"),
    light("audit", "STOP", "sees ahead: feature [red]トヨタ[/red]_return_1\x1b]0;owned\x07"),
    light("fresh", "TRADE", "no exchange session is missing before it"),
)


ORDERS = [
    Order(
        symbol=code, side="buy" if n % 2 else "sell", shares=100 * (n + 1), lots=n + 1, limit=1000.5,
        close=1000.0, notional=1e5 * (n + 1), held=0.0, reason="",
    )
    for n, code in enumerate(("0050", "9984", "7203", "6758", "130A", "4063"))
]  # fmt: skip


def seal(
    workspace: Path, session: str, lights: tuple[Light, ...] = LIGHTS, *, revision: int = 0
) -> Seal:
    figures = TradeFigures(lines=350, turnover=0.59, cost=6e-4)
    store = SealStore(workspace / "signals")
    files = {
        "card.json": record.to_bytes(Card.of(session, "XTKS", lights, figures)),
        "inputs.json": record.to_bytes(inputs(store, DESK_DAYS[0], NAMES)),
        "orders.csv": rows_csv(Order, ORDERS),
    }
    return store.publish(session, revision, files, SealManifest(model=MODEL, files={}))


def champion(workspace: Path, *, reason: str = "") -> None:
    store = ModelStore(workspace / "models")
    at = dt.datetime(2026, 11, 19, 9, 30, tzinfo=dt.UTC)
    store.record("promoted", MODEL, at=at, run=RUN, reason=reason)
    store.record("refused", "ffff", at=NOW, run="20261125-083000-train-00bb")
    test = {"rank_ic": 0.0283, "rank_ic_se": 0.0049, "null_band": 0.0098, "n_dates": 252}
    facts = {"last_session": "2026-11-18", "score_horizon": 5, "test": test}
    (store.root / MODEL).mkdir(parents=True)
    write_json(store.root / MODEL / "model.json", facts)


def live(workspace: Path, *, rank_ic: float = 0.0102, se: float = 0.0185) -> None:
    told = LiveRecord(rank_ic=rank_ic, se=se, sessions=14, horizon=5, expected=0.0283, low=-0.0812)
    ledger = ShadowLedger(signals=1, pending=(), all={}, live={MODEL: told})
    record.write(workspace / "signals" / "ledger.json", ledger)


def data(workspace: Path, days: tuple[str, ...] = DAYS, *, market: str = "jp") -> None:
    snapshot = workspace / "data" / "snapshots" / "9366502bd7dc1056"
    snapshot.mkdir(parents=True)
    write_manifest(
        snapshot, {"days": list(days), "market": market, "source": "jquants", "chain": []}
    )
    write_text(workspace / "data" / "CURRENT", snapshot.name + "\n")
    quality = CheckedQuality(
        verdict="degraded", snapshot=snapshot.name, findings=(), rows_in=8, rows_out=8, symbols=2,
        sessions=len(days), first=dt.date.fromisoformat(days[0]),
        last=dt.date.fromisoformat(days[-1]), usual_names=2, last_session_complete=True,
        coverage=SessionCoverage(per_session=NamesPerSession()),
    )  # fmt: skip
    record.write(workspace / QUALITY, quality)
    record.write(workspace / AUDIT, AuditResult(verdict="passed"))


def schedule(workspace: Path) -> None:
    """Tokyo's session of the 25th is done, the next is due on the 26th at 09:30 UTC."""
    write_outlook(workspace, TIMETABLE.outlook(NOW))
    ledger = ScheduleLedger(workspace, AlertConfig(), ["webhook"])
    session = TIMETABLE.latest(NOW)
    assert session is not None
    ledger.open(session, give_up_at=NOW, caught_up=True)
    ledger.start(session)
    alert = Alert(key="signal:1", kind="signal", title="2026-11-25 XTKS STOP")
    ledger.finish(session, NOW, verdict="STOP", seal="ab", exit_code=6, alerts=[alert], errands=[])
    ledger.note("the machine slept for 2:00:00", NOW)
    ledger.close()


def full(workspace: Path) -> None:
    data(workspace)
    champion(workspace, reason="first")
    seal(workspace, "2026-11-24")
    live(workspace)
    schedule(workspace)
