"""What Home shows: small JSON files, the schedule's book and the last runs. No tables, no configuration."""

import datetime as dt
import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from atft_tui.readings.cached import FILES
from atft_tui.readings.runs import list_runs
from atft_tui.readings.seals import ShownCard, read_card, seals
from engine.errors import EngineError, IntegrityError
from engine.files import MANIFEST, read_json
from engine.records import record
from engine.records.agenda import Agenda
from engine.records.card import Light
from engine.records.champion import ChampionHistory, ModelFacts
from engine.records.judgement import SURE, is_noise
from engine.records.run import RunSummary
from engine.records.shadow import LiveRecord
from engine.schedule.agenda import read_agenda

RUNS, ALERTS = 12, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CardNews:
    """The newest sealed signal."""

    name: str
    """2016-12-30, or 2016-12-30-r1."""
    session: str
    exchange: str
    verdict: str
    """TRADE, HOLD or STOP."""
    lights: int
    not_green: tuple[Light, ...]
    """Worst first."""
    orders: int
    turnover: float | None
    """Share of the equity."""
    cost: float | None
    """Cost of trading the list, share of the equity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveNews:
    """RankIC of the champion's sealed scores, as the shadow ledger has it."""

    rank_ic: float
    se: float | None
    sessions: int
    horizon: int
    expected: float | None
    low: float | None
    """The least to be expected of so many sessions."""

    @property
    def noise(self) -> bool:
        """Not told from zero: within 1.96 standard errors."""
        return is_noise(self.rank_ic, SURE * self.se if self.se is not None else float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionNews:
    """The model that trades, and how it did on its test days and since. None where unknown."""

    model: str
    run: str
    since: str
    """UTC, ISO 8601."""
    last_session: str
    """That it was trained on data to."""
    age: int | None
    """Stored sessions after it."""
    horizon: int
    rank_ic: float | None
    se: float | None
    null_band: float | None
    days: int
    forced: str
    """Why it was promoted against the gate; empty if the gate let it through."""
    live: LiveNews | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataNews:
    """The snapshot in use and what the last checks said of it."""

    snapshot: str
    market: str
    calendar: str
    currency: str
    """The label named at ingest; empty means the market's own."""
    source: str
    first: str
    last: str
    sessions: int
    quality: str
    """Verdict of the last check of this snapshot; empty if there is none."""
    audit: str
    """Verdict of the last audit; empty if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeNews:
    """Everything that Home shows of a workspace at one moment."""

    now: dt.datetime
    """UTC, to the minute: what the countdown counts from."""
    card: CardNews | None = None
    champion: ChampionNews | None = None
    data: DataNews | None = None
    agenda: Agenda = field(default_factory=Agenda)
    runs: tuple[RunSummary, ...] = ()
    reports: int = 0
    """Runs of the last ones with a report."""
    trouble: tuple[str, ...] = ()
    """Files that cannot be read."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing yet to show."""
        return not (self.card or self.champion or self.data or self.runs)


class _Outcomes(Struct, frozen=True):
    """Of the shadow ledger what is shown."""

    live: dict[str, LiveRecord] = {}
    """Model -> how its scores turned out."""


class HomeReader:
    """Reads a workspace again and again; files that did not change are not read twice."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def read(self, now: dt.datetime) -> HomeNews:
        """What can be read; the rest is named in `HomeNews.trouble`."""
        found: dict[str, Any] = {}
        trouble: list[str] = []
        for name, reading in (
            ("data", self._data),
            ("champion", self._champion),
            ("card", self._card),
            ("agenda", lambda: read_agenda(self.workspace, now, limit=ALERTS)),
            ("runs", lambda: list_runs(self.workspace, RUNS)),
        ):
            try:
                found[name] = reading()
            except (EngineError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
                trouble.append(f"{name}: {error}")
        runs = found.get("runs", ())
        reports = sum((self.workspace / "runs" / r.id / "report.html").is_file() for r in runs)
        minute = now.replace(second=0, microsecond=0)
        return HomeNews(now=minute, **found, reports=reports, trouble=tuple(trouble))

    # ---- data ------------------------------------------------------------------------------------

    def _data(self) -> DataNews | None:
        current = self.workspace / "data" / "CURRENT"
        if not current.is_file():
            return None
        name = current.read_text(encoding="utf-8").strip()
        facts = self._manifest(name)
        quality = FILES.get(self.workspace / "data" / "quality.json", _json)
        audit = FILES.get(self.workspace / "audit.json", _json)
        days = facts["days"]
        return DataNews(
            snapshot=name,
            market=str(facts["market"]),
            calendar=str(facts.get("calendar", "")),
            currency=str(facts.get("currency", "")),
            source=str(facts["source"]),
            first=days[0],
            last=dt.date.fromisoformat(days[-1]).isoformat(),
            sessions=len(days),
            quality=str(quality["verdict"]) if quality.get("snapshot") == name else "",
            audit=str(audit.get("verdict", "")),
        )

    def _manifest(self, snapshot: str) -> dict[str, Any]:
        path = self.workspace / "data" / "snapshots" / snapshot / MANIFEST
        return FILES.get(path, _snapshot)

    def _sessions_after(self, last: str) -> int | None:
        try:
            name = (self.workspace / "data" / "CURRENT").read_text(encoding="utf-8").strip()
        except OSError:
            return None
        days: list[str] = self._manifest(name)["days"]
        return sum(day > last for day in days)

    # ---- champion --------------------------------------------------------------------------------

    def _champion(self) -> ChampionNews | None:
        models = self.workspace / "models"
        told = partial(record.read_if_there, kind=ChampionHistory)
        history = FILES.get(models / "champion.json", told)
        if history is None or not history.reigns:
            return None
        entry = history.reigns[-1]
        facts = FILES.get(
            models / entry.model / "model.json", partial(record.read, kind=ModelFacts)
        )
        # A rollback names no run: the one that the model was promoted from.
        own = (e for e in reversed(history.reigns) if e.model == entry.model and e.run)
        made = next(own, entry)
        return ChampionNews(
            model=entry.model,
            run=made.run,
            since=entry.at,
            last_session=facts.last_session,
            age=self._sessions_after(facts.last_session),
            horizon=facts.score_horizon,
            rank_ic=_known(facts.test.rank_ic),
            se=_known(facts.test.rank_ic_se),
            null_band=_known(facts.test.null_band),
            days=facts.test.n_dates,
            forced=made.reason,
            live=self._live(entry.model),
        )

    def _live(self, model: str) -> LiveNews | None:
        told = partial(record.read_if_there, kind=_Outcomes)
        ledger = FILES.get(self.workspace / "signals" / "ledger.json", told)
        found = ledger.live.get(model) if ledger else None
        if found is None or math.isnan(found.rank_ic):
            return None
        return LiveNews(
            rank_ic=found.rank_ic,
            se=_known(found.se),
            sessions=found.sessions,
            horizon=found.horizon,
            expected=_known(found.expected),
            low=_known(found.low),
        )

    # ---- card ------------------------------------------------------------------------------------

    def _card(self) -> CardNews | None:
        found = seals(self.workspace, 1)
        return _summary(read_card(found[0])) if found else None


def _json(path: Path) -> dict[str, Any]:
    """The object in a file; empty without the file."""
    return read_json(path) if path.is_file() else {}


def _snapshot(path: Path) -> dict[str, Any]:
    """What is shown of a snapshot's manifest: it also holds a hash for each session and file."""
    found = read_json(path)
    shown = ("days", "market", "calendar", "currency", "source")
    return {name: found[name] for name in shown if name in found}


def _summary(shown: ShownCard) -> CardNews:
    """What Home says of a card. IntegrityError for one whose seal does not hold."""
    card = shown.card
    if card is None:
        said = "changed after it was sealed: " * (shown.standing == "broken")
        raise IntegrityError(f"{shown.name}: {said}{shown.trouble}")
    figures = card.orders
    return CardNews(
        name=shown.name,
        session=card.session,
        exchange=card.exchange,
        verdict=card.verdict,
        lights=len(card.lights),
        not_green=card.troubles,
        orders=figures.lines if figures else 0,
        turnover=_known(figures.turnover) if figures else None,
        cost=_known(figures.cost) if figures else None,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
