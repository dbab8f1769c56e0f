"""Every command as data: the command line builds its parser from this, the screen its palette."""

from engine.commands.command import Command, Parameter
from engine.commands.daily import DAILY
from engine.commands.research import RESEARCH
from engine.commands.store import STORE

__all__ = ["BY_NAME", "COMMANDS", "Command", "Parameter"]

COMMANDS: tuple[Command, ...] = (*RESEARCH, *DAILY, *STORE)
BY_NAME = {command.name: command for command in COMMANDS}
