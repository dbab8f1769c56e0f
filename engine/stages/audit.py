"""`audit`: proves on altered futures that nothing sees ahead; names what does."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from msgspec.structs import replace as replace_fields

from engine.audit.audit import audit as run_audit
from engine.data.load import open_panel
from engine.data.store import PanelStore
from engine.data.universe import build_universe
from engine.dataset.split import single_split
from engine.errors import GateError
from engine.features.feature_set import FeatureSet
from engine.features.targets import forward_returns
from engine.files import digest
from engine.graph.graph import GraphSeries
from engine.records import record
from engine.records.preflight import AUDIT, AuditResult, Leak
from engine.runs.events import StageStarted
from engine.runs.sink import NullSink
from engine.stages.context import Outcome, StageContext
from engine.stages.fit import start_runtime
from engine.stages.identity import input_rules, kept_model
from engine.stages.load import load_dataset
from engine.stages.text import next_step, table
from engine.training.scoring import score_days

_SCORED_DAYS = 4


def audit(context: StageContext, *, deep: bool, run: str | None) -> Outcome:
    """Write ``audit.json``; exit code 6 with a leak. Of a run its own rules, and its network's scores: a
    walk-forward has a network for each fold, and its rules alone are audited.
    """
    found_run = None if run is None else context.store.open(run)
    if found_run is not None:
        context = replace(context, config=found_run.config())
    context.sink.emit(StageStarted(stage="audit"))
    snapshot = PanelStore(context.workspace / "data").snapshot()
    plans = snapshot.manifest.plans
    found = replace_fields(
        run_audit(
            snapshot.raw(),
            context.config,
            context.sink,
            split_features=lambda: _labels_only(context),
            scores=None
            if found_run is None or found_run.command == "walkforward"
            else lambda: _score_leaks(context, found_run.id),
            deep=deep,
            adjusted=any(plan.price_scale == "adjusted" for plan in plans),
        ),
        snapshot=snapshot.id,
        session=snapshot.days[-1],
        chain=snapshot.chain[-1],
        rules=digest(input_rules(context.config, snapshot.manifest.market)),
        config=digest(context.config.model_dump(mode="json")),
        deep=deep,
        run=run,
        when=context.now().isoformat(timespec="seconds"),
    )
    path = context.workspace / AUDIT
    record.write(path, found)
    return Outcome(
        json=record.as_json(found),
        text=_text(found, path, context.configured),
        exit_code=0 if found.passed else GateError.exit_code,
    )


def _text(found: AuditResult, path: Path, configured: Sequence[str]) -> str:
    words = {True: "ok", False: "LEAK", None: "-"}
    rows = [[check.name, words[check.passed], check.detail] for check in found.checks]
    part = found.sample
    leaks = [f"{x.check}: {x.name}  {x.day} {x.symbol}  {x.detail}" for x in found.leaks]
    return "\n".join(
        [
            f"verdict: {found.verdict}   {part.columns} columns of {part.stocks} stocks over "
            f"{part.sessions} sessions; futures altered after {', '.join(found.cuts)}",
            "",
            table(rows, header=["check", "result", "what"]),
            *(["", *leaks] if leaks else []),
            *(f"note: {note}" for note in found.notes),
            "",
            f"written to {path}",
            *([next_step("preflight", configured)] if found.passed and not found.run else []),
        ]
    )


def _labels_only(context: StageContext) -> FeatureSet:
    """Universe and labels of all data, without a feature: what the splits are made from."""
    config = context.config
    panel = open_panel(context.workspace, config)
    universe = build_universe(panel, config.universe, context.workspace / "universe")
    dense = panel.dense()
    labels = forward_returns(dense.take(universe.rows_in(dense)), config.labels)
    return FeatureSet(
        directory=None,
        dates_S=universe.dates_S,
        symbols=universe.symbols,
        features=(),
        horizons=config.labels.horizons,
        x_SNF=np.empty((*universe.member_SN.shape, 0), dtype=np.float16),
        member_SN=universe.member_SN,
        forward_return_SNH=labels,
        sector_N=universe.sector_N,
        sectors=universe.sectors,
        fingerprint="",
        market=panel.market,
        source=panel.source,
    )


def _score_leaks(context: StageContext, run: str) -> Iterator[Leak]:
    """Scores of some days, with everything after them replaced by noise."""
    found = context.store.open(run)
    dataset = load_dataset(context, NullSink())
    features = dataset.features.in_memory()
    split = single_split(features, context.config.split, context.config.universe.min_names)
    days = split.test[: -(split.test.size // 2) : max(1, split.test.size // (2 * _SCORED_DAYS))]
    cut = int(days[-1]) + 1
    runtime = start_runtime(context.config, NullSink())
    model = kept_model(found, context.config, dataset, runtime)
    rng = np.random.default_rng(0)
    x_SNF = np.array(features.x_SNF)
    x_SNF[cut:] = rng.normal(size=x_SNF[cut:].shape)
    other = replace(
        features,
        x_SNF=x_SNF,
        member_SN=np.concatenate([features.member_SN[:cut], ~features.member_SN[cut:]]),
        forward_return_SNH=np.concatenate(
            [features.forward_return_SNH[:cut], -features.forward_return_SNH[cut:]]
        ),
    )
    graphs = dataset.graphs
    a, b = (
        score_days(model, f, g, days.tolist(), window=context.config.split.window, runtime=runtime)
        for f, g in ((features, graphs), (other, _forgetful(graphs, cut)))
    )
    for day, mine_NH, theirs_NH in zip(days, a.score_DNH, b.score_DNH, strict=True):
        if not np.array_equal(mine_NH, theirs_NH):
            yield Leak(
                check="scores",
                name=found.id,
                day=str(features.dates_S[day]),
                detail=f"scores change with what happens after {features.dates_S[cut - 1]}",
            )
            return


def _forgetful(graphs: GraphSeries | None, cut: int) -> GraphSeries | None:
    """Without the graphs from session ``cut`` on."""
    if graphs is None:
        return None
    kept = int((graphs.sessions_R < cut).sum())
    return GraphSeries(
        sessions_R=graphs.sessions_R[:kept],
        graphs=graphs.graphs[:kept],
        fingerprint=graphs.fingerprint,
    )
