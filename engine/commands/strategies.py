"""The strategies that exist, read without importing any: cheap enough for the screen's path."""

import importlib.util
from pathlib import Path

from engine.workspace_code import own_summaries, summaries

_DEFINES = "STRATEGY"


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
