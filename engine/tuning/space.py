"""What a search or a comparison tries: the search space, named variants, and what a search maximises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from engine.config import Block, Choice, Config, Dimension, GraphConfig, Range
from engine.config.file import override
from engine.errors import ConfigError, UsageError
from engine.evaluation.inference import Series, mean_figure
from engine.records.study import Objective

JUDGED_BY = ("universe", "labels", "features", "graph", "split", "model", "loss", "training")
"""Tables of the configuration that the figures of a trial or a variant depend on, besides the data."""
_ORIGIN = "tune.space"
_GRAPH_BLOCKS = ("gat", "bypass")
_KINDS: tuple[str, ...] = get_args(GraphConfig.model_fields["kind"].annotation)
_BLOCKS: tuple[str, ...] = get_args(Block)
_REFERENCE = "full"


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
                left_out.append(f"{dimension.key} = {_plainly(value)}: {error.message}")
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


def _plainly(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def objective(daily: Sequence[Series], *, horizon: int) -> Objective:
    """Mean of the daily RankIC of the inner folds less one standard error.

    ``daily``: one series ``[D]`` a fold, in order of time; NaN = undefined, left out. The folds' blocks
    follow one another without a gap, so the error is that of one series, with lag = ``horizon`` sessions
    (labels overlap). NaN below 3 defined days.
    """
    mean = mean_figure(np.concatenate(daily), lag=horizon)
    return Objective(
        value=mean.value - mean.se, rank_ic=mean.value, rank_ic_se=mean.se, n_dates=mean.n_dates
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One change of a configuration, by name."""

    name: str
    changes: dict[str, object] = field(default_factory=dict)
    """Dotted key -> value."""


PERMUTED = Variant(name="permuted", changes={"training.permute_labels": True})
"""The label permutation test; the seed of a run is that of its permutation too."""


def ablations(config: Config) -> list[Variant]:
    """The configuration itself and what it is without each of its parts.

    Only parts that it uses: another kind of graph for its own, each block that a phase switches on left
    out, the graph columns of the projection at their plain scale, and the network of heads alone. A
    block that is absent from `model.blocks` is the identity in every phase.
    """
    on = {block for phase in config.training.phases if phase.epochs for block in phase.blocks}
    blocks = tuple(block for block in config.model.blocks if block in on)
    found = [Variant(name=_REFERENCE)]
    if "gat" in blocks and config.graph.kind != "none":
        plain = tuple(block for block in config.model.blocks if block not in _GRAPH_BLOCKS)
        found.append(
            Variant(name="graph none", changes={"graph.kind": "none", "model.blocks": plain})
        )
        others = [kind for kind in _KINDS if kind not in ("none", config.graph.kind)]
        found += [Variant(name=f"graph {kind}", changes={"graph.kind": kind}) for kind in others]
    for block in _BLOCKS:
        if block in blocks and block != "gat":
            rest = tuple(other for other in config.model.blocks if other != block)
            found.append(Variant(name=f"without {block}", changes={"model.blocks": rest}))
    if {"gat", "bypass"} <= set(blocks) and config.model.graph_scale != 1.0:
        found.append(Variant(name="graph scale 1", changes={"model.graph_scale": 1.0}))
    if blocks and not set(blocks) <= set(_GRAPH_BLOCKS):  # else "graph none" is the same
        found.append(
            Variant(name="heads alone", changes={"graph.kind": "none", "model.blocks": ()})
        )
    return found


def sizes(widths: Sequence[int]) -> list[Variant]:
    """One variant per width of the network; the first is what the others are compared with."""
    if len(widths) < 2 or len(set(widths)) != len(widths):
        raise UsageError("--sizes needs at least two different widths, e.g. 64,128,256")
    return [Variant(name=f"hidden {width}", changes={"model.hidden": width}) for width in widths]


def chosen(variants: Sequence[Variant], names: Sequence[str]) -> list[Variant]:
    """The first variant, the reference, and those that are named."""
    known = {variant.name: variant for variant in variants}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"--variants: there is no {', '.join(map(repr, unknown))}",
            hint=f"known: {', '.join(list(known)[1:])}",
        )
    return [v for v in variants if v is variants[0] or v.name in names]
