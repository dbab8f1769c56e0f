"""Panels of the monitored steps: gradients, loss terms and learning rate, throughput and machine."""

import math
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.styles import BAD, BAR, DIM, GOOD, OTHER_BAR, PLAIN, STRONG, WARN
from atft_tui.widgets import strips
from atft_tui.widgets.chart_panel import ChartPanel
from atft_tui.widgets.curve_picture import picture
from atft_tui.widgets.curves import Chart, Curve, View
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import StatePanel
from engine.records.figure import GRADIENT_HEALTHY, GRADIENT_LOW
from engine.runs.state import RunState

_BLOCK_ORDER = ("gat", "bypass", "heads", "attention", "temporal", "selection", "fan", "san")
_MIN_LINES = 7
"""Rows that the line chart of the graph's gradient needs."""
_EMPTY = "Appears with the first steps."


class GradientPanel(StatePanel, ChartPanel[RunState]):
    """Gradient norm of each block over the monitored steps, as strips and as curves."""

    title = "gradient norm by block and step, newest right"
    parts = ("gradients",)
    unseen = _EMPTY
    view = View(log=True, level=2, smooth=2)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        blocks = self.blocks(state)
        shown = blocks[: max(1, height - 1)]
        last = state.gradients[-1]
        lines = [_strip(state, name, width) for name in shown]
        legend = strips.heat_legend()
        if last.clipped:
            legend.append("   clipped", style=DIM)
        if len(shown) < height:
            lines.append(legend)
        room = height - len(lines)
        if room >= _MIN_LINES and width >= 60:
            drawn = picture(self.chart(state), width, room, self.view)
            lines += drawn.split("\n", allow_blank=True)
        return cut(lines, width, height)

    def chart(self, value: RunState) -> Chart:
        """Each block's gradient over the steps, with the two thresholds."""
        steps = [float(event.step) for event in value.gradients]
        found = (
            Curve(name=name, x=steps, y=[e.norm.get(name, math.nan) for e in value.gradients])
            for name in self.blocks(value)
        )
        levels = [("low", GRADIENT_HEALTHY), ("starved", GRADIENT_LOW)]
        return Chart(
            curves=[curve for curve in found if any(map(math.isfinite, curve.y))],
            x_name="step",
            levels=levels,
        )

    @staticmethod
    def blocks(state: RunState) -> list[str]:
        """The graph first, then the known ones, then those of a newer version."""
        seen = {name for event in state.gradients for name in event.norm}
        known = [name for name in _BLOCK_ORDER if name in seen]
        return known + sorted(seen - set(known))


def _strip(state: RunState, name: str, width: int) -> Text:
    """``gat        -3.4 ▒▒▒▓▓``"""
    values = [event.norm.get(name, math.nan) for event in state.gradients]
    text = Text(no_wrap=True)
    text.append(f"{fmt.clean(name):<10}"[:10], style=STRONG if name == "gat" else PLAIN)
    last = values[-1]
    if math.isnan(last):
        text.append(f"{'off':>6} ", style=DIM)
    else:
        text.append(f"{fmt.gradient(last):>6} ", style=_level_style(last))
    text.append(strips.log_heat(values, max(4, width - 17)))
    return text


def _level_style(norm: float) -> Style:
    if norm < GRADIENT_LOW:
        return BAD
    return WARN if norm < GRADIENT_HEALTHY else GOOD


class LossPanel(StatePanel):
    """Each term of the loss and the learning rate over the monitored steps."""

    title = "loss terms and learning rate"
    parts = ("steps",)
    unseen = _EMPTY

    def picture(self, state: RunState, width: int, height: int) -> Text:
        names = list(dict.fromkeys(name for event in state.steps[-50:] for name in event.terms))
        rows = [("total", [event.loss for event in state.steps], STRONG)]
        rows += [
            (name, [event.terms.get(name, math.nan) for event in state.steps], PLAIN)
            for name in names
        ]
        rate = [event.learning_rate for event in state.steps]
        rows = [*rows[: max(1, height - 1)], ("lr", rate, OTHER_BAR)]
        lines = [_term(name, values, style, width) for name, values, style in rows[:height]]
        if height > len(lines):
            first, last = state.steps[0], state.steps[-1]
            span = f"steps {first.step:,} to {last.step:,}, each strip from its own low to its high"
            lines.append(Text(span, style=DIM))
        return cut(lines, width, height)


def _term(name: str, values: Sequence[float], style: Style, width: int) -> Text:
    text = Text(no_wrap=True)
    text.append(f"{fmt.clean(name):<8}"[:8] + " ", style=style or DIM)
    form = ".1e" if name == "lr" else "+.3f"
    last = values[-1]
    text.append(f"{fmt.DASH if math.isnan(last) else format(last, form):>8} ", style=style)
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    room = max(4, width - 18)
    blocks = strips.strip(values, room, low=min(finite), high=max(finite))
    text.append(blocks, style=OTHER_BAR if name == "lr" else BAR)
    return text


class MachinePanel(StatePanel):
    """Pace of the training, load of the machine, size of the network."""

    title = "machine"
    parts = ("machine", "steps", "model")

    def picture(self, state: RunState, width: int, height: int) -> Text:
        machine = state.machine
        if machine is None and not state.steps:
            return Text(_EMPTY, style=DIM)
        lines = _pace(state, width)
        if machine is not None:
            ram = f"{fmt.memory(machine.memory_mib)} of {fmt.memory(machine.memory_total_mib)}"
            lines += [_pair("cpu", f"{machine.cpu_percent:.0f}%"), _pair("ram", ram)]
            gpu = "none"
            if not math.isnan(machine.gpu_percent):
                used, total = machine.gpu_memory_mib, machine.gpu_memory_total_mib
                gpu = f"{machine.gpu_percent:.0f}% {fmt.memory(used)} of {fmt.memory(total)}"
            lines += [_pair("gpu", gpu), _pair("disk", f"{machine.disk_free_gib:.0f} GiB free")]
        if state.model is not None:
            parameters = sum(state.model.parameters.values())
            lines.append(_pair("size", f"{fmt.count(parameters)} parameters"))
            size = (
                f"{fmt.counted(state.model.n_symbols, 'stock')} x {state.model.n_features:,} inputs"
            )
            lines.append(_pair("day", size))
        return cut(lines, width, height)


def _pace(state: RunState, width: int) -> list[Text]:
    """Training days a second, now and over the run."""
    if not state.steps:
        return []
    speeds = [event.sessions_per_second for event in state.steps]
    text = Text(no_wrap=True)
    text.append(f"{fmt.number(speeds[-1], 1, sign=False)} days/s ", style=STRONG)
    finite = [speed for speed in speeds if math.isfinite(speed)] or [0.0]
    text.append(strips.strip(speeds, max(0, width - text.cell_len), low=0.0, high=max(finite)), BAR)
    return [text]


def _pair(name: str, value: str) -> Text:
    return Text.assemble((f"{name:<5}", DIM), value)
