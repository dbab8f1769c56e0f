"""The official client with one way out: each request is paced, judged and, where it helps, repeated.

No request goes out above the plan's rate: evenly spaced, with a margin, across pages, retries and restarts.

The key is taken as an argument, sent in a header and nowhere else: it is cut out of every text the
server sends back, redirects are not followed, and no exception of the HTTP library (which holds the
request) is chained to ours.
"""

import datetime as dt
import random
import re
import time
import tomllib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from engine.config.market import LOOPBACK
from engine.errors import DataError, EnvironmentProblem
from engine.runs.events import Warned
from engine.runs.sink import EventSink
from engine.secrets import secret_of

PER_MINUTE = {"free": 5.0, "light": 60.0, "standard": 120.0, "premium": 500.0}
"""Requests a minute that each plan allows."""
_OWN_PER_MINUTE = {"/fins/summary": 60.0}
"""Endpoints with a limit of their own, whatever the plan."""
_SPACING = 1.05
"""Spacing over 60 s / limit: requests that arrive late do not crowd the next window."""
_COVERS = re.compile(r"covers the following dates:\s*([\d-]{10})\s*~\s*([\d-]{10})?")
_BAD_KEY = ("invalid or expired", "api key is required", "no active subscription")
"""The service answers 403, not 401, to a wrong key and tells the reasons apart by text."""
_KEY_VARIABLE, _HOST_VARIABLE = "JQUANTS_API_KEY", "JQUANTS_API_HOST"
_KEY_HOSTS = ("api.jquants.com", *LOOPBACK)
"""Where the key may go. A workspace's configuration may come from anybody and cannot add to them."""
_ATTEMPTS = 6
"""Of one request, the first included."""
_BACKOFF_S, _BACKOFF_LIMIT_S = 1.0, 60.0
"""First and longest pause after a failure; doubled each time."""
_THROTTLED_S = 60.0
"""Pause after a 429 without Retry-After, times the number of the attempt: the service clears its
counts after a minute and blocks heavy senders for about five."""
_PATIENCE_S = 900.0
"""A Retry-After beyond this ends the pull."""
_JITTER = 0.25
"""Largest share added to a pause at random."""


class NotInPlan(EnvironmentProblem):
    """The subscription does not include this endpoint."""


class OutsideCoverage(EnvironmentProblem):
    """The subscription does not include these dates."""

    def __init__(self, message: str, first: dt.date, last: dt.date) -> None:
        super().__init__(message, hint="set data.jquants.first inside the plan's dates")
        self.first, self.last = first, last


@dataclass(frozen=True, slots=True)
class _Trouble:
    """An answer that may be better the next time."""

    what: str
    throttled: bool = False
    after: float | None = None
    """Seconds that the server asks to wait."""
    content: bool = False
    """The answer came, but damaged."""


def key_from(environment: Mapping[str, str], base_url: str) -> str:
    """The API key; EnvironmentProblem if it is missing, cannot be a key, or may not go to this address."""
    host = urlsplit(base_url).hostname or ""
    if host not in (*_KEY_HOSTS, environment.get(_HOST_VARIABLE, "")):
        raise EnvironmentProblem(
            f"data.jquants.base_url: the key does not go to {host}, only to {_KEY_HOSTS[0]}",
            hint=f"if that host is yours, say so beside the key: {_HOST_VARIABLE}={host}",
        )
    key = secret_of(_KEY_VARIABLE, environment)
    if not key:
        raise EnvironmentProblem(
            f"{_KEY_VARIABLE} is not set",
            hint="make a key on the J-Quants dashboard and export it in the environment",
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        hint = "copy the key again"
        raise EnvironmentProblem(f"{_KEY_VARIABLE} holds characters that no key has", hint=hint)
    return key


def _judge_status(response: Any, path: str, key: str) -> _Trouble | None:
    """None for a success; raises for refusals that asking again does not change."""
    status = int(response.status_code)
    if status == 200:
        return None
    if status == 429:
        return _Trouble("429, too many requests", throttled=True, after=_retry_after(response))
    if status >= 500:
        return _Trouble(f"the server failed with {status}")
    message = _message(response, key)
    if status == 403 and not message:  # the guard in front of the service, not the service
        return _Trouble("403 without a reason", throttled=True)
    said = f": {message}" if message else ""
    if status == 401 or (status == 403 and any(text in message.lower() for text in _BAD_KEY)):
        raise EnvironmentProblem(
            f"J-Quants refuses the key in JQUANTS_API_KEY ({status}{said})",
            hint="compare it with the key on the J-Quants dashboard; keys expire with the plan",
        )
    if status == 403 and "does not exist" not in message.lower():
        raise NotInPlan(f"J-Quants {path}: not in this plan ({status}{said})")
    covers = _COVERS.search(message) if status == 400 else None
    if covers:
        first, last = covers.groups()
        raise OutsideCoverage(
            f"J-Quants {path}: {message}",
            dt.date.fromisoformat(first),
            dt.date.fromisoformat(last) if last else dt.date.max,
        )
    raise EnvironmentProblem(
        f"J-Quants {path}: refused with {status}{said}",
        hint="check data.jquants.base_url; the service may have changed",
    )


def _payload_trouble(response: Any, params: Mapping[str, Any]) -> _Trouble | None:
    """None if the body is a page: a JSON object whose ``data`` is a list of rows."""
    try:
        payload = response.json()
    except ValueError:
        kind = str(response.headers.get("Content-Type", "")).partition(";")[0]
        page = "a web page" if "html" in kind else "something that is not JSON"
        return _Trouble(f"the answer is {page}, not data", content=True)
    rows = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return _Trouble("the answer is JSON without rows", content=True)
    following = payload.get("pagination_key")
    if following and following == params.get("pagination_key"):
        return _Trouble("the answer names itself as its next page", content=True)
    return None


def _message(response: Any, key: str) -> str:
    """The server's explanation on one line, at most 200 characters, the key cut out."""
    try:
        payload = response.json()
        text = str(payload.get("message", "")) if isinstance(payload, dict) else ""
    except ValueError:
        text = ""
    return " ".join(text.replace(key, "***").split())[:200]


def _retry_after(response: Any) -> float | None:
    """Seconds of the Retry-After header, given as a number or a date; None without a usable one."""
    text = str(response.headers.get("Retry-After", "")).strip()
    if text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:
        return None
    return max(0.0, (when - dt.datetime.now(dt.UTC)).total_seconds())


@dataclass(slots=True)
class Pace:
    """Spaces requests by ``63 / per_minute`` seconds.

    The first one waits as well: the process may follow another that was killed a moment ago.
    """

    per_minute: float
    clock: Callable[[], float] = time.monotonic
    """Seconds, never going back."""
    sleep: Callable[[float], None] = time.sleep
    _due: float = field(init=False)
    _own_due: dict[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._due = self.clock() + self.interval

    @property
    def interval(self) -> float:
        """Seconds between two requests."""
        return 60.0 * _SPACING / self.per_minute

    def wait(self, path: str) -> None:
        """Return when a request to this endpoint may go out."""
        due = max(self._due, self._own_due.get(path, self._due))
        while (left := due - self.clock()) > 0:
            self.sleep(left)
        sent = self.clock()
        self._due = sent + self.interval
        if path in _OWN_PER_MINUTE:
            self._own_due[path] = sent + 60.0 * _SPACING / _OWN_PER_MINUTE[path]

    def hold(self, seconds: float) -> None:
        """No request at all before ``seconds`` from now."""
        self._due = max(self._due, self.clock() + seconds)


@dataclass(slots=True, kw_only=True)
class Api:
    """What the pull sees of the network."""

    base_url: str
    key: str = field(repr=False)
    timeout: float
    """Seconds without a byte."""
    pace: Pace
    sink: EventSink
    draw: Callable[[], float] = random.random
    """Uniform in [0, 1): the jitter."""
    requests: int = 0
    """Sent so far, pages and repetitions included."""
    _client: Any = field(init=False, repr=False)
    _session: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            import jquantsapi
            import requests
        except ImportError:
            raise EnvironmentProblem(
                "the J-Quants client is not installed",
                hint='install it: pip install "atft-tui[jquants]"',
            ) from None
        paced = self._get

        class Client(jquantsapi.ClientV2):  # type: ignore[misc]
            def _get(self, url: str, params: Mapping[str, Any] | None = None) -> Any:
                return paced(url, params)  # `SupportsRequest`: all calls and pages end here

        self._session = requests.Session()  # that of the client repeats by itself, unpaced
        agent = f"{Client.USER_AGENT}/{Client.USER_AGENT_VERSION}"
        self._session.headers.update({"x-api-key": self.key, "User-Agent": agent})
        try:
            client = Client(api_key=self.key)
        except tomllib.TOMLDecodeError:
            raise EnvironmentProblem(
                "jquants-api.toml is not valid TOML", hint="mend or remove the client's file"
            ) from None
        client.JQUANTS_API_BASE = self.base_url
        self._client = client

    def fetch(self, call: Callable[[Any], Any]) -> pl.DataFrame:
        """All pages of one call of the official client, every value as text (blank = null)."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the client's own use of pandas
                answer = call(self._client)
        except KeyError as error:
            raise DataError(
                f"J-Quants: an answer lacks the column {error}",
                hint="the service may have changed; update jquants-api-client",
            ) from None
        frame = answer[0] if isinstance(answer, tuple) else answer
        return pl.DataFrame(
            {str(name): [_text(value) for value in frame[name].tolist()] for name in frame.columns},
            schema=dict.fromkeys(map(str, frame.columns), pl.String),
        )

    def _get(self, url: str, params: Mapping[str, Any] | None = None) -> Any:
        """The response, its JSON checked."""
        path = url.removeprefix(self.base_url)
        asked = dict(params or {})
        for attempt in range(1, _ATTEMPTS + 1):
            self.pace.wait(path)
            self.requests += 1
            answer = self._once(url, path, asked)
            if not isinstance(answer, _Trouble):
                return answer
            if attempt == _ATTEMPTS:
                break
            self._pause(answer, attempt, _name(path, asked))
        what = f"J-Quants {_name(path, asked)}: {answer.what}, {_ATTEMPTS} times"
        hint = "nothing of it was kept; run the same command later, it goes on from here"
        raise (DataError if answer.content else EnvironmentProblem)(what, hint=hint)

    def _once(self, url: str, path: str, params: Mapping[str, Any]) -> Any:
        """A good response, or what was wrong with it; raises where asking again cannot help."""
        import requests

        problem = ""
        try:
            response = self._session.get(
                url,
                params=params,
                timeout=self.timeout,
                allow_redirects=False,
            )
        except requests.Timeout:
            return _Trouble(f"no answer for {self.timeout:g} s")
        except (
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ):
            return _Trouble("the answer was cut off", content=True)
        except requests.ConnectionError:
            return _Trouble("no connection")
        except requests.RequestException as error:
            problem = type(error).__name__
        if problem:
            raise EnvironmentProblem(
                f"J-Quants {path}: {problem}", hint="check data.jquants.base_url"
            )
        trouble = _judge_status(response, path, self.key)
        return trouble or _payload_trouble(response, params) or response

    def _pause(self, trouble: _Trouble, attempt: int, name: str) -> None:
        seconds = min(_BACKOFF_LIMIT_S, _BACKOFF_S * 2 ** (attempt - 1))
        if trouble.throttled:
            seconds = _THROTTLED_S * attempt if trouble.after is None else trouble.after
        if seconds > _PATIENCE_S:
            raise EnvironmentProblem(
                f"J-Quants {name}: {trouble.what}, asks to wait {seconds:,.0f} s",
                hint="run the same command after that; it goes on from here",
            )
        seconds *= 1 + _JITTER * self.draw()
        self.sink.emit(
            Warned(
                code="network",
                message=f"J-Quants {name}: {trouble.what}; again in {seconds:.0f} s "
                f"({attempt} of {_ATTEMPTS - 1})",
            )
        )
        self.pace.hold(seconds)


def _name(path: str, params: Mapping[str, Any]) -> str:
    when = params.get("date") or params.get("from") or ""
    return f"{path} {when}".strip()


def _text(value: Any) -> str | None:
    """A value as text; None for null, NaN, NaT and blank. Timestamps lose their time of day."""
    if value is None or value != value:
        return None
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d"))
    return str(value).strip() or None
