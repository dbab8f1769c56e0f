"""Columns of the tables of the runs screen."""

import math
from collections.abc import Callable

from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.readings.runs import figure_words, progress_text, sharpe_words
from atft_tui.readings.runs_screen import ConfigDiff, OverlayRun, SettingRow
from atft_tui.readings.searches import ComparisonView, StudyView, TrialView
from atft_tui.styles import figure_text, status_text
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS
from atft_tui.widgets.column import TableColumn
from atft_tui.widgets.lines import start
from engine.records.run import RunSummary, Sharpe

_LetterOf = Callable[[str], str]


def _letter_text(letter: str) -> Text:
    return Text(letter, style=LETTER_STYLES[LETTERS.index(letter)] if letter else styles.PLAIN)


def _sharpe(sharpe: Sharpe | None) -> Text:
    """Point and interval; dim while the interval holds 0."""
    if sharpe is None:
        return Text(fmt.DASH)
    words = sharpe_words(sharpe).rpartition("]")[0] + "]"
    return Text(words, style=styles.DIM if sharpe.low <= 0.0 <= sharpe.high else styles.PLAIN)


def _deflated(sharpe: Sharpe | None) -> str:
    return fmt.DASH if sharpe is None else fmt.share(sharpe.deflated)


def _words(about: RunSummary) -> Text:
    """Tags and note; of a run at work or one that failed also what it says of itself."""
    text = start(" ".join(about.labels.tags), styles.STRONG)
    told = about.status in ("running", "failed", "crashed", "stopped", "")
    for words in (about.labels.note, progress_text(about) if told else ""):
        if words:
            text.append(f"{' ' if text else ''}{fmt.clean(words)}", style=styles.DIM)
    return text


def run_columns(letter_of: _LetterOf) -> tuple[TableColumn[RunSummary], ...]:
    """Columns of the list of runs; those without room go in the order of `leaves`, and are still searched."""
    return (
        TableColumn(name=" ", cell=lambda r: _letter_text(letter_of(r.id)), width=1),
        TableColumn(name="run", cell=lambda r: r.id, width=28),
        TableColumn(name="status", cell=lambda r: status_text(r.status), value=lambda r: r.status,
               width=9),
        TableColumn(name="validation RankIC", cell=lambda r: figure_text(figure_words(r.validation)),
               value=lambda r: r.validation and r.validation.rank_ic, width=17),
        TableColumn(name="test RankIC", cell=lambda r: figure_text(figure_words(r.test)),
               value=lambda r: r.test and r.test.rank_ic, width=17, leaves=3),
        TableColumn(name="net Sharpe", cell=lambda r: _sharpe(r.sharpe), width=21, leaves=4,
               value=lambda r: r.sharpe and r.sharpe.value),
        TableColumn(name="deflated", cell=lambda r: _deflated(r.sharpe), width=8, right=True, leaves=7,
               value=lambda r: r.sharpe and r.sharpe.deflated),
        TableColumn(name="took", cell=lambda r: fmt.duration(r.seconds), width=7, right=True, leaves=5,
               value=lambda r: r.seconds),
        TableColumn(name="settings", cell=lambda r: r.settings.short, leaves=8),
        TableColumn(name="tags, note", cell=_words, leaves=2,
               value=lambda r: " ".join((*r.labels.tags, r.labels.note)) or None),
    )  # fmt: skip


def figure_columns(letter_of: _LetterOf) -> tuple[TableColumn[OverlayRun], ...]:
    """Columns of the marked runs side by side."""
    return (
        TableColumn(name=" ", cell=lambda r: _letter_text(letter_of(r.about.id)), width=1),
        TableColumn(name="run", cell=lambda r: r.about.id, width=28),
        TableColumn(name="validation RankIC",
               cell=lambda r: figure_text(figure_words(r.about.validation)),
               value=lambda r: r.about.validation and r.about.validation.rank_ic, width=17),
        TableColumn(name="test RankIC", cell=lambda r: figure_text(figure_words(r.about.test)),
               value=lambda r: r.about.test and r.about.test.rank_ic, width=17),
        TableColumn(name="days", cell=lambda r: f"{r.about.test.n_dates}" if r.about.test else fmt.DASH,
               width=5, right=True, leaves=2),
        TableColumn(name="net Sharpe", cell=lambda r: _sharpe(r.about.sharpe), width=21, leaves=3,
               value=lambda r: r.about.sharpe and r.about.sharpe.value),
        TableColumn(name="deflated", cell=lambda r: _deflated(r.about.sharpe), width=8, right=True,
               leaves=5),
        TableColumn(name="epochs", cell=lambda r: str(len(r.course.epochs)), width=6, right=True,
               leaves=6),
        TableColumn(name="took", cell=lambda r: fmt.duration(r.about.seconds), width=7, right=True,
               leaves=4),
        TableColumn(name="settings", cell=lambda r: r.about.settings.short, leaves=7),
    )  # fmt: skip


def diff_columns(diff: ConfigDiff) -> tuple[TableColumn[SettingRow], ...]:
    """The key, then one column for each run."""

    def value(number: int) -> Callable[[SettingRow], str]:
        return lambda row: row.values[number]

    key: TableColumn[SettingRow] = TableColumn(name="key", cell=lambda row: row.key, width=30)
    return (
        key,
        *(
            TableColumn(name=f"{LETTERS[n]} {run[-9:]}", cell=value(n))
            for n, run in enumerate(diff.runs)
        ),
    )


COMPARISON_COLUMNS: tuple[TableColumn[ComparisonView], ...] = (
    TableColumn(name="comparison", cell=lambda c: c.found.id, width=30),
    TableColumn(name="state", cell=lambda c: status_text(c.status), width=9),
    TableColumn(name="of", cell=lambda c: c.found.kind, width=9),
    TableColumn(name="variants", cell=lambda c: str(len(c.found.variants)), width=8, right=True),
    TableColumn(name="seeds", cell=lambda c: str(c.found.seeds), width=5, right=True),
    TableColumn(name="data", cell=lambda c: c.found.source, leaves=1),
)
STUDY_COLUMNS: tuple[TableColumn[StudyView], ...] = (
    TableColumn(name="search", cell=lambda s: s.found.study, width=20),
    TableColumn(name="state", cell=lambda s: status_text(s.status), width=9),
    TableColumn(name="trials", cell=lambda s: str(len(s.found.trials)), width=6, right=True),
    TableColumn(name="best", cell=lambda s: fmt.number(s.best.value) if s.best else fmt.DASH, width=8,
           right=True),
    TableColumn(name="run", cell=lambda s: s.found.run_id),
)  # fmt: skip


def _trial_figure(view: TrialView) -> Text:
    trial = view.trial
    if math.isnan(trial.rank_ic):
        return Text(f" {fmt.DASH}")
    figure = fmt.rank_ic(trial.rank_ic, trial.rank_ic_se, trial.n_dates)
    return figure_text(f"{'~' if trial.is_noise else ' '}{figure}")


TRIAL_COLUMNS: tuple[TableColumn[TrialView], ...] = (
    TableColumn(name="trial", cell=lambda t: str(t.trial.number), value=lambda t: t.trial.number, width=5,
           right=True),
    TableColumn(name="state", cell=lambda t: status_text(t.trial.state), value=lambda t: t.trial.state,
           width=10),
    TableColumn(name="objective", cell=lambda t: fmt.number(t.trial.value),
           value=lambda t: t.trial.value, width=9, right=True),
    TableColumn(name="", cell=lambda t: Text("best" if t.best_so_far else "", style=styles.STRONG), width=4),
    TableColumn(name="validation RankIC", cell=_trial_figure, value=lambda t: t.trial.rank_ic,
           width=28, leaves=2),
    TableColumn(name="size", cell=lambda t: fmt.DASH if t.trial.size is None else fmt.count(t.trial.size),
           value=lambda t: t.trial.size, width=7, right=True, leaves=4),
    TableColumn(name="took", cell=lambda t: fmt.duration(t.trial.seconds),
           value=lambda t: t.trial.seconds, width=7, right=True, leaves=3),
    TableColumn(name="settings", cell=lambda t: t.trial.error or t.trial.settings),
    TableColumn(name="run", cell=lambda t: t.trial.run_id or "", width=28, leaves=5),
)  # fmt: skip
