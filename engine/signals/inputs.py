"""The trading rules and the identity of a signal's inputs (`engine.records.seal.SignalInputs`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.config import Config, ConstraintConfig, CostConfig, PortfolioConfig, SignalConfig
from engine.files import digest
from engine.records import record
from engine.records.orders import Positions
from engine.records.seal import SealKey

_TRADING = ("portfolio", "constraints", "costs", "signals")
"""Tables of the configuration that decide a signal besides those packed with the model."""
_CASH = "initial_cash"


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingRules:
    """Everything after the scores: how a book is made, what stands against an order, what it costs."""

    portfolio: PortfolioConfig
    limits: ConstraintConfig
    costs: CostConfig
    signals: SignalConfig
    initial_cash: float
    """Cash that an account without a file of positions starts from, quote currency."""


def trading_tables(config: Config) -> dict[str, object]:
    """The trading rules of a configuration as they stand in the inputs of a signal."""
    tables = {name: getattr(config, name).model_dump(mode="json") for name in _TRADING}
    return {**tables, _CASH: config.backtest.initial_cash}


def trading_config(packed: Config, config: Config) -> Config:
    """Everything up to the scores from the model's package, everything after them from the command."""
    tables = {name: getattr(config, name).model_dump() for name in (*_TRADING, "backtest")}
    return Config.model_validate({**packed.model_dump(), **tables})


def with_trading(config: Config, trading: Mapping[str, Any]) -> Config:
    """The model's configuration with the trading rules of a signal."""
    tables = {name: trading[name] for name in _TRADING}
    backtest = config.backtest.model_dump() | {_CASH: trading[_CASH]}
    return Config.model_validate({**config.model_dump(), **tables, "backtest": backtest})


def rules_of(config: Config) -> TradingRules:
    """The trading rules among all settings."""
    return TradingRules(
        portfolio=config.portfolio,
        limits=config.constraints,
        costs=config.costs,
        signals=config.signals,
        initial_cash=config.backtest.initial_cash,
    )


def same_inputs(key: SealKey, trading: Mapping[str, Any], positions: Positions | None) -> str:
    """Digest of what a caller decides: the key, the trading rules, the positions."""
    held = None if positions is None else record.as_json(positions)
    return digest([str(key), dict(trading), held])
