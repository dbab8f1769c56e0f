"""The words of a command line that the values of a form make, and what is wrong with them."""

import shlex
from collections.abc import Mapping, Sequence

from atft_tui.screens.form_fields import DATES
from engine.commands import Command, Parameter
from engine.errors import UsageError
from engine.records.plans import iso_day


def command_words(
    command: Command,
    values: Mapping[str, str | bool],
    *,
    preset: str | None = None,
    overrides: Sequence[str] = (),
) -> list[str]:
    """``atft-tui`` + these words do what the form says. Empty values are left out."""
    arguments: list[str] = []
    options: list[str] = []
    for parameter in command.parameters:
        value, option = values.get(parameter.name, ""), f"--{parameter.name.replace('_', '-')}"
        if parameter.kind == "argument":
            arguments += _several(parameter, value)
        elif parameter.kind == "flag":
            options += [option] if value is True else []
        else:
            options += [part for word in _several(parameter, value) for part in (option, word)]
    if command.configurable:
        options += ["--preset", preset] if preset else []
        options += [part for override in overrides for part in ("--set", override)]
    # Arguments first, as a person would type them; one that looks like an option stands after ``--``.
    if any(word.startswith("-") for word in arguments):
        return [command.name, *options, "--", *arguments]
    return [command.name, *arguments, *options]


def missing(command: Command, values: Mapping[str, str | bool]) -> list[str]:
    """Names of required parameters without a value."""
    return [
        parameter.name
        for parameter in command.parameters
        if parameter.required and not values.get(parameter.name)
    ]


def wrong_words(command: Command, values: Mapping[str, str | bool]) -> str:
    """The first field whose text is no day or no number where one is needed; empty if none is."""
    for parameter in command.parameters:
        text, name = str(values.get(parameter.name) or ""), parameter.name.replace("_", " ")
        try:
            if parameter.name in DATES:
                iso_day(text or None)
            elif text and parameter.type in (int, float):
                parameter.type(text)
        except UsageError as error:
            return f"{name}: {error.message}, {error.hint}"
        except ValueError:
            return f"{name}: {text!r} is not a number"
    return ""


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
