"""What an answer of the service means: good, to be repeated, or final."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from engine.errors import EnvironmentProblem

_COVERS = re.compile(r"covers the following dates:\s*([\d-]{10})\s*~\s*([\d-]{10})?")
_BAD_KEY = ("invalid or expired", "api key is required", "no active subscription")
"""The service answers 403, not 401, to a wrong key and tells the reasons apart by text."""


class NotInPlan(EnvironmentProblem):
    """The subscription does not include this endpoint."""


class OutsideCoverage(EnvironmentProblem):
    """The subscription does not include these dates."""

    def __init__(self, message: str, first: dt.date, last: dt.date) -> None:
        super().__init__(message, hint="set data.jquants.first inside the plan's dates")
        self.first, self.last = first, last


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that may be better the next time."""

    what: str
    throttled: bool = False
    after: float | None = None
    """Seconds that the server asks to wait."""
    content: bool = False
    """The answer came, but damaged."""


def judge_status(response: Any, path: str, key: str) -> Trouble | None:
    """None for a success; raises for refusals that asking again does not change."""
    status = int(response.status_code)
    if status == 200:
        return None
    if status == 429:
        return Trouble("429, too many requests", throttled=True, after=_retry_after(response))
    if status >= 500:
        return Trouble(f"the server failed with {status}")
    message = _message(response, key)
    if status == 403 and not message:  # the guard in front of the service, not the service
        return Trouble("403 without a reason", throttled=True)
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


def payload_trouble(response: Any, params: Mapping[str, Any]) -> Trouble | None:
    """None if the body is a page: a JSON object whose ``data`` is a list of rows."""
    try:
        payload = response.json()
    except ValueError:
        kind = str(response.headers.get("Content-Type", "")).partition(";")[0]
        page = "a web page" if "html" in kind else "something that is not JSON"
        return Trouble(f"the answer is {page}, not data", content=True)
    rows = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return Trouble("the answer is JSON without rows", content=True)
    following = payload.get("pagination_key")
    if following and following == params.get("pagination_key"):
        return Trouble("the answer names itself as its next page", content=True)
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
