"""The ways out: webhook, mail, desktop bell. Each sends one alert or raises `DeliveryError`.

The standard library does all of it: `http.client` follows no redirect and reads no proxy or cookie,
`smtplib` speaks STARTTLS, and neither keeps what it sent.
"""

import http.client
import ipaddress
import json
import shutil
import smtplib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol, TextIO
from urllib.parse import urlsplit

from engine.alerts.alert import WEBHOOK, Alert, DeliveryError, Secrets
from engine.config import AlertConfig
from engine.errors import ConfigError

_AGAIN = (408, 425, 429)
"""Client errors that pass; every 5xx does too."""
_SLACK_S = 1.0
"""A socket waits so much longer than its delivery may take: who ends it first is never a matter of luck."""
_TITLE_LIMIT, _TEXT_LIMIT = 200, 3000
"""Characters; Slack cuts a message at 4,000."""


class Channel(Protocol):
    """A way out. Its name stands in the queue."""

    @property
    def name(self) -> str:
        """What it is called in the queue and in messages."""
        ...

    def send(self, alert: Alert) -> None:
        """Send one alert; DeliveryError says whether trying again can help."""
        ...


def channels(config: AlertConfig, secrets: Secrets, terminal: TextIO) -> list[Channel]:
    """Those that are configured, in the order they are served."""
    found: list[Channel] = []
    if config.bell:
        found.append(_Bell(terminal))
    if secrets.webhook is not None:
        found.append(_Webhook(config, secrets))
    if config.smtp_host:
        found.append(_Mail(config, secrets))
    return found


class _Webhook:
    """Posts ``{"text": ...}`` to the address in the environment, as Slack and others take it."""

    name = "webhook"

    def __init__(self, config: AlertConfig, secrets: Secrets) -> None:
        """ConfigError for an address that must not be posted to; the message does not hold it."""
        assert secrets.webhook is not None
        self._config, self._secrets = config, secrets
        address = secrets.webhook.reveal()
        if not address.isascii() or any(c <= " " or c == "\x7f" for c in address):
            raise ConfigError(f"{WEBHOOK} holds characters that no address has")
        try:
            url = urlsplit(address)
            host, port = url.hostname, url.port
        except ValueError:
            raise ConfigError(f"{WEBHOOK} is not an address") from None
        if not host or url.username or url.password or url.fragment:
            raise ConfigError(f"{WEBHOOK} must be an address without user and fragment")
        local = url.scheme == "http" and config.insecure_loopback and _is_loopback(host)
        if url.scheme != "https" and not local:
            raise ConfigError(
                f"{WEBHOOK} must start with https://",
                hint="http:// only to this machine, with alerts.insecure_loopback = true",
            )
        self._tls, self._host, self._port = url.scheme == "https", host, port
        self._target = (url.path or "/") + (f"?{url.query}" if url.query else "")

    def send(self, alert: Alert) -> None:
        """Post the alert; a redirect is refused, because it could lead anywhere."""
        body = json.dumps({"text": _text(alert, self._secrets)}).encode()
        seconds = self._config.timeout_seconds
        connection = self._connection(seconds + _SLACK_S)
        status = 0

        def post() -> None:
            nonlocal status
            headers = {"Content-Type": "application/json", "User-Agent": "atft-tui"}
            connection.request("POST", self._target, body, headers)
            status = connection.getresponse().status

        try:
            _within(seconds, post, lambda: _cut(connection.sock))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DeliveryError(f"webhook: {_reason(error, self._secrets)}") from None
        finally:
            connection.close()
        if 300 <= status < 400:
            raise DeliveryError(f"webhook: redirects ({status}), which is not followed", final=True)
        if status >= 400 or status < 200:
            final = status < 500 and status not in _AGAIN
            raise DeliveryError(f"webhook: answers {status}", final=final)

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        if not self._tls:
            return http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=context)


class _Mail:
    """Sends a plain text mail, with TLS or STARTTLS unless the server is on this machine."""

    name = "mail"

    def __init__(self, config: AlertConfig, secrets: Secrets) -> None:
        self._config, self._secrets = config, secrets

    def send(self, alert: Alert) -> None:
        """Mail the alert; a code of 5xx is final, one of 4xx is tried again."""
        message = self._message(alert)
        opened: list[smtplib.SMTP] = []
        try:
            _within(
                self._config.timeout_seconds,
                lambda: self._deliver(message, opened),
                lambda: _cut(opened[0].sock if opened else None),
            )
        except smtplib.SMTPResponseException as error:
            reply = self._secrets.redact(_plain(error.smtp_error))
            final = 500 <= error.smtp_code < 600
            raise DeliveryError(
                f"mail: the server answers {error.smtp_code} {reply}"[:_TITLE_LIMIT], final=final
            ) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            final = all(code >= 500 for code in codes)
            raise DeliveryError(f"mail: receivers refused {codes}", final=final) from None
        except (OSError, ValueError) as error:  # SMTPException is an OSError
            raise DeliveryError(f"mail: {_reason(error, self._secrets)}") from None

    def _message(self, alert: Alert) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._config.mail_from
        message["To"] = ", ".join(self._config.mail_to)
        message["Subject"] = f"atft-tui: {_line(alert.title, self._secrets)}"
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = make_msgid(domain="atft-tui.invalid")
        message.set_content(_text(alert, self._secrets) + "\n")
        return message

    def _deliver(self, message: EmailMessage, opened: list[smtplib.SMTP]) -> None:
        config = self._config
        timeout = config.timeout_seconds + _SLACK_S

        class Plain(smtplib.SMTP):
            def __init__(self) -> None:
                opened.append(self)
                super().__init__(config.smtp_host, config.smtp_port, timeout=timeout)

        class Encrypted(smtplib.SMTP_SSL):
            def __init__(self) -> None:
                opened.append(self)
                super().__init__(
                    config.smtp_host,
                    config.smtp_port,
                    timeout=timeout,
                    context=ssl.create_default_context(),
                )

        with Encrypted() if config.smtp_security == "tls" else Plain() as smtp:
            if config.smtp_security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
            if self._secrets.password is not None:
                smtp.login(config.smtp_user, self._secrets.password.reveal())
            smtp.send_message(message)


@dataclass(frozen=True, slots=True)
class _Bell:
    """Rings where the scheduler runs in a terminal."""

    terminal: TextIO
    name: str = "bell"

    def send(self, alert: Alert) -> None:
        """The terminal's bell, and a notification on the desktop; without either there is nobody."""
        if self.terminal.isatty():
            self.terminal.write("\a")
            self.terminal.flush()
        program = shutil.which("notify-send")
        if program is None:
            return
        words = [program, "--", "atft-tui", f"{alert.title}\n{alert.text}"[:_TEXT_LIMIT]]
        try:
            subprocess.run(words, check=True, capture_output=True, timeout=5)
        except (OSError, subprocess.SubprocessError) as error:
            raise DeliveryError(f"bell: {type(error).__name__}", final=True) from None


def _within(seconds: float, work: Callable[[], None], cut: Callable[[], object]) -> None:
    """Do the work in at most ``seconds`` altogether; then its connection is cut.

    A socket's own timeout starts anew with each byte, so a server that drips could hold it for hours.
    """
    failed: list[Exception] = []
    finished = False

    def guarded() -> None:
        nonlocal finished
        try:
            work()
        except (OSError, http.client.HTTPException, ValueError) as error:  # SMTPException: OSError
            failed.append(error)
        finished = True

    thread = threading.Thread(target=guarded, daemon=True, name="delivery")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        cut()
        raise TimeoutError(f"no answer within {seconds:g} s")
    if failed:
        raise failed[0]
    if not finished:
        raise http.client.HTTPException  # a bug: its traceback went to stderr


def _cut(connection: socket.socket | None) -> None:
    if connection is not None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # closed already, which is what was wanted


def _reason(error: Exception, secrets: Secrets) -> str:
    """A name and the system's words; what the library says may hold what was sent."""
    # smtplib tells a socket's time-out as a disconnection that has it for its context.
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused ({error.verify_message})"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "the server offers no STARTTLS or no login"
    if isinstance(error, OSError) and error.strerror:
        return secrets.redact(error.strerror)
    return type(error).__name__


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(alert: Alert, secrets: Secrets) -> str:
    text = f"{_line(alert.title, secrets)}\n{secrets.redact(alert.text)}".strip()
    return text[:_TEXT_LIMIT]


def _line(text: str, secrets: Secrets) -> str:
    return _plain(secrets.redact(text))[:_TITLE_LIMIT]


def _plain(text: str | bytes) -> str:
    """One printable line."""
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join("".join(c if c.isprintable() else " " for c in decoded).split())
