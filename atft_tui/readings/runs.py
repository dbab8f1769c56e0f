"""The runs of a workspace: read once each, and again when their files change; thousands of them in pieces."""

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from msgspec import structs

from atft_tui import format as fmt
from atft_tui.readings.files import Stamp, stamp_of
from engine.records.figure import Interval
from engine.records.rank_ic import RankICSummary
from engine.records.run import RunSummary, Sharpe
from engine.runs.store import Run, RunStore
from engine.runs.summary import summarise
from engine.runs.trials import day_words

_MAX_RUNS = 500
"""Length of a short list."""
_BUDGET_S = 0.25
"""CPU time: reading runs that are new stops after it, and the next call goes on. What is known already
costs 50 ms for 2,000 runs and is not counted, or it would leave no time for the others."""
_AT_WORK = ("running", "paused", "created")

_Signature = tuple[Stamp, ...]


@dataclass(frozen=True, slots=True)
class RunList:
    """All runs of a workspace, as far as they are read."""

    runs: tuple[RunSummary, ...]
    """Newest first. A run that was not read yet has no status."""
    pending: int
    """How many of them were not read yet."""

    @property
    def best(self) -> tuple[RunSummary, RankICSummary] | None:
        """The run that ranks best on its validation days, and how well; None where all is noise."""
        ranked = ((run, run.validation) for run in self.runs if run.validation is not None)
        sure = ((run, figures) for run, figures in ranked if not figures.is_noise)
        return max(sure, key=lambda pair: pair[1].rank_ic, default=None)


class RunTable:
    """All runs of one workspace; ask for `read` again and again.

    A finished run is read again only if its directory, its events or its lock changed: three calls of
    `stat`, some 10 microseconds. A run at work is read every time.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._known: dict[str, tuple[_Signature, RunSummary]] = {}
        self._behind = False
        """Some were not read yet: until all are, what is known is taken as it is."""

    def read(self, budget_s: float = _BUDGET_S) -> RunList:
        """The runs as they are now; reading new ones stops after ``budget_s`` seconds of CPU time."""
        spent, pending = 0.0, 0
        found: list[RunSummary] = []
        known: dict[str, tuple[_Signature, RunSummary]] = {}
        for run in RunStore(self.workspace / "runs"):
            before = self._known.get(run.id)
            finished = before is not None and before[1].status not in _AT_WORK
            signature = before[0] if before and finished and self._behind else _signature(run)
            if before and finished and before[0] == signature:
                known[run.id] = before
            elif spent < budget_s:
                begun = time.thread_time()
                new = summarise(run)
                # The value known already if nothing changed, so that comparing two lists is quick.
                same = before is not None and before[1] == new
                known[run.id] = (signature, before[1] if before and same else new)
                time.sleep(0)  # lets the screen draw between two runs
                spent += time.thread_time() - begun
            else:
                pending += 1
                if before is None:
                    found.append(_unread(run))
                    continue
                known[run.id] = before
            found.append(known[run.id][1])
        self._known, self._behind = known, pending > 0
        return RunList(tuple(self._with_days(about) for about in found), pending)

    def _with_days(self, about: RunSummary) -> RunSummary:
        """The days of a run in words as they are now: another run may have looked at them since."""
        if about.judged_days is None:
            return about
        return structs.replace(about, days=day_words(self.workspace / "runs", about.judged_days))


def list_runs(workspace: Path, limit: int = _MAX_RUNS) -> tuple[RunSummary, ...]:
    """A short list, newest first. A run whose files cannot be read says so in `RunSummary.trouble`."""
    runs = islice(RunStore(workspace / "runs"), limit)
    return tuple(summarise(run, with_settings=False) for run in runs)


def progress_text(about: RunSummary) -> str:
    """Where a run is, how long it took, or what went wrong."""
    return fmt.clean(about.trouble or about.progress) or fmt.duration(about.seconds)


def figure_words(figure: RankICSummary | None) -> str:
    """``+0.0205 ± 0.0042``, after ``~`` inside the null band, else after a space; a dash without any."""
    if figure is None:
        return f" {fmt.DASH}"
    noise = "~" if figure.is_noise else " "
    return f"{noise}{fmt.rank_ic(figure.rank_ic, figure.rank_ic_se)}"


def sharpe_words(sharpe: Sharpe | None, *, verdict: bool = True) -> str:
    """``+0.91 [+0.20, +1.62] undecided``, or without the verdict; a dash without a backtest."""
    if sharpe is None:
        return fmt.DASH
    interval = Interval(sharpe.value, sharpe.low, sharpe.high).text()
    return f"{interval} {fmt.clean(sharpe.verdict) if verdict else ''}".rstrip()


def _unread(run: Run) -> RunSummary:
    return RunSummary(
        id=run.id, command=run.command, status="", created=run.created.isoformat(), progress="…"
    )


def _signature(run: Run) -> _Signature:
    """Changes whenever a file is put into the directory, an event is written, or the lock is taken."""
    return tuple(map(stamp_of, (run.directory, run.events_path, run.directory / "lock")))
