"""The end of a log that another process writes."""

import os
from pathlib import Path

from atft_tui import format as fmt

TAIL_BYTES = 16_384


def last_lines(path: Path, lines: int) -> list[str]:
    """The last non-empty lines, cleaned, oldest first; none without a file.

    What keeps a file from being read is told in place of its lines. A line that begins before the part
    that is read is left out, unless it is the only one.
    """
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        return [f"{path.name}: cannot be read ({error.strerror})"]
    whole = text.replace("\r", "\n").split("\n")
    told = [line for line in whole if line.strip()]
    if start and len(told) > 1 and told[0] is whole[0]:
        told = told[1:]
    return [fmt.clean(line) for line in told[-lines:]]
