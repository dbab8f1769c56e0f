"""What runs by itself: the session schedule and the alerts that tell of it."""

import re
from collections.abc import Iterable
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from engine.config.base import ConfigTable
from engine.config.market import LOOPBACK, IsoDate

AlertKind = Literal["signal", "failure", "late", "missed", "calendar", "challenger"]


def _time_of_day(text: str) -> str:
    if text and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(f'{text!r} is not a time like "18:30"')
    return text


def _session_path(text: str) -> str:
    try:
        fields: Iterable[str | None] = [field for _, field, _, _ in Formatter().parse(text)]
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if text and {field for field in fields if field is not None} != {"session"}:
        raise ValueError('needs {session} where the date stands, e.g. "inbox/{session}.csv"')
    return text


def _report_formats(text: str) -> str:
    if not re.fullmatch(r"([a-z]+(,[a-z]+)*)?", text):
        raise ValueError(f"{text!r} is not a list like html,json,md")
    return text


class ScheduleConfig(ConfigTable):
    """When signals are made by themselves, and what is done around them."""

    calendar: str = Field("", pattern=r"^[A-Za-z0-9_/]*$", max_length=30)
    """Exchange calendar by its code (XTKS, XNYS, XLON ...); "" = that of the stored data."""
    run_at: Annotated[str, AfterValidator(_time_of_day)] = ""
    """When a session's signal is due, exchange time HH:MM; "" = 18:30 for XTKS, else close + delay."""
    delay_minutes: int = Field(120, ge=0, le=720)
    """Time between the close (of half days too) and the run where run_at is empty. Minutes."""
    retry_minutes: float = Field(10.0, ge=0.05, le=240)
    """Pause before the next attempt when the data are not there yet or a job failed. Minutes."""
    cutoff_hours: float = Field(12.0, gt=0, le=22)
    """So long after the run time attempts end, and the session is missed. Hours."""
    grace_minutes: float = Field(60.0, ge=0, le=720)
    """A start later than this after the run time is told as caught up, not on time. Minutes."""
    closed: tuple[IsoDate, ...] = ()
    """Days the exchange does not open although its calendar says so, ISO dates."""
    warn_days: int = Field(60, ge=1, le=300)
    """A calendar that ends sooner than this is warned of. Days."""
    heartbeat_seconds: float = Field(30.0, ge=0.2, le=600)
    """How often the process shows that it lives and looks what is due. Seconds."""
    update: Literal["none", "files", "jquants", "yahoo", "synthetic"] = "none"
    """Source that is read before each signal; none = the store is kept current by someone else."""
    update_prices: Annotated[str, AfterValidator(_session_path)] = ""
    """Source files: the price file of one session, e.g. "inbox/{session}.csv"; appended once it is there."""
    positions: str = ""
    """CSV of the positions held, given to each signal; "" = none are held."""
    position_columns: dict[str, str] = Field(default_factory=dict)
    """Our column of the positions -> the file's, e.g. {shares = "Qty"}. Names of brokers are guessed."""
    job_minutes: float = Field(60.0, gt=0, le=600)
    """A job of a session that takes longer is ended, with all its processes. Minutes."""
    report_formats: Annotated[str, AfterValidator(_report_formats)] = "html,json,md"
    """Reports of the champion, exported after each signal and each month; "" = none."""
    retrain: Literal["off", "weekly", "monthly"] = "off"
    """Train a challenger after the first signal of each week or month; the gate decides on it."""
    retrain_hours: float = Field(12.0, gt=0, le=72)
    """A retraining that takes longer is ended. Hours."""

    @model_validator(mode="after")
    def _check(self) -> "ScheduleConfig":
        if self.update == "files" and not self.update_prices:
            raise ValueError('update = "files" needs update_prices')
        return self


class AlertConfig(ConfigTable):
    """What is told, and by which ways."""

    kinds: tuple[AlertKind, ...] = (
        "signal",
        "failure",
        "late",
        "missed",
        "calendar",
        "challenger",
    )
    """What is told; missed = no signal by the cut-off."""
    webhook: bool = False
    """Post to the address in ATFT_WEBHOOK_URL (or the keyring), as Slack and its kin take it."""
    bell: bool = False
    """Ring the terminal that the scheduler runs in, and show a desktop notification where there is one."""
    smtp_host: str = ""
    """Mail server; "" = no mail. The password is taken from ATFT_SMTP_PASSWORD (or the keyring)."""
    smtp_port: int = Field(587, ge=1, le=65535)
    """587 for STARTTLS, 465 for TLS."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How mail is protected on the way; none only to this machine, with insecure_loopback."""
    smtp_user: str = ""
    """Name to log in with; "" = without logging in."""
    mail_from: str = ""
    """Sender of the mails."""
    mail_to: tuple[str, ...] = ()
    """Receivers of the mails."""
    keyring: bool = False
    """Also look in the system's keyring (service atft-tui); needs the package keyring."""
    insecure_loopback: bool = False
    """Allow plain http and mail without TLS to this machine itself; to others they are never sent."""
    timeout_seconds: float = Field(5.0, ge=0.1, le=60)
    """A delivery that takes longer is broken off and tried again. Seconds."""
    attempts: int = Field(8, ge=1, le=50)
    """How often one delivery is tried before it is reported as failed."""
    backoff_seconds: float = Field(30.0, ge=0.01, le=3600)
    """Pause after the first failure, doubled with each one up to an hour. Seconds."""

    @model_validator(mode="after")
    def _check(self) -> "AlertConfig":
        if any(ord(c) < 32 for text in (self.smtp_host, self.smtp_user) for c in text):
            raise ValueError("smtp_host and smtp_user must not hold control characters")
        addresses = (self.mail_from, *self.mail_to)
        if self.smtp_host and not (self.mail_to and self.mail_from):
            raise ValueError("smtp_host needs mail_from and mail_to")
        if any(not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", a) for a in addresses if a):
            raise ValueError("mail_from and mail_to must be bare addresses, name@host")
        if self.smtp_host and self.smtp_security == "none":
            if self.smtp_host not in LOOPBACK or not self.insecure_loopback:
                raise ValueError(
                    "smtp_security = none needs a server on this machine and insecure_loopback"
                )
            if self.smtp_user:
                raise ValueError("a password is not sent without TLS")
        return self
