"""What a strategy is, and how one is found by name."""

import importlib
from typing import Protocol, runtime_checkable

from engine.config import PortfolioConfig
from engine.data.panel import Panel
from engine.errors import UsageError
from engine.portfolio.prediction import Prediction
from engine.portfolio.weights import Weights


@runtime_checkable
class Strategy(Protocol):
    """From scores to weights. It may look at prices up to and including each decision's date only."""

    name: str

    def weights(self, prediction: Prediction, panel: Panel, config: PortfolioConfig) -> Weights: ...


def load_strategy(name: str) -> Strategy:
    """``STRATEGY`` of the module ``strategies.<name>``; nothing outside that package is ever loaded."""
    if not name.isidentifier():
        raise UsageError(f"{name!r} is no strategy name", hint="name a module of strategies/")
    module_name = f"strategies.{name}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise UsageError(
            f"there is no strategy {name!r}", hint=f"put it into strategies/{name}.py"
        ) from error
    strategy = getattr(module, "STRATEGY", None)
    if not isinstance(strategy, Strategy):
        raise UsageError(
            f"strategies/{name}.py defines no STRATEGY with a name and a weights method"
        )
    return strategy
