"""A comparison of variants: forest plot, and how the difference came about day by day."""

import math
from typing import ClassVar

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.searches import ComparisonView
from atft_tui.styles import DIM
from atft_tui.widgets.chart import Curve, CurvePoint, curves
from atft_tui.widgets.forest import ForestRow, forest
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import PlacePanel
from engine.records.comparison import VariantComparison, VariantResult

_EMPTY = (
    "No comparison yet: ctrl+p compare, then `ablations` (what each part is worth) or `sizes`.\n"
    "Each variant is trained with several seeds and compared on the same days."
)

_MIN_SEEDS = 2
"""Fewer decide nothing (`engine.evaluation.judging`)."""


class ForestPanel(PlacePanel[ComparisonView]):
    """Each variant less the reference with its interval."""

    title: ClassVar[str] = "variant less reference, test RankIC"
    empty: ClassVar[str] = _EMPTY

    def picture(self, value: ComparisonView, width: int, height: int) -> Text:
        one, done = value.found, value.status == "done"
        text = Text(no_wrap=True)
        text.append_text(_head(one, width))
        rows = [_row(row) for row in one.variants if not done or row.name != one.reference]
        text.append_text(forest(rows, width=width, height=max(3, height - 4)))
        if done:
            chance = (1.0 - one.confidence) * len(rows)
            ends = GLYPHS.cap_left + GLYPHS.cap_right
            text.append(
                f"\n{ends} {one.confidence:.0%} block bootstrap over days; of {len(rows)} intervals "
                f"{chance:.1f} miss 0 by chance alone. ~ holds 0",
                style=DIM,
            )
        else:
            words = f"{value.status}: differences and intervals are judged when all variants are trained"
            text.append(f"\n{words}", style=DIM)
        return cut(text, width, height)


class DailyGapPanel(PlacePanel[ComparisonView]):
    """How the largest difference came about."""

    title: ClassVar[str] = "the largest difference, summed over the test days"
    empty: ClassVar[str] = "Drawn from the parquet file of a comparison that has ended."

    def picture(self, value: ComparisonView, width: int, height: int) -> Text:
        daily = value.daily
        if daily is None:
            return Text(self.empty, style=DIM)
        points = tuple(CurvePoint(float(n), total) for n, total in enumerate(daily.total))
        text = Text(no_wrap=True)
        words = f"{fmt.clean(daily.variant)} less {fmt.clean(value.found.reference)}"
        text.append(f"A {words}, {daily.days[0]} to {daily.days[-1]}\n", style=DIM)
        text.append_text(curves([Curve(words, points)], width=width, height=height - 1, digits=2))
        return cut(text, width, height)


def _head(one: VariantComparison, width: int) -> Text:
    text = Text(no_wrap=True)
    horizon = f", h={one.score_horizon}" if one.score_horizon else ""
    text.append(
        f"{fmt.clean(one.id)}: {len(one.variants)} variants, seeds: {one.seeds}{horizon}, "
        f"{fmt.clean(one.source)}",
    )
    text.append("\n")
    reference = next((v for v in one.variants if v.name == one.reference), None)
    if reference is not None and reference.test is not None:
        test = reference.test
        text.append(
            f"reference {fmt.clean(one.reference)}: test RankIC "
            f"{fmt.rank_ic(test.rank_ic, test.rank_ic_se, test.n_dates)}",
            style=DIM,
        )
    text.append("\n")
    return text


def _row(variant: VariantResult) -> ForestRow:
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
