"""`strategies` and `models`: what a backtest can trade with and what can be fitted, and whether one of the
workspace keeps its promises.
"""

from collections.abc import Sequence

from engine.commands.strategies import BUILT_IN, model_summaries, strategy_summaries
from engine.errors import GateError
from engine.portfolio.contract import check_strategy
from engine.portfolio.strategy import load_strategy
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table
from engine.workspace_code import PromiseCheck


def strategies(context: StageContext, *, name: str | None = None) -> Outcome:
    """The built-in strategies and the workspace's own; with a name, the contract checks on that one."""
    if name is not None:
        checks = check_strategy(load_strategy(name, context.workspace))
        return _promises("strategy", name, checks)
    found = strategy_summaries(context.workspace)
    text = table([[key, summary] for key, summary in found.items()], header=["strategy", ""])
    return Outcome(
        json={"strategies": found},
        text=f"{text}\n\nuse one: atft-tui backtest RUN --strategy NAME; write one: docs/strategies.md",
    )


def _promises(kind: str, name: str, checks: Sequence[PromiseCheck]) -> Outcome:
    """What a trial of the promises of a model or a strategy found; GateError with the first broken one.

    ``kind``: "model" or "strategy".
    """
    broken = [check for check in checks if not check.passed]
    if broken:
        page = {"model": "docs/models.md", "strategy": "docs/strategies.md"}[kind]
        raise GateError(
            f"{kind} {name}: {broken[0].name}: {broken[0].detail}",
            hint=f"{len(broken)} of {len(checks)} checks failed; {page} lists them",
            details={"checks": {check.name: check.detail for check in checks}},
        )
    return Outcome(
        json={kind: name, "checks": {check.name: check.passed for check in checks}},
        text=table([[check.name, "kept"] for check in checks], header=[f"{kind} {name}", ""]),
    )


def models(context: StageContext, *, name: str | None = None) -> Outcome:
    """The built-in models and the workspace's own; with a name, the contract checks on that one."""
    if name is not None:
        # The libraries of models: `strategies` does without them.
        from engine.training.model_contract import check_model
        from engine.training.own_models import FITS, maker_of, own_model

        make = FITS[name] if name in FITS else maker_of(own_model(name, context.workspace))
        return _promises("model", name, check_model(make))
    found = model_summaries(context.workspace)
    rows = [[key, "built in" if key in BUILT_IN else "yours", line] for key, line in found.items()]
    return Outcome(
        json={"models": found},
        text=f"{table(rows, header=['model', 'whose', ''])}\n\n"
        "use one: atft-tui walkforward --model NAME; write one: docs/models.md",
    )
