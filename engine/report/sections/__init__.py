"""The body of the report as data, in order."""

from engine.report.facts import Facts
from engine.report.sections import actions, comparisons, evidence, money, scores, verdicts
from engine.report.sections.section import Section

__all__ = ["Section", "sections"]

_TRADED = (
    money.equity,
    money.sharpe,
    money.years,
    money.costs,
    actions.dividends,
    actions.breaks,
    money.orders,
    money.months,
    money.risk,
    money.falls,
    money.sweep,
)
_SCORED = (scores.entry, scores.decay, scores.quantiles)
ALWAYS = (
    verdicts.differences,
    verdicts.scoreboard,
    verdicts.monitors,
    scores.heads,
    scores.epochs,
    scores.ablations,
    comparisons.ablations,
    comparisons.sizes,
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
        made.append(scores.rank_ic_table(facts))
        made += [make(facts) for make in _SCORED]
        made.append(money.holdings(facts))
    return [section for section in [*made, *(make(facts) for make in ALWAYS)] if section.title]
