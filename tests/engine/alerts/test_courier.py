"""The queue: each event once per channel, later or reported as failed, and never in anybody's way."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.alerts.alert import Alert, DeliveryError, Secret, Secrets
from engine.alerts.channels import Channel, _Webhook
from engine.alerts.courier import OUTBOX_SCHEMA, Courier, Outbox, enqueue, withdraw
from engine.config import AlertConfig
from engine.records.database import Database
from tests.engine.alerts.servers import TOKEN, FakeWebhook, wait_until
from tests.engine.schedule import book

START = dt.datetime(2026, 11, 25, 9, 30, tzinfo=dt.UTC)


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


class Scripted:
    """A channel that fails as it is told, then delivers."""

    def __init__(self, name: str, failures: int, *, final: bool = False) -> None:
        self.name, self.failures, self.final = name, failures, final
        self.sent: list[str] = []
        self.tries = 0

    def send(self, alert: Alert) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise DeliveryError(f"{self.name}: no", final=self.final)
        self.sent.append(alert.key)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "ledger.sqlite", OUTBOX_SCHEMA, version=1)


def put(database: Database, keys: Sequence[str], channels: Sequence[str] = ("a",)) -> None:
    with database.transaction() as connection:
        found = [Alert(key=key, kind="signal", title=key) for key in keys]
        enqueue(connection, found, channels, START)


def courier(
    database: Database, channels: Sequence[Channel], clock: Hand, config: AlertConfig | None = None
) -> tuple[Courier, list[str]]:
    told: list[str] = []
    config = config or AlertConfig(attempts=3, backoff_seconds=10)
    return Courier(Outbox(database), channels, config, clock, told.append), told


def test_an_event_is_told_once_per_channel_however_often_it_is_queued(database: Database) -> None:
    a, b = Scripted("a", 0), Scripted("b", 0)
    put(database, ["x", "y"], ("a", "b"))
    put(database, ["x"], ("a", "b"))
    deliver = courier(database, [a, b], Hand())[0].deliver
    assert deliver() == 4
    put(database, ["x"], ("a", "b"))
    assert deliver() == 0
    assert (a.sent, b.sent) == (["x", "y"], ["x", "y"])


def test_pauses_double_and_one_channel_does_not_hold_up_another(database: Database) -> None:
    clock, bad, good = Hand(), Scripted("a", 2), Scripted("b", 0)
    put(database, ["x"], ("a", "b"))
    worker, told = courier(database, [bad, good], clock)
    tries = []
    for _ in range(60):
        worker.deliver()
        tries.append(bad.tries)
        clock.move(1)
    assert [tries.index(n) for n in (1, 2, 3)] == [0, 10, 30]
    assert bad.sent == good.sent == ["x"]
    assert told == []
    assert book.counts(database) == {"delivered": 2}


@pytest.mark.parametrize(("final", "tries"), [(False, 3), (True, 1)])
def test_what_cannot_be_delivered_is_reported(
    database: Database, *, final: bool, tries: int
) -> None:
    clock, bad = Hand(), Scripted("a", 99, final=final)
    put(database, ["x"])
    worker, told = courier(database, [bad], clock)
    for _ in range(10):
        worker.deliver()
        clock.move(3600)
    assert bad.tries == tries
    assert told == ["alert 'x' was not delivered: a: no"]
    assert book.counts(database)["failed"] == 1
    assert book.alerts(database)[0].problem == "a: no"


def test_a_channel_that_is_gone_from_the_configuration_is_reported(database: Database) -> None:
    put(database, ["x"])
    worker, told = courier(database, [], Hand())
    worker.deliver()
    assert told == ["alert 'x' was not delivered: a: no longer configured"]


def test_a_clock_set_back_does_not_hold_an_alert_for_days(database: Database) -> None:
    clock, bad = Hand(), Scripted("a", 1)
    clock.move(86400 * 3)
    put(database, ["x"])
    worker, _ = courier(database, [bad], clock)
    worker.deliver()
    clock.move(-86400 * 3)
    worker.deliver()
    assert bad.sent == ["x"]


def test_a_withdrawn_alert_is_not_sent_and_may_come_again(database: Database) -> None:
    a = Scripted("a", 0)
    put(database, ["x"])
    with database.transaction() as connection:
        withdraw(connection, ["x"])
    worker, _ = courier(database, [a], Hand())
    assert worker.deliver() == 0
    put(database, ["x"])
    assert worker.deliver() == 1


def test_the_queue_outlives_the_process(database: Database, tmp_path: Path) -> None:
    put(database, ["x"])
    courier(database, [Scripted("a", 1)], Hand())[0].deliver()
    database.close()
    again = Database(tmp_path / "ledger.sqlite", OUTBOX_SCHEMA, version=1)
    clock, a = Hand(), Scripted("a", 0)
    clock.move(10)
    courier(again, [a], clock)[0].deliver()
    assert a.sent == ["x"]


def test_an_alert_of_a_transaction_that_failed_was_never_queued(database: Database) -> None:
    alert = Alert(key="x", kind="signal", title="x")

    def fail() -> None:
        with database.transaction() as connection:
            enqueue(connection, [alert], ["a"], START)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert book.counts(database)["queued"] == 0


def test_the_thread_delivers_when_the_server_is_back_and_leaves_no_secret(
    database: Database, tmp_path: Path, local: AlertConfig
) -> None:
    def now() -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    with FakeWebhook("500") as server:
        config = local.model_copy(update={"backoff_seconds": 0.01, "attempts": 50})
        channel = _Webhook(config, Secrets(webhook=Secret(server.url)))
        worker = Courier(Outbox(database), [channel], config, now, lambda text: None)
        put(database, ["x"], ["webhook"])
        worker.start()
        wait_until(lambda: len(server.paths) >= 2)
        assert server.posted == []
        server.fault = ""
        wait_until(lambda: server.posted)
        worker.stop(5)
    assert not worker.is_alive()
    assert book.counts(database) == {"delivered": 1}
    for path in tmp_path.iterdir():
        assert TOKEN.encode() not in path.read_bytes()


def test_to_queue_takes_no_time_while_a_server_hangs(
    database: Database, local: AlertConfig
) -> None:
    """The one who queues waits for a transaction, not for the 0.5 s that the delivery may take."""
    with FakeWebhook("slow") as server:
        channel = _Webhook(local, Secrets(webhook=Secret(server.url)))
        worker, _ = courier(database, [channel], Hand(), local)
        put(database, ["first"], ["webhook"])
        worker.start()
        wait_until(lambda: server.paths)
        put(database, ["second"], ["webhook"])
        assert book.counts(database)["queued"] == 2  # queued before the first was given up
        worker.stop(5)
