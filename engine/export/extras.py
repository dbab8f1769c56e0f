"""Packages that only one target needs."""

import importlib
from typing import Any

from engine.errors import EnvironmentProblem


def load(module: str, extra: str) -> Any:
    """The module, or an EnvironmentProblem with the line that installs it.

    ``extra``: the extra of this program's package that brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        if missing.partition(".")[0] != module.partition(".")[0]:
            raise
        raise EnvironmentProblem(
            f"{missing} is not installed", hint=f'pip install "atft-tui[{extra}]"'
        ) from None
