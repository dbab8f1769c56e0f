"""`replay` and `diff`: what was sealed, held against itself; `champion`: who seals, and the way back."""

from typing import TYPE_CHECKING

from engine.errors import IntegrityError
from engine.files import MANIFEST
from engine.records import record
from engine.runs.events import StageStarted
from engine.signals.models import ModelStore, code_digest
from engine.signals.seal import SealStore, manifest_bytes, verify_seal
from engine.stages.context import Outcome, StageContext, waiting_lock
from engine.stages.text import table
from engine.workspace_code import changed_code

if TYPE_CHECKING:
    from engine.records.difference import SignalDifference


def replay(context: StageContext, *, session: str) -> Outcome:
    """Make a sealed signal anew from its pinned inputs and compare each file, byte for byte.

    The store may hold other data by now; it is not looked at. Exit code 4 when a file differs.
    """
    from engine.stages.signals import make_files, open_ensemble, provenance

    seals = SealStore(context.workspace / "signals")
    seal = seals.open(session)
    verify_seal(seal, seals.pins)
    inputs, manifest = seal.inputs(), seal.manifest
    model = ModelStore(context.workspace / "models").open(inputs.key.model)
    context.sink.emit(StageStarted(stage="score"))
    files = make_files(inputs, seals, model, open_ensemble(model))
    fields = provenance(inputs, manifest.revision, manifest.reason, manifest.code)
    made = {**files, MANIFEST: manifest_bytes(files, fields)}
    equal = {
        name: content == (seal.directory / name).read_bytes() for name, content in made.items()
    }
    identical, same_code = all(equal.values()), manifest.code == code_digest(model)
    edited = changed_code(context.workspace, manifest.code)
    summary = {
        "session": seal.session,
        "name": seal.name,
        "seal": seal.digest,
        "identical": identical,
        "files": equal,
        "same_code": same_code,
        "changed_modules": edited,
    }
    rows = [["same" if same else "DIFFERS", name] for name, same in equal.items()]
    code = 0 if identical else IntegrityError.exit_code
    note = "" if same_code else "\nsealed by another version of the program"
    note += "".join(
        f"\n{file} is another one by now; the copy in the package made these" for file in edited
    )
    return Outcome(json=summary, text=f"{seal.name}\n{table(rows)}{note}", exit_code=code)


def diff(context: StageContext, *, before: str, after: str) -> Outcome:
    """Inputs that differ, bars that changed, and the stocks whose rank moved most, with their causes."""
    from engine.signals.difference import difference

    seals = SealStore(context.workspace / "signals")
    a, b = seals.open(before), seals.open(after)
    model = ModelStore(context.workspace / "models").open(a.manifest.model)
    summary = difference(a, b, seals.pins, model.facts.features)
    return Outcome(json=record.as_json(summary), text=_diff_text(summary))


def _diff_text(found: "SignalDifference") -> str:
    ranks = [
        [
            row.code,
            str(row.before),
            str(row.after),
            f"{row.move:+d}",
            str(row.own_rows),
            ", ".join(row.neighbour_rows[:3]),
            ", ".join(change.feature for change in row.inputs[:3]),
        ]
        for row in found.ranks
    ]
    header = [
        "code",
        "rank",
        "then",
        "move",
        "own bars",
        "neighbours' bars",
        "inputs that moved most",
    ]
    bars = [
        [bar.date, bar.code, bar.column, str(bar.before), str(bar.after)] for bar in found.rows[:20]
    ]
    return "\n".join(
        [
            f"{found.before} and {found.after} differ in: {', '.join(found.changed) or 'nothing'}",
            f"{found.moved} of {found.stocks} ranks moved; {found.n_rows} cells of bars "
            f"changed; {len(found.entered)} stocks entered, {len(found.left)} left",
            "",
            table(ranks, header=header) if ranks else "",
            "",
            table(bars, header=["date", "code", "column", "before", "after"]) if bars else "",
        ]
    ).rstrip()


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
        "networks": facts.networks,
        "trained_to": facts.trained_to,
        **{name: told[name] for name in ("last_session", "splits", "score_horizon", "test")},
    }
    text = (
        f"champion {model.id}, {facts.words}, {reign.action} {reign.at}\n"
        f"trained on data to {facts.trained_to}, test RankIC h={facts.score_horizon} "
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
