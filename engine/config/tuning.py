"""The hyper-parameter search: what may vary, on which days it is judged, when a trial is cut short."""

from typing import Literal

from pydantic import Field, model_validator

from engine.config.base import ConfigTable

_TUNABLE = ("model.", "loss.", "training.", "graph.")
"""What a search may vary. Data, universe, labels and split are the yardstick."""
_FIXED = (
    "training.seed",
    "training.device",
    "training.mode",
    "training.score_horizon",
    "training.smoothing_epochs",
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
