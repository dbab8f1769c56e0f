"""A J-Quants v2 server for tests: the real one's routes, columns, pages, refusals and faults, on loopback.

A wrong key is 403 "invalid or expired"; dates outside the plan are 400.
"""

import datetime as dt
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

from tests.engine.data.jquants.market import RANK, Market, Row

Fault = Literal[
    "500", "503", "429", "401", "cut", "html", "not-json", "no-data", "slow", "redirect", "blocked"
]
KEY = "test-key-4f1c9e-do-not-print"
NEEDS = {
    "/indices/bars/daily/topix": "light",
    "/equities/investor-types": "light",
    "/markets/margin-interest": "standard",
    "/markets/short-ratio": "standard",
    "/derivatives/bars/daily/options/225": "standard",
    "/edinet/large-volume-shareholders": "standard",
}
PAGE = 3
SLOW_S = 3.0


@dataclass(frozen=True)
class Seen:
    """One request as the server saw it."""

    at: float
    path: str
    params: Mapping[str, str]
    status: int


@dataclass
class FakeJQuants(Market):
    """Start with ``with``; `url` is the base address."""

    key: str = KEY
    covers: tuple[dt.date, dt.date | None] | None = None
    tdnet: bool = True
    """Whether the add-on of timely disclosures is subscribed, whatever the plan."""
    limit: int = 0
    """Requests allowed per `window_s`; 0 = no limit."""
    window_s: float = 60.0
    clock: Callable[[], float] = time.monotonic
    retry_after: bool = True
    """The real service does not send the header; others do."""
    page: int = PAGE
    faults: dict[int, Fault] = field(default_factory=dict)
    """By number of the request, from 0."""
    before: Callable[[int], None] = lambda number: None
    """Called with each request's number before it is answered."""
    drop_column: str = ""
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._window: deque[float] = deque()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v2"

    def asked(self, path: str) -> list[str]:
        """Dates of the good answers to one endpoint, pages apart."""
        return [
            s.params.get("date", s.params.get("from", ""))
            for s in self.seen
            if s.path == path and s.status == 200 and "pagination_key" not in s.params
        ]

    def rows(self, path: str, params: Mapping[str, str]) -> list[Row]:
        by_date = {
            "/equities/master": self.master,
            "/equities/bars/daily": self.bars,
            "/markets/margin-interest": self.margin,
            "/markets/short-ratio": self.short_ratio,
            "/fins/summary": self.summary,
            "/fins/earnings-date": self.earnings,
            "/derivatives/bars/daily/options/225": self.options,
            "/equities/valuation": self.valuation,
            "/edinet/large-volume-shareholders": self.holdings,
            "/td/list": self.disclosures,
        }
        by_range = {
            "/indices/bars/daily/topix": self.topix,
            "/equities/investor-types": self.investors,
        }
        if "code" in params:
            days = [d for d in self.days if params["from"] <= d.isoformat() <= params["to"]]
            return [self._bar(params["code"], day) for day in days]
        if path in by_date:
            return by_date[path](dt.date.fromisoformat(params["date"]))
        return by_range[path](
            dt.date.fromisoformat(params["from"]), dt.date.fromisoformat(params["to"])
        )

    def answer(self, path: str, params: Mapping[str, str], key: str) -> tuple[int, Row]:
        """Status and body of an undisturbed request."""
        if key != self.key:
            return 403, {"message": f"The incoming api key is invalid or expired. ({key})"}
        bought = self.tdnet or path != "/td/list"
        if RANK[self.plan] < RANK[NEEDS.get(path, "free")] or not bought:
            return 403, {"message": "This API is not available on your subscription."}
        if self.covers and not self._covered(params):
            first, last = self.covers
            return 400, {
                "message": f"Your subscription covers the following dates: {first} ~ {last or ''}. "
                "If you want more data, please check other plans"
            }
        try:
            rows = self.rows(path, params)
        except KeyError:
            return 403, {"message": "The requested endpoint does not exist."}
        start = int(params.get("pagination_key", "p0")[1:])
        page = [
            {k: v for k, v in row.items() if k != self.drop_column}
            for row in rows[start : start + self.page]
        ]
        body: Row = {"data": page}
        if start + self.page < len(rows):
            body["pagination_key"] = f"p{start + self.page}"
        return 200, body

    def _covered(self, params: Mapping[str, str]) -> bool:
        assert self.covers is not None
        first, last = self.covers
        days = [dt.date.fromisoformat(params[n]) for n in ("date", "from", "to") if n in params]
        return all(first <= day <= (last or dt.date.max) for day in days)

    def _throttled(self, now: float) -> float:
        """Seconds until a request is allowed again; 0 if this one is."""
        if not self.limit:
            return 0.0
        while self._window and self._window[0] <= now - self.window_s:
            self._window.popleft()
        if len(self._window) >= self.limit:
            return self._window[0] + self.window_s - now
        self._window.append(now)
        return 0.0

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet per answer, or each waits 40 ms for an acknowledgement

            def do_GET(self) -> None:
                fake._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        path = url.path.removeprefix("/v2")
        params = {name: values[0] for name, values in parse_qs(url.query).items()}
        with self._lock:
            number, now = len(self.seen), self.clock()
            fault = self.faults.get(number)
            wait = self._throttled(now)
            status, body = self.answer(path, params, handler.headers.get("x-api-key", ""))
            if wait or fault == "429":
                status, body = 429, {"message": "Too many requests."}
            elif fault and fault.isdigit():
                status, body = int(fault), {"message": "broken"}
            elif fault == "redirect":
                status = 302
            elif fault == "blocked":
                status = 403
            self.seen.append(Seen(now, path, params, status))
        self.before(number)
        _send(handler, status, body, fault, wait=wait if self.retry_after else 0.0)


def _send(
    handler: BaseHTTPRequestHandler, status: int, body: Row, fault: Fault | None, *, wait: float
) -> None:
    text = json.dumps(body, ensure_ascii=False).encode()
    kind = "application/json"
    if fault in ("html", "blocked"):
        text, kind = b"<!doctype html><title>Sign in</title>", "text/html; charset=utf-8"
    elif fault == "not-json":
        text = text[: len(text) // 2]
    elif fault == "no-data":
        text = b'{"message": "ok"}'
    elif fault == "slow":
        time.sleep(SLOW_S)
    length = len(text)
    if fault == "cut":
        text = text[: length // 2]
    try:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(length))
        if wait:
            handler.send_header("Retry-After", str(int(wait) + 1))
        if fault == "redirect":
            handler.send_header("Location", "http://127.0.0.1:9/elsewhere")
        handler.end_headers()
        handler.wfile.write(text)
        handler.wfile.flush()
    except (BrokenPipeError, ConnectionResetError):
        handler.close_connection = True
    if fault == "cut":
        handler.close_connection = True
