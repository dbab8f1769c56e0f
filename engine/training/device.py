"""Where and how the network runs. The only place that seeds torch globally or sets its threads."""

import ctypes
import os
from dataclasses import dataclass, field
from typing import Literal

import psutil
import torch

from engine.errors import EnvironmentProblem
from engine.runs.events import Noted
from engine.runs.launch import ranks_here, world_size
from engine.runs.sink import EventSink
from engine.training.ranks import Ranks

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Names of `mallopt`, from glibc's malloc.h."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Device, precision and threads of one process."""

    device: torch.device
    mode: Literal["safe", "optimized"]
    autocast: bool
    """The way of the window in bfloat16 in training steps of optimized mode, on CUDA and on a CPU that
    multiplies bfloat16 itself. Heads, ranks, losses and every score are float32 always."""
    threads: int
    ranks: Ranks = field(default_factory=Ranks)
    """The processes that train one network together."""

    @property
    def fast(self) -> bool:
        """Whether speed counts more than the same bits every time."""
        return self.mode == "optimized"

    @property
    def pin(self) -> bool:
        """Batches come in page-locked memory, from which a GPU reads while it computes."""
        return self.fast and self.device.type == "cuda"

    @property
    def room(self) -> int:
        """Bytes of the device's memory that the data may take: half of what is free. 0 on the CPU."""
        return torch.cuda.mem_get_info(self.device)[0] // 2 if self.device.type == "cuda" else 0

    def hold_threads(self) -> None:
        """Set torch's threads again: numba's first parallel kernel sets OpenMP's, and with them torch's.

        A sum over two threads differs in its last bits from one over one, so before a step or a score.
        """
        torch.set_num_threads(self.threads)

    def release(self) -> None:
        """Give memory that no tensor uses back to the device."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def choose_device(requested: Literal["auto", "cuda", "cpu"], sink: EventSink) -> torch.device:
    """CUDA if asked for or, with ``auto``, if present; EnvironmentProblem if asked for and absent."""
    if requested == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return _own_cuda() if world_size() > 1 else torch.device("cuda")
    if requested == "cuda":
        raise EnvironmentProblem(
            "training.device is cuda, but torch sees no CUDA device",
            hint="use --device auto or cpu, or install a CUDA build of torch and its driver",
        )
    sink.emit(Noted(message="no CUDA device: training on the CPU"))
    return torch.device("cpu")


def _own_cuda() -> torch.device:
    """Of this rank, made the current one; EnvironmentProblem where there are more ranks than devices."""
    rank, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if rank >= count:
        raise EnvironmentProblem(
            f"{ranks_here()} ranks on this machine, but torch sees {count} CUDA devices",
            hint="start one process a device: `torchrun --nproc-per-node` of their number",
        )
    torch.cuda.set_device(rank)
    return torch.device("cuda", rank)


def physical_cores() -> int:
    """1 where the system does not say."""
    return psutil.cpu_count(logical=False) or 1


def apply_mode(mode: Literal["safe", "optimized"], device: torch.device, seed: int) -> Runtime:
    """Seed torch and set its threads and precision.

    safe: one thread, deterministic algorithms, float32. optimized: all physical cores, shared by the ranks of
    this machine; on CUDA also TF32,
    which rounds the factors of float32 products to 10 bits, bf16 and pinned batches. On the CPU freed memory
    is kept in both.
    """
    fast = mode == "optimized"
    threads = max(1, physical_cores() // ranks_here()) if fast else 1
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=not fast, warn_only=device.type == "cuda")
    # It would also fill whatever is allocated, to show reads of memory that nobody wrote: a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.allow_tf32 = fast
    torch.backends.cudnn.allow_tf32 = fast
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)
    if device.type == "cpu":
        keep_freed_memory()
    autocast = fast and (device.type == "cuda" or _cpu_multiplies_bfloat16())
    return Runtime(device=device, mode=mode, autocast=autocast, threads=threads)


def _cpu_multiplies_bfloat16() -> bool:
    """AVX512_BF16 or AMX: a product of bfloat16 takes 0.3 to 0.4 of one of float32, else more than one."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the device ran out of memory (torch raises several kinds for it)."""
    text = str(error).lower()
    known = "out of memory" in text or "can't allocate memory" in text
    return isinstance(error, torch.OutOfMemoryError) or known


def keep_freed_memory() -> bool:
    """Ask glibc to keep what is freed for the next tensor; False where there is no glibc.

    A step makes and frees some two hundred tensors of megabytes. Without this, glibc returns each to the
    system and the next one is built from fresh zeroed pages: 18,000 to 50,000 page faults per 1,000 stocks,
    a tenth to a quarter of the step. All threads share one arena: from one of its own, memory goes back
    whatever the limits say (thousands of faults a step). The price is that the process stays at its largest
    size.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        kept: int = libc.mallopt(_MMAP_MAX, 0) & libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        kept &= libc.mallopt(_ARENA_MAX, 1)
    except (OSError, AttributeError):
        return False
    return kept == 1
