"""What a filled-in form means on the command line: the same words, so the screen can do no more."""

import shlex
from collections.abc import Mapping, Sequence

from engine.commands import Command, Parameter


def command_words(
    command: Command,
    values: Mapping[str, str | bool],
    *,
    preset: str | None = None,
    overrides: Sequence[str] = (),
) -> list[str]:
    """``atft-tui`` + these words do what the form says. Empty values are left out."""
    more: list[str] = []
    if command.configurable:
        if preset:
            more += ["--preset", preset]
        for override in overrides:
            more += ["--set", override]
    return [command.name, *_ordered(*_parts(command, values), more)]


def own_words(command: Command, values: Mapping[str, str | bool]) -> list[str]:
    """Words of the command's own parameters."""
    return _ordered(*_parts(command, values), [])


def _parts(command: Command, values: Mapping[str, str | bool]) -> tuple[list[str], list[str]]:
    """Arguments and options."""
    arguments: list[str] = []
    options: list[str] = []
    for parameter in command.parameters:
        value = values.get(parameter.name, "")
        if parameter.kind == "argument":
            arguments += _several(parameter, value)
        elif parameter.kind == "flag":
            options += [_flag(parameter)] if value is True else []
        else:
            for word in _several(parameter, value):
                options += [_flag(parameter), word]
    return arguments, options


def _ordered(arguments: list[str], options: list[str], more: list[str]) -> list[str]:
    """Arguments first, as a person would type them; one that looks like an option stands after ``--``."""
    if any(word.startswith("-") for word in arguments):
        return [*options, *more, "--", *arguments]
    return [*arguments, *options, *more]


def missing(command: Command, values: Mapping[str, str | bool]) -> list[str]:
    """Names of required parameters without a value."""
    return [
        parameter.name
        for parameter in command.parameters
        if parameter.required and not values.get(parameter.name)
    ]


def split(text: str) -> list[str]:
    """Words of a line as a shell would take them; an open quote takes the line as it stands."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _several(parameter: Parameter, value: str | bool) -> list[str]:
    text = str(value).strip() if value is not False else ""
    if not text or (text == str(parameter.default or "") and parameter.kind == "option"):
        return []
    return split(text) if parameter.multiple else [text]


def _flag(parameter: Parameter) -> str:
    return f"--{parameter.name.replace('_', '-')}"
