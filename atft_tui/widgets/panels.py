"""Panels of the judgement on a run: RankIC per epoch, the verdict so far, the log."""

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAD, BETTER, DIM, GOOD, PLAIN, REFERENCE, STRONG, WARN
from atft_tui.widgets import point_chart
from atft_tui.widgets.doctor_panel import criteria_line
from atft_tui.widgets.lines import cut, line
from atft_tui.widgets.panel import StatePanel
from engine.records.figure import is_established, is_noise
from engine.records.record import RecordError, convert
from engine.records.run import RunFigures
from engine.runs.events import EpochEvaluated
from engine.runs.state import RunState

_LEVEL_STYLES = {"info": PLAIN, "good": GOOD, "warning": WARN, "error": BAD}


class RankICPanel(StatePanel):
    """Validation RankIC of each epoch with its error and null band, beside the simple models."""

    title = "RankIC, validation, per epoch"
    parts = ("epochs", "phases", "baselines")
    unseen = "Appears after the first validation epoch."

    def picture(self, state: RunState, width: int, height: int) -> Text:
        starts = {p.first_epoch: p.name for p in state.phases if p.first_epoch is not None}
        points = [
            point_chart.EpochPoint(
                value=event.rank_ic, error=event.rank_ic_se, band=event.null_band,
                is_best=event.is_best, starts_phase=starts.get(event.epoch, ""),
            )
            for event in state.epochs
        ]  # fmt: skip
        rival, planned = state.best_baseline, sum(phase.epochs for phase in state.phases)
        reference = (rival.name, rival.rank_ic) if rival else None
        text = point_chart.epoch_chart(
            points, width=width, height=height - 1, planned=planned, reference=reference
        )
        legend = self.legend(state, width)
        legend.truncate(width, overflow="ellipsis")
        return text.append("\n").append_text(legend)

    @staticmethod
    def legend(state: RunState, width: int) -> Text:
        """What the marks mean, and the simple models, the strongest first: its line is dotted."""
        null, best = ("null band", "best so far") if width >= 60 else ("null", "best")
        text = line((f"{GLYPHS.band} {null}  {GLYPHS.bar} ±1 se  {GLYPHS.best} {best}  ", DIM))
        rival = state.best_baseline
        if rival is None:
            return text
        told = f"{fmt.clean(rival.name)} {rival.rank_ic:+.4f}"
        text.append(f"{GLYPHS.dotted} {told}", style=REFERENCE)
        others = [
            event
            for event in state.baselines
            if event.split == rival.split and event.name not in (rival.name, "oracle")
        ]
        for other in sorted(others, key=lambda event: event.rank_ic, reverse=True):
            text.append(f"  {fmt.clean(other.name)} {fmt.number(other.rank_ic)}", style=DIM)
        return text


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
        lines += _against(state, best.rank_ic) if best else []
        lines += _tested(state)
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
    word = f"{'inside' if noise else 'outside'} the null band ±{best.null_band:.4f}"
    if head.cell_len + len(word) + 2 <= width:
        return [head.append(f"  {word}", style=DIM if noise else PLAIN)]
    return [head, Text(word, style=DIM if noise else PLAIN)]


def _against(state: RunState, rank_ic: float) -> list[Text]:
    """Against the strongest simple model: paired on the test days once they are scored."""
    rival = state.best_baseline
    if rival is None:
        return []
    gap = rank_ic - rival.rank_ic
    word = "ahead of" if gap > 0 else "behind"
    style = GOOD if gap > 0 else WARN
    return [Text(f"{word} {fmt.clean(rival.name)} by {abs(gap):.4f} (validation)", style=style)]


def _tested(state: RunState) -> list[Text]:
    """The test days at the end: the run's own figure, and the paired difference to the best rival."""
    told = state.finished.summary if state.finished else {}
    try:
        found = convert(told, RunFigures, "summary")
    except RecordError:  # another command's summary, or one by another hand
        return []
    lines = []
    if found.test is not None:
        value = fmt.rank_ic(found.test.rank_ic, found.test.rank_ic_se, found.test.n_dates)
        lines.append(Text.assemble(("test ", DIM), (value, STRONG)))
    if (gap := found.against) is not None:
        interval = f"{gap.confidence:.0%} [{fmt.number(gap.low)}, {fmt.number(gap.high)}] paired"
        words = f"{fmt.number(gap.difference)} to {fmt.clean(gap.name)}  {interval}"
        style = {"above": GOOD, "below": WARN}.get(gap.verdict, DIM)
        lines.append(Text.assemble(("test ", DIM), words, (f"  {gap.verdict}", style)))
    return lines


def _trouble(state: RunState) -> list[Text]:
    """The newest finding of the doctor, else the newest warning."""
    count = len(state.diagnoses)
    words = f"doctor {count} finding{'s' * (count > 1)}" if count else "doctor: no finding"
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
