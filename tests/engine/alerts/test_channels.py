"""Each channel against a server that is well, down, slow, redirecting, or says what it should not."""

import http.client
import io
import json
import os
import socket
import sys
import traceback
import types
from email import message_from_string
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.alerts.alert import _MASK, Alert, DeliveryError, Secret, Secrets, find_secrets
from engine.alerts.channels import _Bell, _Mail, _Webhook, channels
from engine.config import AlertConfig
from engine.errors import ConfigError
from tests.engine.alerts.servers import PASSWORD, TOKEN, FakeMail, FakeWebhook, WebhookFault

ALERT = Alert(key="k", kind="signal", title="TRADE XTKS 2026-11-25", text="all lights are green")


def webhook(server: FakeWebhook, config: AlertConfig) -> _Webhook:
    return _Webhook(config, Secrets(webhook=Secret(server.url)))


def mail_config(server: FakeMail, **more: object) -> AlertConfig:
    fields = {
        "smtp_host": "localhost",
        "smtp_port": server.port,
        "smtp_user": "desk",
        "mail_from": "atft@example.com",
        "mail_to": ("a@example.com", "b@example.com"),
        "timeout_seconds": 2.0,
        **more,
    }
    return AlertConfig.model_validate(fields)


def mail(server: FakeMail, **more: object) -> _Mail:
    return _Mail(mail_config(server, **more), Secrets(password=Secret(PASSWORD)))


def test_a_webhook_gets_one_post_as_slack_takes_it(local: AlertConfig) -> None:
    with FakeWebhook() as server:
        webhook(server, local).send(ALERT)
    assert [json.loads(body) for body in server.posted] == [
        {"text": "TRADE XTKS 2026-11-25\nall lights are green"}
    ]
    assert server.paths == [f"/services/{TOKEN}"]


def test_https_is_the_default_and_its_certificate_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = AlertConfig(webhook=True, timeout_seconds=2)
    with FakeWebhook(tls=True) as server:
        webhook(server, config).send(ALERT)
        assert len(server.posted) == 1
        monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
        with pytest.raises(DeliveryError, match="certificate refused"):
            webhook(server, config).send(ALERT)
    assert len(server.posted) == 1


@pytest.mark.parametrize(
    ("fault", "words", "final"),
    [
        ("500", "answers 500", False),
        ("429", "answers 429", False),
        ("404", "answers 404", True),
        ("redirect", "redirects (302), which is not followed", True),
        ("slow", "no answer in time", False),
        ("drip", "no answer in time", False),
        ("cut", "RemoteDisconnected", False),
        ("echo", "answers 500", False),
    ],
)
def test_a_fault_is_told_in_time_and_without_the_address(
    local: AlertConfig, fault: WebhookFault, words: str, *, final: bool
) -> None:
    with FakeWebhook(fault) as server, pytest.raises(DeliveryError) as caught:
        webhook(server, local).send(ALERT)
    assert words in caught.value.message
    assert caught.value.final is final
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert server.posted == []
    assert server.paths == [f"/services/{TOKEN}"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_delivery_is_no_delivery(
    local: AlertConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(http.client.HTTPConnection, "request", broken)
    with FakeWebhook() as server, pytest.raises(DeliveryError) as caught:
        webhook(server, local).send(ALERT)
    assert server.posted == []
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_a_webhook_that_is_down(local: AlertConfig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    secrets = Secrets(webhook=Secret(f"http://127.0.0.1:{port}/{TOKEN}"))
    with pytest.raises(DeliveryError, match="Connection refused") as caught:
        _Webhook(local, secrets).send(ALERT)
    assert not caught.value.final


@pytest.mark.parametrize(
    "address",
    [
        f"http://127.0.0.1/{TOKEN}",
        f"http://example.com/{TOKEN}",
        f"ftp://example.com/{TOKEN}",
        f"https://user:{TOKEN}@example.com/",
        f"https:///{TOKEN}",
        f"https://example.com/{TOKEN}\r\nHost: elsewhere",
        f"https://example.com:port/{TOKEN}",
        f"https://[::1/{TOKEN}",
        TOKEN,
    ],
)
def test_an_address_that_must_not_be_posted_to_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _Webhook(AlertConfig(webhook=True), Secrets(webhook=Secret(address)))
    assert TOKEN not in caught.value.message + caught.value.hint
    assert "ATFT_WEBHOOK_URL" in caught.value.message


def test_plain_http_goes_to_this_machine_only_and_only_when_allowed(local: AlertConfig) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "127.8.8.8"):
        _Webhook(local, Secrets(webhook=Secret(f"http://{host}/x")))
    for host in ("169.254.169.254", "example.com", "10.0.0.1", "127.0.0.1.example.com"):
        with pytest.raises(ConfigError):
            _Webhook(local, Secrets(webhook=Secret(f"http://{host}/x")))


def test_mail_goes_encrypted_to_every_receiver() -> None:
    with FakeMail() as server:
        mail(server).send(ALERT)
    assert server.encrypted == [True]
    assert len(server.logins) == 1
    message = message_from_string(server.received[0])
    assert message["Subject"] == "atft-tui: TRADE XTKS 2026-11-25"
    assert message["To"] == "a@example.com, b@example.com"
    assert "all lights are green" in message.get_payload()


def test_a_password_never_travels_without_tls() -> None:
    with FakeMail("no-tls") as server, pytest.raises(DeliveryError, match="offers no STARTTLS"):
        mail(server).send(ALERT)
    assert server.logins == []
    assert server.received == []


def test_mail_without_tls_stays_on_this_machine() -> None:
    with FakeMail() as server:
        open_ = mail_config(server, smtp_security="none", smtp_user="", insecure_loopback=True)
        _Mail(open_, Secrets()).send(ALERT)
        assert server.encrypted == [False]
        for change in (
            {"smtp_host": "mail.example.com", "smtp_user": ""},
            {"smtp_user": "desk"},
            {"insecure_loopback": False, "smtp_user": ""},
        ):
            with pytest.raises(ValidationError):
                mail_config(
                    server, **{"smtp_security": "none", "insecure_loopback": True, **change}
                )


@pytest.mark.parametrize(
    ("fault", "words", "final"),
    [
        ("down", "SMTPServerDisconnected", False),
        ("busy", "answers 451 try later", False),
        ("refuse-login", "answers 535", True),
        ("refuse-receiver", r"receivers refused \[550\]", True),
    ],
)
def test_what_a_mail_server_says_is_told_without_the_password(
    fault: str, words: str, *, final: bool
) -> None:
    with FakeMail(fault) as server, pytest.raises(DeliveryError, match=words) as caught:  # type: ignore[arg-type]
        mail(server).send(ALERT)
    assert caught.value.final is final
    sent = server.logins[0].split()[-1] if server.logins else PASSWORD
    shown = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in shown
    assert sent not in shown


def test_a_slow_mail_server_is_left_in_time() -> None:
    with FakeMail("slow") as server, pytest.raises(DeliveryError, match="no answer in time"):
        mail(server, timeout_seconds=0.3).send(ALERT)


def test_the_bell_rings_a_terminal_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("PATH", "")
    pipe, terminal = io.StringIO(), Terminal()
    _Bell(pipe).send(ALERT)
    _Bell(terminal).send(ALERT)
    assert (pipe.getvalue(), terminal.getvalue()) == ("", "\a")


def test_a_desktop_notification_is_shown_as_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/shown\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    _Bell(io.StringIO()).send(Alert(key="k", kind="late", title="-u critical; rm", text="x"))
    assert (tmp_path / "shown").read_text() == "--|atft-tui|-u critical; rm\nx|"
    program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(DeliveryError, match="CalledProcessError"):
        _Bell(io.StringIO()).send(ALERT)


def test_a_missing_secret_is_named_and_the_way_to_give_it_too() -> None:
    with pytest.raises(ConfigError, match="ATFT_WEBHOOK_URL is not set") as caught:
        find_secrets(AlertConfig(webhook=True), {})
    assert "does not belong into a file" in caught.value.hint
    config = AlertConfig(
        smtp_host="mail.example.com", smtp_user="u", mail_from="a@b.c", mail_to=("d@e.f",)
    )
    with pytest.raises(ConfigError, match="ATFT_SMTP_PASSWORD is not"):
        find_secrets(config, {"ATFT_SMTP_PASSWORD": "  "})
    assert find_secrets(AlertConfig(), {"ATFT_WEBHOOK_URL": "x"}) == Secrets()


def test_a_secret_may_be_a_credential_of_a_systemd_unit(tmp_path: Path) -> None:
    config = AlertConfig(webhook=True)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    with pytest.raises(ConfigError, match="ATFT_WEBHOOK_URL is not set"):
        find_secrets(config, environment)
    (tmp_path / "ATFT_WEBHOOK_URL").write_text("https://example.com/x\n")
    assert find_secrets(config, environment).webhook == Secret("https://example.com/x")
    (tmp_path / "ATFT_WEBHOOK_URL").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        find_secrets(config, environment)


def test_a_keyring_is_asked_only_when_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the package, which is not installed here."""
    asked: list[tuple[str, str]] = []
    errors, package = types.ModuleType("keyring.errors"), types.ModuleType("keyring")

    class KeyringError(Exception):
        pass

    def get_password(service: str, name: str) -> str:
        asked.append((service, name))
        return "https://example.com/x"

    errors.KeyringError = KeyringError  # type: ignore[attr-defined]
    package.get_password = get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    with pytest.raises(ConfigError):
        find_secrets(AlertConfig(webhook=True), {})
    assert asked == []
    found = find_secrets(AlertConfig(webhook=True, keyring=True), {})
    assert found.webhook == Secret("https://example.com/x")
    assert asked == [("atft-tui", "ATFT_WEBHOOK_URL")]
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="is not installed"):
        find_secrets(AlertConfig(webhook=True, keyring=True), {})


def test_channels_are_those_that_are_configured() -> None:
    assert channels(AlertConfig(), Secrets(), io.StringIO()) == []
    config = AlertConfig(
        bell=True,
        webhook=True,
        smtp_host="mail.example.com",
        mail_from="a@b.c",
        mail_to=("d@e.f",),
    )
    found = channels(config, Secrets(webhook=Secret("https://example.com/x")), io.StringIO())
    assert [channel.name for channel in found] == ["bell", "webhook", "mail"]


@pytest.mark.parametrize(
    "fields",
    [
        {"mail_from": "a@b.c\nBcc: x@y.z"},
        {"mail_to": ["Name <a@b.c>"]},
        {"smtp_host": "x\r\nQUIT", "mail_from": "a@b.c", "mail_to": ["a@b.c"]},
        {"smtp_host": "mail.example.com"},
    ],
)
def test_a_configuration_cannot_smuggle_headers(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AlertConfig.model_validate(fields)


@given(st.from_regex(r"[A-Za-z0-9]{4,40}", fullmatch=True), st.text(max_size=60), st.text())
def test_no_text_shows_a_secret(secret: str, before: str, after: str) -> None:
    assume(secret not in _MASK)
    secrets = Secrets(webhook=Secret("https://example.com/hook/abcdefgh"), password=Secret(secret))
    shown = secrets.redact(f"{before}{secret}{after}https://example.com/hook/abcdefgh")
    assert "abcdefgh" not in shown
    assert secret not in shown


def test_a_secret_does_not_show_itself() -> None:
    secrets = Secrets(webhook=Secret(TOKEN), password=Secret(PASSWORD))
    for text in (repr(secrets), str(secrets.webhook), f"{secrets.password}", f"{secrets!r:>80}"):
        assert TOKEN not in text
        assert PASSWORD not in text
    with pytest.raises(TypeError):
        __import__("pickle").dumps(secrets)


@given(st.text(max_size=400))
def test_any_title_makes_one_subject_line(title: str) -> None:
    channel = _Mail(AlertConfig(mail_from="a@b.c", mail_to=("d@e.f",)), Secrets())
    message = channel._message(Alert(key="k", kind="late", title=title, text=title))
    assert "\n" not in message["Subject"]
    assert "\r" not in message["Subject"]
    message.as_bytes()
