"""What a running trial reports for pruning: a fold of its own events, the same live and after a kill."""

from dataclasses import dataclass, field

from engine.runs.events import EpochEvaluated, FoldStarted, RunEvent


@dataclass(frozen=True, slots=True)
class Report:
    step: int
    """fold x epochs of a fold + epoch: the same moment in every trial of a study."""
    value: float
    """Mean over the folds so far of the best validation RankIC in each."""


@dataclass(slots=True, kw_only=True)
class TrialProgress:
    epochs_per_fold: int
    """Largest number of epochs over all phases; a fold that ends early leaves steps out."""
    fold: int = 0
    best: dict[int, float] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def advance(self, event: RunEvent) -> Report | None:
        """The report that this event gives rise to; an epoch that was repeated after a kill gives none."""
        if isinstance(event, FoldStarted):
            self.fold = event.fold
        if not isinstance(event, EpochEvaluated):
            return None
        step = self.fold * self.epochs_per_fold + event.epoch
        if step in self.seen or event.rank_ic != event.rank_ic:
            return None
        self.seen.add(step)
        self.best[self.fold] = max(event.rank_ic, self.best.get(self.fold, event.rank_ic))
        return Report(step, sum(self.best.values()) / len(self.best))
