"""The commands, the named presets and the strategies that exist: data alone, for engine and screen."""

from engine.commands.catalog import BY_NAME, COMMANDS
from engine.commands.command import Command, Parameter

__all__ = ["BY_NAME", "COMMANDS", "Command", "Parameter"]
