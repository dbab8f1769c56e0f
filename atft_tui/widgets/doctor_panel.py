"""The five criteria and what the doctor found, short and whole: may this training be believed?"""

import math
from collections.abc import Sequence

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.styles import BAD, CHANGED, DIM, GOOD, PLAIN, STRONG, WARN
from atft_tui.widgets.lines import cut, line
from atft_tui.widgets.panel import StatePanel
from engine.records.train import Criterion
from engine.runs.events import Diagnosed
from engine.runs.scoreboard import scoreboard
from engine.runs.state import RunState

_VERDICT_STYLES = {"met": GOOD, "not met": WARN, "not shown": DIM}
_SEVERITY_STYLES = {"warning": WARN, "critical": BAD}
LINE_WIDTH = 62
"""Columns that the five criteria take in one line, all met."""
_SHORT = {
    "rank_ic": "RankIC",
    "ic": "IC",
    "stability": "stable",
    "no_degeneracy": "spread",
    "graph_worth": "graph",
}


def criteria(state: RunState) -> tuple[Criterion, ...]:
    """The scoreboard of what is known so far."""
    return scoreboard(state.best, state.epochs, state.graph_worths)


def criteria_line(state: RunState, width: int) -> Text:
    """``RankIC met  IC not met ...``, or how many of the five where there is no room."""
    judged = criteria(state)
    met = sum(criterion.verdict == "met" for criterion in judged)
    text = line((f"criteria {met}/{len(judged)}", GOOD if met == len(judged) else PLAIN))
    if width < LINE_WIDTH:
        return text.append(" met")
    for criterion in judged:
        word = {"met": "yes", "not met": "no", "not shown": "open"}[criterion.verdict]
        text.append(f" {_SHORT[criterion.name]} ", style=DIM)
        text.append(word, style=_VERDICT_STYLES[criterion.verdict])
    return text


class DoctorPanel(StatePanel):
    """The criteria and the newest finding."""

    title = "five criteria, and the doctor's findings"
    parts = ("epochs", "phases", "graph_worths", "diagnoses")

    def picture(self, state: RunState, width: int, height: int) -> Text:
        lines = [_row(criterion) for criterion in criteria(state)]
        if not state.diagnoses:
            lines.append(Text("doctor: no finding", style=DIM))
        else:
            lines += _findings(state.diagnoses)
        return cut(lines, width, height)


def _findings(found: Sequence[Diagnosed]) -> list[Text]:
    """The newest finding: what, what was done, the words, the remedy and the patch to try."""
    last = found[-1]
    count = f"doctor: {fmt.counted(len(found), 'finding')}, last "
    what = f"{fmt.clean(last.code)} ({last.action})", _SEVERITY_STYLES[last.severity]
    return [
        Text.assemble((count, DIM), what, f" at step {last.step}"),
        Text(fmt.clean(last.message)),
        Text(fmt.clean(last.remedy), style=DIM),
        Text(_patch(last), style=CHANGED),
    ]


def _row(criterion: Criterion) -> Text:
    text = Text()
    text.append(f"{criterion.verdict:<10}", style=_VERDICT_STYLES[criterion.verdict])
    text.append(f"{_SHORT[criterion.name]:<7}", style=STRONG)
    if not math.isnan(criterion.value):
        value, plus, error = criterion.value_text.partition(" ± ")
        text.append(value).append(plus + error, style=DIM)
    text.append(f"  {criterion.goal}; {criterion.evidence}", style=DIM)
    return text


def _patch(found: Diagnosed) -> str:
    """The settings to try, as a command takes them."""
    return fmt.clean(" ".join(f"--set {key}={value}" for key, value in found.patch.items()))


def details(state: RunState) -> Text:
    """Criteria with their evidence, findings with remedy and patch, start-up assertions, warnings."""
    text = Text.assemble(("Five criteria\n", STRONG))
    for criterion in criteria(state):
        text.append(f"  {criterion.verdict:<10}", style=_VERDICT_STYLES[criterion.verdict])
        text.append(f"{criterion.goal}\n")
        text.append(f"            {criterion.evidence}\n", style=DIM)
    if state.blocks_worth is not None:
        text.append("\nLost without a block, on validation days\n", style=STRONG)
        for name, worth in state.blocks_worth.worth.items():
            text.append(f"  {fmt.clean(name):<10}", style=STRONG)
            text.append(f"{worth.text}\n")
    count = len(state.diagnoses)
    text.append(f"\nThe doctor's findings, newest first ({count})\n", style=STRONG)
    if not count:
        text.append("  None so far.\n", style=DIM)
    for finding in reversed(state.diagnoses):
        _finding(text, finding)
    text.append("\nStart-up assertions\n", style=STRONG)
    if not state.assertions:
        text.append("  Not run yet.\n", style=DIM)
    for check in state.assertions:
        word, style = ("passed", GOOD) if check.passed else ("FAILED", BAD)
        text.append(f"  {word:<10}", style=style)
        text.append(f"{fmt.clean(check.name)}")
        text.append(f"  {fmt.clean(check.detail)}\n", style=DIM)
    if state.warnings:
        text.append("\nWarnings\n", style=STRONG)
    for warning in reversed(state.warnings):
        text.append(f"  {fmt.clean(warning.code)}  ", style=WARN)
        text.append(f"{fmt.clean(warning.message)}\n")
        if warning.hint:
            text.append(f"            {fmt.clean(warning.hint)}\n", style=DIM)
    return text


def _finding(text: Text, finding: Diagnosed) -> None:
    place = f"step {finding.step:,}, epoch {finding.epoch}, {fmt.clock(finding.at)} UTC"
    figure = f"figure {finding.evidence:.4g}, held against {finding.threshold:.4g}"
    text.append(f"  {fmt.clean(finding.code)} ", style=_SEVERITY_STYLES[finding.severity])
    text.append(f"({finding.action}) {place}\n")
    text.append(f"            {fmt.clean(finding.message)}\n")
    text.append(f"            {figure}\n", DIM)
    text.append(f"            {fmt.clean(finding.remedy)}\n")
    if finding.patch:
        text.append(f"            try {_patch(finding)}\n", style=CHANGED)
