"""What Home shows: small files, the schedule's book and the last runs."""

import contextlib
import datetime as dt
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atft_tui.readings.feed import TRAININGS, run_that_matters
from atft_tui.readings.files import FILES, Readable, attempted
from atft_tui.readings.runs import list_runs
from atft_tui.readings.seals import Champion, ShownCard, read_card, read_champion, seals
from engine.disk import there
from engine.errors import IntegrityError
from engine.files import MANIFEST
from engine.records.agenda import Agenda
from engine.records.audit import AUDIT, AuditResult
from engine.records.champion import ChampionEntry
from engine.records.drill import DRILL, DrillResult
from engine.records.quality import QUALITY, CheckedQuality
from engine.records.run import RunSummary
from engine.records.shadow import LiveRecord, ShadowLedger
from engine.records.snapshot import SNAPSHOTS, SnapshotManifest, current_id
from engine.schedule.agenda import read_agenda

RUNS, _ALERTS = 12, 10


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
    champion: Champion | None = None
    """None too while no challenger passed the gate."""
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
    agenda = attempted(lambda: read_agenda(workspace, now, limit=_ALERTS))
    drill = attempted(lambda: FILES.record_if_there(workspace / DRILL, DrillResult))
    runs = attempted(lambda: list_runs(workspace, RUNS))
    main = attempted(lambda: _main(workspace, runs.value or ()))
    parts: dict[str, Readable[Any]] = {
        "data": data, "champion": book, "ledger": live, "card": card, "agenda": agenda,
        "drill": drill, "runs": runs,
    }  # fmt: skip
    rows = runs.value or ()
    return HomeNews(
        now=now.replace(second=0, microsecond=0),
        card=card.value,
        champion=champion,
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


def _data(workspace: Path) -> _DataNews | None:
    name = current_id(workspace)
    if name is None:
        return None
    manifest = FILES.record(workspace / "data" / SNAPSHOTS / name / MANIFEST, SnapshotManifest)
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


_MIB, _GIB = 2**20, 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuNews:
    name: str
    percent: float | None
    """Load; None where the GPU does not tell (MIG, vGPU)."""
    used_mib: float | None
    total_mib: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineNews:
    cpu_percent: float
    """Use of all cores together, 0 to 100, since the reading before."""
    cores: int
    load: float
    """Processes that ran or waited, mean of the last minute."""
    memory_used_mib: float
    memory_total_mib: float
    disk_free_gib: float
    disk_total_gib: float
    """Size of the file system that the workspace is on."""
    gpus: tuple[GpuNews, ...]


class MachineReader:
    """What the machine is doing; psutil and NVML are loaded with the first reading, in its thread."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._gpus = _gpus()
        psutil.cpu_percent()

    def read(self, workspace: Path) -> MachineNews:
        """What the machine does now; the disk is the one that holds the workspace."""
        memory = self._psutil.virtual_memory()
        disk = self._psutil.disk_usage(str(there(workspace)))
        return MachineNews(
            cpu_percent=float(self._psutil.cpu_percent()),
            cores=os.cpu_count() or 1,
            load=round(os.getloadavg()[0], 1),
            memory_used_mib=round((memory.total - memory.available) / _MIB),
            memory_total_mib=round(memory.total / _MIB),
            disk_free_gib=round(disk.free / _GIB, 1),
            disk_total_gib=round(disk.total / _GIB, 1),
            gpus=tuple(_figures(handle) for handle in self._gpus),
        )


def _gpus() -> list[Any]:
    import pynvml

    try:
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def _figures(handle: Any) -> GpuNews:
    """A driver can fail, and some GPUs tell only a part: what is not told is None."""
    import pynvml

    name, percent, used, total = "GPU", None, None, None
    with contextlib.suppress(pynvml.NVMLError):
        told = pynvml.nvmlDeviceGetName(handle)
        name = told.decode() if isinstance(told, bytes) else str(told)
    with contextlib.suppress(pynvml.NVMLError):
        percent = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    with contextlib.suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        used, total = round(memory.used / _MIB), round(memory.total / _MIB)
    return GpuNews(name=name, percent=percent, used_mib=used, total_mib=total)
