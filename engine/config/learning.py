"""The network and its training: blocks, losses, phases, what is done when it goes wrong, and the search."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from engine.config.base import Block, ConfigTable
from engine.records.figure import (
    COLLAPSED_RATIO,
    GRADIENT_HEALTHY,
    GRADIENT_LOW,
    GRAPH_SHARE,
)


class ModelConfig(ConfigTable):
    """The network: which blocks it has and how large they are."""

    hidden: int = Field(32, ge=8, le=1024, multiple_of=4)
    """Width of the network: channels of every stream."""
    blocks: tuple[Block, ...] = (
        "fan",
        "san",
        "selection",
        "temporal",
        "attention",
        "gat",
        "bypass",
    )
    """Blocks that exist; one left out is the identity in every phase."""
    fan_frequencies: int = Field(3, ge=1, le=32)
    """Dominant frequencies of each window that FAN removes and models apart."""
    san_slices: int = Field(4, ge=1, le=16)
    """Slices of each window whose own mean and deviation SAN removes."""
    attention_heads: int = Field(4, ge=1, le=16)
    """Heads of the attention over the window; a divisor of hidden."""
    gat_heads: tuple[int, ...] = Field((4, 2), min_length=1, max_length=3)
    """Attention heads of each GATv2 layer; their number is the number of layers, 1 to 3."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of activations that are set to zero in training; inputs and graph use half of it."""
    alpha_init: float = Field(0.5, gt=0, lt=1)
    """Share of the stream without the graph at the start of training; the graph has the rest."""
    graph_scale: float = Field(3.0, gt=0)
    """The weights of the graph's columns are drawn this much larger at the start."""
    student_t: bool = False
    """Also a Student-t head: scale and degrees of freedom around the score, for loss.student_t."""
    quantiles: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    """Levels of the monotone heads, increasing, with 0.5 (the score) among them."""

    @model_validator(mode="after")
    def _check(self) -> "ModelConfig":
        ordered = list(self.quantiles) == sorted(set(self.quantiles))
        if not ordered or 0.5 not in self.quantiles:
            raise ValueError("quantiles must increase and contain 0.5")
        if not all(0 < level < 1 for level in self.quantiles):
            raise ValueError("quantiles must lie between 0 and 1")
        if self.hidden % self.attention_heads or any(self.hidden % h for h in self.gat_heads):
            raise ValueError("hidden must be a multiple of attention_heads and of each gat_heads")
        return self


class LossConfig(ConfigTable):
    """What training makes small: the weights of its terms."""

    base: float = Field(1.0, ge=0)
    """Weight of the base loss on the day's standardised label."""
    base_kind: Literal["pinball", "huber"] = "pinball"
    """pinball: all quantiles; huber: the score alone, in deviations of the label."""
    rank_ic: float = Field(0.5, ge=0)
    """Weight of 1 - differentiable Spearman correlation."""
    cs_ic: float = Field(0.3, ge=0)
    """Weight of 1 - Pearson correlation."""
    sharpe: float = Field(0.1, ge=0)
    """Weight of the Sharpe ratio of the soft long-short portfolio over the days of a step."""
    listnet: float = Field(0.0, ge=0)
    """Weight of the top-one cross-entropy (ListNet); 0 = off."""
    student_t: float = Field(0.0, ge=0)
    """Weight of the Student-t likelihood; needs model.student_t. 0 = off."""
    attention_entropy: float = Field(0.0, ge=0)
    """Weight of the entropy of the graph's attention; larger = fewer neighbours are heard. 0 = off."""
    edge_penalty: float = Field(0.0, ge=0)
    """Weight of the attention that goes to weakly correlated neighbours. 0 = off."""
    gate_penalty: float = Field(0.0, ge=0)
    """Weight of (alpha - 1/2)^2 of the residual bypass. 0 = off."""
    horizon_weights: tuple[float, ...] = (0.1, 0.3, 0.3, 0.3)
    """One weight per horizon of `labels.horizons`; normalised to sum 1."""
    neutral_to: tuple[str, ...] = ("beta_60",)
    """Features whose linear relation to the day's label is taken out before it is learned. [] = none"""


class PhaseConfig(ConfigTable):
    """One phase of a training: what is on, and how fast it learns."""

    name: str
    """What the phase is called in logs, on the screen and in keys."""
    blocks: tuple[Block, ...]
    """Blocks that are on. They must be among `model.blocks`, otherwise they stay off."""
    frozen: tuple[Block, ...] = ()
    """Blocks that are on but get no update."""
    epochs: int = Field(6, ge=0, le=500)
    """How often the training days are gone through at most; 0 leaves the phase out."""
    learning_rate_scale: float = Field(1.0, gt=0, le=10)
    """The phase's learning rate as a multiple of `training.learning_rate`."""
    trained_scale: float = Field(1.0, gt=0, le=1)
    """Blocks and heads that an earlier phase trained learn at this multiple of the phase's rate."""
    patience: int = Field(5, ge=1)
    """Epochs without a better smoothed validation RankIC before the phase ends."""


_WINDOW: tuple[Block, ...] = ("fan", "san", "selection", "temporal", "attention")
_ALL: tuple[Block, ...] = (*_WINDOW, "gat", "bypass")
DEFAULT_PHASES = (
    PhaseConfig(name="baseline", blocks=(), epochs=6),
    PhaseConfig(name="adaptive-norm", blocks=_WINDOW, epochs=4, trained_scale=0.1),
    PhaseConfig(name="gat", blocks=_ALL, epochs=4, trained_scale=0.1),
    PhaseConfig(name="fine-tune", blocks=_ALL, epochs=2, learning_rate_scale=0.1),
)


_OwnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
"""A model of the workspace, by the name of its module."""
_Member = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(-plain)?$")]
"""A model of the blend, by its name in files and tables; mlp: the network with every block off."""
BUILT_IN_MEMBERS = ("network", "mlp", "lightgbm", "ridge")


class TrainingConfig(ConfigTable):
    """How the network is trained."""

    seed: int = Field(1, ge=0)
    """Seed of weights, dropout, the order of days, null bands and baselines."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """auto: CUDA where torch sees it, else the CPU."""
    mode: Literal["safe", "optimized"] = "safe"
    """safe: one thread, deterministic, float32; optimized: all threads, prefetch, bf16 in training steps."""
    learning_rate: float = Field(2e-3, gt=0, lt=1)
    """Peak of the one-cycle schedule of each phase."""
    gate_scale: float = Field(10.0, gt=0, le=100)
    """Gates learn at so many times the rate: one number has a long way to go, by its rate at most a step."""
    weight_decay: float = Field(1e-2, ge=0, lt=1)
    """Share by which AdamW shrinks weights, times the learning rate; biases and norms are left alone."""
    days_per_step: int = Field(4, ge=1, le=64)
    """Whole trading days in one optimiser step."""
    day_stride: int = Field(2, ge=1, le=20)
    """An epoch visits every so many-th training day, from a random offset; 1 = every day."""
    gradient_clip: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm where theirs is larger. L2 norm of all of them."""
    smoothing_epochs: int = Field(2, ge=1, le=10)
    """Validation RankIC is averaged over so many epochs before the best one is chosen."""
    averaging: Literal["none", "ema", "swa"] = "none"
    """Weights that are validated and kept: the newest, or their moving or plain average in a phase."""
    ema_decay: float = Field(0.98, gt=0, lt=1)
    """ema: share of the average that stays at every step; smaller in the first steps of a phase."""
    swa_start: float = Field(0.5, ge=0, lt=1)
    """swa: share of a phase's steps after which weights are averaged; before, the newest count."""
    warm_start: bool = False
    """Walk-forward: a fold's networks begin with the weights of the fold before, same seed."""
    refit: bool = False
    """Fit again on all labelled days before the test, as validation chose: test scores and models are its."""
    recency_half_life: int = Field(0, ge=0, le=5040)
    """Labels so many sessions older count half as much, for the network and its rivals; 0 = all alike."""
    permute_labels: bool = False
    """Label permutation test: training and validation days get other stocks' returns; never a model."""
    score_horizon: int = Field(5, ge=1)
    """Horizon whose RankIC selects epochs and phases; one of `labels.horizons`. Sessions."""
    baseline_horizons: tuple[int, ...] = ()
    """Ridge and LightGBM are fitted for the score and the traded horizon and these; () = the longest."""
    own_models: tuple[_OwnName, ...] = ()
    """Models of the workspace that are fitted beside ridge and LightGBM."""
    rivals_hear_neighbours: bool = False
    """Ridge, LightGBM and the perceptron also see each column's mean over a stock's graph neighbours."""
    log_every: int = Field(5, ge=1)
    """How many optimiser steps lie between two lines of the monitor."""
    checkpoint_steps: int = Field(50, ge=1)
    """How many optimiser steps lie between two checkpoints; one is also written after each epoch."""
    null_draws: int = Field(200, ge=20)
    """How often scores are shuffled to see which RankIC chance alone gives (the null band)."""
    phases: tuple[PhaseConfig, ...] = DEFAULT_PHASES
    """In order; each switches blocks on and is kept if it gains more than its error on the one before."""

    @model_validator(mode="after")
    def _check(self) -> "TrainingConfig":
        names = [phase.name for phase in self.phases]
        if not names or len(set(names)) != len(names):
            raise ValueError("phases need at least one entry and distinct names")
        return self


# ---- when something is wrong with a training -----------------------------------------------------

Policy = Literal["warn", "rollback", "stop"]
"""warn: say it and go on. rollback: back to the last healthy checkpoint, with a lower learning rate;
stop when `doctor.max_rollbacks` are used up. stop: end the run."""


class DoctorConfig(ConfigTable):
    """What a training does when something is wrong with it, and when that is so."""

    graph_starved: Policy = "warn"
    """The GAT gets no gradient, or scores do not change without edges: what happens."""
    gate_stuck: Policy = "warn"
    """The bypass gate is saturated, or does not move although it gets gradient: what happens."""
    scores_collapsed: Policy = "rollback"
    """All stocks of a day get nearly the same score in eval mode: what happens."""
    exploding: Policy = "rollback"
    """Gradients are far too large: what happens."""
    non_finite: Policy = "rollback"
    """Loss or gradient is NaN or infinite (warn = stop, as no step can be taken): what happens."""
    overfitting: Policy = "warn"
    """Training RankIC rises while validation RankIC falls: what happens."""
    gradient_low: float = Field(GRADIENT_LOW, gt=0)
    """GAT gradient norm below which it is starved. L2 norm before clipping."""
    gradient_healthy: float = Field(GRADIENT_HEALTHY, gt=0)
    """GAT gradient norm from which it is healthy. L2 norm before clipping."""
    gradient_high: float = Field(1e3, gt=0)
    """Norm of all gradients above which they explode. L2 norm before clipping."""
    graph_share: float = Field(GRAPH_SHARE, gt=0, lt=1)
    """Share of the score variance that goes without the graph's edges below which the graph is starved,
    unless RankIC goes with them too."""
    consecutive_checks: int = Field(3, ge=1)
    """Monitored steps in a row before graph_starved or exploding is said."""
    gate_margin: float = Field(0.02, gt=0, lt=0.5)
    """A gate whose alpha is nearer than this to 0 or 1 is saturated."""
    gate_checks: int = Field(5, ge=2)
    """Monitored steps that the movement of a gate is measured over."""
    gate_movement: float = Field(0.01, gt=0, lt=1)
    """Movement of alpha, as a share of what the learning rate allows, below which a gate is stuck."""
    min_score_std_ratio: float = Field(COLLAPSED_RATIO, gt=0, lt=1)
    """Eval-mode score deviation over label deviation below which scores count as collapsed."""
    gap_epochs: int = Field(3, ge=1)
    """Epochs in a row in which the gap between training and validation RankIC has to grow."""
    gap_errors: float = Field(1.0, ge=0)
    """Fall of the validation RankIC over them that counts. Standard errors."""
    max_rollbacks: int = Field(2, ge=0)
    """Rollbacks of one training; the finding after the last one ends it."""
    rollback_rate: float = Field(0.5, gt=0, le=1)
    """Factor on the learning rate at every rollback, for the rest of the training."""


# ---- the search: what may vary, on which days it is judged, when a trial is cut short ------------

_TUNABLE = ("model.", "loss.", "training.", "graph.")
"""What a search may vary. Data, universe, labels and split are the yardstick."""
_FIXED = (
    "training.seed",
    "training.device",
    "training.mode",
    "training.score_horizon",
    "training.smoothing_epochs",
    "training.refit",
    "training.null_draws",
    "training.log_every",
    "training.checkpoint_steps",
)
"""Keys of those tables that decide what is measured, or nothing at all."""


class Range(ConfigTable):
    """A number between two bounds, both included; whole numbers if both bounds are."""

    key: str
    low: int | float
    high: int | float
    log: bool = False
    """Draw the logarithm evenly."""

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"{self.key}: low must be below high")
        if self.log and self.low <= 0:
            raise ValueError(f"{self.key}: a logarithmic range needs low > 0")
        return self


class Choice(ConfigTable):
    """One of several values, of any kind that a key of the configuration takes."""

    key: str
    choices: tuple[int | float | str | tuple[int | float | str, ...], ...]

    @model_validator(mode="after")
    def _check(self) -> "Choice":
        if not self.choices or len(set(map(repr, self.choices))) != len(self.choices):
            raise ValueError(f"{self.key}: choices must be distinct, at least one")
        return self


Dimension = Range | Choice

_DEFAULT_SPACE: tuple[Dimension, ...] = (
    Choice(key="model.hidden", choices=(32, 64, 128)),
    Choice(key="model.attention_heads", choices=(2, 4)),
    Choice(key="model.gat_heads", choices=((4,), (4, 2), (4, 4, 2))),
    Range(key="model.dropout", low=0.1, high=0.5),
    Range(key="training.learning_rate", low=3e-4, high=5e-3, log=True),
    Range(key="training.phases.fine-tune.learning_rate_scale", low=0.05, high=1.0, log=True),
    Range(key="training.weight_decay", low=1e-3, high=0.1, log=True),
    Range(key="loss.rank_ic", low=0.0, high=1.0),
    Range(key="loss.cs_ic", low=0.0, high=1.0),
    Range(key="loss.sharpe", low=0.0, high=0.3),
)


class BlendConfig(ConfigTable):
    """The model that is a blend of several: `walkforward --model blend`."""

    members: tuple[_Member, ...] = ("network", "mlp", "lightgbm", "ridge")
    """Models whose ranks within the day are averaged, equal weights: these, or the workspace's own; -plain:
    learns the plain label."""

    @model_validator(mode="after")
    def _check(self) -> "BlendConfig":
        if len(set(self.members)) != len(self.members) or len(self.members) < 2:
            raise ValueError("members needs at least two distinct models")
        return self


class TuneConfig(ConfigTable):
    """The search itself: its folds, its pruner and its space."""

    folds: int = Field(3, ge=1, le=20)
    """Inner walk-forward folds, the newest days before the test days' embargo."""
    fold_sessions: int = Field(84, ge=20)
    """Validation sessions of one inner fold. Sessions."""
    startup_trials: int = Field(5, ge=1)
    """Random trials before the sampler learns from the others and before any is pruned."""
    pruner: Literal["median", "none"] = "median"
    """median: cut a trial whose RankIC so far is below the median of the others at the same epoch."""
    prune_from: float = Field(0.5, ge=0, le=1)
    """Share of the first fold's epochs before a trial may be cut: the graph enters late. Fraction."""
    space: tuple[Dimension, ...] = _DEFAULT_SPACE
    """Keys that vary, and where. `training.phases.NAME.KEY` is a key of the phase of that name."""

    @model_validator(mode="after")
    def _check(self) -> "TuneConfig":
        keys = [dimension.key for dimension in self.space]
        if not keys or len(set(keys)) != len(keys):
            raise ValueError("space needs at least one entry and distinct keys")
        for key in keys:
            if not key.startswith(_TUNABLE) or key in _FIXED:
                raise ValueError(
                    f"{key} cannot be tuned: trials would not be judged by the same measure"
                )
        return self
