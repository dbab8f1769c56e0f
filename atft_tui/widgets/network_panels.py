"""Panels of what the network does: gate, score spread, variables and attention, networks of the folds."""

import math

from msgspec.structs import replace
from rich.cells import cell_len
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAD, BAR, DIM, GOOD, OTHER_BAR, STRONG, WARN
from atft_tui.widgets import strips
from atft_tui.widgets.lines import beside, cell, cut, line, page, wrapped
from atft_tui.widgets.panel import StatePanel
from engine.records.figure import COLLAPSED_RATIO, is_noise
from engine.records.rank_ic import Worth
from engine.runs.state import NetworkState, RunState

_DEVIATION = 7
"""Columns of ``+12.3%``."""
_ROOM_FOR_BOTH = 26
"""Columns in which the gate's two streams stand in one line."""
_ROOM_FOR_DIGITS, _ROOM_FOR_DAYS = 30, 38
"""Columns in which a worth has a fourth digit, and its number of days too."""
_ROOM_FOR_BLOCKS = 64
"""Columns in which worths stand side by side if they are too many."""
_HEALTHY_ENTROPY = 0.995
"""Above it the graph weighs all neighbours alike: it is a plain mean."""


class GatePanel(StatePanel):
    """Share of the projected stream (alpha) and of the graph's (1 - alpha), over the steps."""

    title = "gate alpha"
    parts = ("gates",)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        values = [event.alpha["bypass"] for event in state.gates if "bypass" in event.alpha]
        lines: list[Text] = []
        if values:
            alpha = values[-1]
            own = Text("projected ", DIM).append(fmt.share(alpha), OTHER_BAR + STRONG)
            graph = Text("graph ", DIM).append(fmt.share(1.0 - alpha), BAR + STRONG)
            lines += [Text("  ").join([own, graph])] if width >= _ROOM_FOR_BOTH else [own, graph]
            lines.append(Text(strips.strip(values, width, low=0.0, high=1.0), style=OTHER_BAR))
            lines.append(Text(f"start {fmt.share(values[0])}, scale 0..1", style=DIM))
        else:
            lines.append(Text("The bypass opens in the graph phase.", style=DIM))
        last = state.gates[-1].alpha if state.gates else {}
        others = [f"{name} {fmt.share(last[name])}" for name in ("fan", "san") if name in last]
        if others:
            lines += wrapped(f"normalised share: {', '.join(others)}", width, DIM)
        return cut(lines, width, height)


class WorthPanel(StatePanel):
    """What is lost without the graph's edges and with random ones; at the end, without each block."""

    title = "graph's worth: loss"
    parts = ("graph_worths", "blocks_worth")

    def picture(self, state: RunState, width: int, height: int) -> Text:
        rows: list[tuple[str, Worth]] = []
        if state.graph_worths:
            told = state.graph_worths[-1].worth
            rows = [("no edge", told.without_edges), ("random", told.random_neighbours)]
        if state.blocks_worth is not None:
            rows += state.blocks_worth.worth.items()
        if not rows:
            return Text("After a validation with the graph.", style=DIM)
        columns = 2 if width >= _ROOM_FOR_BLOCKS and len(rows) > height else 1
        room = width // columns - (columns - 1)
        lines = [_worth(name, worth, room) for name, worth in rows]
        if columns > 1:
            half = -(-len(lines) // 2)
            lines = beside(lines[:half], lines[half:], room)
        if state.graph_worths and len(lines) < height:
            shares = [event.worth.without_edges.share for event in state.graph_worths]
            strip = Text(f"{'share, 0 to 1':<14}", style=DIM, no_wrap=True)
            lines.append(strip.append(strips.strip(shares, width - 14, low=0.0, high=1.0), BAR))
        return page(lines, width, height, "train --json")


def _worth(name: str, worth: Worth, width: int) -> Text:
    """``no edge   31% +0.042 ± 0.005``: share of the score variance, then RankIC."""
    role, room = worth.figure.role, min(9, max(3, width - 19))
    text = Text(no_wrap=True)
    text.append_text(cell(name, room)).append(f"{fmt.percent(worth.share):>4} ", style=STRONG)
    figure = replace(worth.figure, n=worth.n_dates if width >= _ROOM_FOR_DAYS else 0)
    style = {"good": GOOD, "bad": BAD}.get(role, DIM)
    return text.append(figure.text(4 if width >= _ROOM_FOR_DIGITS else 3), style=style)


class SpreadPanel(StatePanel):
    """Deviation of the scores over that of the labels: a collapsed network says the same of all."""

    title = "score spread"
    parts = ("epochs",)
    unseen = "std(score) / std(label): after validation."

    def picture(self, state: RunState, width: int, height: int) -> Text:
        values = [event.score_std_ratio for event in state.epochs]
        collapsed = not values[-1] >= COLLAPSED_RATIO
        head = Text(no_wrap=True)
        head.append(f"{fmt.number(values[-1], 3, sign=False)} ", BAD if collapsed else STRONG)
        head.append("collapsed" if collapsed else "of the label's", style=DIM)
        finite = [value for value in values if math.isfinite(value)]
        strip = strips.strip(values, width, low=0.0, high=max([*finite, 0.1]))
        gap = state.epochs[-1].train_rank_ic - state.epochs[-1].rank_ic
        lines = [
            head,
            Text(strip, style=BAD if collapsed else GOOD),
            Text(f"train RankIC {fmt.number(state.epochs[-1].train_rank_ic)}", style=DIM),
            Text(f"gap to valid. {fmt.number(gap)}", style=DIM),
            Text(f"collapsed < {COLLAPSED_RATIO:g}", style=DIM),
        ]
        return cut(lines, width, height)


class VariablesPanel(StatePanel):
    """The inputs that the network weighs most, and how evenly the graph listens."""

    title = "variables: weight over or under the average"
    parts = ("attentions",)
    unseen = "Appears after the first validation epoch."

    def picture(self, state: RunState, width: int, height: int) -> Text:
        before = state.attentions[-2].selection if len(state.attentions) > 1 else {}
        weights = list(state.attentions[-1].selection.items())
        entropies = [event.gat_entropy for event in state.attentions]
        if all(weight == 1.0 for _, weight in weights):
            alike = Text("Variable selection is off: every input weighs 1.", style=DIM)
            return cut([alike, _entropy(entropies, width)], width, height)
        columns = 2 if width >= 60 and len(weights) > height - 1 else 1
        rows = max(1, height - 1)
        room = width // columns - (columns - 1)
        far = [abs(weight - 1.0) for _, weight in weights]
        most = max(filter(math.isfinite, far), default=0.0)
        names = min(room - _DEVIATION - 2, max(cell_len(fmt.clean(name)) for name, _ in weights))
        cells = [_variable(*weight, before, most, max(6, names), room) for weight in weights]
        lines = []
        for row in range(min(rows, len(cells))):
            line = Text("  " if columns > 1 else "").join(cells[row::rows][:columns])
            lines.append(line)
        return cut([*lines, _entropy(entropies, width)], width, height)


def _variable(
    name: str, weight: float, before: dict[str, float], most: float, names: int, width: int
) -> Text:
    """``momentum_12_1  +2.0% ↑ ━━━━``: how far from the average of all inputs, against the farthest."""
    away, change = weight - 1.0, weight - before.get(name, weight)
    text = line(cell(name, names))
    told = fmt.percent(away, 1, sign=True)
    text.append(f"{told:>{_DEVIATION}} ", STRONG)
    grows, falls = change > _MOVED * most, change < -_MOVED * most
    text.append(GLYPHS.up if grows else GLYPHS.down if falls else " ", DIM)
    share = abs(away) / most if most > 0 and math.isfinite(away) else 0.0
    room = max(0, width - text.cell_len - 1)
    return text.append(" " + strips.meter(share, room), BAR if away >= 0 else OTHER_BAR)


_MOVED = 0.05
"""Change since the epoch before that is told, as a share of the largest distance from the average."""


def _entropy(values: list[float], width: int) -> Text:
    """Entropy of the graph's attention: 1 is a plain mean of the neighbours, 0 a single one."""
    text = Text("graph attention entropy ", style=DIM, no_wrap=True)
    if math.isnan(values[-1]):
        return text.append("off", style=DIM)
    alike = values[-1] > _HEALTHY_ENTROPY
    text.append(f"{values[-1]:.3f} ", style=WARN if alike else STRONG)
    words = "all neighbours alike " if alike else "0 one neighbour, 1 all alike "
    text.append(words, style=DIM)
    text.append(strips.strip(values, max(0, width - text.cell_len), low=0.0, high=1.0), BAR)
    return text


class NetworksPanel(StatePanel):
    """The networks of a walk-forward, one for each fold and seed."""

    title = "networks of the folds, validation RankIC"
    parts = ("networks", "seen")
    unseen = "One network. `atft-tui walkforward` trains one per fold."

    def picture(self, state: RunState, width: int, height: int) -> Text:
        last = state.networks[-1]
        total = max(last.folds * last.seeds, len(state.networks))
        seen = next((task.network for task in state.training if task.name == state.seen), last)
        at_work = [task.network for task in state.training] or [last]
        head = f"network {len(state.networks)} of {total}: fold {seen.fold + 1} of {seen.folds}"
        if len(at_work) > 1:
            head = f"{len(at_work)} at work, {head}"
        more = ", seen in the other panels; v: another" if len(at_work) > 1 else ""
        lines = [Text(f"{head}, seed {seen.seed}{more}", style=STRONG)]
        shown = state.networks[-max(1, height - 1) :]
        lines += [
            _network(network, network in at_work, network == seen, width) for network in shown
        ]
        return cut(lines, width, height)


def _network(network: NetworkState, at_work: bool, seen: bool, width: int) -> Text:
    mark = GLYPHS.running if at_work else GLYPHS.done
    text = Text(no_wrap=True)
    text.append(
        f"{mark} fold {network.fold + 1:>2} seed {network.seed:<3} ", STRONG if seen else ""
    )
    text.append(f"{fmt.counted(network.epochs, 'epoch'):>10}  ", style=DIM)
    best = network.best
    if best is None:
        return text.append("no validation yet", style=DIM)
    noise = is_noise(best.rank_ic, best.null_band)
    figure = f"{'~' if noise else ' '}{fmt.rank_ic(best.rank_ic, best.rank_ic_se, best.n_dates)}"
    text.append(f"{figure}  ", style=DIM if noise else STRONG)
    if math.isfinite(best.rank_ic):
        share = max(0.0, best.rank_ic) / 0.1
        text.append(strips.meter(share, max(0, width - text.cell_len - 1)), style=BAR)
    return text
