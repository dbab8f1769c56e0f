"""The panels of the training screen, one picture each."""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.widgets import chart
from atft_tui.widgets.doctor_panel import criteria_line
from atft_tui.widgets.panel import StatePanel
from atft_tui.widgets.series_plot import line_chart
from engine.judgement import (
    COLLAPSED_RATIO,
    GRADIENT_HEALTHY,
    GRADIENT_LOW,
    is_established,
    is_noise,
)
from engine.runs.state import RunState

BLOCK_ORDER = ("gat", "bypass", "heads", "attention", "temporal", "selection", "fan", "san")
LEVEL_STYLES = {"info": "", "good": "green", "warning": "yellow", "error": "bold red"}


class RankICPanel(StatePanel):
    title = "RankIC, validation, per epoch"

    def depends(self, state: RunState) -> tuple[object, ...]:
        return (state.epochs, state.phases, state.baselines)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        if not state.epochs:
            return Text("Appears after the first validation epoch.", style="dim")
        starts = {p.first_epoch: p.name for p in state.phases if p.first_epoch is not None}
        points = [
            chart.EpochPoint(
                value=event.rank_ic,
                error=event.rank_ic_se,
                band=event.null_band,
                is_best=event.is_best,
                starts_phase=starts.get(event.epoch, ""),
            )
            for event in state.epochs
        ]
        rival = state.best_baseline
        reference = (rival.name, rival.rank_ic) if rival else None
        text = chart.epoch_chart(points, width=width, height=height - 1, reference=reference)
        text.append("\n")
        null, best = ("null band", "best so far") if width >= 60 else ("null", "best")
        text.append(f"{GLYPHS.band} {null}  {GLYPHS.bar} ±1 se  {GLYPHS.best} {best}  ", "dim")
        if rival:
            text.append(
                f"{GLYPHS.dotted} {fmt.clean(rival.name)} {rival.rank_ic:+.4f}", style="cyan"
            )
        return text


class VerdictPanel(StatePanel):
    title = "verdict so far"

    def depends(self, state: RunState) -> tuple[object, ...]:
        return (state.epochs, state.phases, state.baselines, state.assertions, state.warnings,
                state.diagnoses, state.gradients, state.finished)  # fmt: skip

    def picture(self, state: RunState, width: int, height: int) -> Text:
        text = Text()
        best = state.best
        if best is None:
            text.append("no validation yet\n", style="dim")
        else:
            noise = is_noise(best.rank_ic, best.null_band)
            value = fmt.rank_ic(best.rank_ic, best.rank_ic_se, best.n_dates)
            if width >= len(value) + 8:
                text.append("RankIC ", style="dim")
            sure = is_established(best.rank_ic, best.rank_ic_se, best.null_band)
            good = sure and best.rank_ic > 0
            style = "bold green" if good else "dim" if noise else "bold"
            text.append(f"{'~' if noise else ''}{value}\n", style=style)
            word = "inside" if noise else "outside"
            text.append(
                f"{word} the null band ±{best.null_band:.4f}\n", style="dim" if noise else ""
            )
            _against(text, state, best.rank_ic)
            text.append(f"IC {best.ic:+.4f}  spread {best.score_std_ratio:.2f}\n")
        passed = sum(a.passed for a in state.assertions)
        if state.assertions:
            good = passed == len(state.assertions)
            text.append(
                f"start-up {passed}/{len(state.assertions)} passed\n",
                style="green" if good else "bold red",
            )
        if state.finished is not None and state.finished.summary.get("test"):
            test = state.finished.summary["test"]
            value = fmt.rank_ic(test["rank_ic"], test["rank_ic_se"], test["n_dates"])
            text.append("test ", style="dim")
            text.append(f"{value}\n", style="bold")
        if best is not None:
            text.append(criteria_line(state, width))
            text.append("\n")
        last = state.diagnoses[-1] if state.diagnoses else None
        if last is not None:
            text.append(f"! {fmt.clean(last.code)} ", style="bold yellow")
            text.append(f"{fmt.clean(last.message)}\n", style="yellow")
        elif state.warnings:
            warned = state.warnings[-1]
            text.append(f"! {fmt.clean(warned.code)} ", style="bold yellow")
            text.append(f"{fmt.clean(warned.message)}\n", style="yellow")
        return text


def _against(text: Text, state: RunState, rank_ic: float) -> None:
    rival = state.best_baseline
    if rival is None:
        return
    gap = rank_ic - rival.rank_ic
    word = "ahead of" if gap > 0 else "behind"
    text.append(
        f"{word} {fmt.clean(rival.name)} by {abs(gap):.4f}\n",
        style="green" if gap > 0 else "yellow",
    )


class GradientPanel(StatePanel):
    title = "gradient norm by block, log10, newest right"

    def depends(self, state: RunState) -> tuple[object, ...]:
        return (state.gradients,)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        if not state.gradients:
            return Text("Appears with the first steps.", style="dim")
        text = Text(no_wrap=True)
        seen = {name for event in state.gradients for name in event.norm}
        blocks = [name for name in BLOCK_ORDER if name in seen]
        blocks += sorted(seen - set(blocks))
        shown = blocks[: max(1, height - 1)]  # the last line belongs to the thresholds
        room = max(4, width - 19)
        for name in shown:
            values = [
                math.log10(event.norm[name]) if event.norm.get(name, 0.0) > 0 else math.nan
                for event in state.gradients
            ]
            last = state.gradients[-1].norm.get(name)
            text.append(f"{fmt.clean(name):<10}", style="bold" if name == "gat" else "")
            if last is None:
                text.append(f"{'off':>6} ", style="dim")
            else:
                text.append(f"{fmt.gradient(last):>6} ", style=_gradient_style(name, last))
            text.append(chart.heat(values, room, low=-5.0, high=1.0), style="blue")
            text.append("\n")
        text.append("gat: ", style="dim")
        text.append("starved < -8", style="bold red")
        text.append("  low < -6", style="yellow")
        text.append("  healthy", style="green")
        if state.gradients[-1].clipped:
            text.append("   clipped", style="dim")
        if height > len(blocks) + 6 and width > 60:
            text.append("\n")
            text.append(_gat_lines(state, width, height - len(blocks) - 1))
        return text


def _gradient_style(name: str, norm: float) -> str:
    if name != "gat":
        return "green" if norm > 0 else "bold red"
    if norm < GRADIENT_LOW:
        return "bold red"
    return "yellow" if norm < GRADIENT_HEALTHY else "green"


def _gat_lines(state: RunState, width: int, height: int) -> Text:
    """The GAT's gradient over steps with its two thresholds as lines."""
    points = [
        (e.step, math.log10(e.norm["gat"])) for e in state.gradients if e.norm.get("gat", 0.0) > 0
    ]
    if len(points) < 2:
        return Text("gat: no gradient yet (its phase has not begun)", style="dim")
    x, y = [float(step) for step, _ in points], [value for _, value in points]
    ends = [x[0], x[-1]]
    return line_chart(
        {"gat": (x, y), "healthy 1e-6": (ends, [-6.0, -6.0]), "starved 1e-8": (ends, [-8.0, -8.0])},
        width=width,
        height=height,
    )


class GatePanel(StatePanel):
    title = "gate alpha"

    def depends(self, state: RunState) -> tuple[object, ...]:
        return (state.gates,)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        values = [event.alpha["bypass"] for event in state.gates if "bypass" in event.alpha]
        text = Text(no_wrap=True)
        if values:
            text.append("projected ", style="dim")
            text.append(fmt.share(values[-1]), style="bold magenta")
            text.append("  graph ", style="dim")
            text.append(fmt.share(1.0 - values[-1]), style="bold cyan")
            text.append("\n")
            text.append(chart.strip(values, width, low=0.0, high=1.0), style="magenta")
            text.append(f"\nstart {fmt.share(values[0])}\n", style="dim")
        else:
            text.append("The bypass opens in the graph phase.\n", style="dim")
        last = state.gates[-1].alpha if state.gates else {}
        for name in ("fan", "san"):
            if name in last:
                text.append(f"{name} share {fmt.share(last[name])}  ", style="dim")
        return text


class LossPanel(StatePanel):
    title = "loss"

    def depends(self, state: RunState) -> tuple[object, ...]:
        return (state.steps,)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        if not state.steps:
            return Text("Appears with the first steps.", style="dim")
        last = state.steps[-1]
        text = Text(no_wrap=True)
        text.append("total ", style="dim")
        text.append(f"{last.loss:.3f}  ", style="bold")
        for name, value in last.terms.items():
            text.append(f"{fmt.clean(name)} {value:.3f}  ", style="dim")
        text.append(f"lr {last.learning_rate:.1e}\n", style="dim")
        steps, losses = [float(e.step) for e in state.steps], [e.loss for e in state.steps]
        if height >= 7:
            text.append(line_chart({"loss": (steps, losses)}, width=width, height=height - 1))
        else:
            text.append(chart.strip(losses, width, low=min(losses), high=max(losses)), style="blue")
        return text


class SpreadPanel(StatePanel):
    title = "score spread"

    def depends(self, state: RunState) -> tuple[object, ...]:
        return (state.epochs,)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        if not state.epochs:
            return Text("std(score) / std(label): after validation.", style="dim")
        values = [event.score_std_ratio for event in state.epochs]
        collapsed = not values[-1] >= COLLAPSED_RATIO
        text = Text(no_wrap=True)
        text.append(f"{values[-1]:.3f} ", style="bold red" if collapsed else "bold")
        text.append("collapsed\n" if collapsed else "of the label's\n", style="dim")
        text.append(chart.strip(values, width, low=0.0, high=max(max(values), 0.1)), style="green")
        gap = state.epochs[-1].train_rank_ic - state.epochs[-1].rank_ic
        text.append(f"\ntrain RankIC {fmt.number(state.epochs[-1].train_rank_ic)}", style="dim")
        text.append(f"\ngap to validation {fmt.number(gap)}", style="dim")
        return text


class MachinePanel(StatePanel):
    title = "machine"

    def depends(self, state: RunState) -> tuple[object, ...]:
        return (state.machine, state.steps)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        machine = state.machine
        if machine is None:
            return Text("Appears with the first steps.", style="dim")
        text = Text(no_wrap=True, overflow="ellipsis")
        if state.steps:
            text.append(f"{state.steps[-1].sessions_per_second:.1f} days/s\n", style="bold")
        text.append(f"cpu {machine.cpu_percent:.0f} %\n")
        text.append(
            f"ram {fmt.memory(machine.memory_mib)} of {fmt.memory(machine.memory_total_mib)}\n"
        )
        if math.isnan(machine.gpu_percent):
            text.append("gpu none\n", style="dim")
        else:
            text.append(f"gpu {machine.gpu_percent:.0f} % {fmt.memory(machine.gpu_memory_mib)}\n")
        text.append(f"disk {machine.disk_free_gib:.0f} GiB free\n")
        if state.model is not None:
            total = sum(state.model.parameters.values())
            text.append(f"{fmt.count(total)} parameters", style="dim")
        return text


class VariablesPanel(StatePanel):
    title = "features the network weighs most (1 = average)"

    def depends(self, state: RunState) -> tuple[object, ...]:
        return (state.attention,)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        if state.attention is None:
            return Text("Appears after the first validation epoch.", style="dim")
        text = Text(no_wrap=True)
        weights = list(state.attention.selection.items())[: max(1, height - 1)]
        top = max((value for _, value in weights), default=1.0)
        room = max(4, width - 32)
        for name, value in weights:
            text.append(f"{fmt.clean(name):<24}")
            text.append(f"{value:5.2f} ", style="bold")
            text.append(chart.meter(value / top, room) + "\n", style="blue")
        if not math.isnan(state.attention.gat_entropy):
            text.append(
                f"graph attention entropy {state.attention.gat_entropy:.2f} (1 = all alike)",
                style="dim",
            )
        return text


class LogPanel(StatePanel):
    title = "log, newest first, UTC"

    def depends(self, state: RunState) -> tuple[object, ...]:
        return (state.log,)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        for line in list(reversed(state.log))[: max(1, height)]:
            text.append(f"{fmt.clock(line.at)} ", style="dim")
            text.append(f"{fmt.clean(line.text)}\n", style=LEVEL_STYLES[line.level] or None)
        return text
