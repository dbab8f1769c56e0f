"""`signals`: the sealed trade list of one session, with the card that says whether to trade it."""

import datetime as dt
from dataclasses import replace
from typing import Any

import msgspec

from engine.data.calendar import exchange_of
from engine.data.evidence import day_at
from engine.data.load import RefusedDataError, clean_panel
from engine.data.store import PanelStore, Snapshot
from engine.dataset.heard import with_heard_names
from engine.errors import ConfigError, DataError, GateError, UsageError
from engine.files import digest
from engine.portfolio.strategy import load_strategy
from engine.records import record
from engine.records.card import Card, DayEvidence, SignalEvidence
from engine.records.orders import Order, Refused, rows_of
from engine.records.plans import iso_day
from engine.records.seal import ATTEMPT, Seal, SealManifest, SignalInputs
from engine.runs.events import Noted, StageStarted
from engine.signals.account import Account
from engine.signals.card import data_lights
from engine.signals.compose import compose, unpack
from engine.signals.models import Model, ModelStore, code_digest
from engine.signals.seal import OWN_CODE, SealStore, same_inputs, trading_config
from engine.stages.context import Outcome, StageContext, stop_here, waiting_lock
from engine.stages.evidence import (
    audit_evidence,
    data_evidence,
    drift_evidence,
    live_evidence,
    live_rank_ics,
    model_evidence,
    step_evidence,
)
from engine.stages.ingest_sources import parse_columns
from engine.stages.load import Dataset, load_dataset
from engine.stages.package import package
from engine.stages.signal_inputs import (
    Gatherer,
    position_evidence,
    read_account,
    seal_exchange,
    stopped_by_positions,
)
from engine.training.ensemble import Ensemble
from engine.workspace_code import require_same

_INCOMPLETE = "nothing is sealed: try again when the data are complete"
_UNPRICED = (
    "nothing is sealed: correct the code, ingest its bars, or count the line's worth as cash"
)


def signals(
    context: StageContext,
    *,
    date: str | None,
    revise: bool,
    reason: str | None,
    positions: str | None,
    run: str | None,
    position_columns: str | None = None,
    cash: float | None = None,
) -> Outcome:
    """Score a session with the champion, make the book and its orders, and seal them with their card.

    A session that is sealed from the same inputs is answered again, word for word. Other inputs are
    refused unless they are a revision with a reason, as an audit made since may be. A past session is made
    as if nothing later were known. Exit code 0 = TRADE, 6 = HOLD or STOP.
    """
    if revise and not (reason or "").strip():
        raise UsageError("--revise needs a --reason", hint="say what changed")
    day = iso_day(date)
    seals = SealStore(context.workspace / "signals")
    with waiting_lock(context, seals.root):
        for name in seals.sweep():
            context.sink.emit(Noted(message=f"removed {name}, left by a killed process"))
        model = _chosen_model(context, run)
        within = replace(context, config=trading_config(model.config(), context.config))
        snapshot = _snapshot(context, day)
        _require_its_market(model, snapshot)
        _require_past(context, snapshot)
        early, evidence = _look_at_data(within, snapshot, day)
        if early is not None:
            return _unsealed(context, early, _INCOMPLETE)
        columns = dict(context.config.schedule.position_columns)
        columns |= parse_columns(position_columns, "--position-columns")
        account = read_account(within, snapshot, positions or None, columns, cash)
        made = _sealed(
            within, seals, model, snapshot, account, evidence, reason if revise else None
        )
    if isinstance(made, Card):
        return _unsealed(context, made, _UNPRICED)
    return _answer(made)


def _chosen_model(context: StageContext, run: str | None) -> Model:
    """The run's package if one is named, else the champion."""
    if run is not None:
        return package(context, context.store.open(run))
    return ModelStore(context.workspace / "models").require_champion()


def _snapshot(context: StageContext, day: dt.date | None) -> Snapshot:
    """The store as it was at the close of the day; DataError (exit code 3) while it has no bar of it."""
    store = PanelStore(context.workspace / "data")
    return store.snapshot(None if day is None else store.truncated(day))


def _require_past(context: StageContext, snapshot: Snapshot) -> None:
    """DataError where the newest session is later than now: data or clock are wrong."""
    newest = dt.date.fromisoformat(str(snapshot.days[-1]))
    today = day_at(newest, snapshot.exchange, context.now())
    if newest > today:
        raise DataError(
            f"the newest session, {newest}, is later than now ({today} at the exchange)",
            hint="set the clock of this machine, or go back with `atft-tui ingest --undo`",
        )


def _require_its_market(model: Model, snapshot: Snapshot) -> None:
    """Orders take lots, ticks and sessions a year from the model's package: they must be the data's."""
    data = model.config().data
    theirs = f"{data.market} ({exchange_of(data.market, data.calendar)})"
    ours = f"{snapshot.manifest.market} ({snapshot.exchange})"
    if theirs != ours:
        raise ConfigError(
            f"model {model.id} is packaged for the market {theirs}, the stored data are of {ours}",
            hint="promote its run again (`atft-tui promote RUN`): the package then names the market "
            "of the data",
        )


def _look_at_data(
    context: StageContext, snapshot: Snapshot, day: dt.date | None
) -> tuple[Card | None, DayEvidence]:
    """A card that ends it here when the session is not complete; and what is known of the data."""
    context.sink.emit(StageStarted(stage="quality"))
    session = snapshot.days[-1] if day is None else str(day)
    try:
        report = clean_panel(context.workspace, context.config, snapshot.id).report
    except RefusedDataError as refusal:
        report = refusal.report
    evidence = data_evidence(report, snapshot, session, context.config)
    lights = data_lights(evidence, context.config.signals)
    card = Card.of(session, seal_exchange(snapshot), lights)
    stop = any(light.verdict != "TRADE" for light in lights if light.name in ("data", "quality"))
    return card if stop else None, evidence


def _sealed(
    context: StageContext,
    seals: SealStore,
    model: Model,
    snapshot: Snapshot,
    account: Account | None,
    evidence: DayEvidence,
    reason: str | None,
) -> Seal | Card:
    """The session's sealed directory, the one that is there or a new one; a card if the positions stop it."""
    config, sink = context.config, context.sink
    dataset = load_dataset(context, sink, in_memory=False, snapshot=snapshot.id)
    gatherer = Gatherer(
        dataset=dataset,
        session=int(dataset.features.dates_S.size) - 1,
        model=model,
        config=config,
        seals=seals,
        pins=seals.pins,
        positions=None if account is None else account.positions,
    )
    session = gatherer.key.session
    _refuse_in_sample(model, session)
    if account is not None:
        told = position_evidence(account, gatherer.unpriced())
        evidence = msgspec.structs.replace(evidence, positions=told)
        card = stopped_by_positions(evidence, snapshot, config)
        if card is not None:
            return card
    there = seals.of(session)
    known = there[-1] if there and there[-1].manifest.same == gatherer.same else None
    again = Noted(message=f"{session}: sealed before, from the same inputs")
    if known is not None and reason is None:
        sink.emit(again)
        return known
    if there and reason is None:
        raise _differs(there[-1], gatherer)
    whole = _evidence(context, seals, model, snapshot, dataset, evidence)
    if known is not None and record.to_bytes(whole) == record.to_bytes(known.inputs().told):
        sink.emit(again)
        return known
    sink.emit(StageStarted(stage="inputs"))
    ensemble = open_ensemble(model)
    inputs = gatherer.gather(whole, ensemble)
    stop_here(context)
    sink.emit(StageStarted(stage="score"))
    files = make_files(inputs, seals, model, ensemble)
    stop_here(context)
    sink.emit(StageStarted(stage="seal"))
    revision = there[-1].revision + 1 if there else 0
    manifest = provenance(inputs, revision, reason or "", code_digest(model))
    return seals.publish(session, revision, files, manifest)


def _evidence(
    context: StageContext,
    seals: SealStore,
    model: Model,
    snapshot: Snapshot,
    dataset: Dataset,
    day: DayEvidence,
) -> SignalEvidence:
    """What the card looks at besides the scores and the orders."""
    config, sink = context.config, context.sink
    sink.emit(StageStarted(stage="evidence"))
    horizon, newest = config.portfolio.horizon, config.signals.live_sessions
    daily = live_rank_ics(
        seals.newest(), dataset.features, horizon=horizon, model=model.id, newest=newest
    )
    audit = audit_evidence(context.workspace, snapshot, model)
    step = step_evidence(snapshot, config)
    sink.emit(StageStarted(stage="drift"))
    return SignalEvidence(
        data=day.data,
        quality=day.quality,
        positions=day.positions,
        audit=audit,
        audit_session=step,
        model=model_evidence(model, dataset),
        live=live_evidence(daily, model, config),
        drift=drift_evidence(model, dataset, config),
    )


def open_ensemble(model: Model) -> Ensemble:
    """The members of a package."""
    return Ensemble.load(model.members(), model.config(), model.facts.features)


def make_files(
    inputs: SignalInputs, seals: SealStore, model: Model, ensemble: Ensemble
) -> dict[str, bytes]:
    """The one way from inputs to files, for a signal and for its replay.

    GateError, naming the file, where a strategy of the workspace is not the one that it was.
    """
    require_same(seals.workspace, inputs.trading.get(OWN_CODE, {}), "the signal")
    made = compose(
        unpack(inputs, seals.pins, model.config()),
        features=with_heard_names(model.facts.features),
        reference=model.reference(),
        scorer=ensemble,
        strategy=load_strategy(inputs.trading["portfolio"]["strategy"], seals.workspace),
    )
    return made.files


def provenance(
    inputs: SignalInputs, revision: int, reason: str, code: dict[str, str]
) -> SealManifest:
    """What the files come from; the files themselves are added where they are sealed."""
    key = inputs.key
    held = inputs.positions
    return SealManifest(
        key=key,
        key_text=str(key),
        same=same_inputs(key, inputs.trading, held),
        revision=revision,
        reason=reason,
        model=key.model,
        data=key.data,
        config=digest(inputs.trading),
        positions="" if held is None else digest(record.as_json(held)),
        inputs=digest(inputs.pins()),
        code=code,
        files={},
    )


def _answer(seal: Seal) -> Outcome:
    """What `signals` says of a sealed directory: read from it, so that it is the same every time."""
    card = seal.card()
    rows = {
        name: [_as_sealed(row) for row in rows_of(seal.read(f"{name}.csv"), kind, name)]
        for name, kind in (("orders", Order), ("refused", Refused))
    }
    summary = {
        "session": seal.session,
        "key": seal.manifest.key_text,
        "revision": seal.revision,
        "verdict": card.verdict,
        "lights": [_sorted(light) for light in card.lights],
        "directory": str(seal.directory),
        "seal": seal.digest,
        **rows,
        "figures": None if card.orders is None else _sorted(card.orders),
    }
    text = seal.read("card.md").decode() + f"\nsealed in {seal.directory}\nseal {seal.digest}"
    return Outcome(json=summary, text=text, exit_code=card.exit_code)


def _sorted(part: msgspec.Struct) -> dict[str, Any]:
    """A part of the card in the order that it has in ``card.json``."""
    return dict(sorted(record.as_json(part).items()))


def _as_sealed(row: msgspec.Struct) -> dict[str, Any]:
    """The row with its numbers as the CSV has them: whole ones below 1e10 stand there without a point."""
    values = record.as_json(row)
    numbers = {name: value for name, value in values.items() if isinstance(value, float)}
    whole = {name: int(x) for name, x in numbers.items() if x.is_integer() and abs(x) < 1e10}
    return values | whole


def _unsealed(context: StageContext, card: Card, why: str) -> Outcome:
    """Data that are not complete, positions without a price: nothing is sealed, a later attempt may.

    The card is kept in `ATTEMPT` for those who look later; the next such attempt writes over it.
    """
    record.write(context.workspace / ATTEMPT, card)
    empty = dict.fromkeys(("key", "revision", "directory", "seal", "figures"))
    summary = {**record.as_json(card), **empty, "orders": [], "refused": []}
    return Outcome(json=summary, text=card.markdown([why]), exit_code=card.exit_code)


def _refuse_in_sample(model: Model, session: str) -> None:
    if model.facts.has_seen(session):
        raise GateError(
            f"{session} is inside the span that the model was trained and chosen on "
            f"(to {model.facts.chosen_to})",
            hint="choose a later session, or a model of earlier data",
        )


def _differs(seal: Seal, gatherer: Gatherer) -> GateError:
    """Names what differs from the sealed inputs."""
    then, now = seal.key, gatherer.key
    parts = [
        f"{name} {getattr(then, name)} then, {getattr(now, name)} now"
        for name in ("model", "data")
        if getattr(then, name) != getattr(now, name)
    ]
    return GateError(
        f"{seal.name} is sealed from other inputs: "
        + ("; ".join(parts) or "the trading rules or the positions differ"),
        hint="`--revise --reason TEXT` seals a revision beside it; the first one stays",
    )
