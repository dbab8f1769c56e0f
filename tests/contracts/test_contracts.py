"""Promises between the parts: what is light stays light, and commands as data match their handlers."""

import importlib
import inspect
import subprocess
import sys

import pytest

from engine.commands import COMMANDS, Command
from engine.errors import EngineError

HEAVY = ("torch", "pandas", "vectorbt", "numba", "polars", "numpy", "sklearn", "lightgbm", "optuna")


def loaded_by(module: str) -> set[str]:
    code = f"import {module}, sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["atft_tui.app", "atft_tui.__main__", "engine.cli", "engine.runs.state", "engine.runs.launch"],
)
def test_the_screen_and_the_parser_load_no_numerics(module: str) -> None:
    loaded = loaded_by(module)
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("engine.stages.runs", {"numpy", "polars", "torch"}),
        ("engine.stages.sealed", {"polars", "torch"}),
        ("engine.stages.ledger", {"torch"}),
    ],
)
def test_a_command_that_only_reads_starts_without_what_it_rarely_needs(
    module: str, absent: set[str]
) -> None:
    """A module of `engine.stages` is one start: what joins it makes all of its commands wait."""
    assert not loaded_by(module) & absent


def test_help_does_not_load_the_numerics() -> None:
    code = (
        "import sys\nfrom engine.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', *(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["HEAVY"]
    for command in COMMANDS:
        assert command.name in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_fits_its_handler(command: Command) -> None:
    module, _, function = command.handler.partition(":")
    handler = getattr(importlib.import_module(module), function)
    parameters = inspect.signature(handler).parameters
    taken = set(parameters) - {"context"}
    assert taken == {parameter.name for parameter in command.parameters}
    for parameter in command.parameters:
        assert parameter.help
    assert handler.__doc__


def test_every_error_has_its_own_exit_code_of_the_contract() -> None:
    known = {2, 3, 4, 5, 6, 130}
    kinds = EngineError.__subclasses__()
    assert {kind.exit_code for kind in kinds} <= known
    assert len(kinds) >= 6
