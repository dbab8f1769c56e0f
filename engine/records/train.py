"""``train.json``: what a training or a walk-forward found, and on what data."""

import math
from pathlib import Path
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from engine.errors import IntegrityError
from engine.records import record
from engine.records.protocol import JudgedDays, SpanName
from engine.records.rank_ic import (
    GraphWorth,
    MeanFigure,
    PairedDifference,
    RankICSummary,
    Worth,
    YearFigure,
)

TRAIN = "train.json"
NETWORK = "network"
BLEND = "blend"
"""Name of our own network where a run may also keep the scores of a simple model."""
CriterionVerdict = Literal["met", "not met", "not shown"]


class PhaseResult(Struct, frozen=True, kw_only=True):
    """Outcome of a finished phase. RankIC figures are those of its best validation epoch."""

    name: str
    epochs: int
    best_epoch: int
    rank_ic: float = math.nan
    rank_ic_se: float = math.nan
    null_band: float = math.nan
    ic: float = math.nan
    icir: float = math.nan
    smoothed: float = math.nan
    """Mean RankIC of the last `training.smoothing_epochs` validations; what epochs are compared by."""
    gain: float = math.nan
    """Mean difference of the daily RankIC to the phase kept before, on the same validation days."""
    gain_se: float = math.nan
    """Its paired standard error, Newey-West; a phase is kept if it gains more. NaN for the first phase."""
    kept: bool = False
    blocks: tuple[str, ...] = ()
    """Blocks that were on."""
    rate_scale: float = 1.0
    """Factor on the learning rate at the best epoch; below 1 after a rollback."""


class DataFacts(Struct, frozen=True, kw_only=True):
    """The data behind a training."""

    source: str = ""
    market: str = ""
    fingerprint: str = ""
    """Fingerprint of the cleaned panel."""
    last_session: str = ""
    """ISO date of the newest session; empty in files of early versions."""
    quality: str = ""
    """Verdict of the quality check: ok, degraded or refused."""
    notes: tuple[str, ...] = ()


class Span(Struct, frozen=True, kw_only=True):
    """Consecutive sessions: ISO dates of the ends, and how many there are."""

    first: str = ""
    last: str = ""
    sessions: int = 0


class Spans(Struct, frozen=True, kw_only=True):
    """The days that a network learned from, was chosen on, and is judged by."""

    train: Span = Span()
    validation: Span = Span()
    test: Span = Span()
    embargo_sessions: int = 0
    trained_to: str = ""
    """Last session whose label the models that score the test days learned from, ISO date: of
    ``validation`` after a refit, else of ``train``. Empty in files of early versions."""

    @property
    def refitted(self) -> bool:
        """Whether they learned from the validation days too, in a second fit that chose nothing."""
        return self.trained_to > self.train.last


class Criterion(Struct, frozen=True, kw_only=True):
    """One of the five criteria that a training is judged by."""

    name: str
    goal: str
    """What has to be met, in words, with the threshold."""
    value: float = math.nan
    se: float = math.nan
    """Standard error of the value; NaN where it has none."""
    null_band: float = math.nan
    """Half-width of the 95 % band of shuffled scores; NaN where there is none."""
    threshold: float = math.nan
    verdict: CriterionVerdict
    evidence: str = ""

    @property
    def value_text(self) -> str:
        """``0.0205 ± 0.0042``; a gradient, which runs of before were judged by, as ``1.2e-05``."""
        form = ".1e" if self.name == "gat_gradient" else ".4f"
        value = "—" if math.isnan(self.value) else format(self.value, form)
        return value if math.isnan(self.se) else f"{value} ± {self.se:{form}}"


class SeriesRange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a monitored series began and ended, and its extremes; NaN where no step knew it."""

    first: float = math.nan
    last: float = math.nan
    min: float = math.nan
    median: float = math.nan
    max: float = math.nan
    steps: int


class Diagnosis(Struct, frozen=True, kw_only=True):
    """A finding of the training's doctor: what, what was done, and what helps."""

    code: str
    severity: Literal["warning", "critical"] = "warning"
    message: str = ""
    evidence: float = math.nan
    """The figure that it was made by."""
    threshold: float = math.nan
    """What the figure was held against."""
    remedy: str = ""
    patch: dict[str, object] = {}
    """Dotted key of config.toml -> value to try."""
    action: str = ""
    """warned, rolled back or stopped."""
    step: int = 0
    epoch: int = 0


class MonitorFigures(Struct, frozen=True, kw_only=True):
    """What the monitors of a training showed, per block of the network and per gate."""

    gradient: dict[str, SeriesRange] = {}
    """L2 norm of each block's gradient before clipping."""
    alpha: dict[str, SeriesRange] = {}
    """Shares of the gates, 0..1."""
    score_std_ratio: SeriesRange = SeriesRange(steps=0)
    """Deviation of eval-mode scores over that of the label."""
    diagnoses: tuple[Diagnosis, ...] = ()


class Anatomy(Struct, frozen=True, kw_only=True):
    """What a score is made of: how long it lasts, how it ages, in which years it was right."""

    horizon: int
    decay: dict[str, MeanFigure] = {}
    """Horizon in sessions -> RankIC against the returns of that horizon."""
    lags: dict[str, MeanFigure] = {}
    """Sessions that the score has aged when its return begins -> RankIC; 0 is what is traded."""
    skip_ratio: float = math.nan
    """RankIC one session later over the traded one; far below 1 it lives off its first session."""
    years: tuple[YearFigure, ...] = ()


class RivalHorizon(Struct, frozen=True, kw_only=True):
    """A simple model at one horizon on the test days."""

    test: RankICSummary
    test_difference: PairedDifference
    """RankIC of the run less that of the simple model on the same days."""


class Rival(Struct, frozen=True, kw_only=True):
    """A simple model on the same days: what the network has to beat. Figures of the score horizon."""

    test: RankICSummary
    test_difference: PairedDifference | None = None
    validation: RankICSummary | None = None
    """None in a walk-forward, which has no validation scores of its own."""
    horizons: dict[str, RivalHorizon] = {}


class FoldResult(RankICSummary, frozen=True, kw_only=True):
    """Test figures of one fold of a walk-forward."""

    fold: int


class SpanResult(RankICSummary, frozen=True, kw_only=True):
    """Test figures of the days of one span of the protocol."""

    span: SpanName
    horizons: dict[str, RankICSummary]
    """Horizon in sessions -> figures."""
    baselines: dict[str, Rival]


class TrainResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One training or walk-forward. What a run has not come to is None, empty or NaN."""

    run_id: str = ""
    status: str = ""
    """done or stopped."""
    model: str = NETWORK
    """Whose scores these are: the network's or those of a simple model, by name."""
    device: str = ""
    mode: str = ""
    score_horizon: int = 0
    """Sessions of the label that the run is judged by."""
    permuted_labels: bool | None = None
    """True for a test of the method, whose network never becomes a model."""
    parameters: dict[str, int] = {}
    """Weights of each block of the network."""
    phases: tuple[PhaseResult, ...] = ()
    folds: tuple[FoldResult, ...] = ()
    """The folds of a walk-forward; a training has none."""
    judged_days: JudgedDays | None = None
    """The test days by the spans of the protocol; None without one."""
    spans: tuple[SpanResult, ...] = ()
    """Figures of each span alone, where the test days are of more than one."""
    seconds: float = math.nan
    peak_memory_mib: float = math.nan
    data: DataFacts = DataFacts()
    features_fingerprint: str = ""
    graph_fingerprint: str | UnsetType | None = UNSET
    """None: the network was given no graph."""
    n_features: int = 0
    splits: Spans = Spans()
    scoreboard: tuple[Criterion, ...] = ()
    monitors: MonitorFigures | None = None
    best: RankICSummary | None = None
    """Figures of the validation days, with the weights that were kept."""
    test: RankICSummary | None = None
    """Figures of the test days, which chose nothing."""
    horizons: dict[str, dict[str, RankICSummary]] = {}
    """Split -> horizon in sessions -> figures."""
    anatomy: Anatomy | None = None
    baselines: dict[str, Rival] = {}
    score_std_ratio: float = math.nan
    kept_blocks: tuple[str, ...] | None = None
    """Blocks of the network that validation kept, maybe none; None before a training has ended."""
    steps: int = 0
    gradient: dict[str, float] | None = None
    """Newest monitored gradient norm of each block."""
    alpha: dict[str, float] | None = None
    """Newest monitored share of each gate, 0..1."""
    sessions_per_second: float = math.nan
    graph_worth: GraphWorth | None = None
    """What passes through the graph's edges on validation days; None for a network without a graph."""
    blocks_worth: dict[str, Worth] | None = None
    """Block that was kept -> what goes with it there; ``window`` is all in front of the graph together.
    None before a training has ended."""

    def strongest(self) -> "Strongest | None":
        """The simple model that ranks best on the test days; None without one. The oracle is none."""
        rivals = {
            name: rival
            for name, rival in self.baselines.items()
            if name not in ("oracle", BLEND)
            and rival.test_difference
            and math.isfinite(rival.test.rank_ic)
        }
        if not rivals:
            return None
        name = max(rivals, key=lambda rival: rivals[rival].test.rank_ic)
        gap = rivals[name].test_difference
        assert gap is not None
        return Strongest(
            name=name,
            rank_ic=rivals[name].test.rank_ic,
            verdict="above" if gap.low > 0 else "below" if gap.high < 0 else "undecided",
            **{field: getattr(gap, field) for field in PairedDifference.__struct_fields__},
        )


class Strongest(PairedDifference, frozen=True, kw_only=True):
    """The run's RankIC less that of the strongest simple model on the test days."""

    name: str
    rank_ic: float
    """RankIC of the simple model."""
    verdict: Literal["above", "below", "undecided"]
    """Where the interval lies as a whole against 0."""


class Headline(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The few figures of a training that a list of runs shows; they stand in its last event."""

    best: RankICSummary | None = None
    test: RankICSummary | None = None
    score_std_ratio: float = math.nan
    seconds: float = math.nan
    score_horizon: int = 0
    against: Strongest | None = None


class FeatureIC(Struct, frozen=True, kw_only=True):
    """RankIC of one input alone against the label, on training days."""

    rank_ic: float = math.nan
    rank_ic_se: float = math.nan
    n_dates: int = 0


class FeatureICs(Struct, frozen=True, kw_only=True):
    """``feature_ic.json`` of a run: what each of its inputs is worth alone."""

    horizon: int = 0
    """Sessions of the label."""
    first: str = ""
    last: str = ""
    """ISO dates of the first and the last day looked at."""
    stride: int = 1
    """Training days from one that was looked at to the next."""
    fingerprint: str
    """Fingerprint of the feature set."""
    features: dict[str, FeatureIC]


def read_train(run: Path) -> TrainResult:
    """``train.json`` of a run's directory. IntegrityError where it is missing or cannot be read."""
    path = run / TRAIN
    if not path.is_file():
        raise IntegrityError(f"{run.name}: no {TRAIN}", hint="train it to its end first")
    return record.read(path, TrainResult)
