"""Freed memory stays with the process, for every side alike.

A virtual machine may take seconds to hand out fresh pages for a result of 0.8 GB, at random: that measured
the machine's memory, not the work.
"""

from engine.training.device import keep_freed_memory as keep_memory

__all__ = ["keep_memory"]
