"""`models`: what can be fitted, and whether a model of the workspace keeps its promises."""

from engine.commands.models import BUILT_IN, model_summaries
from engine.errors import GateError
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table
from engine.training.model_contract import check_model
from engine.training.own_models import FITS, maker_of, own_model


def models(context: StageContext, *, name: str | None = None) -> Outcome:
    """The built-in models and the workspace's own; with a name, the contract checks on that one."""
    if name is not None:
        return _check(context, name)
    found = model_summaries(context.workspace)
    rows = [[key, "built in" if key in BUILT_IN else "yours", line] for key, line in found.items()]
    return Outcome(
        json={"models": found},
        text=f"{table(rows, header=['model', 'whose', ''])}\n\n"
        "use one: atft-tui walkforward --model NAME; write one: docs/models.md",
    )


def _check(context: StageContext, name: str) -> Outcome:
    make = FITS[name] if name in FITS else maker_of(own_model(name, context.workspace))
    checks = check_model(make)
    broken = [check for check in checks if not check.passed]
    if broken:
        raise GateError(
            f"model {name}: {broken[0].name}: {broken[0].detail}",
            hint=f"{len(broken)} of {len(checks)} checks failed; docs/models.md lists them",
            details={"checks": {check.name: check.detail for check in checks}},
        )
    rows = [[check.name, "kept"] for check in checks]
    return Outcome(
        json={"model": name, "checks": {check.name: check.passed for check in checks}},
        text=table(rows, header=[f"model {name}", ""]),
    )
