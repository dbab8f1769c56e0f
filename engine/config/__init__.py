"""Every setting of the product: typed, frozen, closed, with its unit and its range.

`config.toml` at the top of the repository shows the same keys with the same values (held equal by a
test). Values are layered: these defaults, then `./config.toml`, then `WORKSPACE/config.toml`, then a
preset, then `--set`. See `engine.config.file`.
"""

from pydantic import model_validator

from engine.config.base import Block, ConfigTable, Horizon, Market
from engine.config.learning import (
    BUILT_IN_MEMBERS,
    DEFAULT_PHASES,
    BlendConfig,
    Choice,
    Dimension,
    DoctorConfig,
    LossConfig,
    ModelConfig,
    PhaseConfig,
    Policy,
    Range,
    TrainingConfig,
    TuneConfig,
)
from engine.config.market import (
    DataConfig,
    ExecutorConfig,
    FeatureConfig,
    GraphConfig,
    JQuantsConfig,
    LabelConfig,
    ProtocolConfig,
    QualityConfig,
    ReadingConfig,
    SplitConfig,
    SyntheticConfig,
    UniverseConfig,
    WorkspaceConfig,
    YahooConfig,
)
from engine.config.trading import (
    AlertConfig,
    AlertKind,
    BacktestConfig,
    ConstraintConfig,
    CostConfig,
    PortfolioConfig,
    ScheduleConfig,
    SignalConfig,
    Style,
)


class Config(ConfigTable):
    """All tables of config.toml. A value that does not fit another table's is refused here."""

    workspace: WorkspaceConfig = WorkspaceConfig()
    data: DataConfig = DataConfig()
    quality: QualityConfig = QualityConfig()
    universe: UniverseConfig = UniverseConfig()
    labels: LabelConfig = LabelConfig()
    features: FeatureConfig = FeatureConfig()
    graph: GraphConfig = GraphConfig()
    split: SplitConfig = SplitConfig()
    protocol: ProtocolConfig = ProtocolConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()
    executor: ExecutorConfig = ExecutorConfig()
    doctor: DoctorConfig = DoctorConfig()
    blend: BlendConfig = BlendConfig()
    tune: TuneConfig = TuneConfig()
    portfolio: PortfolioConfig = PortfolioConfig()
    constraints: ConstraintConfig = ConstraintConfig()
    costs: CostConfig = CostConfig()
    backtest: BacktestConfig = BacktestConfig()
    signals: SignalConfig = SignalConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    alerts: AlertConfig = AlertConfig()

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
        if not set(self.training.baseline_horizons) <= set(horizons):
            raise ValueError("training.baseline_horizons must be among labels.horizons")
        if self.constraints.neutral_beta and self.portfolio.long_only:
            raise ValueError("constraints.neutral_beta needs shorts, portfolio.long_only has none")
        if self.split.embargo_sessions < max(horizons) + 1:
            raise ValueError(
                f"split.embargo_sessions must be at least {max(horizons) + 1} "
                "(longest horizon + entry lag), or labels cross the split"
            )
        return self

    @property
    def uses_graph(self) -> bool:
        """Whether the network listens to a graph."""
        return self.graph.kind != "none" and "gat" in self.model.blocks

    @property
    def traded_horizons(self) -> tuple[int, ...]:
        """Horizons whose scores make the book, increasing."""
        portfolio = self.portfolio
        return (portfolio.horizon,) if portfolio.score == "horizon" else self.baseline_horizons

    @property
    def own_models(self) -> tuple[str, ...]:
        """Models of the workspace that are fitted: those of the blend, and `training.own_models`."""
        members = (name.removesuffix("-plain") for name in self.blend.members)
        named = dict.fromkeys([*self.training.own_models, *members])
        return tuple(name for name in named if name not in BUILT_IN_MEMBERS)

    @property
    def baseline_horizons(self) -> tuple[int, ...]:
        """Horizons that every fitted baseline has scores for, increasing."""
        more = self.training.baseline_horizons or (max(self.labels.horizons),)
        return tuple(sorted({self.training.score_horizon, self.portfolio.horizon, *more}))
