"""A signal is on time whatever the receivers of its alert do; the alert comes later or is reported."""

import datetime as dt
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.alerts.alert import Secret, Secrets
from engine.alerts.channels import Channel, _Mail, _Webhook
from engine.alerts.courier import Courier
from engine.config import AlertConfig
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.service import Service
from tests.engine.alerts.servers import (
    CERTIFICATE,
    PASSWORD,
    TOKEN,
    FakeMail,
    FakeWebhook,
    wait_until,
)
from tests.engine.schedule import book
from tests.engine.schedule.desk import FakeClock, FakeRunner, sealed, service, states

MOMENT = dt.datetime(2024, 11, 18, 23, 0, tzinfo=dt.UTC)
CONFIG = AlertConfig(
    webhook=True,
    insecure_loopback=True,
    timeout_seconds=0.5,
    attempts=50,
    backoff_seconds=0.2,
    smtp_host="localhost",
    smtp_user="desk",
    mail_from="a@example.com",
    mail_to=("b@example.com",),
)


def desk(workspace: Path, channel: str) -> Service:
    clock = FakeClock(MOMENT)
    found = service(workspace, clock, FakeRunner(workspace, clock))
    found.ledger.close()
    found.ledger = ScheduleLedger(workspace, CONFIG, [channel])
    return found


@contextmanager
def delivering(found: Service, channel: Channel) -> Iterator[list[str]]:
    told: list[str] = []
    now = lambda: dt.datetime.now(dt.UTC)  # noqa: E731
    courier = Courier(found.ledger.outbox, [channel], CONFIG, now, told.append)
    courier.start()
    try:
        yield told
    finally:
        courier.stop(10)


def made_while_it_hangs(found: Service) -> None:
    """One alert is under way already when the signal is made."""
    found.sessions()
    assert states(found) == {"2024-11-18": "done"}
    assert list(sealed(found.workspace)) == ["2024-11-18"]
    assert book.counts(found.ledger.database)["delivered"] == 0


def no_secret_in(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content, path
            assert PASSWORD.encode() not in content, path


@pytest.mark.parametrize("fault", ["slow", "500", "drip", "cut"])
def test_a_webhook_that_comes_back_gets_the_alert_later(tmp_path: Path, fault: str) -> None:
    with FakeWebhook(fault) as server:  # type: ignore[arg-type]
        found = desk(tmp_path, "webhook")
        channel = _Webhook(CONFIG, Secrets(webhook=Secret(server.url)))
        with delivering(found, channel) as told:
            made_while_it_hangs(found)
            wait_until(lambda: server.paths)
            server.fault = ""
            wait_until(lambda: server.posted)
    assert told == []
    assert b"TRADE XNYS 2024-11-18" in server.posted[0]
    no_secret_in(tmp_path)


def test_a_webhook_that_redirects_is_reported(tmp_path: Path) -> None:
    with FakeWebhook("redirect") as server:
        found = desk(tmp_path, "webhook")
        channel = _Webhook(CONFIG, Secrets(webhook=Secret(server.url)))
        with delivering(found, channel) as told:
            made_while_it_hangs(found)
            wait_until(lambda: told)
    assert "redirects (302), which is not followed" in told[0]
    assert book.counts(found.ledger.database) == {"failed": 1}
    no_secret_in(tmp_path)


@pytest.mark.parametrize("fault", ["slow", "busy", "down"])
def test_mail_comes_later_too(tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with FakeMail(fault) as server:  # type: ignore[arg-type]
        config = CONFIG.model_copy(update={"smtp_port": server.port, "timeout_seconds": 2.0})
        found = desk(tmp_path, "mail")
        channel = _Mail(config, Secrets(password=Secret(PASSWORD)))
        with delivering(found, channel) as told:
            made_while_it_hangs(found)
            wait_until(lambda: book.alerts(found.ledger.database)[0].attempts)
            server.fault = ""
            wait_until(lambda: server.received)
    assert told == []
    assert "TRADE XNYS 2024-11-18" in server.received[0]
    no_secret_in(tmp_path)


def test_a_webhook_that_is_down_is_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = desk(tmp_path, "webhook")
    channel = _Webhook(CONFIG, Secrets(webhook=Secret(f"http://127.0.0.1:{port}/{TOKEN}")))
    with delivering(found, channel):
        made_while_it_hangs(found)
        wait_until(lambda: book.alerts(found.ledger.database)[0].attempts)
    row = book.alerts(found.ledger.database)[0]
    assert (row.state, row.problem) == ("queued", "webhook: Connection refused")
    no_secret_in(tmp_path)
