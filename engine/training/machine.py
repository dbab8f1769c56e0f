"""What the machine is doing: this process, the disk of the workspace, the GPU if there is one."""

import math
import resource
import sys
from pathlib import Path

import psutil
import pynvml

from engine.runs.events import MachineLogged

MIB = 2**20


class MachineProbe:
    """Reads the figures of one `MachineLogged`; a machine without an NVIDIA GPU has NaN there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._gpu = _first_gpu()

    def read(self) -> MachineLogged:
        percent = used = total = math.nan
        if self._gpu is not None:
            percent = float(pynvml.nvmlDeviceGetUtilizationRates(self._gpu).gpu)
            memory = pynvml.nvmlDeviceGetMemoryInfo(self._gpu)
            used, total = memory.used / MIB, memory.total / MIB
        return MachineLogged(
            cpu_percent=self._process.cpu_percent(),
            memory_mib=self._process.memory_info().rss / MIB,
            memory_total_mib=psutil.virtual_memory().total / MIB,
            disk_free_gib=psutil.disk_usage(str(self._directory)).free / 2**30,
            gpu_percent=percent,
            gpu_memory_mib=used,
            gpu_memory_total_mib=total,
        )


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def _first_gpu() -> object | None:
    try:
        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByIndex(0)  # type: ignore[no-any-return]
    except pynvml.NVMLError:
        return None
