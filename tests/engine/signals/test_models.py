"""The champion's list: promotions, refusals, rollbacks; and the gate by hand."""

import datetime as dt
from pathlib import Path

import pytest

from engine.config import DataConfig
from engine.errors import ConfigError, GateError, IntegrityError, UsageError
from engine.files import write_text
from engine.records.champion import Action
from engine.records.record import as_json
from engine.signals.models import ModelStore
from engine.stages.package import package
from engine.stages.promote import _against_noise, _against_other, promote
from engine.stages.sealed import champion
from tests.engine.signals.desk import Desk

NOON = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def test_a_rollback_goes_back_one_reign_at_a_time(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    with pytest.raises(GateError, match="no earlier champion"):
        store.predecessor()
    with pytest.raises(UsageError, match="no champion yet"):
        store.require_champion()
    entries: tuple[tuple[Action, str], ...] = (
        ("promoted", "a"), ("refused", "x"), ("promoted", "b"), ("promoted", "b"), ("promoted", "c"),
    )  # fmt: skip
    for action, model in entries:
        store.record(action, model, at=NOON)
    assert store.predecessor() == "b"
    store.record("rolled back", "b", at=NOON)
    assert store.predecessor() == "a"
    store.record("rolled back", "a", at=NOON)
    with pytest.raises(GateError):
        store.predecessor()
    store.record("promoted", "d", at=NOON)
    assert store.predecessor() == "a"
    assert [entry.n for entry in store.history().history] == list(range(1, 9))


def test_the_gate_by_hand() -> None:
    nan = float("nan")
    assert _against_noise(0.03, 0.01).passed
    assert not _against_noise(0.009, 0.01).passed
    assert not _against_noise(-0.03, 0.01).passed
    assert not _against_noise(nan, nan).passed
    better = _against_other("lightgbm", 0.001, 0.01, 50)
    assert (better.passed, better.detail) == (
        True, "RankIC +0.0010 ± 0.0100 better on 50 common days",
    )  # fmt: skip
    assert not _against_other("lightgbm", -0.001, 0.01, 50).passed
    assert not _against_other("champion", nan, 0.1, 0).passed


def test_a_run_gives_one_package_and_a_damaged_one_is_refused(desk: Desk) -> None:
    run = next(iter(desk.context().store)).id
    first = desk.models.require_champion()
    shown = champion(desk.context(), action="show").json
    assert (shown["model"], shown["networks"], shown["run_id"]) == (first.id, 1, run)
    desk.next_day()  # the package does not depend on what came later
    again = promote(desk.context(), run=run, force_reason=None)
    assert again.json["model"] == first.id
    assert {row["name"] for row in again.json["gate"]} == {"noise", "lightgbm", "audit", "champion"}
    fine = all(row["passed"] for row in again.json["gate"])
    assert again.exit_code == (0 if fine else 6)
    actions = [entry.action for entry in desk.models.history().history]
    assert actions == ["promoted", "promoted" if fine else "refused"]
    assert desk.models.require_champion().id == first.id
    weights = first.members()[0].paths[0]
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(IntegrityError, match="seed-1"):
        desk.models.require_champion()


def test_a_package_names_the_market_of_the_data_and_another_one_is_refused(desk: Desk) -> None:
    """A run of a Tokyo store under the default configuration had its orders in the lots of New York."""
    right = desk.models.require_champion()
    run = next(iter(desk.context().store))
    path = run.directory / "config.toml"
    write_text(path, path.read_text().replace('market = "synthetic"', 'market = "us"'))
    assert run.config().data.market == "us"
    assert package(desk.context(), run).config().data.market == "synthetic"

    as_before = right.config().model_copy(update={"data": DataConfig(market="us")})
    files = {path.name: path for path in right.members()[0].paths}
    wrong = desk.models.pack(files, as_before, as_json(right.facts), right.reference())
    desk.models.record("promoted", wrong.id, at=NOON, run=run.id)
    desk.next_day()
    with pytest.raises(
        ConfigError, match=r"the market us \(XNYS\), the stored data are of synthetic"
    ):
        desk.signals()


@pytest.mark.slow
def test_a_challenger_is_trained_by_the_champions_rules_and_tries_the_gate(desk: Desk) -> None:
    while desk.last < desk.days[-1]:
        desk.next_day()
    before = desk.models.require_champion()
    done = champion(desk.context(), action="challenge")
    rows = {row["name"]: row for row in done.json["gate"]}
    assert rows["champion"]["detail"].endswith("common days")
    assert done.json["model"] != before.id
    fine = all(row["passed"] for row in rows.values())
    assert done.exit_code == (0 if fine else 6)
    now = desk.models.require_champion()
    assert now.id == (done.json["model"] if fine else before.id)
    challenger = desk.models.open(done.json["model"])
    assert challenger.facts.rules == before.facts.rules
    assert challenger.facts.last_session > before.facts.last_session
    promote(desk.context(), run=done.json["run_id"], force_reason="a try")
    assert desk.models.require_champion().id == challenger.id
    champion(desk.context(), action="rollback")
    assert desk.models.require_champion().id == before.id
