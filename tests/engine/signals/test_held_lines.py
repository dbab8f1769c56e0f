"""Positions on the way to a signal: other spellings mean the same, a line without a price stops the card."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from engine.errors import UsageError
from engine.files import read_json
from engine.records.card import DataEvidence, DayEvidence, QualityEvidence
from engine.records.seal import ATTEMPT
from engine.signals.card import position_lights
from engine.stages.sealed import replay
from tests.engine.signals.desk import Desk


def write(path: Path, rows: dict[str, float], cash: float = 50_000.0) -> str:
    path.write_text(
        "".join(["code,shares\n", *(f"{c},{n}\n" for c, n in rows.items()), f"$cash,{cash}\n"])
    )
    return str(path)


def light(lights: list[dict[str, object]]) -> dict[str, object] | None:
    return next((light for light in lights if light["name"] == "positions"), None)


def test_other_spellings_are_the_same_signal_and_the_card_says_what_was_matched(
    desk: Desk, tmp_path: Path
) -> None:
    day = desk.next_day()
    closes = dict(desk.bars_of(day).sort("symbol").head(3).select("symbol", "close").iter_rows())
    held = dict(zip(closes, (30.0, -20.0, 40.0), strict=True))
    other = write(tmp_path / "other.csv", {f"{code}.T": n for code, n in held.items()})
    done = desk.signals(day, positions=other)
    worth = 50_000.0 + sum(n * closes[code] for code, n in held.items())
    assert done.json["figures"]["equity"] == pytest.approx(worth, rel=1e-12)
    assert {
        row["code"]: row["held"] for row in done.json["orders"] if row["held"]
    }.items() <= held.items()
    told = light(done.json["lights"])
    assert told is not None
    assert (told["verdict"], told["value"]) == ("TRADE", 0.0)
    assert all(f"{code}.T is {code}" in str(told["reason"]) for code in held)
    again = desk.signals(day, positions=write(tmp_path / "right.csv", held))
    assert again.json == done.json
    assert replay(desk.context(), session=str(day)).json["identical"]


def test_a_held_code_that_is_not_known_is_a_stop_and_mending_it_needs_no_revision(
    desk: Desk, tmp_path: Path
) -> None:
    day = desk.next_day()
    code = str(desk.bars_of(day)["symbol"].min())
    wrong = write(tmp_path / "p.csv", {f"{code}QQ": 500.0, "ZZ@@": -1.0})
    done = desk.signals(day, positions=wrong)
    assert (done.exit_code, done.json["verdict"], done.json["seal"]) == (6, "STOP", None)
    assert (done.json["orders"], done.json["figures"]) == ([], None)
    told = light(done.json["lights"])
    assert told is not None
    assert f"{code}QQ: {code}" in str(told["reason"])
    assert "ZZ@@: nothing like it is known" in str(told["reason"])
    assert "correct the code" in done.text
    assert list(desk.seals) == []
    assert read_json(desk.workspace / ATTEMPT)["verdict"] == "STOP"
    mended = desk.signals(day, positions=write(tmp_path / "p.csv", {code: 500.0}))
    assert (mended.json["revision"], bool(mended.json["seal"])) == (0, True)


def test_a_held_stock_whose_last_bar_is_long_ago_is_a_stop(desk: Desk, tmp_path: Path) -> None:
    day = desk.next_day()
    code = str(desk.bars_of(day)["symbol"].min())
    left = desk.raw.bars.filter((pl.col("symbol") != code) | (pl.col("date") <= desk.days[5]))
    desk.store.save(replace(desk.raw, bars=left).as_of(day))
    held = write(tmp_path / "p.csv", {code: 500.0})
    done = desk.signals(day, positions=held)
    assert (done.exit_code, done.json["verdict"]) == (6, "STOP"), done.text
    assert f"{code}: no close from" in done.text


def test_cash_and_columns_come_from_the_command_or_the_configuration(
    desk: Desk, tmp_path: Path
) -> None:
    day = desk.next_day()
    code = str(desk.bars_of(day)["symbol"].min())
    path = tmp_path / "p.csv"
    path.write_text(f"paper;pieces\n{code};10\n")
    with pytest.raises(UsageError, match="its columns are paper, pieces"):
        desk.signals(day, positions=str(path), cash=50_000.0)
    said = "code=paper,shares=pieces"
    with pytest.raises(UsageError, match="no row"):
        desk.signals(day, positions=str(path), position_columns=said)
    for cash in (float("nan"), float("inf"), 1e308):
        with pytest.raises(UsageError, match="no amount of cash"):
            desk.signals(day, positions=str(path), position_columns=said, cash=cash)
    with pytest.raises(UsageError, match="needs --positions"):
        desk.signals(day, cash=1.0)
    done = desk.signals(day, positions=str(path), position_columns=said, cash=50_000.0)
    config = {"schedule.position_columns": {"code": "paper", "shares": "pieces"}}
    again = desk.signals(day, positions=str(path), cash=50_000.0, config=config)
    assert again.json == done.json


def test_without_a_file_the_card_says_nothing_of_positions(sealed_desk: Desk) -> None:
    """So that signals sealed before the light was there come again byte for byte."""
    data = DataEvidence(names=1, usual=1, min_coverage=0.5, repeated=False, missing_sessions=())
    day = DayEvidence(data=data, quality=QualityEvidence(verdict="ok", worst=""))
    assert position_lights(day) == []
    for sealed in sealed_desk.seals:
        assert light(read_json(sealed.directory / "card.json")["lights"]) is None
