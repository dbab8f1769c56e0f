"""Trials of a search and runs of a comparison as rows of one table."""

from dataclasses import dataclass

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

    run_id: str
    name: str
    state: str
    rank_ic: float
    rank_ic_se: float
    n_dates: int
    value: float
    """What a search maximises; NaN for a variant."""
    best: bool
    about: str
    """Parameters or the error."""


def tried(state: RunState) -> tuple[Tried, ...]:
    """Trials or variants, the newest first."""
    rows = [_trial(event) for event in state.trials] + [_variant(event) for event in state.variants]
    best = max((row.value for row in rows if row.value == row.value), default=None)
    return tuple(
        Tried(
            row.run_id, row.name, row.state, row.rank_ic, row.rank_ic_se, row.n_dates, row.value,
            row.value == best, row.about,
        )
        for row in reversed(rows)
    )  # fmt: skip


def _trial(event: TrialFinished) -> Tried:
    settings = "  ".join(f"{key}={value}" for key, value in event.parameters.items())
    return Tried(
        event.trial_run, f"trial {event.number}", event.state, event.rank_ic, event.rank_ic_se,
        event.n_dates, event.value, False, event.error or settings,
    )  # fmt: skip


def _variant(event: VariantFinished) -> Tried:
    return Tried(
        event.variant_run, f"{event.variant}, seed {event.seed}", event.status, event.rank_ic,
        event.rank_ic_se, event.n_dates, float("nan"), False, event.error or event.variant_run,
    )  # fmt: skip


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
        cell=lambda row: fmt.rank_ic(row.rank_ic, row.rank_ic_se, row.n_dates),
        value=lambda row: row.rank_ic,
        width=26,
    ),
    TableColumn(name="settings", cell=lambda row: Text(fmt.clean(row.about), style=DIM)),
)
