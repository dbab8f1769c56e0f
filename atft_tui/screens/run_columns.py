"""Columns of the tables of runs, searches and comparisons."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.runs import figure_words, progress_text, sharpe_words
from atft_tui.readings.runs_screen import ConfigDiff, OverlayRun, SettingRow
from atft_tui.readings.searches import ComparisonView, StudyView, TrialView
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG, figure_text, status_text
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS
from atft_tui.widgets.column import TableColumn, numbers
from atft_tui.widgets.lines import start
from engine.records.run import RunSummary
from engine.runs.events import TrialFinished, VariantFinished
from engine.runs.state import RunState

_LetterOf = Callable[[str], str]


def _sharpe(run: RunSummary) -> Text:
    """Point and interval; dim while the interval holds 0."""
    found = run.sharpe
    if found is None:
        return Text(fmt.DASH)
    words = sharpe_words(found).rpartition("]")[0] + "]"
    return Text(words, style=DIM if found.low <= 0.0 <= found.high else PLAIN)


def _words(about: RunSummary) -> Text:
    """Tags and note; of a run at work or one that failed also what it says of itself."""
    text = start(" ".join(about.labels.tags), STRONG)
    told = about.status in ("running", "failed", "crashed", "stopped", "")
    for words in (about.labels.note, progress_text(about) if told else ""):
        if words:
            text.append(f"{' ' if text else ''}{fmt.clean(words)}", style=DIM)
    return text


def run_columns(
    letter_of: _LetterOf, *, protocol: bool = False
) -> tuple[TableColumn[RunSummary], ...]:
    """Columns of the list of runs; those without room go in the order of `leaves`, and are still searched.

    ``protocol``: also what days the figures rest on, which leaves after them.
    """
    days: TableColumn[RunSummary] = TableColumn("protocol", lambda r: r.days, 18, leaves=1)

    def letter(run: RunSummary) -> Text:
        found = letter_of(run.id)
        return Text(found, LETTER_STYLES[LETTERS.index(found)] if found else PLAIN)

    return (
        TableColumn(" ", letter, 1),
        TableColumn("run", lambda r: r.id, 28),
        TableColumn("status", lambda r: status_text(r.status), 9, value=lambda r: r.status),
        TableColumn("validation RankIC", lambda r: figure_text(figure_words(r.validation)), 17,
                    value=lambda r: r.validation and r.validation.rank_ic),
        TableColumn("test RankIC", lambda r: figure_text(figure_words(r.test)), 17, leaves=3,
                    value=lambda r: r.test and r.test.rank_ic),
        *([days] * protocol),
        TableColumn("net Sharpe", _sharpe, 21, leaves=4, value=lambda r: r.sharpe and r.sharpe.value),
        numbers("deflated", lambda r: r.sharpe.deflated if r.sharpe else None, 8, fmt.share, leaves=7),
        numbers("took", lambda r: r.seconds, 7, fmt.duration, leaves=5),
        TableColumn("settings", lambda r: r.settings.short, leaves=8),
        TableColumn("tags, note", _words, leaves=2,
                    value=lambda r: " ".join((*r.labels.tags, r.labels.note)) or None),
    )  # fmt: skip


def figure_columns(
    letter_of: _LetterOf, *, protocol: bool = False
) -> tuple[TableColumn[OverlayRun], ...]:
    """Columns of the marked runs side by side: those of the list, and what only an overlay knows."""
    listed = {column.name: column for column in run_columns(letter_of, protocol=protocol)}

    def of(name: str, leaves: int = 0) -> TableColumn[OverlayRun]:
        column = listed[name]
        return TableColumn(
            name, lambda r: column.cell(r.about), column.width, leaves=leaves, right=column.right,
            value=lambda r: column.raw(r.about),
        )  # fmt: skip

    return (
        of(" "), of("run"), of("validation RankIC"), of("test RankIC"),
        numbers("days", lambda r: r.about.test.n_dates if r.about.test else None, 5, str, leaves=2),
        *([of("protocol", 1)] if protocol else []),
        of("net Sharpe", 3), of("deflated", 5),
        numbers("epochs", lambda r: len(r.course.epochs), 6, str, leaves=6),
        of("took", 4), of("settings", 7),
    )  # fmt: skip


def diff_columns(diff: ConfigDiff) -> tuple[TableColumn[SettingRow], ...]:
    """The key, then one column for each run."""

    def value(number: int) -> Callable[[SettingRow], str]:
        return lambda row: row.values[number]

    key: TableColumn[SettingRow] = TableColumn("key", lambda row: row.key, 30)
    names = (f"{letter} {run[-9:]}" for letter, run in zip(LETTERS, diff.runs, strict=False))
    return (key, *(TableColumn(name, value(n)) for n, name in enumerate(names)))


COMPARISON_COLUMNS: tuple[TableColumn[ComparisonView], ...] = (
    TableColumn("comparison", lambda c: c.found.id, 30),
    TableColumn("state", lambda c: status_text(c.status), 9),
    TableColumn("of", lambda c: c.found.kind, 9),
    numbers("variants", lambda c: len(c.found.variants), 8, str),
    numbers("seeds", lambda c: c.found.seeds, 5, str),
    TableColumn("data", lambda c: c.found.source, leaves=1),
)
STUDY_COLUMNS: tuple[TableColumn[StudyView], ...] = (
    TableColumn("search", lambda s: s.found.study, 20),
    TableColumn("state", lambda s: status_text(s.status), 9),
    numbers("trials", lambda s: len(s.found.trials), 6, str),
    numbers("best", lambda s: s.best.value if s.best else None, 8, fmt.number),
    TableColumn("run", lambda s: s.found.run_id),
)


def _trial_figure(view: TrialView) -> Text:
    trial = view.trial
    if math.isnan(trial.rank_ic):
        return Text(f" {fmt.DASH}")
    figure = fmt.rank_ic(trial.rank_ic, trial.rank_ic_se, trial.n_dates)
    return figure_text(f"{'~' if trial.is_noise else ' '}{figure}")


TRIAL_COLUMNS: tuple[TableColumn[TrialView], ...] = (
    numbers("trial", lambda t: t.trial.number, 5, str),
    TableColumn("state", lambda t: status_text(t.trial.state), 10, value=lambda t: t.trial.state),
    numbers("objective", lambda t: t.trial.value, 9, fmt.number),
    TableColumn("", lambda t: Text("best" if t.best_so_far else "", style=STRONG), 4),
    TableColumn("validation RankIC", _trial_figure, 28, value=lambda t: t.trial.rank_ic, leaves=2),
    numbers("size", lambda t: t.trial.size, 7, fmt.count, leaves=4),
    numbers("took", lambda t: t.trial.seconds, 7, fmt.duration, leaves=3),
    TableColumn("settings", lambda t: t.trial.error or t.trial.settings),
    TableColumn("run", lambda t: t.trial.run_id or "", 28, leaves=5),
)


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
    rows = []
    for trial in state.trials:
        about = trial.error or "  ".join(
            f"{key}={value}" for key, value in trial.parameters.items()
        )
        name = f"trial {trial.number}"
        rows.append(Tried(trial, trial.trial_run, name, trial.state, about, trial.value))
    for one in state.variants:
        name, about = f"{one.variant}, seed {one.seed}", one.error or one.variant_run
        rows.append(Tried(one, one.variant_run, name, one.status, about))
    best = max((row.value for row in rows if not math.isnan(row.value)), default=None)
    return tuple(replace(row, best=row.value == best) for row in reversed(rows))


def _state(row: Tried) -> Text:
    text = Text(row.state, style=_STATE_STYLES.get(row.state, PLAIN))
    return text.append(" best", style=STRONG) if row.best else text


def _tried_figure(row: Tried) -> str:
    return fmt.rank_ic(row.event.rank_ic, row.event.rank_ic_se, row.event.n_dates)


SEARCH_COLUMNS: tuple[TableColumn[Tried], ...] = (
    TableColumn("trial or variant", lambda row: row.name, 26),
    TableColumn("state", _state, 14),
    numbers("objective", lambda row: row.value, 9, fmt.number),
    TableColumn("RankIC ± se", _tried_figure, 26, value=lambda row: row.event.rank_ic),
    TableColumn("settings", lambda row: Text(fmt.clean(row.about), style=DIM)),
)
