"""The strategies and models that exist, read without importing any: cheap enough for the screen's path."""

import importlib.util
from pathlib import Path

from engine.records.train import BLEND, NETWORK
from engine.workspace_code import own_summaries, summaries

_DEFINES = "STRATEGY"

BUILT_IN = {
    NETWORK: "the graph-attention network",
    "mlp": "the network with every block off",
    "lightgbm": "gradient-boosted trees",
    "ridge": "a line",
    BLEND: "the mean rank of the members in [blend]",
    "reversal_1": "minus the last return",
    "reversal_5": "minus the return of 5 sessions",
    "momentum_12_1": "the return of a year without its last month",
}
"""Name -> what it is; what a walk-forward can keep the scores of."""


def built_in_strategies() -> dict[str, str]:
    """Name -> first line of the docstring, of the modules of the package ``strategies``."""
    spec = importlib.util.find_spec("strategies")
    return summaries(map(Path, spec.submodule_search_locations or ()) if spec else (), _DEFINES)


def strategy_summaries(workspace: Path) -> dict[str, str]:
    """The built-in strategies, then those in ``strategies/`` of the workspace. A file that cannot be used
    says why in place of its docstring's first line.
    """
    built_in = built_in_strategies()
    return {**built_in, **own_summaries(workspace, "strategies", _DEFINES, built_in)}


def model_summaries(workspace: Path) -> dict[str, str]:
    """The built-in models, then those in ``models/`` of the workspace. A file that is of no use says why."""
    return {**BUILT_IN, **own_summaries(workspace, "models", "MODEL", {*BUILT_IN, "oracle"})}


def offered(command: str, parameter: str, workspace: Path) -> tuple[str, ...]:
    """What a form offers for a parameter whose values the workspace adds to; empty for any other."""
    if parameter == "strategy":
        return tuple(strategy_summaries(workspace))
    if (command, parameter) == ("walkforward", "model"):
        return tuple(model_summaries(workspace))
    return ()
