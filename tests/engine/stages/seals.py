"""A workspace with a champion and sealed signals that nothing was scored for: a few kilobytes."""

import datetime as dt
from pathlib import Path

import numpy as np

from engine.config import Config
from engine.records import record
from engine.records.card import Card, Light, TradeFigures, Verdict
from engine.records.orders import Order, Refused, rows_csv
from engine.records.rank_ic import RankICSummary
from engine.records.seal import Seal, SealKey, SealManifest, SignalInputs
from engine.runs.sink import ListSink
from engine.signals.drift import Distribution, Reference
from engine.signals.models import Model, ModelStore
from engine.signals.seal import SealStore, text_array
from engine.stages.context import StageContext, StopFlag

NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
ORDER = Order(
    symbol="-AB", side="sell", shares=1200, lots=12, limit=2850.5, close=2880.0, notional=3456000.0,
    held=1200.0, reason="close: no longer scored",
)  # fmt: skip
REFUSED = Refused(
    symbol="6758", side="buy", shares=0.5, notional=float("nan"), rule="unknown",
    reason="no price of it is known",
)  # fmt: skip


def context_of(workspace: Path) -> StageContext:
    return StageContext(
        workspace=workspace, config=Config(), sink=ListSink(), stop=StopFlag(), now=lambda: NOON
    )


def model_of(workspace: Path, content: bytes = b"weights") -> Model:
    """A package of one file that is no network, chosen on days to 2026-06-30."""
    weights = workspace / "weights.bin"
    weights.write_bytes(content)
    noise = Distribution.of([np.arange(5.0)])
    test = RankICSummary(rank_ic=0.02, rank_ic_se=0.004, null_band=0.01, n_dates=250)
    facts = {
        "features": ["momentum"], "blocks": [["fan"]], "rules": {"lookback": 60},
        "splits": {"validation": {"first": "2026-01-05", "last": "2026-06-30"}, "embargo": 5},
        "last_session": "2026-11-02", "score_horizon": 5, "test": record.as_json(test),
    }  # fmt: skip
    reference = Reference(features={"momentum": noise}, scores=noise, deviation=1.0, sessions=1)
    return ModelStore(workspace / "models").pack(
        {"seed-1.safetensors": weights}, Config(), facts, reference
    )


def seal_of(
    workspace: Path, session: str, model: str, verdict: Verdict = "TRADE", revision: int = 0
) -> Seal:
    """Its window is one pin that all seals share, its bars are a pin of its own."""
    store = SealStore(workspace / "signals")
    bars = {"symbols": text_array(["-AB", "6758"]), "bars": np.full((7, 2), float(session[-2:]))}
    shared = store.pins.put(b"what every session sees")
    key = SealKey(exchange="XTKS", session=session, model=model, data="d" * 16)
    inputs = SignalInputs(
        key=key, decided=True, trading={"portfolio": {"horizon": 5}}, positions=None,
        window=((session, shared),), edges=None, history=(),
        bars=((session, store.pins.put_arrays(bars)),), index=None,
        securities=store.pins.put(b'[["-AB", "A", "x", null, true, "hard"]]'), evidence={},
    )  # fmt: skip
    light = Light(name="data", verdict=verdict, value=2.0, limit=1.0, reason="2 stocks")
    card = Card.of(session, "XTKS", [light], TradeFigures(equity=1e7, lines=1, refused=1))
    files = {
        "inputs.json": record.to_bytes(inputs, indent=1), "card.json": record.to_bytes(card),
        "card.md": card.markdown(["by hand"]).encode(), "orders.csv": rows_csv(Order, [ORDER]),
        "refused.csv": rows_csv(Refused, [REFUSED]),
        "positions.csv": b"code,shares\n-AB,1200.0\n$cash,500.0\n",
    }  # fmt: skip
    manifest = SealManifest(key=key, key_text=str(key), model=model, revision=revision, files={})
    return store.publish(session, revision, files, manifest)
