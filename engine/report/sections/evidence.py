"""Why the figures can be believed: criteria, monitors, differences, split, audit, data, trials, settings."""

import math

from engine.records.figure import Figure, counted
from engine.records.names import model_name
from engine.records.rank_ic import PairedDifference, Worth
from engine.records.train import SeriesRange
from engine.report import charts
from engine.report.facts import Facts
from engine.report.sections.section import EMPTY, Column, Section, cells, flat, shown, titles

_CRITERIA: tuple[Column, ...] = (
    ("criterion", "goal", ""),
    ("value", "value_text", ""),
    ("null band ±", "null_band", ".4f"),
    ("verdict", "verdict", ""),
    ("evidence", "evidence", ""),
)
_WORTHS: tuple[Column, ...] = (
    ("lost without", lambda row: row[0], ""),
    ("score variance", lambda row: row[1].share_text, ""),
    ("RankIC", lambda row: Figure(row[1].rank_ic, row[1].rank_ic_se).text(), ""),
    ("days", lambda row: row[1].n_dates, ","),
)
_CHECKS: tuple[Column, ...] = (
    ("check", "name", ""),
    ("", lambda row: {True: "passed", False: "FAILED", None: "-"}[row.passed], ""),
    ("detail", "detail", ""),
)
_FINDINGS: tuple[Column, ...] = (
    ("rule", "rule", ""),
    ("level", "level", ""),
    ("count", "count", ","),
    ("action", "action", ""),
    ("what", "description", ""),
)
_TRIALS: tuple[Column, ...] = (
    ("variant simulated on these scores", "what", ""),
    ("net Sharpe", "sharpe", "+.2f"),
)


def scoreboard(facts: Facts) -> Section:
    """The founding document's criteria; runs of older versions and walk-forwards have none."""
    if not facts.train.scoreboard:
        return EMPTY
    return Section(
        title="Scoreboard: five criteria",
        header=titles(_CRITERIA),
        rows=cells(facts.train.scoreboard, _CRITERIA),
        caption="Judged on validation days, where epochs were chosen: necessary, not sufficient; the test "
        "figures decide. A value inside its null band is not met; what has no evidence is not shown.",
    )


def monitors(facts: Facts) -> Section:
    """Gradients and gates through the training, and what the doctor found."""
    told = facts.train.monitors
    if told is None:
        return EMPTY
    rows = [(f"gradient, {name}", *_range(found, ".1e")) for name, found in told.gradient.items()]
    rows += [(f"gate, {name}", *_range(found, ".3f")) for name, found in told.alpha.items()]
    rows.append(("score deviation / label's, eval mode", *_range(told.score_std_ratio, ".3f")))
    text = tuple(
        f"{found.code} at step {found.step} ({found.action}): {found.message}. {found.remedy}."
        for found in told.diagnoses
    )
    return Section(
        title="Monitors and doctor",
        text=text or ("The doctor found nothing.",),
        header=("monitor", "first", "smallest", "median", "largest", "last"),
        rows=tuple(rows),
        caption="From the run's events; gradient norms per block before clipping.",
    )


def worth(facts: Facts) -> Section:
    """What goes with the graph's edges and with each block, on validation days."""
    train, rows = facts.train, dict[str, Worth]()
    if train.graph_worth is not None:
        rows["the graph's edges"] = train.graph_worth.without_edges
        rows["the graph's choice: random neighbours"] = train.graph_worth.random_neighbours
    rows |= {f"block {name}": found for name, found in (train.blocks_worth or {}).items()}
    if not rows:
        return EMPTY
    return Section(
        title="What graph and blocks are worth",
        header=titles(_WORTHS),
        rows=cells(rows.items(), _WORTHS),
        caption="The trained network, scored on validation days without the part; paired over days. "
        "Score variance: 1 - r^2 of the two scores within a day. A negative RankIC means that it ranks "
        "better without. Block window is all blocks in front of the graph together.",
    )


def _range(found: SeriesRange, form: str) -> tuple[str, ...]:
    return tuple(
        shown(value, form)
        for value in (found.first, found.min, found.median, found.max, found.last)
    )


def differences(facts: Facts) -> Section:
    """The run's RankIC minus each simple model's, same days, at every horizon that both have."""
    found = [
        (name, horizon, both.test_difference)
        for name, rival in facts.train.baselines.items()
        for horizon, both in sorted(rival.horizons.items(), key=lambda item: int(item[0]))
    ]
    if not found:
        return EMPTY
    columns: tuple[Column, ...] = (
        ("simple model", lambda row: model_name(row[0]), ""),
        ("sessions", lambda row: row[1], ""),
        ("difference", lambda row: row[2].difference, "+.4f"),
        ("± se", lambda row: row[2].se, ".4f"),
        (f"{found[0][2].confidence:.0%}", lambda row: _interval(row[2]), ""),
        ("days", lambda row: row[2].n_dates, ""),
    )
    return Section(
        title=f"{facts.model} minus simple models, test RankIC on the same days",
        header=titles(columns),
        rows=cells(found, columns),
        caption="Standard error: Newey-West. Interval: stationary block bootstrap of the daily "
        "differences. An interval that contains 0 decides nothing.",
    )


def _interval(gap: PairedDifference) -> str:
    return f"[{shown(gap.low, '+.4f')}, {shown(gap.high, '+.4f')}]"


def split(facts: Facts) -> Section:
    """The three parts of the days and the embargo between them, to scale."""
    splits = facts.train.splits
    spans = [
        (name, part.first, part.last, part.sessions)
        for name, part in (
            ("train", splits.train),
            ("validation", splits.validation),
            ("test", splits.test),
        )
    ]
    gap, folds = splits.embargo_sessions, len(facts.train.folds)
    last = f"The last of {counted(folds, 'fold')}; " if folds > 1 else ""
    again = (
        f" After validation had chosen, the models were fitted again on all labelled days to "
        f"{splits.trained_to}; the scores of the test days are theirs."
    )
    return Section(
        title="Split, purge and embargo",
        chart=charts.timeline(spans, gap=gap, title="Train, validation and test, in sessions"),
        caption=f"{last}{counted(gap, 'session')} between two parts belong to none, so that no label "
        f"reaches into the next. Bars to scale, numbers are sessions.{again if splits.refitted else ''}",
    )


def audit(facts: Facts) -> Section:
    """The proof that nothing saw the future, where it was made."""
    found = facts.audit
    if found is None:
        checked = [a for a in facts.assertions if a.name == "truncation"]
        start = "No network was trained, so there were no start-up assertions."
        if checked:
            word = "passed" if checked[0].passed else "FAILED"
            start = f"The start-up assertion 'truncation' {word}: {checked[0].detail}."
        return Section(
            title="Look-ahead audit", text=("There is no audit.json in the workspace.", start)
        )
    scores = f", scores of {found.run}" if found.run else ""
    made = f"made {found.when[:10]} on snapshot {found.snapshot}"
    return Section(
        title="Look-ahead audit",
        text=(f"Verdict: {found.verdict}; {made}{scores}.",),
        header=titles(_CHECKS),
        rows=cells(found.checks, _CHECKS),
    )


def health(facts: Facts) -> Section:
    """The start-up assertions, and whether scores, gradients and gates stayed alive."""
    if not facts.assertions:
        return EMPTY
    train = facts.train
    gradient = ", ".join(f"{name} {norm:.1e}" for name, norm in (train.gradient or {}).items())
    text = []
    if not math.isnan(train.score_std_ratio):
        text.append(f"Score deviation / label deviation in eval mode: {train.score_std_ratio:.2f}.")
    if gradient:
        text.append(f"Gradient norm per block at the end: {gradient}.")
    if train.alpha and "bypass" in train.alpha:
        alpha = train.alpha["bypass"]
        text.append(f"Gate alpha: projected {alpha:.2f}, graph {1 - alpha:.2f}.")
    return Section(
        title="Is the network alive?",
        text=tuple(text),
        header=("start-up assertion", *titles(_CHECKS)[1:]),
        rows=cells(facts.assertions, _CHECKS),
    )


def data(facts: Facts) -> Section:
    """What the quality check found in the bars."""
    found = facts.quality
    if found is None:
        return Section(title="Data", text=("Run `atft-tui check`, then the report again.",))
    return Section(
        title="Data",
        text=(
            f"Verdict {found.verdict}: {counted(found.rows_in, 'row')} read, {found.rows_out:,} kept, "
            f"{counted(found.symbols, 'symbol')}, {found.first} to {found.last}, snapshot "
            f"{found.snapshot}.",
            *(f"Note: {note}." for note in found.notes),
        ),
        header=titles(_FINDINGS),
        rows=cells(found.findings, _FINDINGS),
    )


def trials(facts: Facts) -> Section:
    """How many variants were simulated, and what the best of so many is worth."""
    test = facts.backtest
    if test is None:
        return EMPTY
    tried = sorted(
        facts.trials.values(), key=lambda t: math.inf if math.isnan(t.sharpe) else -t.sharpe
    )
    rows = cells(tried[:10], _TRIALS)
    return Section(
        title="Trials",
        text=(
            f"{test.trials} in this run store, {len(tried)} on these scores. The best of so many "
            f"worthless ones is expected to show a Sharpe ratio of "
            f"{shown(test.sharpe_expected_best)}; against that, the probability that this one is more "
            f"than luck is {shown(test.sharpe_deflated, '.0%')} (Bailey & Lopez de Prado 2014).",
        ),
        header=titles(_TRIALS) if rows else (),
        rows=rows,
        caption="the ten best" if len(tried) > len(rows) else "",
    )


def settings(facts: Facts) -> Section:
    """Program, packages and every setting that the run and its backtest used."""
    rows: list[tuple[str, ...]] = [
        (name, str(facts.manifest.get(name) or "—"))
        for name in ("created", "git_commit", "python", "platform", "config_digest")
    ]
    rows += [(name, version) for name, version in facts.manifest["packages"].items()]
    # The ranges of a search fill a page, and no run uses them: report.json has them.
    rows += [(key, str(value)) for key, value in flat(facts.settings) if key != "tune.space"]
    return Section(title="How to repeat it", header=("key", "value"), rows=tuple(rows))
