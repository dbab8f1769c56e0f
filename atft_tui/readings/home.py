"""What Home shows: small files, the schedule's book and the last runs."""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atft_tui.readings.backtest import BacktestReader, BacktestValue
from atft_tui.readings.feed import TRAININGS, RunNews, RunsAtWork, run_that_matters
from atft_tui.readings.files import FILES, Readable, attempted
from atft_tui.readings.machine import MachineNews, MachineReader
from atft_tui.readings.runs import list_runs
from atft_tui.readings.seals import Champion, ShownCard, read_card, read_champion, seals
from atft_tui.readings.signal import TopOrder, top_orders
from engine.errors import IntegrityError
from engine.files import MANIFEST
from engine.records.agenda import Agenda
from engine.records.backtest import BACKTEST
from engine.records.champion import ChampionEntry
from engine.records.preflight import AUDIT, DRILL, AuditResult, DrillResult
from engine.records.quality import QUALITY, CheckedQuality
from engine.records.run import RunSummary, Sharpe
from engine.records.shadow import LiveRecord, ShadowLedger
from engine.records.snapshot import SNAPSHOTS, SnapshotManifest, current_id
from engine.schedule.agenda import read_agenda

RUNS, _ALERTS, _ORDERS = 12, 10, 5
_NO_ORDERS: Readable[tuple[TopOrder, ...]] = Readable(())
_NO_BACKTEST: Readable[BacktestValue] = Readable(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _DataNews:
    """The snapshot in use and what the last checks said of it."""

    manifest: SnapshotManifest
    quality: CheckedQuality | None
    """What the last check said; None where it was of another snapshot."""
    audit: AuditResult | None

    @property
    def last(self) -> str:
        """The newest session, ISO date."""
        return self.manifest.days[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeNews:
    """Everything that Home shows of a workspace at one moment."""

    now: dt.datetime
    """UTC, to the minute: what the countdown counts from."""
    card: ShownCard | None = None
    """The newest sealed signal whose seal holds."""
    orders: Readable[tuple[TopOrder, ...]] = _NO_ORDERS
    """Its largest orders."""
    champion: Champion | None = None
    """None too while no challenger passed the gate."""
    sharpe: Sharpe | None = None
    """Of the run that the champion was made of; None where that was not backtested."""
    refusal: ChampionEntry | None = None
    """Of the last challenger, where the gate let it not through."""
    live: LiveRecord | None = None
    """RankIC of the champion's sealed scores; None until the ledger knows one."""
    data: _DataNews | None = None
    agenda: Agenda = field(default_factory=Agenda)
    drill: DrillResult | None = None
    runs: tuple[RunSummary, ...] = ()
    main: RunSummary | None = None
    """The training that matters: see `run_that_matters`; None before one has ended."""
    reports: int = 0
    """Runs of the last ones with a report."""
    trouble: tuple[str, ...] = ()
    """Files that cannot be read."""

    @property
    def judged_run(self) -> str:
        """The run whose backtest counts: that of the champion, else the one that matters; empty for none."""
        made = self.champion.history.promotion if self.champion else None
        return made.run if made else self.main.id if self.main and not self.champion else ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing yet to show."""
        return not (self.card or self.champion or self.data or self.runs)

    @property
    def is_made_up(self) -> bool:
        """The market is the demo's."""
        return self.data is not None and self.data.manifest.market == "synthetic"

    @property
    def has_own_data(self) -> bool:
        return self.data is not None and not self.is_made_up

    @property
    def audit(self) -> AuditResult | None:
        return self.data.audit if self.data else None

    @property
    def model_age(self) -> int | None:
        """Stored sessions after the last one that the champion has learned from; None where unknown."""
        facts = self.champion.facts if self.champion else None
        if facts is None or self.data is None:
            return None
        return sum(day > facts.trained_to for day in self.data.manifest.days)


def read_home(workspace: Path, now: dt.datetime) -> HomeNews:
    """What can be read; the rest is named in `HomeNews.trouble`."""
    data = attempted(lambda: _data(workspace))
    book = attempted(lambda: read_champion(workspace))
    history = book.value.history.history if book.value else ()
    champion = book.value if book.value and book.value.history.champion else None
    live = attempted(lambda: _live(workspace, champion))
    card = attempted(lambda: _card(workspace))
    orders = attempted(lambda: top_orders(seals(workspace, 1)[0], _ORDERS) if card.value else ())
    sharpe = attempted(lambda: _sharpe(workspace, champion))
    agenda = attempted(lambda: read_agenda(workspace, now, limit=_ALERTS))
    drill = attempted(lambda: FILES.record_if_there(workspace / DRILL, DrillResult))
    runs = attempted(lambda: list_runs(workspace, RUNS))
    main = attempted(lambda: _main(workspace, runs.value or ()))
    parts: dict[str, Readable[Any]] = {
        "data": data, "champion": book, "ledger": live, "card": card, "agenda": agenda,
        "drill": drill, "runs": runs, "backtest": sharpe,
    }  # fmt: skip
    rows = runs.value or ()
    return HomeNews(
        now=now.replace(second=0, microsecond=0),
        card=card.value,
        orders=orders,
        champion=champion,
        sharpe=sharpe.value,
        refusal=history[-1] if history and history[-1].action == "refused" else None,
        live=live.value,
        data=data.value,
        agenda=agenda.value or Agenda(),
        drill=drill.value,
        runs=rows,
        main=main.value,
        reports=sum((workspace / "runs" / run.id / "report.html").is_file() for run in rows),
        trouble=tuple(f"{name}: {part.trouble}" for name, part in parts.items() if part.trouble),
    )


def current_manifest(workspace: Path) -> SnapshotManifest | None:
    """Of the snapshot in use; None before the first ingest."""
    name = current_id(workspace)
    path = workspace / "data" / SNAPSHOTS / (name or "") / MANIFEST
    return FILES.record(path, SnapshotManifest) if name else None


def _data(workspace: Path) -> _DataNews | None:
    name, manifest = current_id(workspace), current_manifest(workspace)
    if manifest is None:
        return None
    quality = FILES.record_if_there(workspace / QUALITY, CheckedQuality)
    return _DataNews(
        manifest=manifest,
        quality=quality if quality and quality.snapshot == name else None,
        audit=FILES.record_if_there(workspace / AUDIT, AuditResult),
    )


def _main(workspace: Path, runs: Iterable[RunSummary]) -> RunSummary | None:
    """The newest training that has ended, of the last runs."""
    done = {run.id: run for run in runs if run.status == "done"}
    found = run_that_matters(workspace, lambda run: run.id in done and run.command in TRAININGS)
    return done[found.id] if found else None


def _sharpe(workspace: Path, champion: Champion | None) -> Sharpe | None:
    made = champion.history.promotion if champion else None
    path = workspace / "runs" / made.run / BACKTEST if made else None
    return FILES.record_if_there(path, Sharpe) if path else None


def _live(workspace: Path, champion: Champion | None) -> LiveRecord | None:
    ledger = FILES.record_if_there(workspace / "signals" / "ledger.json", ShadowLedger)
    live = ledger.live.get(champion.history.champion) if ledger and champion else None
    return None if live is None or math.isnan(live.rank_ic) else live


def _card(workspace: Path) -> ShownCard | None:
    found = seals(workspace, 1)
    shown = read_card(found[0]) if found else None
    if shown is not None and shown.card is None:
        said = "changed after it was sealed: " * (shown.standing == "broken")
        raise IntegrityError(f"{shown.name}: {said}{shown.trouble}")
    return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeMore:
    """What takes longer to read than the first picture of Home may wait."""

    machine: MachineNews
    at_work: tuple[RunNews, ...] = ()
    """Runs at work, the one that began first in front."""
    backtest: Readable[BacktestValue] = _NO_BACKTEST
    """Of `HomeNews.judged_run`; None without one."""


class MoreReader:
    """Reads the rest of Home again and again; what it follows it keeps."""

    def __init__(self) -> None:
        self._machine, self._runs, self._backtest = MachineReader(), RunsAtWork(), BacktestReader()

    def read(self, workspace: Path, news: HomeNews) -> HomeMore:
        """The rest as it is now."""
        run = news.judged_run
        found = attempted(lambda: self._backtest.value(workspace, run) if run else None)
        ours = found.value is None or found.value.run_id == run  # another, where the run is gone
        return HomeMore(
            machine=self._machine.read(workspace),
            at_work=self._runs.news(workspace, news.runs),
            backtest=found if ours else _NO_BACKTEST,
        )
