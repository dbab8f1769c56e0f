"""What a command is, and the words that it takes."""

from dataclasses import dataclass
from typing import Any, Literal

_Kind = Literal["argument", "option", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One word that a command takes, or one option."""

    name: str
    """The handler's keyword; ``first_test`` is ``--first-test`` on the command line."""
    help: str
    kind: _Kind = "option"
    type: type = str
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    multiple: bool = False
    """May be given several times; the handler gets a tuple."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, and what takes it up."""

    name: str
    help: str
    handler: str
    """``module:function``, imported when the command runs."""
    parameters: tuple[Parameter, ...] = ()
    about: str = ""
    """More of it in `--help`: paragraphs with an empty line between them."""
    configurable: bool = True
    """Takes --preset, --set, --mode and --device."""
    preset: str | None = None
    """Used where --preset is not given."""
    launchable: bool = False
    """The screen can start it as a detached child."""
    hidden: bool = False
    """Started by the program itself; help and palette leave it out."""


def argument(name: str, text: str, **more: Any) -> Parameter:
    """A word without a name before it; optional unless ``required`` is said."""
    return Parameter(name=name, help=text, kind="argument", **more)


def option(name: str, text: str, **more: Any) -> Parameter:
    """A word after its name: ``--name WORD``."""
    return Parameter(name=name, help=text, **more)


def flag(name: str, text: str) -> Parameter:
    """A name that is there or not: ``--name``."""
    return Parameter(name=name, help=text, kind="flag", default=False)
