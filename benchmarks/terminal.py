"""A program in a terminal of its own: keys in, bytes out, and when each byte came."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import psutil

PATIENCE_S = 30.0


class Terminal:
    """Runs a command in a pseudo terminal and reads what it paints in a thread of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int,
        lines: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._master, slave = pty.openpty()
        self._size(columns, lines)
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            # Modules compiled once, as they are for a user: without that a start takes twice as long.
            env={
                **os.environ,
                "TERM": "xterm-256color",
                "PYTHONDONTWRITEBYTECODE": "",
                **(environment or {}),
            },
            start_new_session=True,
        )
        os.close(slave)
        self.painted = bytearray()
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(1.0)
        os.close(self._master)

    def press(self, key: str | bytes) -> int:
        """Send a key; returns how many bytes were painted before it."""
        with self._lock:
            before = len(self.painted)
        os.write(self._master, key.encode() if isinstance(key, str) else key)
        return before

    def wait(self, wanted: bytes, since: int = 0, patience: float = PATIENCE_S) -> float:
        """Time (perf_counter, s) at which ``wanted`` had been painted after byte ``since``."""
        end = time.perf_counter() + patience
        while time.perf_counter() < end:
            with self._lock:
                found = self.painted.find(wanted, since)
            if found >= 0:
                return time.perf_counter()
            time.sleep(0.001)
        with self._lock:
            tail = bytes(self.painted[-600:])
        raise TimeoutError(f"{wanted!r} was not painted in {patience:.0f} s; last {tail!r}")

    def reaction(self, key: str | bytes, wanted: bytes) -> float:
        """Seconds from the key to the paint of ``wanted``."""
        start = time.perf_counter()
        since = self.press(key)
        return self.wait(wanted, since) - start

    def count(self, wanted: bytes, seconds: float) -> int:
        """How often ``wanted`` is painted in the coming seconds."""
        with self._lock:
            since = len(self.painted)
        time.sleep(seconds)
        with self._lock:
            return self.painted.count(wanted, since)

    def resize(self, columns: int, lines: int) -> None:
        self._size(columns, lines)
        self.process.send_signal(signal.SIGWINCH)

    def memory_mib(self) -> float:
        """Resident memory of the process itself."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    def _size(self, columns: int, lines: int) -> None:
        packed = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, packed)

    def _read(self) -> None:
        while True:
            try:
                ready, _, _ = select.select([self._master], [], [], 0.2)
                if not ready:
                    if self.process.poll() is not None:
                        return
                    continue
                block = os.read(self._master, 65536)
            except (OSError, ValueError):  # the other end is closed
                return
            with self._lock:
                self.painted += block
