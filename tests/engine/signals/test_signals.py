"""A session's signal from the store to the seal: once, the same, in order, and never in its own past."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.errors import DataError, GateError, UsageError
from engine.files import read_json
from engine.portfolio.prediction import Prediction, Weights
from engine.stages.context import Outcome
from engine.stages.predict import predict
from engine.stages.sealed import diff, replay
from engine.stages.verify import verify
from tests.engine.signals.desk import Desk


def test_a_healthy_day_is_sealed_with_everything_and_says_trade(sealed_desk: Desk) -> None:
    session = sealed_desk.seals.newest()[-1]
    done = sealed_desk.signals(session.session)
    assert (done.exit_code, done.json["verdict"]) == (0, "TRADE"), done.text
    assert {path.name for path in session.directory.iterdir()} == {
        "SEAL", "card.json", "card.md", "explain.parquet", "inputs.json", "manifest.json",
        "orders.csv", "positions.csv", "refused.csv", "scores.parquet", "weights.parquet",
    }  # fmt: skip
    scores = Prediction.read(session.directory / "scores.parquet")
    weights = Weights.read(session.directory / "weights.parquet")
    assert scores.dates == weights.frame["date"].unique().to_list()
    assert weights.frame["weight"].to_numpy().sum() == pytest.approx(0.0, abs=1e-9)
    assert done.json["orders"]
    assert done.json["key"].startswith(f"synthetic:{session.session}:")


def test_nothing_that_is_sealed_names_a_run_a_path_or_a_time(sealed_desk: Desk) -> None:
    run = next(iter(sealed_desk.context().store)).id
    words = (run, str(sealed_desk.workspace), "2020-01-01T12", sealed_desk.workspace.name + "/")
    for sealed in sealed_desk.seals:
        for content in sealed_desk.files(sealed.name).values():
            assert not any(word.encode() in content for word in words)


def test_the_same_inputs_are_answered_again_and_change_nothing(desk: Desk) -> None:
    day = desk.next_day()
    first = desk.signals(day)
    before = desk.files(str(day))
    times = {p: p.stat().st_mtime_ns for p in (desk.workspace / "signals" / str(day)).iterdir()}
    again = desk.signals()
    assert again.json == first.json
    assert desk.files(str(day)) == before
    assert times == {p: p.stat().st_mtime_ns for p in times}


@pytest.mark.slow
def test_from_nothing_the_same_bytes_come_again(desk: Desk, sealed_desk: Desk) -> None:
    """Other process, other day, caches gone: as if live, each past session gives what it gave live."""
    while desk.last < sealed_desk.last:
        desk.next_day()
    for sealed in sealed_desk.seals:
        desk.signals(sealed.session)
        assert desk.files(sealed.name) == sealed_desk.files(sealed.name)


def test_other_inputs_are_refused_or_a_numbered_revision(desk: Desk, tmp_path: Path) -> None:
    day = desk.next_day()
    desk.signals(day)
    first = desk.files(str(day))
    held = tmp_path / "positions.csv"
    held.write_text("code,shares\n$cash,50000\n")
    with pytest.raises(GateError, match="other inputs: the trading rules or the positions differ"):
        desk.signals(day, positions=str(held))
    with pytest.raises(UsageError, match="needs a --reason"):
        desk.signals(day, positions=str(held), revise=True)
    revised = desk.signals(day, positions=str(held), revise=True, reason="the real account")
    assert revised.json["revision"] == 1
    assert revised.json["directory"].endswith(f"{day}-r1")
    assert desk.files(str(day)) == first
    again = desk.signals(day, positions=str(held))
    assert again.json == revised.json
    with pytest.raises(GateError, match="other inputs"):
        desk.signals(day)
    assert desk.seals.open(f"{day}-r1").manifest.reason == "the real account"


def test_an_audit_that_was_made_since_is_a_revision_and_none_is_made_without_news(
    desk: Desk,
) -> None:
    """Without audit.json the card says HOLD; once it is back the same book may say something else."""
    day = desk.next_day()
    audited = desk.workspace / "audit.json"
    kept = audited.read_bytes()
    audited.unlink()
    first = desk.signals(day)
    assert first.exit_code == 6
    audited.write_bytes(kept)
    assert desk.signals(day).json == first.json
    revised = desk.signals(day, revise=True, reason="audited")
    assert revised.json["revision"] == 1
    assert revised.json["orders"] == first.json["orders"]
    lights = {light["name"]: light["verdict"] for light in revised.json["lights"]}
    assert lights["audit"] == "TRADE"
    assert desk.signals(day, revise=True, reason="again").json == revised.json


def test_a_replay_after_the_data_were_revised_gives_every_byte(desk: Desk) -> None:
    days = [desk.next_day(), desk.next_day()]
    for day in days:
        desk.signals(day)
    price = pl.when((pl.col("symbol") == "S0001") & (pl.col("date") == days[0]))
    changed = desk.raw.bars.with_columns(
        price.then(pl.col(name) * 1.04).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    desk.store.save(replace(desk.raw, bars=changed).as_of(days[1]))
    for name in ("panels", "features", "graphs", "universe"):
        for path in (p for p in (desk.workspace / name).iterdir() if p.is_dir()):
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
    for day in days:
        again = replay(desk.context(), session=str(day))
        assert again.json["identical"], again.text
        assert again.exit_code == 0
    with pytest.raises(GateError, match=r"data [0-9a-f]{16} then, [0-9a-f]{16} now"):
        desk.signals(days[1])
    desk.signals(days[1], revise=True, reason="the vendor corrected a price")
    told = diff(desk.context(), before=str(days[1]) + "-r0", after=f"{days[1]}-r1").json
    assert {(row["code"], row["date"]) for row in told["rows"]} >= {("S0001", str(days[0]))}
    assert {row["code"] for row in told["rows"]} == {"S0001"}
    assert "data" in told["changed"]
    assert "model" not in told["changed"]
    moved = {row["code"]: row for row in told["ranks"] if row["move"]}
    assert moved
    by_itself = moved.get("S0001")
    assert by_itself is None or by_itself["own_rows"] > 0
    assert verify(desk.context(), name=None).json["damaged"] == 0


def test_a_book_of_neutral_scores_is_sealed_and_comes_again(desk: Desk, sealed_desk: Desk) -> None:
    """The scores are the plain ones, the book is another, and a replay gives every byte of it."""
    plain = next(iter(sealed_desk.seals))
    day = desk.next_day()
    assert str(day) == plain.session
    desk.signals(day, config={"portfolio.neutral_to": ["beta", "momentum"]})
    mine = desk.seals.open(str(day))
    books = []
    for sealed in (plain, mine):
        scores = Prediction.read(sealed.directory / "scores.parquet").frame
        weights = Weights.read(sealed.directory / "weights.parquet").frame
        books.append((scores, weights.filter(pl.col("weight") != 0.0).drop("date")))
    (plain_scores, plain_book), (my_scores, my_book) = books
    assert my_scores.equals(plain_scores)
    assert not my_book.is_empty()
    assert not my_book.equals(plain_book)
    assert replay(desk.context(), session=str(day)).json["identical"]


def test_a_past_session_is_made_without_what_came_later(desk: Desk, sealed_desk: Desk) -> None:
    """The store holds the whole market, the later days as noise: the sealed bytes are the live ones."""
    sealed = next(iter(sealed_desk.seals))
    day = dt.date.fromisoformat(sealed.session)
    rng = np.random.default_rng(3)
    noise = pl.Series(np.exp(rng.normal(0, 0.3, len(desk.raw.bars))))
    later = pl.when(pl.col("date") > day)
    changed = desk.raw.bars.with_columns(
        later.then(pl.col(name) * noise).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    desk.store.save(replace(desk.raw, bars=changed))
    desk.signals(day)
    assert desk.files(sealed.name) == sealed_desk.files(sealed.name)


def test_a_session_without_data_is_a_data_error_and_nothing_is_sealed(desk: Desk) -> None:
    with pytest.raises(DataError, match="no bars of 2031-01-02 yet") as caught:
        desk.signals("2031-01-02")
    assert caught.value.exit_code == 3
    assert list(desk.seals) == []


def test_days_of_the_training_span_are_refused(desk: Desk) -> None:
    model = desk.models.require_champion()
    with pytest.raises(GateError, match="inside the span"):
        desk.signals(model.facts.chosen_to)
    assert list(desk.seals) == []


def test_without_a_champion_a_run_can_be_named(desk: Desk) -> None:
    (desk.workspace / "models" / "champion.json").unlink()
    day = desk.next_day()
    with pytest.raises(UsageError, match="no champion yet"):
        desk.signals(day)
    run = next(iter(desk.context().store)).id
    done = desk.signals(day, run=run)
    assert done.json["seal"]
    assert desk.models.history().history == ()


@pytest.mark.slow
def test_a_day_between_two_decisions_leaves_the_book_alone(desk: Desk) -> None:
    orders = []
    for _ in range(3):
        done = desk.signals(desk.next_day(), config={"portfolio.rebalance_sessions": 3})
        orders.append(len(done.json["orders"]))
    assert sorted(orders)[:2] == [0, 0]
    assert max(orders) > 0


def test_a_finished_run_scores_days_that_came_after_it(desk: Desk) -> None:
    """`predict` goes by the days the run was trained with, not by those a split of today's data gives."""
    run = next(iter(desk.context().store))
    newest = [desk.next_day() for _ in range(3)]

    def scored_from(day: str) -> Outcome:
        return predict(desk.context(), run=run.id, start=day, stop=None, in_sample=False)

    done = scored_from(str(newest[0]))
    assert done.json["days"] == 3
    scores = Prediction.read(run.path("predictions.parquet")).only("test")
    assert scores.dates[-3:] == newest
    spans = read_json(run.path("train.json"))["splits"]
    with pytest.raises(GateError, match="in the span it was trained on"):
        scored_from(spans["train"]["last"])
