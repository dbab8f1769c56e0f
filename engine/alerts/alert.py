"""What is told: one alert, and the secrets that must never be part of it."""

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from engine.config import AlertConfig, AlertKind
from engine.errors import ConfigError, EngineError
from engine.secrets import secret_of

WEBHOOK, PASSWORD = "ATFT_WEBHOOK_URL", "ATFT_SMTP_PASSWORD"
_SECRET_VARIABLES = (WEBHOOK, PASSWORD)
"""Taken out of the environment of every job."""
_KEYRING_SERVICE = "atft-tui"
_MASK = "[redacted]"
_SHORTEST = 4
"""Characters of the shortest piece that is masked by itself; shorter ones stand in ordinary words."""


class DeliveryError(EngineError):
    """A delivery failed. The message is redacted."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final
        """Trying again cannot help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What is told of one event, by every channel."""

    key: str
    """The same event has the same key, and is queued once."""
    kind: AlertKind
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that shows itself only when asked by name; `repr`, `str` and pickles hide it."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def __str__(self) -> str:
        return _MASK

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of the configured channels; None where a channel needs none."""

    webhook: Secret | None = None
    password: Secret | None = None

    def redact(self, text: str) -> str:
        """The text without the secrets, in any form a server may send them back in."""
        for piece in sorted(set(self._pieces()), key=len, reverse=True):
            text = text.replace(piece, _MASK)
        return text

    def _pieces(self) -> Iterable[str]:
        for secret in (self.webhook, self.password):
            if secret is None:
                continue
            value = secret.reveal()
            yield value
            for form in (quote(value), quote(value, safe=""), _base64(value)):
                if len(form) >= _SHORTEST:
                    yield form
        if self.webhook is not None:
            url = urlsplit(self.webhook.reveal())
            parts = [url.path, url.query, *url.path.split("/"), *url.query.split("&")]
            yield from (part for part in parts if len(part) >= 2 * _SHORTEST)


def find_secrets(config: AlertConfig, environment: Mapping[str, str] | None = None) -> Secrets:
    """Secrets of the configured channels; ConfigError names the one that is missing, never a value."""
    environment = os.environ if environment is None else environment
    webhook = _find(WEBHOOK, config, environment) if config.webhook else None
    if config.webhook and webhook is None:
        raise ConfigError(f"alerts.webhook is on, but {WEBHOOK} is not set", hint=_where(config))
    needs_password = bool(config.smtp_host and config.smtp_user)
    password = _find(PASSWORD, config, environment) if needs_password else None
    if needs_password and password is None:
        raise ConfigError(f"alerts.smtp_user is set, but {PASSWORD} is not", hint=_where(config))
    return Secrets(webhook, password)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a job, which has no use for them."""
    return {name: value for name, value in environment.items() if name not in _SECRET_VARIABLES}


def _find(name: str, config: AlertConfig, environment: Mapping[str, str]) -> Secret | None:
    value = secret_of(name, environment)
    if not value and config.keyring:
        value = _from_keyring(name)
    return Secret(value) if value else None


def _from_keyring(name: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError(
            "alerts.keyring is on, but the package keyring is not installed",
            hint='pip install "atft-tui[keyring]", or set the environment variables',
        ) from None
    try:
        return keyring.get_password(_KEYRING_SERVICE, name) or ""
    except KeyringError as error:
        raise ConfigError(f"the keyring does not answer ({type(error).__name__})") from None


def _where(config: AlertConfig) -> str:
    store = f" or store it: keyring set {_KEYRING_SERVICE} NAME" if config.keyring else ""
    return f"export it in the environment{store}; it does not belong into a file"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")
