"""The terminal is given back as it was, however the cockpit ends."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE_S = 30.0
ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
MOUSE_OFF, CURSOR_ON = b"\x1b[?1003l", b"\x1b[?25h"


def read_until(master: int, wanted: bytes, seen: bytearray) -> None:
    end = time.monotonic() + PATIENCE_S
    while wanted not in seen and time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            try:
                seen += os.read(master, 65536)
            except OSError:  # the other end is closed
                return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, None])
def test_the_terminal_is_restored(tmp_path: Path, number: signal.Signals | None) -> None:
    """By SIGTERM, by a dropped connection, by ctrl+c, and by the key q."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "atft_tui", "--workspace", str(tmp_path)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,
    )
    os.close(slave)
    seen = bytearray()
    try:
        read_until(master, b"No runs in this workspace", seen)
        assert ENTERED in seen
        if number is None:
            os.write(master, b"q")
        elif number == signal.SIGINT:
            os.write(master, b"\x03")
        else:
            process.send_signal(number)
        read_until(master, LEFT, seen)
        read_until(master, b"never written, reads to the end", seen)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        os.close(master)
    after = bytes(seen[seen.rindex(ENTERED) :])
    assert LEFT in after
    assert MOUSE_OFF in after
    assert after.rindex(CURSOR_ON) > after.rindex(b"\x1b[?25l")


@pytest.mark.parametrize(
    ("term", "more"), [("linux", {}), ("dumb", {}), ("xterm-256color", {"NO_COLOR": "1"})]
)
def test_without_colours_or_unicode_it_starts_and_can_be_read(
    tmp_path: Path, term: str, more: dict[str, str]
) -> None:
    """Plain terminals get ASCII marks; NO_COLOR gets greys and no hue."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "atft_tui", "--workspace", str(tmp_path)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": term, "COLUMNS": "80", "LINES": "24", **more},
        start_new_session=True,
    )
    os.close(slave)
    seen = bytearray()
    try:
        read_until(master, b"schedule", seen)
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
    if more:
        colours = re.findall(r"38;2;(\d+);(\d+);(\d+)", shown)
        assert all(red == green == blue for red, green, blue in colours)
    else:
        assert GLYPHS_OF_UNICODE.isdisjoint(shown)


GLYPHS_OF_UNICODE = set("▶✓✗■·●░▒▓━")
