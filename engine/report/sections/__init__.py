"""The body of the report as data, in order."""

from engine.errors import UsageError
from engine.report.facts import Facts
from engine.report.sections import evidence, held, money, scores
from engine.report.sections.section import Section

__all__ = ["CHARTS", "Section", "charted", "sections"]

_TRADED = (
    money.equity,
    money.sharpe,
    money.years,
    money.costs,
    held.dividends,
    held.breaks,
    money.orders,
    money.months,
    held.risk,
    held.exposures,
    money.falls,
    money.sweep,
    scores.rank_ic_table,
    scores.beyond,
    scores.entry,
    scores.decay,
    scores.quantiles,
    held.holdings,
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
_DRAWN = (
    money.equity,
    money.sharpe,
    money.costs,
    money.months,
    held.exposures,
    money.sweep,
    scores.heads,
    scores.decay,
    scores.quantiles,
    scores.epochs,
    evidence.split,
)
CHARTS = {make.__name__: make for make in _DRAWN}
"""Sections with a chart, by name."""


def charted(facts: Facts, name: str) -> Section:
    """The section of a chart; UsageError for one that there is not, with what would make it."""
    if name not in CHARTS:
        raise UsageError(f"no chart {name!r}", hint=f"there are {', '.join(CHARTS)}")
    make = CHARTS[name]
    if make in _TRADED and facts.backtest is None:
        raise UsageError(
            f"{facts.run_id}: nothing has been simulated, so there is no chart {name}",
            hint=f"run `atft-tui backtest {facts.run_id}` first",
        )
    section = make(facts)
    if not section.chart:
        raise UsageError(f"{facts.run_id}: nothing to draw as {name}")
    return section


def sections(facts: Facts) -> list[Section]:
    """All sections in order; those whose files are missing say what to run, empty ones are left out."""
    if facts.backtest is None:
        text = f"Nothing has been simulated: run `atft-tui backtest {facts.run_id}`, then the report again."
        made = [Section(title="Backtest", text=(text,)), scores.rank_ic_table(facts)]
    else:
        made = [make(facts) for make in _TRADED]
    return [section for section in [*made, *(make(facts) for make in _ALWAYS)] if section.title]
