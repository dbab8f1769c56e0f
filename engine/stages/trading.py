"""A run's out-of-sample scores, ready to be traded; without vectorbt, which takes seconds to load."""

from engine.backtest.simulator import Simulator
from engine.config import Config
from engine.data.load import load_panel
from engine.errors import GateError
from engine.portfolio.prediction import Prediction
from engine.portfolio.strategy import load_strategy
from engine.records.quality import QualityReport
from engine.runs.events import StageStarted
from engine.runs.store import Run, require_file
from engine.stages.context import StageContext

_TRADING = ("portfolio", "constraints", "costs", "backtest")
"""Tables of the command's own configuration; the rest is the run's."""


def open_simulator(
    context: StageContext, found: Run, config: Config
) -> tuple[Prediction, Simulator, QualityReport]:
    """A run's out-of-sample scores on the workspace's panel, ready to be traded."""
    prediction = out_of_sample(found)
    context.sink.emit(StageStarted(stage="load"))
    panel, quality = load_panel(context.workspace, config)
    simulator = Simulator.for_prediction(
        prediction,
        panel=panel,
        strategy=load_strategy(config.portfolio.strategy, context.workspace),
        config=config,
        workspace=context.workspace,
    )
    return prediction, simulator, quality


def out_of_sample(run: Run) -> Prediction:
    """The out-of-sample scores of a run; anything else is never simulated."""
    path = require_file(run.path("predictions.parquet"), "run `atft-tui train` or `predict` first")
    prediction = Prediction.read(path).only("test")
    if prediction.frame.is_empty():
        raise GateError(
            f"{run.id}: no out-of-sample scores (split test) to test",
            hint="in-sample scores are never backtested; predict later days",
        )
    return prediction


def trading_configuration(context: StageContext, run: Run, strategy: str | None) -> Config:
    """The run's configuration with the trading tables of the command's."""
    updates = {name: getattr(context.config, name).model_dump() for name in _TRADING}
    if strategy is not None:
        updates["portfolio"]["strategy"] = strategy
    return Config.model_validate({**run.config().model_dump(), **updates})
