"""How many times somebody looked: every simulated variant of a run's scores, kept in the run itself.

    runs/<id>/trials.json    digest of the settings -> {"what": ..., "sharpe": ...}

The deflated Sharpe ratio is only honest if the number of trials is true, so each backtest and each cell
of a sweep writes itself down here; the same settings on the same scores count once.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.files import digest, write_json
from engine.hashes import sha256
from engine.records import record
from engine.records.run import TRIALS, TriedVariant
from engine.runs import lock
from engine.runs.store import Run, RunStore

_DELETED = "deleted.json"
"""The store's file of the trials of deleted runs. They were looked at, so they count for ever."""
_TRAINING = ("train", "walkforward", "demo", "trial")
"""Commands that made scores: each run of them is a trial even if nothing was simulated on it.

A search (`tune`) and a comparison (`compare`) are none themselves: their trials and variants are runs of
their own.
"""


def record_trials(run: Run, tried: Mapping[str, tuple[dict[str, object], float]]) -> None:
    """Add variants (a name -> settings, net Sharpe ratio) to the run's list. The caller holds its lock."""
    known, keys = read_trials(run), trial_keys(run, (settings for settings, _ in tried.values()))
    for key, (what, (_, sharpe)) in zip(keys, tried.items(), strict=True):
        known[key] = TriedVariant(what=what, sharpe=sharpe)
    write_json(run.path(TRIALS), {key: record.as_json(tried) for key, tried in known.items()})


def trial_keys(run: Run, tried: Iterable[dict[str, object]]) -> list[str]:
    """The digest of each of these settings together with the run's scores as they are now."""
    scores = run.path("predictions.parquet")
    made = sha256(scores) if scores.is_file() else ""
    return [digest({"settings": settings, "scores": made}) for settings in tried]


def read_trials(run: Run) -> dict[str, TriedVariant]:
    """Digest of the settings -> variant; empty for a run that nothing was simulated on."""
    return record.read_if_there(run.path(TRIALS), dict[str, TriedVariant]) or {}


def count_trials(store: RunStore) -> int:
    """All variants of all runs, at least one for each run that trained something; never below 1.

    Those of deleted runs are among them.
    """
    there, total = set(), 0
    for run in store:
        there.add(run.id)
        total += _tried(run)
    gone = _read_deleted(store.root)
    return max(total + sum(n for run_id, n in gone.items() if run_id not in there), 1)


def remember_deleted(run: Run) -> None:
    """Keep the number of a run's trials; before it is deleted, by the holder of its lock."""
    root = run.directory.parent
    with lock.waiting(root / f".{_DELETED}.lock"):
        write_json(root / _DELETED, {**_read_deleted(root), run.id: _tried(run)})


def _read_deleted(root: Path) -> dict[str, int]:
    return record.read_if_there(root / _DELETED, dict[str, int]) or {}


def _tried(run: Run) -> int:
    tried = len(read_trials(run))
    return max(tried, 1) if run.command in _TRAINING else tried
