"""The models that exist, read without importing any: cheap enough for the screen's path."""

from pathlib import Path

from engine.commands.strategies import strategy_summaries
from engine.records.train import BLEND, NETWORK
from engine.workspace_code import own_summaries

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
