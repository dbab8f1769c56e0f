"""What the machine is doing. psutil and NVML are loaded with the first reading, in the reading thread."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MIB, _GIB = 2**20, 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuNews:
    name: str
    percent: float | None
    """Load; None where the GPU does not tell (MIG, vGPU)."""
    used_mib: float | None
    total_mib: float | None


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


class MachineReader:
    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._gpus = _gpus()
        psutil.cpu_percent()

    def read(self, workspace: Path) -> MachineNews:
        """What the machine does now; the disk is the one that holds the workspace."""
        memory = self._psutil.virtual_memory()
        # A workspace may still be to be made: the nearest directory above it that is there.
        there = next(folder for folder in (workspace, *workspace.parents) if folder.is_dir())
        disk = self._psutil.disk_usage(str(there))
        return MachineNews(
            cpu_percent=float(self._psutil.cpu_percent()),
            cores=os.cpu_count() or 1,
            load=round(os.getloadavg()[0], 1),
            memory_used_mib=round((memory.total - memory.available) / _MIB),
            memory_total_mib=round(memory.total / _MIB),
            disk_free_gib=round(disk.free / _GIB, 1),
            disk_total_gib=round(disk.total / _GIB, 1),
            gpus=tuple(_figures(handle) for handle in self._gpus),
        )


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
