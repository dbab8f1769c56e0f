"""What the card of a signal looks at besides the scores: data, audit, age, drift, the live record."""

import datetime as dt
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.audit.step import audit_step, sessions_needed
from engine.config import Config
from engine.data.calendar import sessions_between
from engine.data.findings import QualityReport
from engine.data.sessions import usual_names
from engine.data.store import Snapshot
from engine.files import digest, read_json
from engine.signals.models import Model
from engine.stages.load import Dataset
from engine.stages.package import raw_days

_BACK = 10
"""Exchange sessions before the signal's that should have data."""


def data_evidence(
    report: QualityReport, snapshot: Snapshot, session: str, config: Config
) -> dict[str, Any]:
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
    return {
        "data": {
            "names": names,
            "usual": usual_names(report.names[:place]),
            "min_coverage": config.quality.min_coverage,
            "repeated": again,
            "missing_sessions": missing,
        },
        "quality": {"verdict": report.verdict, "worst": worst, "notes": list(report.notes)},
    }


def audit_evidence(workspace: Path, snapshot: Snapshot, model: Model) -> dict[str, Any] | None:
    """What the last full audit said, and how many sessions ago; age None: of other data or rules."""
    path = workspace / "audit.json"
    if not path.is_file():
        return None
    found = read_json(path)
    chain = snapshot.chain
    age = None
    if found.get("rules") == digest(model.facts["rules"]):
        if found.get("chain") in chain:
            age = len(chain) - 1 - chain.index(found["chain"])
        elif _grew(workspace, found, chain):
            age = 0
    return {
        "verdict": found["verdict"],
        "age": age,
        "leaks": [leak["name"] for leak in found["leaks"]][:5],
    }


def _grew(workspace: Path, found: Mapping[str, Any], chain: list[str]) -> bool:
    """Whether the audited snapshot is these sessions and later ones: a signal of a past day."""
    directory = workspace / "data" / "snapshots" / str(found["snapshot"])
    if not (directory / "manifest.json").is_file():
        return False
    later = Snapshot(directory).chain
    return len(later) >= len(chain) and later[len(chain) - 1] == chain[-1]


def step_evidence(snapshot: Snapshot, config: Config) -> dict[str, Any]:
    """Whether the newest session moves anything before it, on a sample of the market."""
    after = snapshot.days[max(0, len(snapshot.days) - sessions_needed(config) - 1)]
    done = audit_step(snapshot.raw(after=after), config)
    return {"leaks": list(done.leaks), "columns": done.columns}


def model_evidence(model: Model, dataset: Dataset) -> dict[str, Any]:
    dates_S = dataset.features.dates_S
    last = np.datetime64(model.facts["last_session"], "D")
    return {"age": int((dates_S > last).sum()), "last_session": model.facts["last_session"]}


def drift_evidence(model: Model, dataset: Dataset, config: Config) -> dict[str, list[float]]:
    """PSI and KS of each raw feature over the session's stocks against the model's reference."""
    session = int(dataset.features.dates_S.size) - 1
    days = raw_days(dataset, config, [session])
    return model.reference().drift({name: values[0] for name, values in days.items()})


def live_evidence(
    daily: Mapping[str, float], model: Model, *, horizon: int, sessions: int, sigmas: float
) -> dict[str, Any]:
    """Live RankIC of the newest sealed signals whose outcome is known, and the least to expect.

    The least is the out-of-sample mean less ``sigmas`` standard errors of a mean over so many sessions;
    the Newey-West error of the test days is scaled by sqrt(test days / live days).
    """
    recent = [daily[day] for day in sorted(daily)][-sessions:]
    test = model.facts["test"]
    low = None
    if recent and test["rank_ic"] is not None and test["rank_ic_se"] is not None:
        low = test["rank_ic"] - sigmas * test["rank_ic_se"] * math.sqrt(
            test["n_dates"] / len(recent)
        )
    return {
        "rank_ic": float(np.mean(recent)) if recent else None,
        "sessions": len(recent),
        "horizon": horizon,
        "expected": test["rank_ic"],
        "low": low,
    }
