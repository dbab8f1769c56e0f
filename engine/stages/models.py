"""`models`: what can be fitted, and whether a model of the workspace keeps its promises."""

from engine.commands.models import BUILT_IN, model_summaries
from engine.stages.context import Outcome, StageContext
from engine.stages.strategies import promises
from engine.stages.text import table
from engine.training.model_contract import check_model
from engine.training.own_models import FITS, maker_of, own_model


def models(context: StageContext, *, name: str | None = None) -> Outcome:
    """The built-in models and the workspace's own; with a name, the contract checks on that one."""
    if name is not None:
        make = FITS[name] if name in FITS else maker_of(own_model(name, context.workspace))
        return promises("model", name, check_model(make))
    found = model_summaries(context.workspace)
    rows = [[key, "built in" if key in BUILT_IN else "yours", line] for key, line in found.items()]
    return Outcome(
        json={"models": found},
        text=f"{table(rows, header=['model', 'whose', ''])}\n\n"
        "use one: atft-tui walkforward --model NAME; write one: docs/models.md",
    )
