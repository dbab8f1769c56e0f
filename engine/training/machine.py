"""What the machine is doing: this process, the disk of the workspace, the GPU if there is one."""

import contextlib
import math
import os
import resource
import sys
from pathlib import Path

import psutil
import pynvml

from engine.runs.events import MachineLogged

_MIB = 2**20


class MachineProbe:
    """Reads the figures of one `MachineLogged`; a machine without an NVIDIA GPU has NaN there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._gpu = _first_gpu()

    def read(self) -> MachineLogged:
        """The figures of this moment."""
        percent, used, total = _gpu_figures(self._gpu)
        return MachineLogged(
            cpu_percent=self._process.cpu_percent(),
            memory_mib=self._process.memory_info().rss / _MIB,
            memory_total_mib=psutil.virtual_memory().total / _MIB,
            disk_free_gib=psutil.disk_usage(str(self._directory)).free / 2**30,
            gpu_percent=percent,
            gpu_memory_mib=used,
            gpu_memory_total_mib=total,
        )


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024


def _first_gpu() -> object | None:
    """The first GPU that this process may use: `CUDA_VISIBLE_DEVICES` counts where it names one."""
    try:
        pynvml.nvmlInit()
        name = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
        if name.isdigit():
            return pynvml.nvmlDeviceGetHandleByIndex(int(name))  # type: ignore[no-any-return]
        if name.startswith(("GPU-", "MIG-")):
            return pynvml.nvmlDeviceGetHandleByUUID(name)  # type: ignore[no-any-return]
    except pynvml.NVMLError:
        return None
    return None  # an empty list or -1 hides every GPU


def _gpu_figures(gpu: object | None) -> tuple[float, float, float]:
    """Utilisation in percent, used and total memory in MiB; NaN for what this GPU does not tell.

    Some GPUs know their memory but not their load (MIG, vGPU), and a driver can fail under a run: a
    monitor must not end it.
    """
    percent = used = total = math.nan
    if gpu is not None:
        with contextlib.suppress(pynvml.NVMLError):
            memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
            used, total = memory.used / _MIB, memory.total / _MIB
        with contextlib.suppress(pynvml.NVMLError):
            percent = float(pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu)
    return percent, used, total
