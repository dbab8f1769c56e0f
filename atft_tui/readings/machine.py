"""What the machine does, and which of our processes do it: psutil and NVML, read off the main thread."""

import contextlib
import math
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.disk import there

_MIB, _GIB = 2**20, 2**30
_KEPT = 240
"""Readings of the past that are kept."""
_MODULES = ("engine", "atft_tui")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuNews:
    name: str
    percent: float | None
    """Load; None where the GPU does not tell (MIG, vGPU)."""
    used_mib: float | None
    total_mib: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessNews:
    """One process of this program: a screen, a run, a job or one of its helpers."""

    pid: int
    words: str
    """The command line after the program's name."""
    cpu_percent: float
    """Of one core, since the reading before."""
    memory_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLoad:
    """What was read before, oldest first, in percent; of the GPU NaN where it does not tell."""

    cpu: tuple[float, ...] = ()
    memory: tuple[float, ...] = ()
    gpu: tuple[float, ...] = ()
    """Mean of the GPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineNews:
    cpu_percent: float
    """Use of all cores together, 0 to 100, since the reading before."""
    cores: int
    load: float
    """Processes that ran or waited, mean of the last minute."""
    memory_used_mib: float
    memory_total_mib: float
    disk_free_gib: float
    disk_total_gib: float
    """Size of the file system that the workspace is on."""
    gpus: tuple[GpuNews, ...]
    processes: tuple[ProcessNews, ...] = ()
    """Those of this program, the busiest first."""
    past: PastLoad = PastLoad()


class MachineReader:
    """What the machine is doing; psutil and NVML are loaded with the first reading, in its thread."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._gpus = _gpus()
        self._past: deque[tuple[float, float, float]] = deque(maxlen=_KEPT)
        self._seen: dict[int, Any] = {}
        """Every process by its number: None for one that is not ours."""
        psutil.cpu_percent()

    def read(self, workspace: Path) -> MachineNews:
        """What the machine does now; the disk is the one that holds the workspace."""
        memory = self._psutil.virtual_memory()
        disk = self._psutil.disk_usage(str(there(workspace)))
        cpu, gpus = float(self._psutil.cpu_percent()), tuple(map(_figures, self._gpus))
        known = [gpu.percent for gpu in gpus if gpu.percent is not None]
        gpu = sum(known) / len(known) if known else math.nan
        self._past.append((cpu, float(memory.percent), gpu))
        past = PastLoad(
            **dict(zip(("cpu", "memory", "gpu"), zip(*self._past, strict=True), strict=True))
        )
        return MachineNews(
            cpu_percent=cpu,
            cores=os.cpu_count() or 1,
            load=round(os.getloadavg()[0], 1),
            memory_used_mib=round((memory.total - memory.available) / _MIB),
            memory_total_mib=round(memory.total / _MIB),
            disk_free_gib=round(disk.free / _GIB, 1),
            disk_total_gib=round(disk.total / _GIB, 1),
            gpus=gpus,
            processes=self._processes(),
            past=past,
        )

    def _processes(self) -> tuple[ProcessNews, ...]:
        """Only the words of a process that was not seen before are read: 20 microseconds each."""
        pids = self._psutil.pids()
        self._seen = {
            pid: self._seen[pid] if pid in self._seen else self._ours(pid) for pid in pids
        }
        found = [self._read(process) for process in self._seen.values() if process is not None]
        busy = (process for process in found if process is not None)
        return tuple(sorted(busy, key=lambda process: (-process.cpu_percent, process.pid)))

    def _ours(self, pid: int) -> Any:
        """The process with its words, if they start this program."""
        with contextlib.suppress(self._psutil.Error):
            process = self._psutil.Process(pid)
            words = after_program(process.cmdline())
            if words:
                process.cpu_percent()
                return process, words
        return None

    def _read(self, known: tuple[Any, str]) -> ProcessNews | None:
        process, words = known
        with contextlib.suppress(self._psutil.Error), process.oneshot():
            cpu, memory = process.cpu_percent(), process.memory_info().rss / _MIB
            return ProcessNews(
                pid=process.pid, words=words, cpu_percent=round(cpu), memory_mib=round(memory)
            )
        return None


def after_program(words: Sequence[str]) -> str:
    """What stands after ``atft-tui`` or ``-m engine`` in a command line; empty for another program's.

    The cockpit itself, which may have no words, is called so.
    """
    for n, word in enumerate(words[:6]):
        if Path(word).name == "atft-tui" or (word in _MODULES and n and words[n - 1] == "-m"):
            return " ".join(words[n + 1 :]) or "the cockpit"
    return ""


def _gpus() -> list[Any]:
    import pynvml

    try:
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def _figures(handle: Any) -> GpuNews:
    """A driver can fail, and some GPUs tell only a part: what is not told is None."""
    import pynvml

    name, percent, used, total = "GPU", None, None, None
    with contextlib.suppress(pynvml.NVMLError):
        told = pynvml.nvmlDeviceGetName(handle)
        name = told.decode() if isinstance(told, bytes) else str(told)
    with contextlib.suppress(pynvml.NVMLError):
        percent = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    with contextlib.suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        used, total = round(memory.used / _MIB), round(memory.total / _MIB)
    return GpuNews(name=name, percent=percent, used_mib=used, total_mib=total)
