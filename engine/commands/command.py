"""What a command is, to the parser and to the palette alike."""

from dataclasses import dataclass
from typing import Literal

_Kind = Literal["argument", "option", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    """As the handler's keyword; ``first_test`` is ``--first-test`` on the command line."""
    help: str
    kind: _Kind = "option"
    type: type = str
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    multiple: bool = False
    """May be given several times; the handler gets a tuple."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    help: str
    handler: str
    """``module:function``, imported when the command runs."""
    about: str = ""
    """More of it in `--help`: paragraphs with an empty line between them."""
    parameters: tuple[Parameter, ...] = ()
    configurable: bool = True
    """Takes --preset, --set, --mode and --device."""
    preset: str | None = None
    """Used where --preset is not given."""
    launchable: bool = False
    """The screen can start it as a detached child."""
    hidden: bool = False
    """Started by the program itself; help and palette leave it out."""


def option(name: str, text: str, **more: object) -> Parameter:
    return Parameter(name=name, help=text, **more)  # type: ignore[arg-type]


RUN = Parameter(name="run", kind="argument", help="Run id, its start, or `last`.", required=True)
