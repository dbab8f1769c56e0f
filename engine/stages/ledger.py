"""`ledger`: the shadow ledger of the sealed signals."""

from engine.stages.context import Outcome, StageContext


def ledger(context: StageContext) -> Outcome:
    """Fill each sealed signal at the next real open and close and split the gap to the backtest."""
    raise NotImplementedError
