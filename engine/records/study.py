"""A search for settings: ``tune/<study>/study.json``, and ``trial.json`` in the run of each trial."""

import math
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.records.figure import SURE, Figure
from engine.records.protocol import JudgedDays

TrialState = Literal["complete", "pruned", "failed"]
_STATES: tuple[TrialState, ...] = ("complete", "pruned", "failed")
TRIAL, PRUNED, STUDY = "trial.json", "pruned.json", "study.json"
"""``pruned.json`` is written by the search when it has seen enough of a trial, which then ends."""


class TrialFold(Struct, frozen=True, kw_only=True):
    """Validation figures of one inner fold."""

    fold: int
    first: str
    last: str
    """ISO dates of the first and the last validation day."""
    train_sessions: int
    rank_ic: float
    rank_ic_se: float
    n_dates: int


class Objective(Struct, frozen=True, kw_only=True):
    """What a search maximises."""

    value: float = math.nan
    """rank_ic - rank_ic_se: a lucky mean over few or restless days counts for less. NaN if pruned."""
    rank_ic: float = math.nan
    """Mean daily RankIC over the validation days of all folds."""
    rank_ic_se: float = math.nan
    """Newey-West standard error of that mean."""
    n_dates: int = 0


class TrialResult(Objective, frozen=True, kw_only=True):
    """One trial of a search, as its run leaves it."""

    run_id: str
    state: TrialState
    study: str | None = None
    judged_days: JudgedDays | None = None
    """The validation days by the spans of the protocol; None without one."""
    score_horizon: int = 0
    folds: tuple[TrialFold, ...] = ()
    parameters: int = 0
    """Weights of the network."""
    seconds: float = math.nan


class TrialRow(Struct, frozen=True, kw_only=True):
    """One trial in the table of its search. NaN and None where it did not come so far."""

    number: int
    run_id: str | None = None
    state: TrialState
    parameters: dict[str, object] = {}
    """Searched key -> value."""
    value: float = math.nan
    rank_ic: float = math.nan
    rank_ic_se: float = math.nan
    n_dates: int | None = None
    folds: tuple[TrialFold, ...] | None = None
    seconds: float = math.nan
    size: int | None = None
    """Weights of the network."""
    error: str = ""

    def measured(self, found: TrialResult) -> "TrialRow":
        """The row with the figures that the trial's run has left."""
        return replace(
            self,
            value=found.value,
            rank_ic=found.rank_ic,
            rank_ic_se=found.rank_ic_se,
            n_dates=found.n_dates,
            folds=found.folds,
            seconds=found.seconds,
            size=found.parameters,
        )

    @property
    def figure(self) -> Figure:
        """RankIC; a search draws no null band, so 1.96 standard errors stand for it."""
        return Figure(self.rank_ic, self.rank_ic_se, SURE * self.rank_ic_se, self.n_dates or 0)

    @property
    def is_noise(self) -> bool:
        """True unless RankIC lies outside 1.96 standard errors; an undefined one is noise."""
        return self.figure.role not in ("good", "bad")

    @property
    def settings(self) -> str:
        """``learning_rate=0.00123 hidden=128``: the searched keys without their tables."""
        shown = (
            f"{value:.3g}" if isinstance(value, float) else value
            for value in self.parameters.values()
        )
        keys = (key.rpartition(".")[2] for key in self.parameters)
        return " ".join(f"{key}={value}" for key, value in zip(keys, shown, strict=True))


class StudyResult(Struct, frozen=True, kw_only=True):
    """All trials of a search in the order they were begun."""

    study: str
    run_id: str = ""
    score_horizon: int = 0
    objective: str = "mean inner-fold validation RankIC - 1 standard error"
    best: TrialRow | None = None
    """The complete trial with the largest value."""
    judged_days: JudgedDays | None = None
    """The validation days by the spans of the protocol; None without one."""
    counts: dict[str, int] = {}
    """State -> trials."""
    importances: dict[str, float] = {}
    """Searched key -> share of the outcome that it explains, the largest first."""
    trials: tuple[TrialRow, ...]
    seconds: float = 0.0

    def course(self) -> list[tuple[int, float]]:
        """Number of each trial from the first complete one on, and the best value after it."""
        points: list[tuple[int, float]] = []
        best = -math.inf
        for trial in self.trials:
            if trial.state == "complete" and trial.value > best:
                best = trial.value
            if best > -math.inf:
                points.append((trial.number, best))
        return points


def counted(trials: tuple[TrialRow, ...]) -> dict[str, int]:
    """State -> how many of the trials ended so."""
    return {state: sum(trial.state == state for trial in trials) for state in _STATES}


def best_of(trials: tuple[TrialRow, ...]) -> TrialRow | None:
    """The complete trial with the largest value; None without one."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: trial.value, default=None)
