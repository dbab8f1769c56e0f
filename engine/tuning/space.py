"""The search space against a configuration: which values it takes, and a trial's values in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.config import Choice, Config, Dimension, Range
from engine.config.file import override
from engine.errors import ConfigError

_ORIGIN = "tune.space"


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The search space that a configuration takes."""

    dimensions: tuple[Dimension, ...]
    left_out: tuple[str, ...]
    """Values of the configured space that the configuration does not take, with its reason."""

    def to_json(self) -> list[dict[str, object]]:
        """The dimensions as they stand in config.toml."""
        return [dimension.model_dump(mode="json") for dimension in self.dimensions]


def usable(space: Sequence[Dimension], config: Config) -> Space:
    """The space without the values that the configuration refuses on their own.

    A range is kept or left out as a whole, judged by its bounds. Nothing left is a ConfigError.
    """
    kept: list[Dimension] = []
    left_out: list[str] = []
    for dimension in space:
        given = (
            dimension.choices if isinstance(dimension, Choice) else (dimension.low, dimension.high)
        )
        good = []
        for value in given:
            try:
                override(config, {dimension.key: value}, origin=_ORIGIN)
                good.append(value)
            except ConfigError as error:
                left_out.append(f"{dimension.key} = {_plain(value)}: {error.message}")
        if isinstance(dimension, Range) and len(good) == 2:
            kept.append(dimension)
        elif isinstance(dimension, Choice) and good:
            kept.append(dimension.model_copy(update={"choices": tuple(good)}))
    if not kept:
        raise ConfigError(
            "tune.space: the configuration takes none of its values; " + "; ".join(left_out)
        )
    return Space(dimensions=tuple(kept), left_out=tuple(left_out))


def applied(config: Config, parameters: Mapping[str, Any]) -> Config:
    """The configuration with a trial's values. A combination that does not fit is a ConfigError."""
    return override(config, parameters, origin="trial")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
