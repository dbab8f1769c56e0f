"""`promote` and `champion`: which model trades, who may take its place, and the way back."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from engine.dataset.split import valid_sessions
from engine.errors import GateError, UsageError
from engine.evaluation.inference import paired_difference
from engine.evaluation.rank_ic import rank_ic_series
from engine.files import digest, read_json
from engine.portfolio.prediction import score_column
from engine.records import record
from engine.records.rank_ic import RankICSummary
from engine.runs.events import StageStarted
from engine.runs.store import Run
from engine.signals.gate import MIN_COMMON_DAYS, Row, passed
from engine.signals.models import Model, ModelStore
from engine.stages.backtest import out_of_sample
from engine.stages.context import Outcome, StageContext
from engine.stages.load import load_dataset
from engine.stages.package import package, session_window
from engine.stages.signals import open_ensemble, waiting_lock
from engine.stages.text import rank_ic as rank_ic_text
from engine.stages.text import table
from engine.stages.train import train


def promote(context: StageContext, *, run: str, force_reason: str | None) -> Outcome:
    """Make a run's networks the champion if the gate lets them, or for a reason that is written down.

    The gate: out of sample better than the champion and than LightGBM on the same days, RankIC not noise,
    audit passed. A refusal is kept in the history and is exit code 6.
    """
    found = context.store.open(run)
    store = ModelStore(context.workspace / "models")
    with waiting_lock(context, context.workspace / "signals"):
        model = package(context, found)
        context.sink.emit(StageStarted(stage="gate"))
        rows = gate(context, found, model, store.champion())
        fine = passed(rows)
        forced = bool((force_reason or "").strip())
        entry = store.record(
            "promoted" if fine or forced else "refused",
            model.id,
            at=context.now(),
            run=found.id,
            reason=(force_reason or "") if not fine else "",
            gate=[row.to_json() for row in rows],
        )
    summary = {
        "run_id": found.id,
        "model": model.id,
        **entry,
        "passed": fine,
        "forced": forced and not fine,
    }
    return Outcome(
        json=summary,
        text=_gate_text(summary, rows),
        exit_code=0 if fine or forced else GateError.exit_code,
    )


def champion(context: StageContext, *, action: str) -> Outcome:
    """``show`` the champion, its ``history``, ``rollback`` to the one before, or train a ``challenge``r."""
    store = ModelStore(context.workspace / "models")
    if action == "challenge":
        return challenge(context)
    if action == "history":
        history = store.history()
        rows = [
            [str(e["n"]), e["at"], e["action"], e["model"], e["run"], e["reason"]] for e in history
        ]
        header = ["", "when", "what", "model", "run", "reason"]
        text = table(rows, header=header) if rows else "no champion yet"
        return Outcome(json={"history": history}, text=text)
    if action == "rollback":
        with waiting_lock(context, context.workspace / "signals"):
            before = store.predecessor()
            store.open(before)
            entry = store.record("rolled back", before, at=context.now())
        return Outcome(json=entry, text=f"champion is {before} again")
    model = store.require_champion()
    reign = [e for e in store.history() if e["model"] == model.id and e["action"] != "refused"][-1]
    facts = model.facts
    summary = {
        "model": model.id,
        "since": reign["at"],
        "action": reign["action"],
        "run_id": reign["run"],
        "networks": len(facts["blocks"]),
        "last_session": facts["last_session"],
        "splits": facts["splits"],
        "score_horizon": facts["score_horizon"],
        "test": facts["test"],
    }
    text = (
        f"champion {model.id}, {summary['networks']} networks, {reign['action']} {reign['at']}\n"
        f"trained on data to {facts['last_session']}, test RankIC h={facts['score_horizon']} "
        f"{rank_ic_text(record.convert(facts['test'], RankICSummary, model.id))}"
    )
    return Outcome(json=summary, text=text)


def challenge(context: StageContext) -> Outcome:
    """Train a challenger on today's data by the champion's rules, and let it try the gate.

    What a scheduled retraining calls. The champion stays unless the gate lets the challenger through.
    """
    store = ModelStore(context.workspace / "models")
    model = store.require_champion()
    trained = train(replace(context, config=_retraining_config(context, model), run_id=None))
    if trained.json["status"] != "done":
        raise UsageError(f"{trained.json['run_id']}: {trained.json['status']}")
    judged = promote(context, run=trained.json["run_id"], force_reason=None)
    return replace(judged, json={**judged.json, "training": trained.json["test"]})


def _retraining_config(context: StageContext, model: Model) -> Any:
    kept = model.config()
    tables = ("workspace", "data", "portfolio", "constraints", "costs", "backtest", "signals")
    updates = {name: getattr(context.config, name) for name in tables}
    return kept.model_copy(update=updates)


def gate(context: StageContext, run: Run, model: Model, champion: Model | None) -> list[Row]:
    """One row a condition."""
    trained = read_json(run.path("train.json"))
    rows = [
        Row.against_noise(trained["test"]),
        Row.against_baseline("lightgbm", trained.get("baselines", {}).get("lightgbm")),
        _audit_row(context, model),
    ]
    if champion is None:
        rows.append(Row(name="champion", passed=True, detail="there is none yet"))
    elif champion.id == model.id:
        rows.append(Row(name="champion", passed=True, detail="it is the champion"))
    else:
        rows.append(_champion_row(context, run, model, champion))
    return rows


def _audit_row(context: StageContext, model: Model) -> Row:
    path = context.workspace / "audit.json"
    if not path.is_file():
        return Row(name="audit", passed=False, detail="never run: `atft-tui audit RUN`")
    found = read_json(path)
    if found["verdict"] != "passed":
        return Row(name="audit", passed=False, detail=f"{found['leaks'][0]['name']} sees ahead")
    if found.get("rules") != digest(model.facts["rules"]):
        return Row(name="audit", passed=False, detail="passed under other rules than the run's")
    return Row(name="audit", passed=True, detail=f"passed on data to {found['session']}")


def _champion_row(context: StageContext, run: Run, model: Model, champion: Model) -> Row:
    """Both on the challenger's test days that neither has seen; the champion scores them now."""
    horizon = int(model.facts["score_horizon"])
    theirs = champion.facts
    if horizon not in champion.config().labels.horizons:
        return Row(name="champion", passed=False, detail=f"has no score of {horizon} sessions")
    within = replace(context, config=champion.config())
    dataset = load_dataset(within, context.sink, in_memory=False)
    features, config = dataset.features, champion.config()
    ours = out_of_sample(run).frame
    usable = valid_sessions(features, config.split, config.universe.min_names)
    days = {str(features.dates_S[s]): int(s) for s in usable}
    common = [
        str(day)
        for day in ours["date"].unique().sort()
        if str(day) in days and str(day) > theirs["splits"]["validation"]["last"]
    ]
    if len(common) < MIN_COMMON_DAYS:
        detail = f"only {len(common)} common days outside both spans, {MIN_COMMON_DAYS} are needed"
        return Row(name="champion", passed=False, detail=detail)
    ensemble, column = open_ensemble(champion), config.labels.horizons.index(horizon)
    mine, other, returns = [], [], []
    axis = {symbol: n for n, symbol in enumerate(features.symbols)}
    label = features.horizons.index(horizon)
    for day in common:
        window = session_window(dataset, days[day], config.split.window)
        scored = dict(
            zip(window.symbols, ensemble.rank(window, column).score_MH[:, column], strict=True)
        )
        rows = ours.filter(pl.col("date") == pl.lit(day).str.to_date())
        names = [s for s in rows["symbol"] if s in scored]
        own = dict(zip(rows["symbol"], rows[score_column(horizon)], strict=True))
        mine.append(np.array([own[s] for s in names], dtype=np.float32))
        other.append(np.array([scored[s] for s in names], dtype=np.float32))
        at = np.array([axis[s] for s in names], dtype=np.int64)
        returns.append(features.forward_return_SNH[days[day]][at, label])
    difference, error = paired_difference(
        rank_ic_series(mine, returns), rank_ic_series(other, returns), lag=horizon
    )
    return Row.difference("champion", difference, error, len(common))


def _gate_text(summary: dict[str, Any], rows: list[Row]) -> str:
    lines = table([["ok" if r.passed else "NO", r.name, r.detail] for r in rows])
    verdict = {"promoted": "is champion now", "refused": "stays a challenger"}[summary["action"]]
    forced = f" (forced: {summary['reason']})" if summary["forced"] else ""
    return f"{lines}\n\nmodel {summary['model']} of {summary['run_id']} {verdict}{forced}"
