"""Panels of the judgement on a run: RankIC per epoch, the verdict so far, the log."""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.styles import BAD, BETTER, DIM, GOOD, PLAIN, STRONG, WARN
from atft_tui.widgets import strips
from atft_tui.widgets.chart_panel import ChartPanel
from atft_tui.widgets.curves import Chart, Curve
from atft_tui.widgets.doctor_panel import criteria_line
from atft_tui.widgets.lines import cut, line, wrapped
from atft_tui.widgets.panel import StatePanel
from engine.records.figure import SURE, is_established, is_noise
from engine.records.record import RecordError, convert
from engine.records.run import RunFigures
from engine.records.train import BLEND
from engine.runs.events import BaselineEvaluated, EpochEvaluated
from engine.runs.state import RunState
from engine.runs.steps import seconds_between

_ROOM_FOR_DAYS = 36
"""Columns in which a figure of the test days has the number of its days."""
_LEVEL_STYLES = {"info": PLAIN, "good": GOOD, "warning": WARN, "error": BAD}


class RankICPanel(StatePanel, ChartPanel[RunState]):
    """Validation RankIC of each epoch with its error, beside the simple models; before, what is fitted."""

    title = "RankIC, validation, per epoch"
    parts = ("epochs", "phases", "baselines", "advanced", "stage")

    def chart(self, value: RunState) -> Chart:
        epochs = value.epochs
        curve = Curve(
            name="network",
            x=[float(event.epoch) for event in epochs],
            y=[event.rank_ic for event in epochs],
            errors=[event.rank_ic_se for event in epochs],
            quiet=[is_noise(event.rank_ic, event.null_band) for event in epochs],
            best=[event.is_best for event in epochs],
        )
        starts = {float(p.first_epoch): p.name for p in value.phases if p.first_epoch is not None}
        planned = sum(phase.epochs for phase in value.phases)
        return Chart(
            curves=[curve],
            x_name="epoch",
            levels=[(fmt.model_name(event.name), event.rank_ic) for event in _rivals(value)],
            band=epochs[-1].null_band if epochs else math.nan,
            end=float(max(1, planned - 1)),
            parts=starts,
        )

    def picture(self, value: RunState, width: int, height: int) -> Text:
        """The curve; before the first validation what is fitted, and the figures of what was."""
        if value.epochs:
            return super().picture(value, width, height)
        return cut(_before(value, width), width, height)


def _rivals(state: RunState) -> list[BaselineEvaluated]:
    """The simple models on the validation days, the strongest first, then the blend with the network."""
    found = [e for e in state.baselines if e.split == "validation" and e.name != "oracle"]
    known = [event for event in found if math.isfinite(event.rank_ic)]
    return sorted(known, key=lambda event: (event.name == BLEND, -event.rank_ic))


def _before(state: RunState, width: int) -> list[Text]:
    """What the run is at before its first validation, how far, and how long it will take."""
    lines = [Text("The curve begins with the first validation.", style=DIM)]
    now = state.advanced
    if now is not None and now.stage == state.stage and state.finished is None:
        lines.append(Text())
        bar = strips.meter(now.done / max(1, now.total), max(6, width // 3))
        lines.append(line((f"{fmt.clean(now.stage)} ", STRONG), bar, f" {now.done} of {now.total}"))
        spent = seconds_between(state.stage_at, now.at)
        if 0 < now.done <= now.total and spent > 0:
            left = fmt.duration(spent / now.done * (now.total - now.done))
            lines[-1].append(f"  eta {left}", STRONG)
        lines.append(Text(f"last: {fmt.clean(now.note)}" if now.note else "", style=DIM))
    for rival in _rivals(state):
        figure = fmt.rank_ic(rival.rank_ic, rival.rank_ic_se, rival.n_dates)
        lines.append(line((f"{fmt.model_name(rival.name):<18}", DIM), figure))
    return lines


class VerdictPanel(StatePanel):
    """What can be said of the run so far, in a few lines."""

    title = "verdict so far"
    parts = (
        "epochs",
        "phases",
        "baselines",
        "assertions",
        "warnings",
        "diagnoses",
        "graph_worths",
        "finished",
    )

    def picture(self, state: RunState, width: int, height: int) -> Text:
        """Validation, rivals, test days, criteria and trouble, a line each."""
        best = state.best
        lines = _validated(best, width) if best else [Text("no validation yet", style=DIM)]
        lines += _against(state, best.rank_ic, best.rank_ic_se, width) if best else []
        lines += _tested(state, width)
        if best is not None:
            spread = fmt.number(best.score_std_ratio, 2, sign=False)
            told = Text(f"IC {fmt.number(best.ic)}  spread {spread}")
            lines += [criteria_line(state, width), told]
        if state.assertions:
            passed, of = sum(a.passed for a in state.assertions), len(state.assertions)
            style = GOOD if passed == of else BAD
            lines.append(Text(f"start-up {passed}/{of} passed", style=style))
        return cut([*lines, *_trouble(state)], width, height)


def _validated(best: EpochEvaluated, width: int) -> list[Text]:
    noise = is_noise(best.rank_ic, best.null_band)
    value = fmt.rank_ic(best.rank_ic, best.rank_ic_se, best.n_dates)
    head = Text(no_wrap=True)
    if width >= len(value) + 8:
        head.append("RankIC ", style=DIM)
    sure = is_established(best.rank_ic, best.rank_ic_se, best.null_band)
    good = sure and best.rank_ic > 0
    head.append(
        f"{'~' if noise else ''}{value}", style=BETTER if good else DIM if noise else STRONG
    )
    style = DIM if noise else PLAIN
    word = f"{'inside' if noise else 'outside'} the null band ±{best.null_band:.4f}"
    if head.cell_len + len(word) + 2 <= width:
        return [head.append(f"  {word}", style=style)]
    return [head, *wrapped(word, width, style)]


def _against(state: RunState, rank_ic: float, error: float, width: int) -> list[Text]:
    """Against the strongest simple model: paired on the test days once they are scored."""
    rival = state.best_baseline
    if rival is None:
        return []
    gap = rank_ic - rival.rank_ic
    # Both errors as if they were independent: on the same days the true one is smaller, so this is careful.
    error = SURE * math.hypot(error, rival.rank_ic_se)
    word, style = ("ahead of", GOOD) if gap > 0 else ("behind", WARN)
    told = f"{word} {fmt.model_name(rival.name)} by {abs(gap):.4f} (validation)"
    if not abs(gap) > error:
        told, style = f"~ level with {fmt.model_name(rival.name)}: {gap:+.4f} (validation)", DIM
    return wrapped(told, width, style)


def _tested(state: RunState, width: int) -> list[Text]:
    """The test days at the end: the run's own figure, and the paired difference to the best rival."""
    told = state.finished.summary if state.finished else {}
    try:
        found = convert(told, RunFigures, "summary")
    except RecordError:  # another command's summary, or one by another hand
        return []
    lines = []
    if found.test is not None:
        days = found.test.n_dates if width >= _ROOM_FOR_DAYS else None
        value = fmt.rank_ic(found.test.rank_ic, found.test.rank_ic_se, days)
        lines.append(Text.assemble(("test ", DIM), (value, STRONG)))
    if (gap := found.against) is not None:
        interval = f"{gap.confidence:.0%} [{fmt.number(gap.low)}, {fmt.number(gap.high)}]"
        words = f"{fmt.number(gap.difference)} against {fmt.model_name(gap.name)}, {interval}"
        style = {"above": GOOD, "below": WARN}.get(gap.verdict, DIM)
        lines += wrapped(f"test {gap.verdict}: {words}", width, style)
    return lines


def _trouble(state: RunState) -> list[Text]:
    """The newest finding of the doctor, else the newest warning."""
    count = len(state.diagnoses)
    words = f"doctor {fmt.counted(count, 'finding')}" if count else "doctor: no finding"
    told = Text.assemble((words, WARN if count else DIM), ("  h details", DIM))
    newest = (state.diagnoses or state.warnings)[-1:]
    return [
        told,
        *(Text(f"! {fmt.clean(one.code)} {fmt.clean(one.message)}", WARN) for one in newest),
    ]


class LogPanel(StatePanel):
    """The newest lines of the log."""

    title = "log, newest first, UTC"
    parts = ("log",)
    unseen = "Nothing said yet."

    def picture(self, state: RunState, width: int, height: int) -> Text:
        lines = (
            line((f"{fmt.clock(one.at)} ", DIM), (fmt.clean(one.text), _LEVEL_STYLES[one.level]))
            for one in reversed(state.log)
        )
        return cut(lines, width, max(1, height))
