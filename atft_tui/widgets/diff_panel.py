"""What `diff` answered: what of the inputs differs, and the ranks that moved with their causes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.jobs import Job
from atft_tui.readings.answers import RUNNING, outcome
from atft_tui.styles import BAD, DIM, STRONG
from atft_tui.widgets.lines import page, row, start, wrapped
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.why_panel import move_text

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
    """The answer of `diff` as lines; what it lacks is left out."""
    changed = ", ".join(str(part) for part in _list(answer.get("changed"))) or "nothing"
    figures = (
        f"{answer.get('moved', 0)} of {answer.get('stocks', 0)} ranks moved, "
        f"{answer.get('n_rows', 0)} cells of bars differ, "
        f"{len(_list(answer.get('entered')))} stocks entered, {len(_list(answer.get('left')))} left"
    )
    lines = [*wrapped(f"differ in: {changed}", width), Text(figures, style=DIM), Text()]
    lines += _ranks(_objects(answer.get("ranks")), width)
    bars = _objects(answer.get("rows"))
    if bars:
        lines += [Text(), Text("bars that differ", style=STRONG)]
        lines += [
            row(
                (str(bar.get("date")), 10, DIM), (str(bar.get("code")), 8, STRONG),
                (str(bar.get("column")), 10), (f"{bar.get('before')}", -12),
                (">", 1, DIM), (f"{bar.get('after')}", -12),
            )
            for bar in bars
        ]  # fmt: skip
    return lines


def _ranks(ranks: Sequence[Mapping[str, Any]], width: int) -> list[Text]:
    if not ranks:
        return []
    rest = max(0, width - 35)
    head = (("code", 8), ("before", -6), ("after", -5), ("", 6))
    lines = [row(*head, ("own bars, neighbours' bars, inputs that moved most", rest), gap=2)]
    lines[0].stylize(STRONG)
    for found in ranks:
        causes = []
        if found.get("own_rows"):
            causes.append(f"{found['own_rows']} own bars")
        heard = [str(code) for code in _list(found.get("neighbour_rows"))[:_CAUSES]]
        if heard:
            causes.append(f"bars of {', '.join(heard)}")
        causes += [
            f"{one.get('feature')} {one.get('before', 0.0):+.2f} > {one.get('after', 0.0):+.2f}"
            for one in _objects(found.get("inputs"))[:_CAUSES]
        ]
        move = found.get("move")
        lines.append(
            row(
                (str(found.get("code")), 8, STRONG), (f"{found.get('before')}", -6),
                (f"{found.get('after')}", -5), (move_text(move if isinstance(move, int) else None), 6),
                (", ".join(causes), rest, DIM), gap=2,
            )
        )  # fmt: skip
    return lines


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """Those entries of a list that are objects."""
    return [one for one in _list(value) if isinstance(one, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
