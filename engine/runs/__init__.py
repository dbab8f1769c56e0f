"""Runs: their store, their events and their locks, which are those of POSIX."""

from engine.errors import refuse_windows

refuse_windows()
