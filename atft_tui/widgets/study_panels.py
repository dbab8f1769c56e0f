"""A search: the best so far, and how much each key mattered."""

from typing import ClassVar

from rich.cells import set_cell_size
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.readings.searches import StudyView
from atft_tui.widgets.chart import Curve, CurvePoint, curves
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.strips import meter
from engine.records.study import counted

_EMPTY = "No search yet: ctrl+p tune starts one; each of its trials is a run and counts as a trial."


class BestPanel(PlacePanel[StudyView]):
    """The objective trial by trial."""

    title: ClassVar[str] = "objective by trial: A best so far, B each"
    empty: ClassVar[str] = _EMPTY

    def picture(self, value: StudyView, width: int, height: int) -> Text:
        text = _study_line(value, width)
        best = value.best
        if best is None:
            text.append("\nno trial has come to its end yet", style=styles.DIM)
            return cut(text, width, height)
        figure = fmt.rank_ic(best.rank_ic, best.rank_ic_se, best.n_dates or 0)
        noise = "~" if best.is_noise else ""
        words = (
            f"trial {best.number}: {fmt.number(best.value)} = RankIC {noise}{figure} less one error"
        )
        text.append("\n" + words[:width], style=styles.STRONG)
        text.append(
            "\n" + set_cell_size(fmt.clean(best.settings), width).rstrip(), style=styles.DIM
        )
        text.append("\n")
        every = tuple(CurvePoint(t.number, t.value) for t in value.found.trials)
        course = tuple(CurvePoint(n, v) for n, v in value.found.course())
        text.append_text(
            curves(
                [Curve("best", course), Curve("trial", every)],
                width=width,
                height=height - 3,
                zero=False,
            )
        )
        return cut(text, width, height)


class ImportancePanel(PlacePanel[StudyView]):
    """What each searched key explains of the outcome."""

    title: ClassVar[str] = "what the searched keys explain (PED-ANOVA)"
    empty: ClassVar[str] = _EMPTY

    def picture(self, value: StudyView, width: int, height: int) -> Text:
        shares = sorted(value.found.importances.items(), key=lambda pair: -pair[1])
        if not shares:
            return Text(
                "Written when a search ends with five complete trials or more.", style=styles.DIM
            )
        names = min(28, max(len(key) for key, _ in shares), width // 2)
        text = Text(no_wrap=True)
        for key, share in shares[:height]:
            text.append(set_cell_size(fmt.clean(key), names))
            text.append(f" {fmt.percent(share):>5} ", style=styles.STRONG)
            text.append(meter(share, max(1, width - names - 7)), style=styles.BAR)
            text.append("\n")
        return cut(text, width, height)


def _study_line(value: StudyView, width: int) -> Text:
    """State and counts of a search."""
    trials = value.found.trials
    of = f" of {value.wanted}" if value.wanted > len(trials) else ""
    counts = ", ".join(f"{count} {state}" for state, count in counted(trials).items())
    line = f"{fmt.clean(value.found.study)}: {value.status}, {len(trials)}{of} trials: {counts}"
    return Text(line[:width], no_wrap=True)
