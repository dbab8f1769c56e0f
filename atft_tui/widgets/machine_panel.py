"""The machine in meters; with room to spare its past and each process of this program."""

import math
from collections.abc import Sequence

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.readings.machine import MachineNews
from atft_tui.widgets.lines import Lines
from atft_tui.widgets.strips import meter, strip

_SPARE = 14
"""Lines from which on the past and the processes are shown: full screen."""


def machine_lines(out: Lines, value: MachineNews) -> None:
    """Meters of processor, memory and disk of the machine that the screen runs on, then its GPUs."""
    cores = f", {fmt.counted(value.cores, 'core')}" if out.roomy else ""
    _meter(out, "cpu", value.cpu_percent / 100, f"{value.cpu_percent:.0f}%{cores}")
    used, total = value.memory_used_mib, value.memory_total_mib
    told = f"{used / 1024:.1f} of {fmt.memory(total)}" if out.roomy else fmt.memory(used)
    _meter(out, "memory", used / (total or 1), told)
    taken = 1 - value.disk_free_gib / (value.disk_total_gib or 1)
    _meter(out, "disk", taken, f"{value.disk_free_gib:.0f} GiB{' free' * out.roomy}")
    if not value.gpus:
        out.fact("gpu", ("none (NVIDIA)", styles.DIM))
    for gpu in value.gpus:
        load = fmt.DASH if gpu.percent is None else f"{gpu.percent:.0f}%"
        if gpu.used_mib is not None and gpu.total_mib is not None:
            load += f", {gpu.used_mib / 1024:.1f} of {fmt.memory(gpu.total_mib)}"
        out.fact("gpu", load, (f"  {gpu.name}", styles.DIM))
    out.fact("waiting", f"{value.load:.1f} at work or waiting, mean of 1 min")
    if out.height >= _SPARE:
        _past(out, value)
        _processes(out, value)
    else:
        busy = sum(process.cpu_percent for process in value.processes)
        memory = fmt.memory(sum(process.memory_mib for process in value.processes))
        told = f"{fmt.counted(len(value.processes), 'process', 'processes')}, {busy:.0f}%"
        out.fact("ours", f"{told}, {memory}; ", ("m", styles.KEY), " lists")


def _meter(out: Lines, name: str, share: float, told: str) -> None:
    bar = max(4, min(20, out.width - out.label - 22)) if out.roomy else 4
    out.fact(name, (meter(share, bar), styles.WARN if share > 0.9 else styles.BAR), f" {told}")


def _past(out: Lines, value: MachineNews) -> None:
    """0 to 100% since Home was opened, newest right."""
    out.space()
    out.say(("before, 0 to 100%, newest right", styles.STRONG))
    past: Sequence[tuple[str, Sequence[float]]] = (
        ("cpu", value.past.cpu), ("memory", value.past.memory), ("gpu", value.past.gpu),
    )  # fmt: skip
    for name, values in past:
        if not all(map(math.isnan, values)):
            room = max(0, out.width - out.label)
            out.fact(name, (strip(values, room, low=0.0, high=100.0), styles.BAR))


def _processes(out: Lines, value: MachineNews) -> None:
    out.space()
    out.say((f"{'pid':>7}  {'cpu, % of a core':>16}  {'memory':>9}  command", styles.STRONG))
    for one in value.processes:
        figures = f"{one.pid:>7}  {one.cpu_percent:>16.0f}  {fmt.memory(one.memory_mib):>9}  "
        out.say(figures, (one.words, styles.NAME))
