"""Every setting of the product: typed, frozen, closed, with its unit and its range.

`config.toml` at the top of the repository shows the same keys with the same values (held equal by a
test). Values are layered: these defaults, then `./config.toml`, then `WORKSPACE/config.toml`, then a
preset, then `--set`. See `engine.config_file`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.workspace import DEFAULT

Market = Literal["us", "jp", "synthetic"]
Block = Literal["fan", "san", "selection", "temporal", "attention", "gat", "bypass"]
"""Switchable parts of the network. Off = identity (or, for `temporal`, the last session alone)."""
Horizon = Annotated[int, Field(ge=1, le=60)]


class Table(BaseModel):
    """One table of config.toml. Unknown keys are refused; values never change after loading."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class WorkspaceConfig(Table):
    path: str = DEFAULT
    """Directory for data, features, runs and signals; relative to the current directory."""


class SyntheticConfig(Table):
    n_symbols: int = Field(240, ge=20, le=5000)
    """Stocks alive at the start."""
    n_sessions: int = Field(1250, ge=400, le=5000)
    """Trading sessions."""
    seed: int = Field(7, ge=0)
    """Of the generated market."""
    signal: float = Field(1.0, ge=0, le=5)
    """Strength of the planted own-history signal. 1 = as documented; 0 = none."""
    network_signal: float = Field(1.0, ge=0, le=5)
    """Strength of the lead-lag network. 1 = as documented; 0 = none."""


class DataConfig(Table):
    market: Market = "us"
    """Decides calendar, sessions per year and lots."""
    index_symbol: str = ""
    """Code in the price table that serves as market index; "" = the index table, else equal weight."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Our column name -> the file's column name, e.g. {symbol = "code"}. Common names are guessed."""
    synthetic: SyntheticConfig = SyntheticConfig()


class QualityConfig(Table):
    max_price: float = Field(1e5, gt=0)
    """Closes above this are absurd and dropped. Quote currency."""
    max_move: float = Field(0.5, gt=0, le=10)
    """One-session |return| beyond this that reverts at once is a bad print, dropped. Fraction."""
    split_tolerance: float = Field(0.02, gt=0, lt=0.2)
    """How near a price ratio must be to 2, 3, 4, 5, 10, 1/2 ... to be a suspected split. Fraction."""
    split_policy: Literal["adjust", "exclude", "keep"] = "adjust"
    """Suspected unadjusted splits: rescale the history before, drop the stock, or leave it."""
    frozen_sessions: int = Field(10, ge=3)
    """Identical closes in a row from which a stock counts as frozen. Sessions."""
    max_bad_share: float = Field(0.05, gt=0, lt=1)
    """Share of rows with an error-level finding above which the verdict is `refused`. Fraction."""


class UniverseConfig(Table):
    min_history: int = Field(252, ge=20)
    """Bars a stock must have up to and including the day. Sessions."""
    min_price: float = Field(5.0, ge=0)
    """Close floor. Quote currency."""
    min_turnover: float = Field(1e6, ge=0)
    """Floor of the median daily turnover. Quote currency a session."""
    turnover_sessions: int = Field(20, ge=1)
    """Length of that median. Sessions."""
    min_names: int = Field(30, ge=2)
    """Days with fewer members get no score. Stocks."""


class LabelConfig(Table):
    horizons: tuple[Horizon, ...] = (1, 5, 10, 20)
    """Holding periods of the forward returns. Sessions."""
    entry: Literal["close", "open"] = "close"
    """Price of session t+1 at which a decision of session t is filled."""
    delisting_haircut: float = Field(0.0, ge=0, le=1)
    """Taken off the last price when a stock stops trading inside the holding period. Fraction."""


class FeatureConfig(Table):
    families: tuple[str, ...] = (
        "price",
        "volatility",
        "volume",
        "technical",
        "cross_section",
        "sector",
        "market",
    )
    """Families of the catalog that are computed; see `engine.features.catalog`."""
    dtype: Literal["float16", "float32"] = "float16"
    """Storage type of the feature tensor on disk."""


class GraphConfig(Table):
    kind: Literal["correlation", "sector", "random", "none"] = "correlation"
    """Where edges come from; random and none are ablations."""
    window: int = Field(60, ge=20, le=504)
    """Returns per correlation. Sessions."""
    half_life: float = Field(30.0, gt=0)
    """Of the exponential weights. Sessions."""
    shrinkage: float = Field(0.05, ge=0, lt=1)
    """Off-diagonal correlations are multiplied by 1 - shrinkage."""
    threshold: float = Field(0.2, ge=0, lt=1)
    """Edges need |correlation| at least this."""
    k: int = Field(10, ge=1, le=64)
    """Strongest neighbours a stock listens to."""
    rebuild_sessions: int = Field(5, ge=1)
    """A new graph every so many sessions (5 = weekly)."""
    seed: int = Field(0, ge=0)
    """Of the random ablation graph."""


class SplitConfig(Table):
    window: int = Field(20, ge=5, le=252)
    """Look-back of one sample. Sessions."""
    train_sessions: int = Field(0, ge=0)
    """Newest training sessions kept; 0 = all (expanding)."""
    validation_sessions: int = Field(252, ge=20)
    """Between training and test; they choose epochs and phases. Sessions."""
    test_sessions: int = Field(252, ge=20)
    """The newest labelled days; they decide nothing. Sessions."""
    embargo_sessions: int = Field(21, ge=0)
    """Sessions dropped between two splits; at least the longest horizon + 1 (the entry lag)."""


class ModelConfig(Table):
    hidden: int = Field(32, ge=8, le=1024, multiple_of=4)
    """Channels of every stream."""
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
    gat_heads: tuple[int, int] = (4, 2)
    """Attention heads of the two GATv2 layers."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of activations set to zero in training; inputs and graph use half of it."""
    alpha_init: float = Field(0.5, gt=0, lt=1)
    """Start of the residual bypass: share of the projected stream; the graph's is 1 - alpha."""
    graph_scale: float = Field(3.0, gt=0)
    """Factor on the graph columns of the backbone projection at initialisation."""
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


class LossConfig(Table):
    base: float = Field(1.0, ge=0)
    """Weight of the pinball loss on the day's standardised label."""
    rank_ic: float = Field(0.5, ge=0)
    """Weight of 1 - differentiable Spearman correlation."""
    cs_ic: float = Field(0.3, ge=0)
    """Weight of 1 - Pearson correlation."""
    sharpe: float = Field(0.1, ge=0)
    """Weight of the Sharpe ratio of the soft long-short portfolio over the days of a step."""
    horizon_weights: tuple[float, ...] = (0.2, 0.4, 0.2, 0.2)
    """One weight per horizon of `labels.horizons`; normalised to sum 1."""


class PhaseConfig(Table):
    name: str
    blocks: tuple[Block, ...]
    """Blocks that are on. They must be among `model.blocks`, otherwise they stay off."""
    frozen: tuple[Block, ...] = ()
    """Blocks that are on but get no update."""
    epochs: int = Field(6, ge=0, le=500)
    learning_rate_scale: float = Field(1.0, gt=0, le=10)
    """Multiplies `training.learning_rate`."""
    patience: int = Field(5, ge=1)
    """Epochs without a better smoothed validation RankIC before the phase ends."""


_CORE: tuple[Block, ...] = ("selection", "temporal", "attention")
_NORM: tuple[Block, ...] = ("fan", "san")
_GRAPH: tuple[Block, ...] = ("gat", "bypass")
DEFAULT_PHASES = (
    PhaseConfig(name="baseline", blocks=_CORE, epochs=6),
    PhaseConfig(name="adaptive-norm", blocks=(*_NORM, *_CORE), epochs=6),
    PhaseConfig(name="gat", blocks=(*_NORM, *_CORE, *_GRAPH), epochs=8),
    PhaseConfig(
        name="fine-tune", blocks=(*_NORM, *_CORE, *_GRAPH), epochs=4, learning_rate_scale=0.25
    ),
)


class TrainingConfig(Table):
    seed: int = Field(1, ge=0)
    """Of weights, dropout, the order of days, null bands and baselines."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """auto: CUDA where torch sees it, else the CPU."""
    mode: Literal["safe", "optimized"] = "safe"
    """safe: one thread, deterministic, float32; optimized: all threads, prefetch, bf16 on CUDA."""
    learning_rate: float = Field(2e-3, gt=0, lt=1)
    """Peak of the one-cycle schedule of each phase."""
    weight_decay: float = Field(1e-2, ge=0, lt=1)
    """AdamW, decoupled; biases and norms have none."""
    days_per_step: int = Field(4, ge=1, le=64)
    """Whole trading days in one optimiser step."""
    day_stride: int = Field(2, ge=1, le=20)
    """Every how manieth training day an epoch visits, from a random offset; 1 = all."""
    gradient_clip: float = Field(1.0, gt=0)
    """L2 norm of all gradients."""
    smoothing_epochs: int = Field(2, ge=1, le=10)
    """Validation RankIC is averaged over so many epochs before the best one is chosen."""
    score_horizon: int = Field(5, ge=1)
    """Horizon whose RankIC selects epochs and phases; one of `labels.horizons`. Sessions."""
    log_every: int = Field(5, ge=1)
    """Optimiser steps between two monitor events."""
    checkpoint_steps: int = Field(50, ge=1)
    """Optimiser steps between two resumable checkpoints (one is also written per epoch)."""
    null_draws: int = Field(200, ge=20)
    """Shuffled score sets behind the null band of a RankIC."""
    phases: tuple[PhaseConfig, ...] = DEFAULT_PHASES
    """In order; each switches blocks on and is kept only if it beats the one before."""

    @model_validator(mode="after")
    def _check(self) -> "TrainingConfig":
        names = [phase.name for phase in self.phases]
        if not names or len(set(names)) != len(names):
            raise ValueError("phases need at least one entry and distinct names")
        return self


class MonitorConfig(Table):
    gradient_low: float = Field(1e-8, gt=0)
    """GAT gradient norm below which it is starved. L2 norm before clipping."""
    gradient_healthy: float = Field(1e-6, gt=0)
    """GAT gradient norm from which it is healthy. L2 norm before clipping."""
    min_score_std_ratio: float = Field(0.02, gt=0, lt=1)
    """Eval-mode score deviation over label deviation below which scores count as collapsed."""


class PortfolioConfig(Table):
    strategy: str = "long_short_quantile"
    """A module of `strategies/`."""
    horizon: int = Field(5, ge=1, le=60)
    """Score used and number of overlapping tranches. Sessions."""
    fraction: float = Field(0.1, gt=0, le=0.5)
    """Share of the universe in each leg."""
    gross: float = Field(2.0, gt=0, le=10)
    """Sum of absolute weights at full investment, as a fraction of equity (2 = 100 % each side)."""
    max_weight: float = Field(0.1, gt=0, le=1)
    """Cap of one name's absolute weight. Fraction of equity."""


class CostConfig(Table):
    commission_bps: float = Field(5.0, ge=0)
    """One way, of traded value. Basis points."""
    slippage_bps: float = Field(5.0, ge=0)
    """Half-spread and impact, one way, of traded value. Basis points."""
    borrow_bps_per_year: float = Field(50.0, ge=0)
    """On short value held overnight. Basis points a year."""
    delisting_haircut: float = Field(0.0, ge=0, le=1)
    """Taken off the last price of a held stock that stops trading. Fraction."""


class BacktestConfig(Table):
    initial_cash: float = Field(1e8, gt=0)
    """Quote currency."""
    sharpe_target: float = Field(0.849, gt=-10, lt=10)
    """Annualised net Sharpe ratio the verdict is given against."""
    bootstrap_draws: int = Field(2000, ge=200)
    """Resamples of the stationary block bootstrap."""
    confidence: float = Field(0.90, gt=0.5, lt=1)
    """Of every interval printed."""


class Config(Table):
    workspace: WorkspaceConfig = WorkspaceConfig()
    data: DataConfig = DataConfig()
    quality: QualityConfig = QualityConfig()
    universe: UniverseConfig = UniverseConfig()
    labels: LabelConfig = LabelConfig()
    features: FeatureConfig = FeatureConfig()
    graph: GraphConfig = GraphConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()
    monitor: MonitorConfig = MonitorConfig()
    portfolio: PortfolioConfig = PortfolioConfig()
    costs: CostConfig = CostConfig()
    backtest: BacktestConfig = BacktestConfig()

    @model_validator(mode="after")
    def _check(self) -> "Config":
        horizons = self.labels.horizons
        if list(horizons) != sorted(set(horizons)):
            raise ValueError("labels.horizons must increase")
        if len(self.loss.horizon_weights) != len(horizons) or not sum(self.loss.horizon_weights):
            raise ValueError("loss.horizon_weights needs one weight per labels.horizons, not all 0")
        if self.training.score_horizon not in horizons or self.portfolio.horizon not in horizons:
            raise ValueError(
                "training.score_horizon and portfolio.horizon must be in labels.horizons"
            )
        if self.split.embargo_sessions < max(horizons) + 1:
            raise ValueError(
                f"split.embargo_sessions must be at least {max(horizons) + 1} "
                "(longest horizon + entry lag), or labels cross the split"
            )
        return self

    @property
    def sessions_per_year(self) -> int:
        """252, or 245 for Japan: fixed once, printed beside every annualised figure."""
        return 245 if self.data.market == "jp" else 252
