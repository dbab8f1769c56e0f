"""The end of a log that another process writes."""

import os
from pathlib import Path

from atft_tui import format as fmt

TAIL_BYTES = 16_384


def last_lines(path: Path, lines: int) -> list[str]:
    """The last non-empty lines, cleaned, oldest first; none of a file that cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    told = [fmt.clean(line) for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return told[-lines:]
