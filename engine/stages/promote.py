"""`promote`: a run's networks become champion if the gate lets them; `challenge` trains a run that tries."""

import math
from dataclasses import replace

import numpy as np
import polars as pl

from engine.config import Config, ProtocolConfig
from engine.dataset.split import single_split, valid_sessions
from engine.errors import GateError, UsageError
from engine.evaluation.inference import paired_difference
from engine.evaluation.rank_ic import rank_ic_series
from engine.files import digest
from engine.portfolio.prediction import score_column
from engine.records import record
from engine.records.champion import ChampionEntry, GateCondition
from engine.records.figure import Figure, is_noise
from engine.records.names import model_name
from engine.records.preflight import read_audit
from engine.records.train import BLEND, Rival, TrainResult, read_train
from engine.runs.events import StageStarted
from engine.runs.store import Run
from engine.signals.models import Model, ModelStore
from engine.stages.context import Outcome, StageContext, waiting_lock
from engine.stages.load import load_dataset, session_window
from engine.stages.package import package
from engine.stages.signals import open_ensemble
from engine.stages.text import table
from engine.stages.trading import out_of_sample
from engine.stages.train import train
from engine.stages.walkforward import walkforward

_MIN_COMMON_DAYS = 20
"""Fewer days that neither model was trained on tell nothing about which is better."""


def promote(context: StageContext, *, run: str, force_reason: str | None) -> Outcome:
    """Make a run's networks the champion if the gate lets them, or for a reason that is written down.

    The gate: out of sample better than the champion and than LightGBM on the same days, RankIC not noise,
    audit passed; a blend is also not below its best single model beyond the error. A refusal is kept in the
    history and is exit code 6.
    """
    found = context.store.open(run)
    store = ModelStore(context.workspace / "models")
    reason = (force_reason or "").strip()
    model = package(context, found)
    entry = None
    while entry is None:
        champion = store.champion()
        context.sink.emit(StageStarted(stage="gate"))
        conditions = _gate(context, found, model, champion)
        fine = all(condition.passed for condition in conditions)
        # Scoring takes minutes, in which signals are sealed; the verdict counts if its rival still stands.
        with waiting_lock(context, context.workspace / "signals"):
            if store.champion() == champion:
                entry = store.record(
                    "promoted" if fine or reason else "refused",
                    model.id,
                    at=context.now(),
                    run=found.id,
                    reason="" if fine else force_reason or "",
                    gate=conditions,
                )
    forced = bool(reason) and not fine
    summary = {"run_id": found.id, **record.as_json(entry), "passed": fine, "forced": forced}
    code = 0 if fine or forced else GateError.exit_code
    return Outcome(json=summary, text=_gate_text(entry, forced), exit_code=code)


def challenge(context: StageContext) -> Outcome:
    """Train a challenger on today's data by the champion's rules, and let it try the gate.

    What a scheduled retraining calls. The champion stays unless the gate lets the challenger through.
    """
    model = ModelStore(context.workspace / "models").require_champion()
    own = replace(context, config=_retraining_config(context, model), run_id=None)
    trained = _walk_one_fold(own, model) if model.facts.members else train(own)
    if trained.json["status"] != "done":
        raise UsageError(f"{trained.json['run_id']}: {trained.json['status']}")
    judged = promote(context, run=trained.json["run_id"], force_reason=None)
    return replace(judged, json={**judged.json, "training": trained.json["test"]})


def _walk_one_fold(context: StageContext, model: Model) -> Outcome:
    """A walk-forward of one fold, whose test days are those that a single training would have."""
    config, members = context.config, model.facts.members
    features = load_dataset(context, context.sink, with_graph=False, in_memory=False).features
    split = single_split(features, config.split, config.universe.min_names)
    return walkforward(
        context,
        first_test=str(features.dates_S[split.test[0]]),
        last_test=None,
        step=str(config.split.test_sessions),
        seeds=max(len(member.blocks) for member in members) or 1,
        with_baselines=True,
        model=BLEND if len(members) > 1 else members[0].name,
    )


def _retraining_config(context: StageContext, model: Model) -> Config:
    """The champion's rules on today's data. Without a protocol: the newest days judge, and nobody chooses."""
    tables = ("workspace", "data", "portfolio", "constraints", "costs", "backtest", "signals")
    updates = {name: getattr(context.config, name) for name in tables}
    return model.config().model_copy(update=updates | {"protocol": ProtocolConfig()})


def _gate(
    context: StageContext, run: Run, model: Model, champion: Model | None
) -> list[GateCondition]:
    """What the run's model is held against, and how it did."""
    test = model.facts.test
    trained = read_train(run.directory)
    conditions = [
        _against_noise(test.rank_ic, test.null_band),
        _baseline(trained.baselines.get("lightgbm")),
        _audit(context, model),
    ]
    if trained.model == BLEND:
        conditions.append(_best_member(trained))
    if champion is None:
        conditions.append(_condition("champion", True, "there is none yet"))
    elif champion.id == model.id:
        conditions.append(_condition("champion", True, "it is the champion"))
    else:
        conditions.append(_against_champion(context, run, model, champion))
    return conditions


def _condition(name: str, passed: bool, detail: str) -> GateCondition:
    return GateCondition(name=name, passed=passed, detail=detail)


def _against_noise(value: float, band: float) -> GateCondition:
    """A test RankIC has to be positive and outside the band of shuffled scores; NaN = no day is defined."""
    if math.isnan(value) or math.isnan(band):
        return _condition("noise", False, "no test day is defined")
    detail = f"test RankIC {value:+.4f}, null band ±{band:.4f}"
    return _condition("noise", value > 0 and not is_noise(value, band), detail)


def _against_other(name: str, mean: float, error: float, days: int) -> GateCondition:
    """The mean difference of the RankIC to another model's has to be positive on ``days`` common days."""
    if math.isnan(mean) or math.isnan(error):
        return _condition(name, False, f"undefined on {days} common days")
    detail = f"RankIC {Figure(mean, error).text()} better on {days} common days"
    return _condition(name, mean > 0, detail)


def _baseline(rival: Rival | None) -> GateCondition:
    """Better than LightGBM on the same test days."""
    found = None if rival is None else rival.test_difference
    if found is None:
        return _condition("lightgbm", False, "was not fitted on the same days")
    return _against_other("lightgbm", found.difference, found.se, found.n_dates)


def _best_member(trained: TrainResult) -> GateCondition:
    """A blend must not be below the best single model on the same test days beyond the error."""
    best = trained.strongest()
    if best is None:
        return _condition("members", False, "were not judged on the same days")
    difference = Figure(best.difference, best.se).text()
    detail = (
        f"RankIC {difference} better than {model_name(best.name)} on {best.n_dates} common days"
    )
    return _condition("members", best.difference + best.se >= 0, detail)


def _audit(context: StageContext, model: Model) -> GateCondition:
    found = read_audit(context.workspace)
    if found is None:
        return _condition("audit", False, "never run: `atft-tui audit RUN`")
    if not found.passed:
        return _condition("audit", False, f"{found.leaks[0].name} sees ahead")
    if found.rules != digest(model.facts.rules):
        return _condition(
            "audit", False, "passed under other rules than the run's: `atft-tui audit RUN`"
        )
    return _condition("audit", True, f"passed on data to {found.session}")


def _against_champion(
    context: StageContext, run: Run, model: Model, champion: Model
) -> GateCondition:
    """Both on the challenger's test days that neither has seen; the champion scores them now."""
    horizon = model.facts.score_horizon
    config, facts = champion.config(), champion.facts
    if horizon not in config.labels.horizons:
        return _condition("champion", False, f"has no score of {horizon} sessions")
    dataset = load_dataset(replace(context, config=config), context.sink, in_memory=False)
    features = dataset.features
    ours = out_of_sample(run).frame
    usable = valid_sessions(features, config.split, config.universe.min_names)
    days = {str(features.dates_S[s]): int(s) for s in usable}
    dates = [str(day) for day in ours["date"].unique().sort()]
    common = [day for day in dates if day in days and not facts.has_seen(day)]
    if len(common) < _MIN_COMMON_DAYS:
        detail = f"only {len(common)} common days outside both spans, {_MIN_COMMON_DAYS} are needed"
        return _condition("champion", False, detail)
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
    return _against_other("champion", difference, error, len(common))


def _gate_text(entry: ChampionEntry, forced: bool) -> str:
    lines = table([["ok" if c.passed else "NO", model_name(c.name), c.detail] for c in entry.gate])
    verdict = "is champion now" if entry.action == "promoted" else "stays a challenger"
    why = f" (forced: {entry.reason})" if forced else ""
    after = "\nnext: `atft-tui signals`" if entry.action == "promoted" else ""
    return f"{lines}\n\nmodel {entry.model} of {entry.run} {verdict}{why}{after}"
