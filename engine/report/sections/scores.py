"""What the scores are worth before any book: RankIC, decay, entry delay, quantiles, epochs, comparisons."""

import math
from collections.abc import Mapping

from engine.records.comparison import VariantResult
from engine.records.figure import DASH, Figure, counted
from engine.records.names import model_name
from engine.records.rank_ic import FactorFigures
from engine.records.train import Rival
from engine.report import charts
from engine.report.facts import Facts
from engine.report.sections.section import EMPTY, Column, Section, cells, rank_ic, shown, titles

_ENTRIES = {
    "same_close": "at the signal's own close (cannot be traded)",
    "traded": "one session later (what is traded)",
    "skipped": "two sessions later",
}
_ENTRY: tuple[Column, ...] = (
    ("entry", lambda item: item[0], ""),
    ("RankIC", lambda item: Figure(item[1].value, item[1].se).text(), ""),
    ("days", lambda item: item[1].n_dates, ""),
)
_PHASES: tuple[Column, ...] = (
    ("phase", "name", ""),
    ("epochs", "epochs", ""),
    ("best validation RankIC", lambda row: Figure(row.rank_ic, row.rank_ic_se).text(), ""),
    ("outcome", lambda row: "kept" if row.kept else _ROLLED_BACK, ""),
)
_BEYOND: tuple[Column, ...] = (
    ("scores", lambda item: model_name(item[0]), ""),
    ("likeness", lambda item: item[1].likeness, "+.2f"),
    ("added", lambda item: Figure(item[1].added, item[1].added_se).text(), ""),
)
_ROLLED_BACK = "did not beat the one before: rolled back"
_RUNS: tuple[Column, ...] = (
    ("this run, but", "change", ""),
    ("test RankIC", lambda row: rank_ic(row.test), ""),
    ("net Sharpe", "sharpe", "+.2f"),
    ("run", "run_id", ""),
)


def rank_ic_table(facts: Facts) -> Section:
    """RankIC of the run, of the simple models on the same days, and of the folds."""
    train = facts.train

    def place(item: tuple[str, Rival]) -> float:
        return -item[1].test.rank_ic

    rows = [(facts.model, rank_ic(train.best), rank_ic(train.test), "")]
    for name, rival in sorted(train.baselines.items(), key=place):
        gap = rival.test_difference
        difference = Figure(gap.difference, gap.se).text() if gap else ""
        rows.append((model_name(name), rank_ic(rival.validation), rank_ic(rival.test), difference))
    rows += [(span.span + " days", "", rank_ic(span), "") for span in train.spans]
    rows += [(f"fold {fold.fold} of {facts.model}", "", rank_ic(fold), "") for fold in train.folds]
    days = facts.words(train.judged_days)
    return Section(
        title=f"RankIC over {counted(train.score_horizon, 'session')}, same days",
        text=(f"Test days by the protocol: {days}.",) if days else (),
        header=("scores", "validation", "test", f"{facts.model} minus this, test"),
        rows=tuple(rows),
        caption="Mean daily Spearman correlation of score and forward return ± Newey-West standard error; "
        "~ = inside the null band of shuffled scores. Epochs were chosen on validation, nothing on test. "
        "oracle exists on synthetic markets only.",
    )


def beyond(facts: Facts) -> Section:
    """What the scores know that others do not; left out of a backtest that did not ask."""
    rivals = [one for one in facts.traded.rivals if not math.isnan(one[1].added)]
    return Section(
        title="What these scores add to others" if rivals else "",
        header=titles(_BEYOND),
        rows=cells(rivals, _BEYOND),
        caption="added: RankIC of what is left of these scores when their likeness to the others is taken "
        "out, on the same names and days: all of it where nothing is shared, 0 where they are the same "
        "(Numerai's meta model contribution, with ranks).",
    )


def heads(facts: Facts) -> Section:
    """RankIC by horizon where there are several; of one, the table above has it."""
    by_horizon = facts.train.horizons.get("test", {})
    if len(by_horizon) < 2:
        return EMPTY
    test = {h: by_horizon[h] for h in sorted(by_horizon, key=int)}
    return Section(
        title="RankIC of each horizon's own score, test",
        chart=charts.bars(
            {h: _or_zero(found.rank_ic) for h, found in test.items()},
            errors={h: _or_zero(found.rank_ic_se) for h, found in test.items()},
            band=max(_or_zero(found.null_band) for found in test.values()),
            title="RankIC by horizon", unit="mean daily RankIC",
            x_label="horizon of score and return, sessions",
        ),
        caption="Each horizon has its own score. Whiskers: one standard error; shaded: widest null band.",
    )  # fmt: skip


def decay(facts: Facts) -> Section:
    """RankIC of the traded score over longer and longer holdings."""
    factor = _factor(facts)
    return Section(
        title=f"Decay of the traded score ({counted(factor.horizon, 'session')})",
        chart=charts.bars(
            {str(row.horizon): _or_zero(row.rank_ic) for row in factor.decay},
            errors={str(row.horizon): _or_zero(row.rank_ic_se) for row in factor.decay},
            title="IC decay", unit="mean daily RankIC", x_label="sessions that the return runs over",
        ),
        caption="One score against returns over longer and longer holdings, from the traded entry. Rank "
        f"autocorrelation from day to day {shown(factor.rank_autocorrelation.value, '.3f')}.",
    )  # fmt: skip


def entry(facts: Facts) -> Section:
    """The skip-day figure: how much lives off the first session."""
    found = _factor(facts).entry
    rows = [(words, getattr(found, key)) for key, words in _ENTRIES.items()]
    return Section(
        title="Entry: bid-ask bounce and the first session",
        text=(
            f"Microstructure share {shown(found.microstructure_share, '.0%')}: part of the same-close "
            "RankIC that is gone by the traded entry. Skip-day ratio "
            f"{shown(found.skip_ratio, '.2f')}: RankIC after skipping one more session over the "
            "traded one; far below 1 means that what is traded still lives off its first session. A "
            "dash: the divisor is not two standard errors above zero.",
        ),
        header=titles(_ENTRY),
        rows=cells(rows, _ENTRY),
    )


def quantiles(facts: Facts) -> Section:
    """Mean return of each decile of the score, before costs."""
    factor = _factor(facts)
    in_order = sorted(factor.quantile_returns.items(), key=lambda item: int(item[0]))
    values = _known(dict(in_order))
    chart = charts.bars(
        values,
        errors=_known({q: factor.quantile_errors.get(q, math.nan) for q in values}),
        percent=True, title="Decile returns",
        unit=f"{factor.horizon}-session return less the day's mean, %",
        x_label="decile of the score (10 = best)",
    )  # fmt: skip
    worst, best = (shown(factor.quantile_turnover.get(q), ".0%") for q in ("1", "10"))
    return Section(
        title="Return by score decile, test",
        chart=chart,
        caption="Before costs; whiskers: one standard error. Share of names that are new from one day to "
        f"the next: worst decile {worst}, best decile {best}.",
    )


def epochs(facts: Facts) -> Section:
    """The course of the training, epoch by epoch, and the outcome of its phases."""
    phases = cells(facts.train.phases, _PHASES)
    if len(facts.epochs) < 2 or facts.train.folds:
        return Section(title="Training" if phases else "", rows=phases)
    chart = charts.lines(
        {
            "validation": [event.rank_ic for event in facts.epochs],
            "training days, dropout on": [event.train_rank_ic for event in facts.epochs],
            "null band": [event.null_band for event in facts.epochs],
        },
        [f"epoch {event.epoch}" for event in facts.epochs],
        title="RankIC per epoch",
        unit="mean daily RankIC",
    )
    return Section(
        title="Training",
        chart=chart,
        header=titles(_PHASES),
        rows=phases,
        caption="RankIC per epoch, validation in eval mode on whole days.",
    )


# ---- what each part is worth -----------------------------------------------------------------------


def single_runs(facts: Facts) -> Section:
    """Single runs that differ in a part; left out where a comparison says it with intervals."""
    if not facts.ablations and any(made.kind == "ablations" for made in facts.comparisons):
        return EMPTY
    if not facts.ablations:
        text = "No other run on the same features and days differs in its network or graph."
        return Section(title="Ablations", text=(text,))
    return Section(title="Ablations", header=titles(_RUNS), rows=cells(facts.ablations, _RUNS))


def ablations(facts: Facts) -> Section:
    """The network without one part each."""
    return _comparison(
        facts,
        "ablations",
        title="What each part is worth",
        text="Each row is the network without one part, trained anew with the same seeds on the same days. "
        "Negative: the part helps. `earns its place` or `costs` only if the whole interval and every seed "
        "lie on one side of zero.",
    )


def sizes(facts: Facts) -> Section:
    """The network in several widths."""
    return _comparison(
        facts,
        "sizes",
        title="Size of the network",
        text="Each width trained with the same seeds on the same days, against the first.",
    )


def _comparison(facts: Facts, kind: str, *, title: str, text: str) -> Section:
    """The newest comparison of the kind; without one the section is left out."""
    found = next((made for made in facts.comparisons if made.kind == kind), None)
    if found is None:
        return EMPTY
    columns: tuple[Column, ...] = (
        ("", "name", ""),
        ("parameters", "parameters", ","),
        ("test RankIC", _level, ""),
        ("between seeds", lambda row: row.test.seed_deviation if row.test else None, ".4f"),
        (f"less {found.reference}, {found.confidence:.0%}", _gap, ""),
        ("verdict", "verdict", ""),
    )
    others, days = len(found.variants) - 1, facts.words(found.judged_days)
    chance = (1.0 - found.confidence) * others
    failed = (f"{row.name}: {words}" for row in found.variants for words in row.errors)
    return Section(
        title=title,
        text=(text, *failed),
        header=titles(columns),
        rows=cells(found.variants, columns),
        caption=f"Comparison {found.id}: {counted(found.seeds, 'seed')}, "
        f"h={counted(found.score_horizon, 'session')}; scores averaged over seeds, interval by "
        f"stationary block bootstrap over days. Of {others} "
        f"such intervals {chance:.1f} miss zero by chance alone.{days and f' Test days: {days}.'}",
    )


def _level(row: VariantResult) -> str:
    return Figure(row.test.rank_ic, row.test.rank_ic_se).text() if row.test else DASH


def _gap(row: VariantResult) -> str:
    return row.gap.line if row.gap else DASH


def _factor(facts: Facts) -> FactorFigures:
    """The factor figures of the backtest; `gather` refuses one without."""
    assert facts.traded.factor is not None
    return facts.traded.factor


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _known(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not math.isnan(value)}
