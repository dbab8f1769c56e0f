"""What a run says of itself beside its figures: manifest, settings, labels, and how often it was tried.

runs/<id>/manifest.json    made with the run, never changed
runs/<id>/labels.json      tags and a note, written by people
runs/<id>/trials.json      digest of the settings -> variant that was simulated
"""

import json
import math
from typing import Any

from msgspec import Struct, field

from engine.records.protocol import JudgedDays
from engine.records.rank_ic import RankICSummary
from engine.records.train import Rival, Strongest

MANIFEST, LABELS, TRIALS = "manifest.json", "labels.json", "trials.json"


class RunSettings(Struct, frozen=True):
    """What sets a configuration apart: the preset it is nearest to, and the keys that differ from it."""

    preset: str | None = None
    """None: nearest to the defaults."""
    changes: dict[str, object] = {}
    """Dotted key -> value; the configuration is preset + changes."""

    @property
    def written(self) -> tuple[tuple[str, str], ...]:
        """Key and value of each change, as one writes it after ``--set``."""
        return tuple((key, written(value)) for key, value in self.changes.items())

    @property
    def short(self) -> str:
        """``demo seed=2 hidden=32``: only the last part of each key."""
        words = [f"{key.rpartition('.')[2]}={value}" for key, value in self.written]
        return " ".join([self.preset, *words] if self.preset else words)


class RunManifest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a run comes from: command, time, versions; and what it is a part of."""

    id: str
    command: str
    created: str = ""
    """UTC, ISO 8601."""
    python: str = ""
    platform: str = ""
    packages: dict[str, str] = {}
    """Name -> version."""
    git_commit: str | None = None
    """Commit of the checkout that the code ran from; None for an installed package."""
    config_digest: str = ""
    settings: RunSettings | None = None
    """None in runs of versions that did not keep them: `engine.runs.settings` works them out."""
    world_size: int = 1
    """Processes that trained together (`torchrun`) when it began."""
    hashed: bool = False
    """Its files are listed with their hashes (`engine.hashes`); not in runs of versions before."""
    code: dict[str, str] = {}
    """Place and sha256 of each module of the workspace that its configuration names."""
    study: str | None = None
    """The search that a trial belongs to, or that the run is."""
    trial: int | None = None
    """Its number in the search."""
    parameters: dict[str, object] | None = None
    """Dotted key -> value that the search tries."""
    comparison: str | None = None
    """The comparison that a variant belongs to, or that the run is."""
    variant: str = ""
    seed: int = 0
    """Of a variant."""
    plan: dict[str, object] | None = None
    """How a variant is walked forward."""

    @property
    def part_of(self) -> tuple[tuple[str, str], ...]:
        """Name and value of the study, comparison ... that the run belongs to; empty for one by itself."""
        names = ("study", "trial", "parameters", "comparison", "plan")
        found = [(name, getattr(self, name)) for name in names]
        if self.variant:
            found += [("variant", self.variant), ("seed", self.seed)]
        return tuple((name, str(value)) for name, value in found if value is not None)


class Labels(Struct, frozen=True):
    """What people say about a run."""

    tags: tuple[str, ...] = ()
    """Sorted, each once."""
    note: str = ""
    """One line."""


class TriedVariant(Struct, frozen=True, kw_only=True):
    """A simulated variant of a run's scores, by its settings: one more look at the same days."""

    what: str = ""
    sharpe: float = math.nan
    """Net and annualised."""


class Sharpe(Struct, frozen=True, kw_only=True):
    """Net, annualised, of the run's last backtest: the head of ``backtest.json``."""

    value: float = field(name="sharpe", default=math.nan)
    low: float = field(name="sharpe_low", default=math.nan)
    high: float = field(name="sharpe_high", default=math.nan)
    deflated: float = field(name="sharpe_deflated", default=math.nan)
    """Probability that the true value beats the luck of so many trials."""
    trials: int = 0
    verdict: str = ""


class SplitFigures(Struct, frozen=True, kw_only=True):
    """How well the network ranks, on the days that choose and on those that judge."""

    validation: RankICSummary | None = None
    test: RankICSummary | None = None


class RunFigures(Struct, frozen=True, kw_only=True):
    """The few figures that ``train.json``, ``trial.json`` and a run's last event have in common."""

    best: RankICSummary | None = None
    """Figures of the validation days."""
    test: RankICSummary | None = None
    rank_ic: float = math.nan
    """RankIC of a trial, on the validation days of its folds."""
    rank_ic_se: float = math.nan
    n_dates: int = 0
    seconds: float = math.nan
    judged_days: JudgedDays | None = None
    baselines: dict[str, Rival] = {}
    against: Strongest | None = None
    """The paired difference to the simple model that ranks best on the test days."""


class RunSummary(Struct, frozen=True, kw_only=True):
    """One line about a run: what the table of the command line and the one of the screen both show."""

    id: str
    command: str
    status: str
    """Empty for one that was not read yet."""
    created: str
    """UTC, ISO 8601."""
    validation: RankICSummary | None = None
    test: RankICSummary | None = None
    judged_days: JudgedDays | None = None
    """Days that the figures rest on, by the spans of the protocol; None without one."""
    days: str = ""
    """These days in words, with how often they were looked at; empty without a protocol."""
    sharpe: Sharpe | None = None
    network: SplitFigures = SplitFigures()
    rivals: dict[str, Rival] = {}
    """The simple models on the same days, by name."""
    seconds: float = math.nan
    settings: RunSettings = RunSettings()
    labels: Labels = Labels()
    progress: str = ""
    """Where a run at work is, or why one failed, as the run told it and not cleaned."""
    trouble: str = ""
    """What could not be read."""

    @property
    def models(self) -> dict[str, SplitFigures | Rival]:
        """Figures of ``network`` and each simple model by name; empty before a training has ended."""
        return {"network": self.network, **self.rivals} if self.network.validation else {}


def written(value: Any) -> str:
    """A value of the configuration as it is written after ``--set KEY=``."""
    return value if isinstance(value, str) else json.dumps(value)
