"""What `diff` answered: what of the inputs differs, and the ranks that moved with their causes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.jobs import RUNNING, Job, outcome
from atft_tui.styles import BAD, DIM, STRONG
from atft_tui.widgets.lines import page, row, start, wrapped
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.why_panel import move_text
from engine.records.difference import RankChange, SignalDifference
from engine.records.record import RecordError, convert

_CAUSES = 3
"""Inputs and neighbours named of each stock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The two signals that d compares, and the answer that is shown."""

    before: str
    after: str
    """Empty where there is nothing to compare."""
    job: Job | None


class DiffPanel(PlacePanel[Compared]):
    title = "diff of two signals"
    empty = "d says why ranks differ from the session or revision before; D compares any two."

    def picture(self, value: Compared, width: int, height: int) -> Text:
        job = value.job
        if job is None:
            if not value.before:
                return page(
                    wrapped("There is no earlier signal to compare with.", width), width, height
                )
            words = (
                f"d compares {value.before} with {value.after}: which inputs differ, which bars were "
                "revised, and what moved each rank. D compares any two."
            )
            return page(wrapped(words, width, DIM), width, height)
        title = start(fmt.clean(" ".join(job.words)), STRONG)
        if job.status == RUNNING:
            title.append(f"  {fmt.clean(job.last) or 'is running'} …", style=DIM)
            return page([title], width, height)
        if job.status != "done":
            return page([title, *wrapped(outcome(job)[0], width, BAD)], width, height)
        return page([title, *_answer_lines(job.answer, width)], width, height)


def _answer_lines(answer: Mapping[str, Any], width: int) -> list[Text]:
    """The answer of `diff` as lines; one of another shape is told as such."""
    try:
        found = convert(answer, SignalDifference, "diff")
    except RecordError as error:
        return wrapped(error.message, width, BAD)
    figures = (
        f"{found.moved} of {found.stocks} ranks moved, {found.n_rows} cells of bars differ, "
        f"{len(found.entered)} stocks entered, {len(found.left)} left"
    )
    lines = wrapped(f"differ in: {', '.join(found.changed) or 'nothing'}", width)
    lines += [Text(figures, style=DIM), Text(), *_ranks(found.ranks, width)]
    if found.rows:
        lines += [Text(), Text("bars that differ", style=STRONG)]
    lines += [
        row(
            (bar.date, 10, DIM), (bar.code, 8, STRONG), (bar.column, 10), (f"{bar.before}", -12),
            (">", 1, DIM), (f"{bar.after}", -12),
        )
        for bar in found.rows
    ]  # fmt: skip
    return lines


def _ranks(ranks: Sequence[RankChange], width: int) -> list[Text]:
    if not ranks:
        return []
    rest = max(0, width - 35)
    head = (("code", 8), ("before", -6), ("after", -5), ("", 6))
    lines = [row(*head, ("own bars, neighbours' bars, inputs that moved most", rest), gap=2)]
    lines[0].stylize(STRONG)
    for found in ranks:
        causes = [f"{found.own_rows} own bars"] if found.own_rows else []
        if heard := found.neighbour_rows[:_CAUSES]:
            causes.append(f"bars of {', '.join(heard)}")
        causes += [
            f"{one.feature} {one.before:+.2f} > {one.after:+.2f}" for one in found.inputs[:_CAUSES]
        ]
        lines.append(
            row(
                (found.code, 8, STRONG), (f"{found.before}", -6), (f"{found.after}", -5),
                (move_text(found.move), 6), (", ".join(causes), rest, DIM), gap=2,
            )
        )  # fmt: skip
    return lines
