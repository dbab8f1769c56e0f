"""The card: limits by hand, and each planted trouble of a real day."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.config import SignalConfig
from engine.files import read_json, write_json
from engine.records import record
from engine.records.card import Card, Health, Light, SignalEvidence
from engine.records.seal import ATTEMPT
from engine.signals.card import _above, evidence_lights
from engine.stages.context import Outcome
from tests.engine.signals.desk import Desk

HEALTHY: dict[str, Any] = {
    "data": {
        "names": 95, "usual": 100, "min_coverage": 0.7, "repeated": False, "missing_sessions": [],
    },
    "quality": {"verdict": "ok", "worst": "", "notes": []},
    "audit": {"verdict": "passed", "age": 3, "leaks": []},
    "audit_session": {"leaks": [], "columns": 45},
    "model": {"age": 10, "last_session": "2016-12-01"},
    "drift": {"beta": [0.1, 0.1, 0.2, 0.1, 500.0]},
    "live": {"rank_ic": 0.02, "low": -0.01, "sessions": 40, "expected": 0.02, "horizon": 5},
}  # fmt: skip
"""As it stands in the inputs of a signal that an earlier version sealed."""
HEALTH = {"score_drift": [0.1, 0.1, 0.2, 0.1, 500.0], "dispersion": 1.1, "alpha": [0.5, None]}


def lights_of(evidence: dict[str, Any], health: dict[str, Any] = HEALTH) -> list[Light]:
    told = record.convert(evidence, SignalEvidence, "")
    return evidence_lights(told, record.convert(health, Health, ""), SignalConfig())


def light(lights: list[Light], name: str) -> str:
    return next(light.verdict for light in lights if light.name == name)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(1.0, "TRADE"), (1.01, "HOLD"), (2.0, "HOLD"), (2.01, "STOP"), (float("nan"), "STOP")],
)
def test_beyond_a_limit_is_hold_and_beyond_twice_of_it_stop(value: float, verdict: str) -> None:
    assert _above("age", value, 1.0, "").verdict == verdict


def test_the_worst_light_is_the_verdict() -> None:
    lights = tuple(_above("x", value, 1.0, "why") for value in (0.5, 1.5))
    card = Card.of("2016-12-30", "XNYS", lights)
    assert (card.verdict, card.exit_code) == ("HOLD", 6)
    assert card.line == "2016-12-30 XNYS  HOLD  x: why"
    assert Card.of("", "", ()).verdict == "STOP"
    assert Card.of("", "", lights[:1]).exit_code == 0


@pytest.mark.parametrize(
    ("where", "change", "name", "verdict"),
    [
        ("data", {"names": 69}, "data", "HOLD"),
        ("data", {"repeated": True}, "data", "HOLD"),
        ("data", {"missing_sessions": ["2016-12-29"]}, "fresh", "HOLD"),
        ("quality", {"verdict": "refused", "worst": "bad"}, "quality", "STOP"),
        ("audit", None, "audit", "HOLD"),
        ("audit", {"verdict": "failed", "leaks": ["tomorrow"]}, "audit", "STOP"),
        ("audit", {"age": None}, "audit", "HOLD"),
        ("audit", {"age": 64}, "audit", "HOLD"),
        ("audit_session", {"leaks": ["features: tomorrow"]}, "audit_session", "STOP"),
        ("audit_session", {"columns": 0}, "audit_session", "HOLD"),
        ("model", {"age": 675}, "model_age", "HOLD"),
        ("model", {"age": 1349}, "model_age", "STOP"),
        ("drift", {"beta": [2.0, 0.1, 0.2, 0.1, 500.0]}, "drift_features", "STOP"),
        ("live", {"rank_ic": -0.02}, "live_rank_ic", "HOLD"),
        ("live", {"rank_ic": -0.02, "sessions": 19}, "live_rank_ic", "TRADE"),
    ],
)  # fmt: skip
def test_each_light_by_hand(where: str, change: Any, name: str, verdict: str) -> None:
    assert {light.verdict for light in lights_of(HEALTHY)} == {"TRADE"}
    found = None if change is None else {**HEALTHY[where], **change}
    assert light(lights_of({**HEALTHY, where: found}), name) == verdict


@pytest.mark.parametrize(
    ("change", "name", "verdict"),
    [
        ({"dispersion": 0.2}, "dispersion", "HOLD"),
        ({"dispersion": 5.0}, "dispersion", "HOLD"),
        ({"dispersion": 0.0}, "dispersion", "STOP"),
        ({"alpha": [0.5, 0.99]}, "gate", "HOLD"),
        ({"score_drift": [0.6, 0.1, 0.2, 0.1, 500.0]}, "drift_scores", "HOLD"),
    ],
)
def test_the_networks_own_lights_by_hand(change: dict[str, Any], name: str, verdict: str) -> None:
    assert light(lights_of(HEALTHY, {**HEALTH, **change}), name) == verdict


# ---- planted troubles, on the whole way ----------------------------------------------------------


def shown(done: Outcome, name: str) -> dict[str, Any]:
    found = next(light for light in done.json["lights"] if light["name"] == name)
    assert isinstance(found, dict)
    return found


def test_an_incomplete_or_repeated_day_is_held_and_not_sealed_then_it_comes(desk: Desk) -> None:
    day = next(day for day in desk.days if day > desk.last)
    whole = desk.bars_of(day)
    stored = desk.store.snapshot().id
    yesterday = desk.bars_of(desk.last).with_columns(pl.lit(day).alias("date"))
    for bars, word in (
        (whole.head(int(len(whole) * 0.65)), "data incomplete"),
        (yesterday, "repeats"),
    ):
        desk.next_day(bars)
        done = desk.signals(day)
        assert (done.exit_code, done.json["verdict"]) == (6, "HOLD")
        assert word in shown(done, "data")["reason"]
        assert done.json["seal"] is None
        assert list(desk.seals) == []
        kept = read_json(desk.workspace / ATTEMPT)
        assert kept["lights"] == list(done.json["lights"])
        assert (kept["session"], kept["verdict"]) == (str(day), "HOLD")
        (desk.store.root / "CURRENT").write_text(stored + "\n")
    desk.next_day()
    assert desk.signals(day).json["verdict"] == "TRADE"


def test_a_missing_session_before_it_is_held(desk: Desk) -> None:
    skipped, day = [day for day in desk.days if day > desk.last][:2]
    desk.next_day(desk.bars_of(day))
    done = desk.signals(day)
    assert done.exit_code == 6
    assert str(skipped) in shown(done, "fresh")["reason"]
    assert done.json["seal"]


def test_a_failed_or_missing_audit_a_stale_champion_and_too_much_turnover(desk: Desk) -> None:
    day = desk.next_day()
    path = desk.workspace / "audit.json"
    passed = read_json(path)
    leak = {"check": "features", "name": "tomorrow", "day": str(day), "symbol": "", "detail": ""}
    write_json(path, passed | {"verdict": "failed", "leaks": [leak]})
    done = desk.signals(day)
    assert done.json["verdict"] == "STOP"
    assert "tomorrow" in shown(done, "audit")["reason"]
    assert (done.exit_code, bool(done.json["seal"])) == (6, True)
    write_json(path, passed | {"rules": "of another configuration"})
    changes = {
        "signals.max_model_age": 100, "signals.max_turnover": 0.001,
        "signals.max_cost_bps": 0.001, "backtest.initial_cash": 1e9,
    }  # fmt: skip
    desk.next_day()
    done = desk.signals(config=changes)
    verdicts = {light["name"]: light["verdict"] for light in done.json["lights"]}
    assert verdicts["audit"] == "HOLD"
    assert verdicts["model_age"] == "HOLD"
    assert verdicts["turnover"] == "STOP"
    assert verdicts["cost"] == "STOP"
    assert verdicts["refused"] == "STOP"


def test_drifted_features_are_held(desk: Desk, tmp_path: Path) -> None:
    """From some day on every stock swings four times as much, and closes at its high."""
    start = desk.last
    days = [day for day in desk.days if day > start][:10]
    after = pl.col("date") > start
    rng = np.random.default_rng(0)
    swing = pl.Series(rng.normal(0.0, 0.12, len(desk.raw.bars)))
    wild = desk.raw.bars.with_columns(
        pl.when(after).then(pl.col(name) * swing.exp()).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    ).with_columns(pl.when(after).then(pl.col("high")).otherwise(pl.col("close")).alias("close"))
    desk = replace(desk, raw=replace(desk.raw, bars=wild))
    for _ in days:
        desk.next_day()
    done = desk.signals()
    assert done.exit_code == 6
    assert shown(done, "drift_features")["verdict"] != "TRADE", done.text
