"""How often the data were looked at: variants that were simulated, and looks at protocol days.

    runs/<id>/trials.json    digest of settings and scores -> variant
    runs/looks.jsonl         one look a line, added to before a figure is shown

Each backtest and each cell of a sweep writes itself down as a variant; the same settings on the same scores
count once. Each line of looks is synced, so no crash hides a look; a line that a crash has torn was followed
by no figure and is passed over. Each has a sum, so that no look is lost to a damaged line without a word.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from engine import hashes
from engine.errors import IntegrityError
from engine.files import digest, sync_directory, write_json
from engine.hashes import sha256
from engine.records import record
from engine.records.protocol import LOOKS, CountedLook, JudgedDays
from engine.records.run import TRIALS, TriedVariant
from engine.runs import lock
from engine.runs.sink import SUM, is_whole, summed
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


def add_looks(root: Path, looks: Sequence[CountedLook]) -> None:
    """Append the looks to the store at ``root``; one at the same scores, book and days stands there once."""
    with lock.waiting(root / f".{LOOKS}.lock"):
        known = {_key(look) for look in read_looks(root)}
        fresh = [look for look in looks if _key(look) not in known]
        new = [summed(msgspec.json.encode(look)).decode() for look in fresh]
        if new:
            hashes.append(root / LOOKS, "".join(f"{line}\n" for line in new))
            sync_directory(root)


def read_looks(root: Path) -> tuple[CountedLook, ...]:
    """All looks of the store, oldest first; none without a file, IntegrityError for a damaged line."""
    try:
        found = (root / LOOKS).stat()
    except FileNotFoundError:
        return ()
    return _read(root / LOOKS, found.st_mtime_ns, found.st_size)


def day_words(root: Path, days: JudgedDays | None) -> str:
    """What kind of days a figure rests on and how often they were looked at; empty without a protocol."""
    if days is None:
        return ""
    try:
        return days.words(days.looks(read_looks(root)))
    except IntegrityError:
        return f"{LOOKS} is damaged"


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, _size: int) -> tuple[CountedLook, ...]:
    """The file as it is at this time and size: a list of runs asks for it once a run."""
    looks = list[CountedLook]()
    sums = False
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if is_whole(line, summed=sums):
            sums = sums or SUM in line
            looks.append(record.parse(line, CountedLook, f"{path}: line {number}"))
        elif SUM in line or line.endswith(b"}"):
            raise IntegrityError(
                f"{path}: line {number} is damaged", hint="bring the file back from a copy"
            )
        # What is left was torn by a crash: nothing was shown after it.
    return tuple(looks)


def _key(look: CountedLook) -> tuple[str, ...]:
    return (look.run, look.book, look.market, look.first, look.last)
