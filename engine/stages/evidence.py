"""What the card of a signal looks at besides the scores: data, audit, age, drift, the live record."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from engine.audit.audit import audit_step, sessions_needed
from engine.config import Config
from engine.data.calendar import sessions_between
from engine.data.sessions import usual_names
from engine.data.store import Snapshot
from engine.evaluation.rank_ic import rank_ic
from engine.features.feature_set import FeatureSet
from engine.files import digest
from engine.portfolio.prediction import score_column
from engine.records.card import (
    AuditEvidence,
    DataEvidence,
    DayEvidence,
    DriftFigures,
    LiveRankIC,
    ModelAge,
    QualityEvidence,
    StepEvidence,
)
from engine.records.preflight import AuditResult, read_audit
from engine.records.quality import QualityReport
from engine.records.seal import SealPlace, read_seal
from engine.signals.models import Model
from engine.stages.load import Dataset, raw_days

_BACK = 10
"""Exchange sessions before the signal's that should have data."""


def data_evidence(
    report: QualityReport, snapshot: Snapshot, session: str, config: Config
) -> DayEvidence:
    """Completeness and quality of a session; the report ends with it."""
    day = dt.date.fromisoformat(session)
    place = report.days.index(session) if session in report.days else len(report.days)
    names = report.names[place] if place < len(report.names) else 0
    repeated = report.finding("repeated_session")
    again = repeated is not None and any(date == session for _, date, _ in repeated.examples)
    calendar = sessions_between(
        snapshot.exchange, day - dt.timedelta(days=3 * _BACK), day - dt.timedelta(days=1)
    )
    recent = calendar[-_BACK:]
    known = set(snapshot.days)
    first = np.datetime64(snapshot.days[0], "D")
    missing = [str(d) for d in recent if str(d) not in known and d >= first]
    errors = [f for f in report.findings if f.level == "error"]
    worst = f"{errors[0].count} x {errors[0].rule}: {errors[0].action}" if errors else ""
    return DayEvidence(
        data=DataEvidence(
            names=names,
            usual=usual_names(report.names[:place]),
            min_coverage=config.quality.min_coverage,
            repeated=again,
            missing_sessions=tuple(missing),
        ),
        quality=QualityEvidence(verdict=report.verdict, worst=worst, notes=tuple(report.notes)),
    )


def audit_evidence(workspace: Path, snapshot: Snapshot, model: Model) -> AuditEvidence | None:
    """What the last full audit said, and how many sessions ago; age None: of other data or rules."""
    found = read_audit(workspace)
    if found is None:
        return None
    chain = snapshot.chain
    age = None
    if found.rules == digest(model.facts.rules):
        if found.chain in chain:
            age = len(chain) - 1 - chain.index(found.chain)
        elif _grew(workspace, found, chain):
            age = 0
    leaks = tuple(leak.name for leak in found.leaks[:5])
    return AuditEvidence(verdict=found.verdict, age=age, leaks=leaks)


def _grew(workspace: Path, found: AuditResult, chain: tuple[str, ...]) -> bool:
    """Whether the audited snapshot is these sessions and later ones: a signal of a past day."""
    directory = workspace / "data" / "snapshots" / found.snapshot
    if not (directory / "manifest.json").is_file():
        return False
    later = Snapshot(directory).chain
    return len(later) >= len(chain) and later[len(chain) - 1] == chain[-1]


def step_evidence(snapshot: Snapshot, config: Config) -> StepEvidence:
    """Whether the newest session moves anything before it, on a sample of the market."""
    after = snapshot.days[max(0, len(snapshot.days) - sessions_needed(config) - 1)]
    done = audit_step(snapshot.raw(after=after), config)
    return StepEvidence(leaks=tuple(done.leaks), columns=done.columns)


def model_evidence(model: Model, dataset: Dataset) -> ModelAge:
    """Sessions of the data after the last one whose label the model has learned from."""
    last = model.facts.trained_to
    later_S = dataset.features.dates_S > np.datetime64(last, "D")
    return ModelAge(age=int(later_S.sum()), last_session=last)


def drift_evidence(model: Model, dataset: Dataset, config: Config) -> dict[str, DriftFigures]:
    """PSI and KS of each raw feature over the session's stocks against the model's reference."""
    session = int(dataset.features.dates_S.size) - 1
    days = raw_days(dataset, config, [session])
    return model.reference().drift({name: values[0] for name, values in days.items()})


def live_rank_ics(
    places: Sequence[SealPlace],
    features: FeatureSet,
    *,
    horizon: int,
    model: str = "",
    newest: int | None = None,
) -> dict[str, float]:
    """Session -> Spearman correlation of its sealed scores and the returns that followed.

    Returns are over ``horizon`` sessions from the entry at t+1, as in every label; sessions whose outcome
    the data do not have yet are left out, and so are too small ones. ``places``: one a session, ascending.
    ``model``: of this model only. ``newest``: of so many sessions only, and no other file is read.
    """
    session_of = {str(day): s for s, day in enumerate(features.dates_S)}
    axis = {symbol: n for n, symbol in enumerate(features.symbols)}
    column, score = features.horizons.index(horizon), score_column(horizon)
    found: dict[str, float] = {}
    for place in reversed(places):
        session = session_of.get(place.session)
        if session is None or session + 1 + horizon >= features.dates_S.size:
            continue
        if newest is not None and len(found) >= newest:
            break
        seal = read_seal(place.directory)
        if model and seal.key.model != model:
            continue
        frame = pl.read_parquet(seal.read("scores.parquet"), columns=["symbol", score])
        at_N = np.array([axis.get(s, -1) for s in frame["symbol"].to_list()], dtype=np.int64)
        known_N = at_N >= 0
        value = rank_ic(
            frame[score].to_numpy()[known_N],
            features.forward_return_SNH[session][at_N[known_N], column],
        )
        if np.isfinite(value):
            found[place.session] = value
    return found


def live_evidence(daily: Mapping[str, float], model: Model, config: Config) -> LiveRankIC:
    """Live RankIC of the newest sealed signals whose outcome is known, and the least to expect.

    The least is the out-of-sample mean less ``live_sigmas`` standard errors of a mean over so many sessions;
    the Newey-West error of the test days is scaled by sqrt(test days / live days).
    """
    recent = [daily[day] for day in sorted(daily)][-config.signals.live_sessions :]
    test, low = model.facts.test, math.nan
    if recent:
        scale = math.sqrt(test.n_dates / len(recent))
        low = test.rank_ic - config.signals.live_sigmas * test.rank_ic_se * scale
    return LiveRankIC(
        rank_ic=float(np.mean(recent)) if recent else math.nan,
        sessions=len(recent),
        horizon=config.portfolio.horizon,
        expected=test.rank_ic,
        low=low,
    )
