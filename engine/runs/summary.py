"""One line about a run: what the table of the command line and the one of the screen both show."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import EngineError
from engine.files import read_json
from engine.records.judgement import SURE, is_noise
from engine.runs.events import Advanced, RunFinished, StepLogged
from engine.runs.labels import Labels, read_labels
from engine.runs.settings import Settings, settings_of
from engine.runs.store import Run

_UNREADABLE = (EngineError, OSError, ValueError, KeyError, TypeError, AttributeError)
"""What files that are damaged, or of another version, can raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A mean RankIC with its evidence; NaN where the run did not say."""

    rank_ic: float
    rank_ic_se: float
    null_band: float
    n_dates: int

    @property
    def noise(self) -> bool:
        """Inside the null band; where that is not known, 1.96 standard errors stand for it."""
        band = SURE * self.rank_ic_se if math.isnan(self.null_band) else self.null_band
        return is_noise(self.rank_ic, band)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharpe:
    """Net, annualised, of the run's last backtest."""

    value: float
    low: float
    high: float
    deflated: float
    """Probability that the true value beats the luck of so many trials."""
    trials: int
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    id: str
    command: str
    status: str
    created: str
    """UTC, ISO 8601."""
    validation: Figure | None = None
    test: Figure | None = None
    sharpe: Sharpe | None = None
    seconds: float = math.nan
    settings: Settings = field(default_factory=Settings)
    labels: Labels = field(default_factory=Labels)
    progress: str = ""
    """Of a run at work: where it is; of one that failed: why. As the run told it, not cleaned."""
    trouble: str = ""
    """What could not be read."""


def summarise(run: Run, *, with_settings: bool = True) -> RunSummary:
    """A run that cannot be read says so in `trouble`; nothing else is raised than bugs.

    Settings need the configuration's tables, whose import takes a quarter of a second.
    """
    created = run.created.isoformat()
    try:
        return _summarise(run, created, with_settings=with_settings)
    except _UNREADABLE as error:
        words = f"unreadable: {error}".replace(f"{run.directory}/", "")
        return RunSummary(
            id=run.id, command=run.command, status="failed", created=created, trouble=words
        )


def _summarise(run: Run, created: str, *, with_settings: bool) -> RunSummary:
    status, last = run.status(), run.last_event()
    told = last.summary if isinstance(last, RunFinished) else {}
    trained = _object(run, "train.json") or _object(run, "trial.json") or told
    progress = ""
    if isinstance(last, StepLogged):
        progress = f"epoch {last.epoch}, {last.sessions_per_second:.0f} days/s"
    elif isinstance(last, Advanced):
        progress = f"{last.stage} {last.done}/{last.total}"
    elif isinstance(last, RunFinished):
        progress = last.error
    return RunSummary(
        id=run.id,
        command=run.command,
        status=status,
        created=created,
        validation=figure(trained if "rank_ic" in trained else trained.get("best")),
        test=figure(trained.get("test")),
        sharpe=sharpe(_object(run, "backtest.json")),
        seconds=_seconds(run, trained, last),
        settings=settings_of(run, run.manifest) if with_settings else Settings(),
        labels=read_labels(run),
        progress=progress,
    )


def figure(values: Mapping[str, Any] | None) -> Figure | None:
    """From the figures that `train --json` prints; None where there are none."""
    if not values or values.get("rank_ic") is None:
        return None
    return Figure(
        rank_ic=float(values["rank_ic"]),
        rank_ic_se=number(values.get("rank_ic_se")),
        null_band=number(values.get("null_band")),
        n_dates=int(values.get("n_dates") or 0),
    )


def sharpe(values: Mapping[str, Any]) -> Sharpe | None:
    """From ``backtest.json``."""
    if not values:
        return None
    return Sharpe(
        value=number(values["sharpe"]),
        low=number(values["sharpe_low"]),
        high=number(values["sharpe_high"]),
        deflated=number(values.get("sharpe_deflated")),
        trials=int(values.get("trials") or 0),
        verdict=str(values.get("verdict", "")),
    )


def number(value: Any) -> float:
    """A number of a file; null, which stands for NaN, and what is missing are NaN."""
    return math.nan if value is None else float(value)


def _seconds(run: Run, trained: Mapping[str, Any], last: Any) -> float:
    """What the run measured; else from its creation to its end, NaN while it is at work."""
    if trained.get("seconds") is not None:
        return float(trained["seconds"])
    if not isinstance(last, RunFinished) or not last.at:
        return math.nan
    return (dt.datetime.fromisoformat(last.at) - run.created).total_seconds()


def _object(run: Run, name: str) -> dict[str, Any]:
    path = run.path(name)
    return read_json(path) if path.is_file() else {}
