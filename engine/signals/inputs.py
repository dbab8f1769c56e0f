"""Everything that decides a signal, written down: from these inputs alone it can be made again.

What is large (windows of features, edges, bars) is named by its pin, what is small stands here. No clock,
no run, no path.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from engine.config import Config
from engine.files import digest, strict
from engine.signals.orders import Rules
from engine.signals.positions import Positions

TRADING = ("portfolio", "constraints", "costs", "signals")
"""Tables of the configuration that decide a signal besides those packed with the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a signal is of. Two signals of one key are the same signal."""

    exchange: str
    session: str
    model: str
    data: str
    """Digest of everything that was known at the session's close."""

    def __str__(self) -> str:
        return f"{self.exchange}:{self.session}:{self.model}:{self.data}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredDay:
    """A pinned session of scores."""

    date: str
    data: str
    """Data part of the key that this session's signal has."""
    pin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalInputs:
    key: Key
    decided: bool
    """The session is one on which the book is decided."""
    trading: Mapping[str, Any]
    """Tables `TRADING` of the configuration, and the cash that an account without positions starts from."""
    positions: Mapping[str, Any] | None
    """``shares`` and ``cash`` as given; None: those of an account that followed the book."""
    window: tuple[tuple[str, str], ...]
    """Date and pin of each session that the networks see, oldest first."""
    edges: str | None
    history: tuple[ScoredDay, ...]
    """Scores of the decisions before this session."""
    bars: tuple[tuple[str, str], ...]
    """Date and pin of each session whose prices the book may look at, oldest first."""
    index: str | None
    securities: str
    evidence: Mapping[str, Any]
    """What the card looks at besides the scores and the orders."""

    @property
    def same(self) -> str:
        """Digest of what a caller decides: the key, the trading rules, the positions."""
        return digest([str(self.key), self.trading, self.positions])

    def rules(self, config: Config) -> tuple[Rules, float]:
        """The trading rules, and the starting cash; ``config``: the model's."""
        whole = Config.model_validate({**config.model_dump(), **_tables(self.trading)})
        rules = Rules(
            portfolio=whole.portfolio,
            limits=whole.constraints,
            costs=whole.costs,
            signals=whole.signals,
        )
        return rules, float(self.trading["initial_cash"])

    def held(self) -> Positions | None:
        if self.positions is None:
            return None
        return Positions(shares=self.positions["shares"], cash=self.positions["cash"])

    def pins(self) -> list[str]:
        """Every pin that the signal rests on."""
        named = [pin for _, pin in (*self.window, *self.bars)]
        named += [day.pin for day in self.history] + [self.securities]
        return sorted({*named, *(pin for pin in (self.edges, self.index) if pin)})

    def to_bytes(self) -> bytes:
        value = {**asdict(self), "evidence": strict(self.evidence)}
        return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        value = json.loads(content)
        return cls(
            **{
                **value,
                "key": Key(**value["key"]),
                "window": tuple((date, pin) for date, pin in value["window"]),
                "bars": tuple((date, pin) for date, pin in value["bars"]),
                "history": tuple(ScoredDay(**day) for day in value["history"]),
            }
        )


def trading_tables(config: Config) -> dict[str, Any]:
    tables = {name: getattr(config, name).model_dump(mode="json") for name in TRADING}
    return {**tables, "initial_cash": config.backtest.initial_cash}


def _tables(trading: Mapping[str, Any]) -> dict[str, Any]:
    return {name: trading[name] for name in TRADING}
