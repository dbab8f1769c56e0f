"""Freed memory stays with the process, for every side alike."""

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # mallopt's names, glibc malloc.h


def keep_memory() -> None:
    """Ask glibc never to give memory back; elsewhere nothing happens.

    A virtual machine may take seconds to hand out fresh pages for a result of 0.8 GB, at random: that
    measured the machine's memory, not the work.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    libc.mallopt(MMAP_MAX, 0)
    libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
