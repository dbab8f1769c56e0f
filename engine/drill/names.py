"""Names that speak to terminal, markup and file system, through every command and the screen."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from engine.commands import COMMANDS, Command
from engine.drill.bench import Ending, Workbench, without_secrets
from engine.drill.case import Case, NotTriedError, Seen, failed, silent, survived, told
from engine.drill.lab import Lab

_NAME = "\x1b]0;PWNED\x07\x9b31m\u202e../../x[/red][link=file:///etc/passwd]"
_RAW = re.compile("\x1b\\]0;PWNED|\x9b31m|\u202e|\x07")
_PLACES = b"23456781"
"""Keys of the screen's places, Home last."""
_WAIT_S, _QUIET_S = 90.0, 3.0


def cases(lab: Lab) -> Iterator[Case]:
    """Each command that takes a word, a workspace of that name, and the screen."""
    for command in COMMANDS:
        if _words(command):
            done = f"{command.name} with a name of escapes, markup and ../"
            yield Case(f"name-{command.name}", done, partial(_asked, command))
    yield Case("name-workspace", "a workspace of that name", _workspace)
    yield Case("name-file", "a price file with such symbols and headers", _file)
    done = "the user's workspace in the cockpit, through every place, with such a note"
    yield Case("name-screen", done, partial(_screen, lab))


def _words(command: Command) -> list[str]:
    """Its arguments, where at least one of them is free."""
    arguments = [one for one in command.parameters if one.kind == "argument"]
    free = [one for one in arguments if not one.choices]
    return [one.choices[0] if one.choices else _NAME for one in arguments] if free else []


def _asked(command: Command, bench: Workbench) -> Seen:
    place = bench.copy("names")
    answer = bench.run(place, command.name, *_words(command))
    return _clean(answer) or survived(f"rc {answer.code}, {answer.words}")


def _workspace(bench: Workbench) -> Seen:
    place = bench.folder("names") / _NAME.replace("/", "")
    place.mkdir()
    answer = bench.run(place, "runs")
    return _clean(answer) or survived(f"rc {answer.code}")


def _file(bench: Workbench) -> Seen:
    place, path = bench.folder("names"), bench.folder("file") / "prices.csv"
    rows = [f'2020-01-0{day},"{_NAME}",1,9,1,{day},100,7' for day in (2, 3, 6)]
    path.write_text(f'date,symbol,open,high,low,close,volume,"{_NAME}"\n' + "\n".join(rows))
    words = ("ingest", "--source", "files", "--prices", str(path), "--set", "data.market=us")
    for command in (words, ("check",)):
        answer = bench.run(place, *command)
        if wrong := _clean(answer):
            return wrong
    return survived(f"rc {answer.code}, {answer.words}")


def _clean(answer: Ending) -> Seen | None:
    """What is wrong with an answer to a hostile name."""
    if found := _RAW.search(answer.text):
        return silent(f"it prints {found[0]!r} as it is")
    return told(answer)


def _screen(lab: Lab, bench: Workbench) -> Seen:
    place = bench.copy("screen")
    runs = sorted((place / "runs").glob("2*"))
    if not runs:
        place = bench.copy("screen", lab.trained)
        runs = sorted((place / "runs").glob("2*"))
    bench.run(place, "note", runs[-1].name, _NAME)
    code, shown = _looked_through(place, bench.here)
    raw = re.search(rb"\x1b\]0;PWNED|\xc2\x9b31m|\xe2\x80\xae", shown)
    if raw:
        return silent(f"the terminal was sent {raw[0]!r}")
    if code:
        return failed(f"the screen ended with {code}: {shown[-200:]!r}")
    return survived(f"{len(shown):,} bytes of screen, none of them the name's")


def _looked_through(place: Path, here: Path) -> tuple[int, bytes]:
    """Exit code of the cockpit and all it drew, after every place was opened."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "atft_tui", "--workspace", str(place)],
        cwd=here, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env=without_secrets(os.environ) | {"TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    try:
        shown = _drawn(ours)
        if not shown:
            raise NotTriedError(f"the screen drew nothing within {_WAIT_S:.0f} s")
        for key in _PLACES:
            os.write(ours, bytes([key]))
            shown += _drawn(ours)
        os.write(ours, b"q")
        shown += _drawn(ours)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_WAIT_S), shown
        return 124, shown
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


def _drawn(terminal: int) -> bytes:
    """What comes until it is quiet for a while."""
    shown, end, quiet = b"", time.monotonic() + _WAIT_S, _WAIT_S
    while time.monotonic() < end and select.select([terminal], [], [], quiet)[0]:
        try:
            shown += os.read(terminal, 65_536)
        except OSError:  # the other side is closed
            break
        quiet = _QUIET_S
    return shown
