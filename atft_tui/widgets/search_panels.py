"""Panels of the runs: the marked ones against each other, comparisons and searches."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.runs_screen import Overlay, SettingRow
from atft_tui.readings.searches import ComparisonView, StudyView
from atft_tui.styles import DIM, STRONG
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS
from atft_tui.widgets.chart_panel import ChartPanel
from atft_tui.widgets.curves import Chart, Curve
from atft_tui.widgets.intervals import Estimate, axis_row, estimate_row
from atft_tui.widgets.lines import cut, line
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.strips import meter
from engine.records.comparison import VariantComparison, VariantResult
from engine.records.study import counted

_MARK_FIRST = "Nothing is marked: go back to the list (esc) and mark up to six runs with space."


class OverlayRankIC(ChartPanel[Overlay]):
    title: ClassVar[str] = "validation RankIC per epoch (small letter: inside the null band)"
    empty: ClassVar[str] = _MARK_FIRST
    none: ClassVar[str] = "None of the marked runs has a validation yet."

    def chart(self, value: Overlay) -> Chart:
        return Chart(curves=value.curves(lambda run: run.rank_ic), x_name="epoch")


class OverlayLoss(ChartPanel[Overlay]):
    title: ClassVar[str] = "loss per epoch, training days"
    empty: ClassVar[str] = _MARK_FIRST
    none: ClassVar[str] = "None of the marked runs has logged a step yet."

    def chart(self, value: Overlay) -> Chart:
        return Chart(curves=value.curves(lambda run: run.loss), x_name="epoch")


class PairsPanel(PlacePanel[Overlay]):
    title: ClassVar[str] = "paired differences of test RankIC, common days"
    empty: ClassVar[str] = _MARK_FIRST

    def picture(self, value: Overlay, width: int, height: int) -> Text:
        if not value.pairs:
            more = "" if len(value.runs) > 1 else " (mark two at least)"
            return Text(f"None on file: c compares the marked runs{more}.", style=DIM)
        ids = [run.about.id for run in value.runs]
        letters = {i: i[-4:] if value.by_tag else LETTERS[n] for n, i in enumerate(ids)}
        lines = []
        for pair in value.pairs:
            gap = pair.gap
            noise = gap.low <= 0.0 <= gap.high
            told = (
                f"{letters[gap.first]} - {letters[gap.second]}  {'~' if noise else ' '}"
                f"{fmt.rank_ic(gap.difference, gap.se)}  {pair.confidence:.0%} "
                f"[{fmt.number(gap.low)}, {fmt.number(gap.high)}]  {fmt.clean(gap.direction)} "
                f"(n={gap.n_dates}, h={pair.horizon})"
            )
            lines.append(line((set_cell_size(told, width), DIM if noise else STRONG)))
        if len(lines) > height:
            lines[height - 1 :] = [line((f"and {len(lines) - height + 1} more", DIM))]
        return cut(lines, width, height)


class DifferencePanel(PlacePanel[tuple[SettingRow, ...]]):
    title: ClassVar[str] = "whole values, of the key under the cursor first"
    empty: ClassVar[str] = "The key under the cursor."

    def picture(self, value: tuple[SettingRow, ...], width: int, height: int) -> Text:
        lines: list[Text] = []
        for row in value:
            if len(lines) >= height:
                break
            lines += [Text()] * bool(lines) + [line((fmt.clean(row.key), STRONG))]
            for letter, style, words in zip(LETTERS, LETTER_STYLES, row.values, strict=False):
                told = fmt.clean(words)
                fits = cell_len(told) <= width - 2
                parts = [told] if fits else chop_cells(told, max(2, width - 2))
                for number, part in enumerate(parts):
                    lines.append(line((f"{letter} " if number == 0 else "  ", style), part))
        return cut(lines, width, height)


_HUGE = 1e100
_MIN_PLOT = 12
_FIGURE_WIDTH = 18
"""``-0.0123 ± 0.0045``."""
_MAX_NAME = 26
_MAX_WORDS = 30


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One difference with its interval."""

    name: str
    value: float
    se: float
    low: float
    high: float
    words: str = ""
    """The verdict, or why there is no interval."""

    @property
    def known(self) -> bool:
        """Whether value and interval are finite and in order."""
        return all(
            math.isfinite(v) and abs(v) < _HUGE for v in (self.value, self.low, self.high)
        ) and (self.low <= self.high)

    @property
    def undecided(self) -> bool:
        """0 lies in the interval."""
        return not self.known or self.low <= 0.0 <= self.high


def forest(rows: Sequence[ForestRow], *, width: int, height: int) -> Text:
    """Name, difference with its error, interval and verdict of each row, then the scale.

    A difference whose interval holds 0 is marked ``~`` and dim; what does not fit is counted below.
    """
    if width < 20 or height < 3 or not rows:
        return Text()
    shown = rows if len(rows) < height else rows[: height - 2]
    names = min(_MAX_NAME, max(cell_len(fmt.clean(row.name)) for row in shown), width // 3)
    words = min(_MAX_WORDS, max(cell_len(fmt.clean(row.words)) for row in shown))
    rest = width - names - 2
    figures = _FIGURE_WIDTH if rest >= _FIGURE_WIDTH + _MIN_PLOT else 0
    rest -= figures
    words = words if rest - words - 2 >= _MIN_PLOT else 0
    plot = rest - (words + 2 if words else 0)
    low, high = _span(shown)
    scale = CellScale(low=low, high=high, columns=plot)
    text = Text(no_wrap=True)
    for row in shown:
        style = styles.DIM if row.undecided else styles.STRONG
        text.append(set_cell_size(fmt.clean(row.name), names), style=style).append("  ")
        text.append(f"{_figure(row):<{figures}}"[:figures], style=style)
        text.append_text(_interval(row, scale))
        if words:
            text.append("  ").append(set_cell_size(fmt.clean(row.words), words), style=style)
        text.append("\n")
    if len(shown) < len(rows):
        text.append(f"and {len(rows) - len(shown)} more\n", style=styles.DIM)
    axis = axis_row(scale, {low: f"{low:+.3g}", 0.0: "0", high: f"{high:+.3g}"}, styles.DIM)
    return text.append(" " * (names + 2 + figures)).append_text(axis)


def _span(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """From the lowest to the highest end with 0 among them, and a little room."""
    known = [row for row in rows if row.known]
    low = min([0.0, *(row.low for row in known)])
    high = max([0.0, *(row.high for row in known)])
    room = 0.04 * (high - low) or 0.001
    return low - room, high + room


def _figure(row: ForestRow) -> str:
    if not math.isfinite(row.value) or abs(row.value) >= _HUGE:
        return fmt.DASH
    se = f" ± {row.se:.4f}" if math.isfinite(row.se) else ""
    return f"{'~' if row.undecided else ' '}{row.value:+.4f}{se}"


def _interval(row: ForestRow, scale: CellScale) -> Text:
    """Zero lies on top of an interval that holds it."""
    zero = {0.0: (GLYPHS.bar, styles.DIM)}
    if not row.known:
        return estimate_row(scale, Estimate(value=math.nan), lines=zero)
    mark, style = GLYPHS.point, styles.BETTER if row.value > 0 else styles.BAD
    if row.undecided:
        mark, style = "~", styles.DIM
    estimate = Estimate(value=row.value, low=row.low, high=row.high, mark=mark, style=style)
    over = {0.0: (GLYPHS.bar, styles.PLAIN)} if row.low < 0.0 < row.high else {}
    return estimate_row(scale, estimate, lines=zero, over=over)


_NO_COMPARISON = (
    "No comparison yet: ctrl+p compare, then `ablations` (what each part is worth) or `sizes`.\n"
    "Each variant is trained with several seeds and compared on the same days."
)

_MIN_SEEDS = 2
"""Fewer decide nothing (`engine.evaluation.judging`)."""


class ForestPanel(PlacePanel[ComparisonView]):
    """Each variant less the reference with its interval."""

    title: ClassVar[str] = "variant less reference, test RankIC"
    empty: ClassVar[str] = _NO_COMPARISON

    def picture(self, value: ComparisonView, width: int, height: int) -> Text:
        one, done = value.found, value.status == "done"
        rows = [_forest_row(row) for row in one.variants if not done or row.name != one.reference]
        told = f"{value.status}: differences and intervals are judged when all variants are trained"
        if done:
            chance = f"{(1.0 - one.confidence) * len(rows):.1f} miss 0 by chance alone. ~ holds 0"
            ends = f"{GLYPHS.cap_left}{GLYPHS.cap_right} {one.confidence:.0%}"
            told = f"{ends} block bootstrap over days; of {len(rows)} intervals {chance}"
        picture = forest(rows, width=width, height=max(3, height - 4))
        text = Text.assemble(
            _head(one, value.days), picture, (f"\n{told}", styles.DIM), no_wrap=True
        )
        return cut(text, width, height)


class DailyGapPanel(ChartPanel[ComparisonView]):
    """How the largest difference came about."""

    title: ClassVar[str] = "the largest difference, summed over the test days"
    empty: ClassVar[str] = "Drawn from the parquet file of a comparison that has ended."

    none: ClassVar[str] = empty

    def chart(self, value: ComparisonView) -> Chart:
        if (daily := value.daily) is None:
            return Chart(curves=())
        words = f"{daily.variant} less {value.found.reference}"
        curve = Curve(name=words, x=range(len(daily.total)), y=daily.total)
        return Chart(curves=[curve], zero=True, x_words=lambda n: str(daily.days[round(n)]))


def _head(one: VariantComparison, days: str) -> Text:
    """What is compared on how many seeds, then the figure of the reference and what its days are."""
    horizon = f", h={one.score_horizon}" if one.score_horizon else ""
    variants = fmt.counted(len(one.variants), "variant")
    made = f"{variants}, seeds: {one.seeds}{horizon}, {fmt.clean(one.source)}"
    reference = next((v for v in one.variants if v.name == one.reference), None)
    told = ""
    if reference is not None and (test := reference.test) is not None:
        figure = fmt.rank_ic(test.rank_ic, test.rank_ic_se, test.n_dates)
        told = f"reference {fmt.clean(one.reference)}: test RankIC {figure}{days and f', {days}'}"
    return Text.assemble(f"{fmt.clean(one.id)}: {made}\n", (told, styles.DIM), "\n")


def _forest_row(variant: VariantResult) -> ForestRow:
    gap = variant.gap
    words = variant.verdict
    if gap is not None and len(variant.runs) < _MIN_SEEDS:
        words = f"{words}: one seed"
    if variant.errors:
        words = f"{len(variant.errors)} failed: {variant.errors[0]}"
    if gap is None:
        test = variant.test
        level = "" if test is None else f"{fmt.rank_ic(test.rank_ic, test.rank_ic_se)}, {words}"
        return ForestRow(variant.name, math.nan, math.nan, math.nan, math.nan, level or words)
    return ForestRow(variant.name, gap.difference, gap.se, gap.low, gap.high, words)


_NO_SEARCH = (
    "No search yet: ctrl+p tune starts one; each of its trials is a run and counts as a trial."
)


class BestPanel(ChartPanel[StudyView]):
    """The objective trial by trial."""

    title: ClassVar[str] = "objective by trial"
    empty: ClassVar[str] = _NO_SEARCH

    none: ClassVar[str] = "no trial has come to its end yet"

    def chart(self, value: StudyView) -> Chart:
        trials, course = value.found.trials, value.found.course()
        every = Curve(name="each", x=[float(t.number) for t in trials], y=[t.value for t in trials])
        best = Curve(name="best so far", x=[float(n) for n, _ in course], y=[v for _, v in course])
        return Chart(curves=[best, every], x_name="trial")

    def head(self, value: StudyView, width: int) -> list[Text]:
        trials, best = value.found.trials, value.best
        of = f" of {value.wanted}" if value.wanted > len(trials) else ""
        counts = ", ".join(f"{count} {state}" for state, count in counted(trials).items())
        name = f"{fmt.clean(value.found.study)}: {value.status}"
        word = "trial" if (value.wanted or len(trials)) == 1 else "trials"
        text = Text(f"{name}, {len(trials)}{of} {word}: {counts}"[:width], no_wrap=True)
        if best is None:
            return [text]
        figure = fmt.rank_ic(best.rank_ic, best.rank_ic_se, best.n_dates or 0)
        told = f"{fmt.number(best.value)} = RankIC {'~' * best.is_noise}{figure} less one error"
        told += value.days and f", {value.days}"
        text.append("\n" + f"trial {best.number}: {told}"[:width], style=styles.STRONG)
        settings = set_cell_size(fmt.clean(best.settings), width).rstrip()
        text.append(f"\n{settings}", style=styles.DIM)
        return list(text.split("\n", allow_blank=True))


class ImportancePanel(PlacePanel[StudyView]):
    """What each searched key explains of the outcome."""

    title: ClassVar[str] = "what the searched keys explain (PED-ANOVA)"
    empty: ClassVar[str] = _NO_SEARCH

    def picture(self, value: StudyView, width: int, height: int) -> Text:
        shares = sorted(value.found.importances.items(), key=lambda pair: -pair[1])
        if not shares:
            words = "Written when a search ends with five complete trials or more."
            return Text(words, style=styles.DIM)
        names = min(28, max(len(key) for key, _ in shares), width // 2)
        rows = (
            line(
                set_cell_size(fmt.clean(key), names), (f" {fmt.percent(share):>5} ", styles.STRONG),
                (meter(share, max(1, width - names - 7)), styles.BAR),
            )
            for key, share in shares
        )  # fmt: skip
        return cut(rows, width, height)
