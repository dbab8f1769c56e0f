"""The terminal is given back as it was, however the cockpit ends."""

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.runs.events import Noted, Warned
from tests.engine.runs.samples import started, training
from tests.tui.conftest import MakeRun

PATIENCE_S = 30.0
ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
READY = b"Backtest"
"""Of the bar that names the places."""
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


def spawn(workspace: Path, **environment: str) -> tuple[subprocess.Popen[bytes], int]:
    """The cockpit in a terminal of its own; process and our end of the terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "atft_tui", "--workspace", str(workspace)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={
            **os.environ,
            "TERM": "xterm-256color",
            "COLUMNS": "80",
            "LINES": "24",
            **environment,
        },
        start_new_session=True,
    )
    os.close(slave)
    return process, master


def drain(master: int, seconds: float, seen: bytearray) -> None:
    """Whatever is painted in the coming seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([master], [], [], 0.05)[0]:
            seen += os.read(master, 65536)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, None])
def test_the_terminal_is_restored(tmp_path: Path, number: signal.Signals | None) -> None:
    """By SIGTERM, by a dropped connection, by ctrl+c, and by the key q."""
    process, master = spawn(tmp_path)
    seen = bytearray()
    try:
        read_until(master, READY, seen)
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


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(tmp_path: Path) -> None:
    process, master = spawn(tmp_path)
    seen = bytearray()
    try:
        read_until(master, READY, seen)
        os.write(master, b"\x1a")
        read_until(master, LEFT, seen)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert MOUSE_OFF in seen
        again = bytearray()
        process.send_signal(signal.SIGCONT)
        read_until(master, ENTERED, again)
        read_until(master, READY, again)
        os.write(master, b"4")
        read_until(master, b"No runs in this workspace", again)
        assert b"No runs in this workspace" in again
        os.write(master, b"q")
        read_until(master, LEFT, again)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        os.close(master)


EVIL = (
    "\x1b]0;EVILTITLE\x07\x1b[8;1;1t\x1b]52;c;RVZJTA==\x07\x9b31m\u202eevil\u202c\u200bzero "
    + "W" * 300
)
RAW = (
    b"\x1b]0;EVIL",
    b"\x1b[8;1;1t",
    b"\x1b]52;c;RVZ",
    b"\x9b31m",
    b"\xc2\x9b",
    b"\xe2\x80\xae",
    b"\xe2\x80\x8b",
)


def test_no_outside_text_reaches_the_terminal_raw(tmp_path: Path, make_run: MakeRun) -> None:
    """Names, notes and logs of a run, and a megabyte pasted into a field, through the real program."""
    run = make_run(
        [
            replace(started(), device=EVIL),
            *training()[1:20],
            Noted(message=EVIL),
            Warned(code=EVIL, message=EVIL, hint=EVIL),
        ]
    )
    run.log_path.write_text(EVIL)
    process, master = spawn(tmp_path)
    seen = bytearray()
    try:
        read_until(master, READY, seen)
        for key in b"2345678":
            os.write(master, bytes([key]))
            drain(master, 0.4, seen)
        os.write(master, b"4")
        read_until(master, run.id.encode(), seen)
        os.write(master, b"/")
        drain(master, 0.3, seen)
        paste = b"\x1b[200~" + EVIL.replace("\x07", "").encode() + b"P" * 2**20 + b"\x1b[201~"
        feeder = threading.Thread(target=write_all, args=(master, paste))
        feeder.start()
        while feeder.is_alive():
            drain(master, 0.1, seen)
        os.write(master, b"\x1b")
        drain(master, 1.0, seen)
        after = bytearray()
        os.write(master, b"3")
        read_until(master, b"[gradient]", after)
        assert b"[gradient]" in after, "alive after the paste"
        seen += after
    finally:
        process.kill()
        os.close(master)
    for raw in RAW:
        assert raw not in seen, raw


def write_all(master: int, content: bytes) -> None:
    while content:
        content = content[os.write(master, content[:4096]) :]
