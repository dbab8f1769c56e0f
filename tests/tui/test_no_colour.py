"""Terminals without colours or without Unicode: the cockpit starts and can be read."""

import os
import re
from pathlib import Path

import pytest

from tests.tui.test_terminal import LEFT, PATIENCE_S, read_until, spawn

GLYPHS_OF_UNICODE = set("▶✓✗■·●░▒▓━")


@pytest.mark.parametrize(
    "environment", [{"TERM": "linux"}, {"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str
)
def test_without_colours_or_unicode_it_starts_and_can_be_read(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Plain terminals get ASCII marks; NO_COLOR gets greys and no hue."""
    process, master = spawn(tmp_path, **environment)
    seen = bytearray()
    try:
        for painted in (b"An empty workspace", b"backtest", b"schedule"):
            read_until(master, painted, seen)
        os.write(master, b"q")
        read_until(master, LEFT, seen)
        read_until(master, b"never written, reads to the end", seen)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        os.close(master)
    shown = bytes(seen).decode("utf-8", "replace")
    for words in ("An empty workspace", "next step", "demo", "ingest", "schedule"):
        assert words in shown
    if "NO_COLOR" in environment:
        colours = re.findall(r"38;2;(\d+);(\d+);(\d+)", shown)
        assert all(red == green == blue for red, green, blue in colours)
    else:
        assert GLYPHS_OF_UNICODE.isdisjoint(shown)
