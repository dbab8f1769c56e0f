"""Reading a stream that another process is writing."""

from pathlib import Path

from engine.runs.events import RunEvent, decode

MAX_BYTES = 4 * 2**20
"""Read at most this much at once, so that a huge backlog comes in pieces."""


def read_new(path: Path, offset: int) -> tuple[list[RunEvent], int]:
    """Events written since ``offset`` and the offset after the last whole line.

    A half-written last line stays for the next call; lines this version does not understand are
    skipped. A file that is missing has no events; one that became shorter is read from its start.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = offset if offset <= size else 0
            file.seek(start)
            block = file.read(MAX_BYTES)
    except FileNotFoundError:
        return [], 0
    whole, newline, _ = block.rpartition(b"\n")
    events = [event for line in whole.split(b"\n") if line and (event := decode(line))]
    return events, start + len(whole) + len(newline)
