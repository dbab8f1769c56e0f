"""A stock's place in the newest graph, and what the stocks it listens to have done."""

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature

_graph = Family(name="graph", source="graph")
_REBUILD = 64
"""A graph is at most this old; its correlations reach back `graph.window` sessions further."""
_REACH = 252 + _REBUILD


def _figure(name: str, formula: str, unit: str) -> Feature:
    return _graph(f"graph_{name}", formula, unit, _REACH, lambda x: x.graph[name])


def _near(x: Context, values: Array) -> Array:
    assert x.neighbours is not None
    return x.neighbours(values)


def _return(x: Context, sessions: int) -> Array:
    return x.close / rolling.shift(x.close, sessions) - 1.0


def _neighbour_return(n: int) -> Feature:
    def compute(x: Context) -> Array:
        return _near(x, _return(x, n))

    return _graph(f"neighbour_return_{n}", f"their mean return_{n}", "fraction", _REACH, compute)


FEATURES: tuple[Feature, ...] = (
    _figure("listeners", "stocks that listen to this one", "stocks"),
    _figure("neighbours", "stocks it listens to", "stocks"),
    _figure("mean_abs_rho", "mean |rho| of those", "0..1"),
    _figure("same_sector_share", "share of them in its own sector", "0..1"),
    _figure("clustering", "share of pairs of them of which one listens to the other", "0..1"),
    _figure("kept_share", "share of them that the graph before had too", "0..1"),
    _graph("neighbour_return_1", "mean r of the stocks it listens to", "fraction", _REACH,
           lambda x: _near(x, _return(x, 1))),
    _neighbour_return(5), _neighbour_return(20),
    _graph("neighbour_relative_5", "their mean return_5 less its own", "fraction", _REACH,
           lambda x: _near(x, _return(x, 5)) - _return(x, 5)),
)  # fmt: skip
