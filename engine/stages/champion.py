"""`champion`: which model trades, who was it before, and the way back."""

from engine.records import record
from engine.signals.models import ModelStore
from engine.stages.context import Outcome, StageContext, waiting_lock
from engine.stages.text import table


def champion(context: StageContext, *, action: str) -> Outcome:
    """``show`` the champion, its ``history``, ``rollback`` to the one before, or train a ``challenge``r."""
    if action == "challenge":
        from engine.stages.promote import challenge  # the one action that needs the networks

        return challenge(context)
    return {"show": _show, "history": _history, "rollback": _rollback}[action](context)


def _show(context: StageContext) -> Outcome:
    store = ModelStore(context.workspace / "models")
    model = store.require_champion()
    reign, facts = store.history().reigns[-1], model.facts
    told = record.as_json(facts)
    summary = {
        "model": model.id,
        "since": reign.at,
        "action": reign.action,
        "run_id": reign.run,
        "networks": len(facts.blocks),
        **{name: told[name] for name in ("last_session", "splits", "score_horizon", "test")},
    }
    text = (
        f"champion {model.id}, {len(facts.blocks)} networks, {reign.action} {reign.at}\n"
        f"trained on data to {facts.last_session}, test RankIC h={facts.score_horizon} "
        f"{facts.test.line}"
    )
    return Outcome(json=summary, text=text)


def _history(context: StageContext) -> Outcome:
    found = ModelStore(context.workspace / "models").history()
    rows = [[str(e.n), e.at, e.action, e.model, e.run, e.reason] for e in found.history]
    header = ["", "when", "what", "model", "run", "reason"]
    text = table(rows, header=header) if rows else "no champion yet"
    return Outcome(json=record.as_json(found), text=text)


def _rollback(context: StageContext) -> Outcome:
    store = ModelStore(context.workspace / "models")
    with waiting_lock(context, context.workspace / "signals"):
        before = store.predecessor()
        store.open(before)
        entry = store.record("rolled back", before, at=context.now())
    return Outcome(json=record.as_json(entry), text=f"champion is {before} again")
