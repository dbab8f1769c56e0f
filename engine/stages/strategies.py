"""`strategies`: what a backtest can trade with, and whether a strategy keeps its promises."""

from pathlib import Path

from engine.commands.strategies import strategy_summaries
from engine.errors import GateError
from engine.portfolio.contract import check_strategy
from engine.portfolio.strategy import load_strategy
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table


def strategies(context: StageContext, *, name: str | None = None) -> Outcome:
    """The built-in strategies and the workspace's own; with a name, the contract checks on that one."""
    if name is not None:
        return _check(name, context.workspace)
    found = strategy_summaries(context.workspace)
    text = table([[key, summary] for key, summary in found.items()], header=["strategy", ""])
    return Outcome(
        json={"strategies": found},
        text=f"{text}\n\nuse one: atft-tui backtest RUN --strategy NAME; write one: docs/strategies.md",
    )


def _check(name: str, workspace: Path) -> Outcome:
    checks = check_strategy(load_strategy(name, workspace))
    broken = [check for check in checks if not check.passed]
    if broken:
        raise GateError(
            f"strategy {name}: {broken[0].name}: {broken[0].detail}",
            hint=f"{len(broken)} of {len(checks)} checks failed; docs/strategies.md lists them",
        )
    rows = [[check.name, "kept"] for check in checks]
    return Outcome(
        json={"strategy": name, "checks": {check.name: check.passed for check in checks}},
        text=table(rows, header=[f"strategy {name}", ""]),
    )
