"""Everything that the checks of a run have said, as one text to scroll through."""

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.styles import BAD, CHANGED, DIM, GOOD, STRONG, WARN
from atft_tui.widgets.doctor_panel import VERDICT_STYLES, criteria
from engine.runs.events import Diagnosed
from engine.runs.state import RunState

_SEVERITY = {"warning": WARN, "critical": BAD}


def details(state: RunState) -> Text:
    """Criteria with their evidence, findings with remedy and patch, start-up assertions, warnings."""
    text = Text()
    _title(text, "Five criteria")
    for criterion in criteria(state):
        text.append(f"  {criterion.verdict:<10}", style=VERDICT_STYLES[criterion.verdict])
        text.append(f"{criterion.goal}\n")
        text.append(f"            {criterion.evidence}\n", style=DIM)
    _title(text, f"\nThe doctor's findings, newest first ({len(state.diagnoses)})")
    if not state.diagnoses:
        text.append("  None so far.\n", style=DIM)
    for finding in reversed(state.diagnoses):
        _finding(text, finding)
    _title(text, "\nStart-up assertions")
    if not state.assertions:
        text.append("  Not run yet.\n", style=DIM)
    for check in state.assertions:
        text.append(f"  {'passed' if check.passed else 'FAILED':<10}",
                    style=GOOD if check.passed else BAD)  # fmt: skip
        text.append(f"{fmt.clean(check.name)}")
        text.append(f"  {fmt.clean(check.detail)}\n", style=DIM)
    if state.warnings:
        _title(text, "\nWarnings")
    for warning in reversed(state.warnings):
        text.append(f"  {fmt.clean(warning.code)}  ", style=WARN)
        text.append(f"{fmt.clean(warning.message)}\n")
        if warning.hint:
            text.append(f"            {fmt.clean(warning.hint)}\n", style=DIM)
    return text


def _title(text: Text, words: str) -> None:
    text.append(f"{words}\n", style=STRONG)


def _finding(text: Text, finding: Diagnosed) -> None:
    place = f"step {finding.step:,}, epoch {finding.epoch}, {fmt.clock(finding.at)} UTC"
    text.append(f"  {fmt.clean(finding.code)} ", style=_SEVERITY[finding.severity])
    text.append(f"({finding.action}) {place}\n")
    text.append(f"            {fmt.clean(finding.message)}\n")
    text.append(
        f"            figure {finding.evidence:.4g}, held against {finding.threshold:.4g}\n", DIM
    )
    text.append(f"            {fmt.clean(finding.remedy)}\n")
    patch = " ".join(f"--set {key}={value}" for key, value in finding.patch.items())
    if patch:
        text.append(f"            try {fmt.clean(patch)}\n", style=CHANGED)
