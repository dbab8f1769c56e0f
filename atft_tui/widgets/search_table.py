"""Trials of a search and runs of a comparison as rows of one table."""

import math
from dataclasses import dataclass, replace

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.styles import BAD, BETTER, DIM, GOOD, PLAIN
from atft_tui.widgets.column import TableColumn
from engine.runs.events import TrialFinished, VariantFinished
from engine.runs.state import RunState

_STATE_STYLES = {"complete": GOOD, "done": GOOD, "pruned": DIM, "failed": BAD}


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial or one variant that has ended."""

    event: TrialFinished | VariantFinished
    run_id: str
    name: str
    state: str
    about: str
    """Parameters or the error."""
    value: float = math.nan
    """What a search maximises; NaN for a variant."""
    best: bool = False


def tried(state: RunState) -> tuple[Tried, ...]:
    """Trials or variants, the newest first."""
    rows = [_trial(event) for event in state.trials] + [_variant(event) for event in state.variants]
    best = max((row.value for row in rows if not math.isnan(row.value)), default=None)
    return tuple(replace(row, best=row.value == best) for row in reversed(rows))


def _trial(event: TrialFinished) -> Tried:
    settings = "  ".join(f"{key}={value}" for key, value in event.parameters.items())
    about = event.error or settings
    name = f"trial {event.number}"
    return Tried(event, event.trial_run, name, event.state, about, event.value)


def _variant(event: VariantFinished) -> Tried:
    name = f"{event.variant}, seed {event.seed}"
    about = event.error or event.variant_run
    return Tried(event, event.variant_run, name, event.status, about)


def _state(row: Tried) -> Text:
    text = Text(row.state, style=_STATE_STYLES.get(row.state, PLAIN))
    return text.append(" best", style=BETTER) if row.best else text


SEARCH_COLUMNS: tuple[TableColumn[Tried], ...] = (
    TableColumn(name="trial or variant", cell=lambda row: fmt.clean(row.name), width=26),
    TableColumn(name="state", cell=_state, width=14),
    TableColumn(
        name="objective",
        cell=lambda row: fmt.number(row.value),
        value=lambda row: row.value,
        width=9,
        right=True,
    ),
    TableColumn(
        name="RankIC ± se",
        cell=lambda row: fmt.rank_ic(row.event.rank_ic, row.event.rank_ic_se, row.event.n_dates),
        value=lambda row: row.event.rank_ic,
        width=26,
    ),
    TableColumn(name="settings", cell=lambda row: Text(fmt.clean(row.about), style=DIM)),
)
