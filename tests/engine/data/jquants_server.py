"""A J-Quants v2 server for tests: the real one's routes, columns, pages, refusals and faults, on loopback.

Data are made from a seed for a span of XTKS sessions. Like the real service it gives quoted and adjusted
prices, the adjusted ones re-based by every split up to `today`; rows without a trade have null prices;
statement figures are text; a wrong key is 403 "invalid or expired"; dates outside the plan are 400.
"""

import datetime as dt
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
from jquantsapi import constants

from engine.data.calendar import sessions_between

Row = dict[str, Any]
Fault = Literal[
    "500", "503", "429", "401", "cut", "html", "not-json", "no-data", "slow", "redirect", "blocked"
]
KEY = "test-key-4f1c9e-do-not-print"
CODES = ("13010", "130A0", "25935", "72030", "99840")
"""An ordinary share, an alphanumeric code, a preferred share, two large ones."""
SECTORS = dict(zip(CODES, ("0050", "5250", "3050", "3700", "5250"), strict=True))
RANK = {"free": 0, "light": 1, "standard": 2, "premium": 3}
NEEDS = {
    "/indices/bars/daily/topix": "light",
    "/equities/investor-types": "light",
    "/markets/margin-interest": "standard",
    "/markets/short-ratio": "standard",
    "/derivatives/bars/daily/options/225": "standard",
}
PAGE = 3
SLOW_S = 3.0


@cache
def xtks() -> list[dt.date]:
    """Sessions from 2020 to a month from now."""
    end = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
    days: list[dt.date] = sessions_between("jp", dt.date(2020, 1, 1), end).tolist()
    return days


@dataclass(frozen=True)
class Seen:
    """One request as the server saw it."""

    at: float
    path: str
    params: Mapping[str, str]
    status: int


@dataclass
class FakeJQuants:
    """Start with ``with``; `url` is the base address."""

    first: dt.date
    last: dt.date
    plan: str = "premium"
    key: str = KEY
    covers: tuple[dt.date, dt.date | None] | None = None
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
    splits: dict[tuple[str, dt.date], float] = field(default_factory=dict)
    """(code, ex-date) -> AdjFactor."""
    drop_column: str = ""
    silent: set[dt.date] = field(default_factory=set)
    """Days of which the server gives no bars."""
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.calendar = xtks()
        self.days = [day for day in self.calendar if self.first <= day <= self.last]
        rng = np.random.default_rng(11)
        shape = (len(CODES), 4000)
        self._close = np.round(1000 + 50 * rng.standard_normal(shape).cumsum(axis=1), 1).clip(100)
        self._volume = rng.integers(1, 5000, shape) * 100
        self._quiet = rng.random(shape) < 0.1
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

    def extend(self, last: dt.date) -> None:
        """Time goes on."""
        self.last = last
        self.days = [day for day in self.calendar if self.first <= day <= last]

    def asked(self, path: str) -> list[str]:
        """Dates of the good answers to one endpoint, pages apart."""
        return [
            s.params.get("date", s.params.get("from", ""))
            for s in self.seen
            if s.path == path and s.status == 200 and "pagination_key" not in s.params
        ]

    # -- the market --------------------------------------------------------------------------------

    def _at(self, day: dt.date) -> int:
        return (day - dt.date(2020, 1, 1)).days % 4000

    def quoted(self, code: str, day: dt.date) -> tuple[float, float] | None:
        """Close and volume of the day; None without a trade. Splits show in both."""
        i, t = CODES.index(code), self._at(day)
        if self._quiet[i, t]:
            return None
        done = 1.0
        for (who, ex), factor in self.splits.items():
            if who == code and ex <= day:
                done *= factor
        return round(float(self._close[i, t]) * done, 1), float(self._volume[i, t])

    def bars(self, day: dt.date) -> list[Row]:
        known = day in self.days and day not in self.silent
        return [self._bar(code, day) for code in CODES] if known else []

    def _bar(self, code: str, day: dt.date) -> Row:
        later = 1.0
        for (who, ex), factor in self.splits.items():
            if who == code and day < ex <= self.last:
                later *= factor
        quote = self.quoted(code, day)
        row: Row = {"Date": day.isoformat(), "Code": code, "UL": "0", "LL": "0"}
        row["AdjFactor"] = self.splits.get((code, day), 1.0)
        if quote is None:
            names = ("O", "H", "L", "C", "Vo", "Va", "AdjO", "AdjH", "AdjL", "AdjC", "AdjVo")
            return row | dict.fromkeys(names)
        close, volume = quote
        prices = {"O": close - 0.5, "H": close + 2, "L": close - 3, "C": close}
        adjusted = {f"Adj{name}": round(value * later, 1) for name, value in prices.items()}
        return row | prices | adjusted | {
            "Vo": volume, "Va": round(close * volume), "AdjVo": volume / later,
        }  # fmt: skip

    def master(self, day: dt.date) -> list[Row]:
        blank = dict.fromkeys(constants.EQ_MASTER_COLUMNS_V2, "")
        return [
            blank | {
                "Date": day.isoformat(), "Code": code, "CoName": f"銘柄{code}", "CoNameEn": f"Name {code}",
                "S17": "10", "S33": SECTORS[code], "Mkt": "0111", "ProdCat": "011",
                "Mrgn": "" if RANK[self.plan] < 2 else "12"[i % 2],
            }
            for i, code in enumerate(CODES)
        ]  # fmt: skip

    def topix(self, first: dt.date, last: dt.date) -> list[Row]:
        return [
            {
                "Date": day.isoformat(),
                "O": 2000.0,
                "H": 2010.0,
                "L": 1990.0,
                "C": 2000.0 + self._at(day),
            }
            for day in self.days
            if first <= day <= last
        ]

    def investors(self, first: dt.date, last: dt.date) -> list[Row]:
        """Published on Thursday for the week before."""
        rows = []
        for day in self.days:
            if day.weekday() != 3 or not first <= day <= last:
                continue
            monday = day - dt.timedelta(days=10)
            row: Row = {
                name: float(1000 + self._at(day)) for name in constants.EQ_INVESTOR_TYPES_COLUMNS_V2
            }
            row |= {"PubDate": day.isoformat(), "StDate": monday.isoformat()}
            row |= {"EnDate": (monday + dt.timedelta(days=4)).isoformat()}
            rows += [row | {"Section": section} for section in ("TSEPrime", "TokyoNagoya")]
        return rows

    def margin(self, day: dt.date) -> list[Row]:
        daily = day >= dt.date(2026, 9, 25)
        if day not in self.days or not (daily or day.weekday() == 4):
            return []
        published = next(d for d in self.calendar if d > day) if daily else None
        blank = dict.fromkeys(constants.MKT_MARGIN_INTEREST_COLUMNS_V2)
        return [
            blank | {
                "PubDate": published.isoformat() if published else None, "Date": day.isoformat(),
                "Code": code, "IssType": "2", "ShrtVol": 100.0 * i, "LongVol": 1000.0 + i,
            }
            for i, code in enumerate(CODES)
        ]  # fmt: skip

    def short_ratio(self, day: dt.date) -> list[Row]:
        if day not in self.days:
            return []
        return [
            {
                "Date": day.isoformat(), "S33": sector, "SellExShortVa": 600.0,
                "ShrtWithResVa": 300.0, "ShrtNoResVa": 100.0,
            }
            for sector in sorted(set(SECTORS.values()))
        ]  # fmt: skip

    def summary(self, day: dt.date) -> list[Row]:
        """Two disclosures a day, one after the close; each fifth day a revision of a forecast."""
        if day not in self.days:
            return []
        blank = dict.fromkeys(constants.FIN_SUMMARY_COLUMNS_V2, "")
        t = self._at(day)
        base = blank | {
            "DiscDate": day.isoformat(), "CurPerEn": "2023-12-31", "CurFYEn": "2024-03-31",
            "DocType": "3QFinancialStatements_Consolidated_JP", "CurPerType": "3Q", "Sales": "100000",
            "OP": "9000", "NP": "-500", "TA": "1", "Eq": "", "FSales": "140000", "FOP": "12000",
            "FNP": "700", "NxFSales": "150000", "NxFOP": "13000", "NxFNp": "800",
        }  # fmt: skip
        rows = [
            base | {"Code": CODES[t % 5], "DiscTime": "14:30:00"},
            base | {"Code": CODES[(t + 1) % 5], "DiscTime": "15:30:00", "CurPerType": "FY"},
        ]
        if t % 5 == 0:
            empty = dict.fromkeys(("Sales", "OP", "NP", "TA"), "")
            revision = {"DocType": "EarnForecastRevision", "DiscTime": "9:05:00", "Code": CODES[0]}
            rows.append(base | empty | revision | {"CurPerType": "FY"})
        return rows

    def earnings(self, day: dt.date) -> list[Row]:
        if day not in self.days:
            return []
        blank = dict.fromkeys(constants.FIN_EARNINGS_DATE_COLUMNS_V2, "")
        t = self._at(day)
        scheduled = "" if t % 4 == 0 else (day + dt.timedelta(days=20)).isoformat()
        return [blank | {"PubDate": day.isoformat(), "SchDate": scheduled, "Code": CODES[t % 5]}]

    def options(self, day: dt.date) -> list[Row]:
        """A put and a call; on every third day both once more for an emergency margin call."""
        if day not in self.days:
            return []
        blank: Row = dict.fromkeys(constants.DERIVATIVES_OPTIONS_COLUMNS_V2, "")
        rows = []
        for kind in ("1", "2"):
            row = blank | {
                "Date": day.isoformat(), "Code": f"13{kind}0038", "CM": "2024-03", "Strike": 38000.0,
                "SQD": (day + dt.timedelta(days=30)).isoformat(), "PCDiv": kind, "IV": 21.5,
                "OI": 120.0, "Vo": 7.0, "UnderPx": 38500.5, "EmMrgnTrgDiv": "002",
            }  # fmt: skip
            rows.append(row)
            if self._at(day) % 3 == 0:
                rows.append(row | {"EmMrgnTrgDiv": "001", "IV": 99.0})
        return rows

    # -- the service -------------------------------------------------------------------------------

    def rows(self, path: str, params: Mapping[str, str]) -> list[Row]:
        by_date = {
            "/equities/master": self.master,
            "/equities/bars/daily": self.bars,
            "/markets/margin-interest": self.margin,
            "/markets/short-ratio": self.short_ratio,
            "/fins/summary": self.summary,
            "/fins/earnings-date": self.earnings,
            "/derivatives/bars/daily/options/225": self.options,
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
        if RANK[self.plan] < RANK[NEEDS.get(path, "free")]:
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
