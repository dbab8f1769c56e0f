"""From the network into parts: what is missing, and the newest stored days once more.

A first pull asks for every session; one that was interrupted goes on; a later one fetches the sessions
since, renews the last few stored days and replaces those that the vendor has revised. A table that the
plan does not include is asked for once a pull and listed.

Factors that the vendor corrected long after the day are found with one request: the vendor's adjusted close
of an old day over its quoted close is the product of all factors since. Where the product of the factors that
we hold differs, some stored factor is not the vendor's any more; that stock's own history then tells on
which days.
"""

import datetime as dt
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import methodcaller
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from engine.config import JQuantsConfig
from engine.data.jquants.client import Api, NotInPlan, OutsideCoverage
from engine.data.jquants.endpoints import ENDPOINTS, PART_SCHEMA
from engine.data.jquants.parts import Parts
from engine.data.jquants.tables import Chunk, Endpoint, VendorRules, vendor_rules
from engine.errors import DataError, EnvironmentProblem, Interrupted
from engine.runs.events import Advanced, Noted
from engine.runs.lock import hold
from engine.runs.sink import EventSink

_TOKYO = ZoneInfo("Asia/Tokyo")
_PUBLISHED = dt.time(16, 30)
"""Time of day in Tokyo from which on the day's bars are there."""
_FREE_DELAY = dt.timedelta(weeks=12)
_NAP_S = 0.5
"""Between looks at the stop flag while waiting."""
_MANY_REQUESTS = 100
"""From so many on, the duration is told beforehand."""
_ROUNDING = 0.06
"""The vendor rounds adjusted prices to 0.1; beyond this distance they differ. Quote currency."""
_MOST_STOCKS = 10
"""Stocks looked into per update."""


@dataclass(slots=True)
class PullReport:
    """What a pull did, for the run's summary."""

    tables: list[str] = field(default_factory=list)
    """Those that the plan includes."""
    lacking: list[str] = field(default_factory=list)
    """Those that it does not."""
    revised: list[str] = field(default_factory=list)
    """``table date`` of stored parts that were replaced."""
    notes: list[str] = field(default_factory=list)
    requests: int = 0


@dataclass(slots=True, kw_only=True)
class Pull:
    """One update of the parts under ``folder``."""

    folder: Path
    settings: JQuantsConfig
    api: Api
    sink: EventSink
    now: dt.datetime
    """The time now, with its time zone."""
    stopped: Callable[[], bool] = lambda: False
    report: PullReport = field(init=False, default_factory=PullReport)
    _parts: Parts = field(init=False)
    _rules: VendorRules = field(init=False)
    _first: dt.date = field(init=False)
    """First day wanted."""
    _last: dt.date = field(init=False)
    """Last day that is out."""
    _covered: dt.date = field(init=False, default=dt.date.min)
    """First day of the plan, as far as the service has said."""

    def __post_init__(self) -> None:
        self._parts = Parts(self.folder)
        self._first = dt.date.fromisoformat(self.settings.first)
        tokyo = self.now.astimezone(_TOKYO)
        self._last = tokyo.date() - dt.timedelta(days=tokyo.time() < _PUBLISHED)
        if self.settings.plan == "free":
            self._last = min(self._last, tokyo.date() - _FREE_DELAY)
            self.report.notes.append("J-Quants Free: the data end 12 weeks before today")
        self._rules = vendor_rules()

    def run(self) -> PullReport:
        """Everything, table after table. The parts fetched before an exception stay."""
        if not self._sessions():
            raise DataError(
                f"J-Quants: no session between data.jquants.first = {self._first} and {self._last}",
                hint="set an earlier data.jquants.first",
            )
        with hold(self.folder / "lock"):
            updating = self._parts.begin(
                {e.table: e.renewed(self.settings.refetch_sessions) for e in ENDPOINTS}
            )
            for endpoint in ENDPOINTS:
                try:
                    self._table(endpoint)
                    if endpoint.table == "bars" and updating and self.settings.plan != "free":
                        # The plan's window moves on; a day that has left it can no longer be asked for.
                        with suppress(OutsideCoverage):
                            self._audit(endpoint)
                    self.report.tables.append(endpoint.table)
                except NotInPlan as refusal:
                    if endpoint.required:
                        raise EnvironmentProblem(
                            refusal.message, hint="check JQUANTS_API_KEY and your subscription"
                        ) from None
                    self.report.lacking.append(endpoint.table)
                finally:
                    self.report.requests = self.api.requests
            self._parts.finish()
        if self.report.lacking:
            self.report.notes.append(
                f"not in the J-Quants plan, their features are masked: {', '.join(self.report.lacking)}"
            )
        return self.report

    def _table(self, endpoint: Endpoint) -> None:
        """Fetch until nothing is missing; starts over when the plan turns out to cover less."""
        while True:
            todo = self._todo(endpoint)
            self._announce(endpoint, len(todo))
            try:
                for done, chunk in enumerate(todo):
                    self._progress(endpoint, done, len(todo), chunk)
                    self._chunk(endpoint, chunk)
            except OutsideCoverage as outside:
                self._clip(outside)
                continue
            if todo:
                self._progress(endpoint, len(todo), len(todo), todo[-1])
            return

    def _todo(self, endpoint: Endpoint) -> list[Chunk]:
        stored = set(self._parts.stored(endpoint.table)) - self._parts.to_renew(endpoint.table)
        return [c for c in endpoint.chunks(self._sessions()) if c.key not in stored]

    def _chunk(self, endpoint: Endpoint, chunk: Chunk) -> None:
        if self.stopped():
            raise _stopped()
        first, last = max(chunk.first, self._covered), min(chunk.last, self._last)
        rows = self.api.fetch(lambda client: endpoint.call(client, first, last))
        frame = endpoint.normalise(rows, self._rules)
        if endpoint.exact and (frame["date"] != chunk.key).any():
            raise DataError(
                f"J-Quants: asked for {endpoint.table} of {chunk.key}, got other days as well",
                hint="nothing of the answer was kept; the service may have changed",
            )
        self._keep(endpoint, chunk.key, frame)

    def _keep(self, endpoint: Endpoint, day: dt.date, frame: pl.DataFrame) -> None:
        """Write a new part; replace a stored one only by rows that differ, never by nothing."""
        table = endpoint.table
        renewing = day in self._parts.to_renew(table)
        if frame.is_empty() and (renewing or endpoint.required):
            if not renewing or not self._parts.read(table, day).is_empty():
                self.sink.emit(
                    Noted(message=f"J-Quants has no {table} of {day}; asked again next time")
                )
        elif not renewing:
            self._parts.write(table, day, frame)
        else:
            old = self._parts.read(table, day)
            if not old.equals(frame):
                self._parts.write(table, day, frame)
                if not old.is_empty() and endpoint.cut != "year":
                    self._tell_revision(table, day, old, frame)
        if renewing:
            self._parts.renewed(table, day)

    def _audit(self, bars: Endpoint) -> None:
        """Look for factors corrected before the days that an update renews, and fetch those days again."""
        stored = self._parts.stored("bars")
        recent = self.settings.refetch_sessions
        day = _day_to_audit(stored, recent, self.now.astimezone(_TOKYO).date())
        if day is None or day < self._first:
            return
        rows = self.api.fetch(lambda client: bars.call(client, day, day))
        if rows.is_empty():
            return
        later = self._parts.all("bars", PART_SCHEMA, after=day)
        days: set[dt.date] = set()
        for code in _suspects(rows, later)[:_MOST_STOCKS]:
            span = {"code": code, "from_yyyymmdd": str(day), "to_yyyymmdd": str(self._last)}
            found = self.api.fetch(methodcaller("get_eq_bars_daily", **span))
            days |= {*_corrected_days(bars.normalise(found, self._rules), later)}
        if days:
            self._parts.renew("bars", sorted(days))
            self._table(bars)

    def _tell_revision(
        self, table: str, day: dt.date, old: pl.DataFrame, new: pl.DataFrame
    ) -> None:
        self.report.revised.append(f"{table} {day}")
        changed = new.join(old, on=new.columns, how="anti", nulls_equal=True)
        text = f"J-Quants has revised {table} of {day}: {len(changed)} rows"
        if "adjustment_factor" in new.columns:
            factors = changed.join(old, on=("date", "symbol"), suffix="_old").filter(
                pl.col("adjustment_factor") != pl.col("adjustment_factor_old")
            )
            text += "".join(
                f"; factor of {row['symbol']} {row['adjustment_factor_old']:g} -> "
                f"{row['adjustment_factor']:g}"
                for row in factors.head(3).to_dicts()
            )
        self.sink.emit(Noted(message=text))

    def _sessions(self) -> Sequence[dt.date]:
        days = self._rules.sessions
        wanted = (days >= np.datetime64(self._first)) & (days <= np.datetime64(self._last))
        found: list[dt.date] = days[wanted].tolist()
        return found

    def _clip(self, outside: OutsideCoverage) -> None:
        """Keep to the dates that the service names; raised again when it has named them before."""
        covered, last = max(self._covered, outside.first), min(self._last, outside.last)
        if (covered, last) == (self._covered, self._last):
            raise outside
        self._covered, self._last = covered, last
        self._first = max(self._first, covered)
        if not self._sessions():
            raise outside
        note = f"J-Quants: the plan covers {outside.first} to {last}"
        if note not in self.report.notes:
            self.report.notes.append(note)
            self.sink.emit(Noted(message=note))

    def _announce(self, endpoint: Endpoint, count: int) -> None:
        if count >= _MANY_REQUESTS:
            minutes = count * self.api.pace.interval / 60
            self.sink.emit(
                Noted(
                    message=f"J-Quants {endpoint.table}: {count:,} requests, at least {minutes:,.0f} "
                    "minutes at the plan's pace; it may be stopped and goes on later"
                )
            )

    def _progress(self, endpoint: Endpoint, done: int, total: int, chunk: Chunk) -> None:
        self.sink.emit(Advanced(stage=endpoint.table, done=done, total=total, note=str(chunk.key)))


def _stopped() -> Interrupted:
    return Interrupted(
        "stopped: what was fetched is kept", hint="the same command goes on from here"
    )


def patient_sleep(stopped: Callable[[], bool]) -> Callable[[float], None]:
    """A sleep that ends with `Interrupted` soon after the stop flag is set."""

    def sleep(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if stopped():
                raise _stopped()
            time.sleep(min(left, _NAP_S))

    return sleep


def _day_to_audit(stored: Sequence[dt.date], recent: int, today: dt.date) -> dt.date | None:
    """The start of the history or a quarter, half or three quarters into it, by turns from day to day.

    A day sees the factors later than itself of the stocks listed then. None where the newest days, which
    an update renews anyway, are all there is.
    """
    old = stored[: max(0, len(stored) - recent)]
    return old[len(old) * (today.toordinal() % 4) // 4] if old else None


def _suspects(rows: pl.DataFrame, later: pl.DataFrame) -> list[str]:
    """Codes whose adjusted close contradicts the stored factors.

    ``rows``: the vendor's text columns Code, C, AdjC of one day; ``later``: stored bars after that day.
    """
    products = dict(later.group_by("symbol").agg(pl.col("adjustment_factor").product()).iter_rows())
    found = []
    for code, quoted, adjusted in rows.select("Code", "C", "AdjC").iter_rows():
        if quoted is None or adjusted is None:
            continue
        expected = float(quoted) * products.get(code, 1.0)
        if not math.isclose(expected, float(adjusted), abs_tol=_ROUNDING):
            found.append(code)
    return sorted(found)


def _corrected_days(history: pl.DataFrame, stored: pl.DataFrame) -> list[dt.date]:
    """Days on which a stock's factor differs between the vendor's history and the stored bars."""
    both = history.join(stored, on=("date", "symbol"), suffix="_old")
    changed = both.filter(pl.col("adjustment_factor") != pl.col("adjustment_factor_old"))
    return changed["date"].unique().sort().to_list()
