"""The body of the report as data, in order."""

from engine.report.facts import Facts
from engine.report.sections import evidence, money, scores
from engine.report.sections.section import Section

__all__ = ["Section", "sections"]

_TRADED = (
    money.equity,
    money.sharpe,
    money.years,
    money.costs,
    money.dividends,
    money.breaks,
    money.orders,
    money.months,
    money.risk,
    money.falls,
    money.sweep,
    scores.rank_ic_table,
    scores.entry,
    scores.decay,
    scores.quantiles,
    money.holdings,
)
_ALWAYS = (
    evidence.differences,
    evidence.scoreboard,
    evidence.worth,
    evidence.monitors,
    scores.heads,
    scores.epochs,
    scores.single_runs,
    scores.ablations,
    scores.sizes,
    evidence.split,
    evidence.audit,
    evidence.health,
    evidence.data,
    evidence.trials,
    evidence.settings,
)


def sections(facts: Facts) -> list[Section]:
    """All sections in order; those whose files are missing say what to run, empty ones are left out."""
    if facts.backtest is None:
        text = f"Nothing has been simulated: run `atft-tui backtest {facts.run_id}`, then the report again."
        made = [Section(title="Backtest", text=(text,)), scores.rank_ic_table(facts)]
    else:
        made = [make(facts) for make in _TRADED]
    return [section for section in [*made, *(make(facts) for make in _ALWAYS)] if section.title]
