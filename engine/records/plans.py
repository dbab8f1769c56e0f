"""The options of long work, kept in its run so that it can go on as it was begun."""

import re
from datetime import date

from msgspec import Struct

from engine.errors import UsageError
from engine.records.train import NETWORK

WALKFORWARD_PLAN, COMPARISON_PLAN, STUDY_PLAN = "walkforward.json", "request.json", "tune.json"
_SESSIONS = {"y": 252, "m": 21, "": 1}
DEFAULT_SIZES = "64,128,256"
_STUDY_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$")


class WalkforwardPlan(Struct, frozen=True, kw_only=True):
    """``walkforward.json``: which test blocks, and what is trained for each."""

    first_test: str | None = None
    last_test: str | None = None
    """ISO dates."""
    step: str = "1y"
    seeds: int = 1
    with_baselines: bool = True
    model: str = NETWORK
    """Whose scores the run keeps: the network's, or those of a simple model by name."""

    def check(self) -> tuple[date | None, date | None, int]:
        """First and last test day and the length of a block in sessions; UsageError if senseless."""
        if self.seeds < 1:
            raise UsageError(f"--seeds {self.seeds}: at least one network is needed")
        return iso_day(self.first_test), iso_day(self.last_test), _step_sessions(self.step)


class ComparisonPlan(Struct, frozen=True, kw_only=True):
    """``request.json`` of a comparison that trains its variants itself."""

    kind: str = ""
    seeds: int = 0
    sizes: str = DEFAULT_SIZES
    variants: str = ""
    walkforward: bool = False
    first_test: str | None = None
    last_test: str | None = None
    step: str = "1y"
    model: str = NETWORK
    """Whose scores are compared, as in a walk-forward."""
    confirm: bool = False
    """It may judge confirmation days."""

    def check(self) -> None:
        """UsageError where the options make no sense."""
        if self.model != NETWORK and not self.walkforward:
            raise UsageError(
                f"--model {self.model} needs --walkforward: a training is of a network"
            )
        if self.seeds < 1:
            raise UsageError("--seeds must be at least 1")
        if self.kind == "permutations" and self.seeds < 2:
            raise UsageError("--seeds: one permutation has no spread", hint="at least 2, better 5")

    def folds(self) -> WalkforwardPlan | None:
        """The walk-forward of one seed; None: train on the configured split."""
        if not self.walkforward:
            return None
        plan = WalkforwardPlan(
            first_test=self.first_test,
            last_test=self.last_test,
            step=self.step,
            with_baselines=False,
            model=self.model,
        )
        plan.check()
        return plan


class StudyPlan(Struct, frozen=True, kw_only=True):
    """``tune.json`` of a search."""

    study: str = ""
    trials: int = 0
    """How many trials are to end, those of earlier calls included."""
    jobs: int = 1
    confirm: bool = False
    """It may judge confirmation days."""

    def check(self) -> None:
        """UsageError where name or numbers make no sense."""
        if not _STUDY_NAME.match(self.study):
            raise UsageError(f"--study {self.study!r}: letters, digits, '.', '_' and '-' only")
        if self.trials < 1 or self.jobs < 1:
            raise UsageError("--trials and --jobs must be at least 1")


def _step_sessions(text: str) -> int:
    """Sessions of ``1y``, ``6m`` or a number of sessions; UsageError for anything else."""
    match = re.fullmatch(r"(\d+)([ym]?)", text)
    if not match or int(match[1]) == 0:
        raise UsageError(f"--step {text!r}: write 1y, 6m or a number of sessions")
    return int(match[1]) * _SESSIONS[match[2]]


def iso_day(text: str | None) -> date | None:
    """The date of ``YYYY-MM-DD``, None for None; UsageError for anything else."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a date", hint="write YYYY-MM-DD") from error
