"""Comparisons as the engine keeps them: sizes and ablations with intervals, and pairs of runs."""

import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.files import read_json
from engine.records.rank_ic import RankICSummary
from engine.records.run import RunSummary
from engine.runs.events import VariantFinished
from engine.runs.follow import read_new
from engine.runs.store import Run
from engine.runs.summary import figure, number

_CURVE_POINTS = 400


@dataclass(frozen=True, slots=True)
class Gap:
    """A paired difference on common days."""

    difference: float
    se: float
    low: float
    high: float
    n_dates: int
    direction: str
    """better, worse or undecided."""


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    changes: str
    seeds: int
    validation: RankICSummary | None
    test: RankICSummary | None
    seed_deviation: float
    gap: Gap | None
    """Against the reference on the test days; None for the reference itself and before the end."""
    verdict: str
    parameters: int | None
    seconds: float
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    id: str
    kind: str
    """sizes or ablations."""
    status: str
    """done, or that of the run that trains it."""
    reference: str
    horizon: int
    confidence: float
    source: str
    seeds: int
    variants: tuple[Variant, ...]
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    first: str
    second: str
    gap: Gap
    confidence: float
    horizon: int


@dataclass(frozen=True, slots=True)
class DailyGap:
    """Sum over the test days of the variant's RankIC less the reference's."""

    variant: str
    days: tuple[str, ...]
    total: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """The comparison that is looked at."""

    comparison: Comparison
    daily: DailyGap | None
    """Of the variant that is furthest from the reference."""


def read_comparisons(workspace: Path, runs: Sequence[RunSummary]) -> tuple[Comparison, ...]:
    """Those that have ended, newest first, after those at work, told by their runs' events."""
    made = [
        read_comparison(path, *_stamp(path)) for path in _files(workspace, "sizes", "ablations")
    ]
    known = {one.run_id for one in made}
    going = [
        _going(workspace, about)
        for about in runs
        if about.command == "compare" and about.status and about.id not in known
    ]
    return (*going, *made)


def read_pairs(workspace: Path, run_ids: Sequence[str]) -> tuple[Pair, ...]:
    """The newest paired difference on file of each two of these runs."""
    wanted = {frozenset(two) for two in itertools.combinations(run_ids, 2)}
    found: dict[frozenset[str], Pair] = {}
    for path in _files(workspace, "runs"):
        for pair in _pairs_of(path, *_stamp(path)):
            both = frozenset((pair.first, pair.second))
            if both in wanted:
                found.setdefault(both, pair)
    order = {run_id: number for number, run_id in enumerate(run_ids)}
    return tuple(sorted(found.values(), key=lambda p: sorted((order[p.first], order[p.second]))))


@lru_cache(maxsize=256)
def read_comparison(path: Path, mtime_ns: int, size: int) -> Comparison:
    values = read_json(path)
    return Comparison(
        id=str(values["id"]),
        kind=str(values["kind"]),
        status="done",
        reference=str(values["reference"]),
        horizon=int(values["score_horizon"]),
        confidence=float(values["confidence"]),
        source=str(values.get("source", "")),
        seeds=int(values.get("seeds", 0)),
        variants=tuple(_variant(row) for row in values["variants"]),
        run_id=str(values.get("run_id", "")),
    )


@lru_cache(maxsize=64)
def daily_gap(path: Path, mtime_ns: int, variant: str, reference: str) -> DailyGap | None:
    """From the parquet file beside a comparison; None without common days."""
    import polars as pl  # 0.2 s; only when a comparison is looked at

    frame = pl.read_parquet(path).filter((pl.col("split") == "test") & pl.col("seed").is_null())
    mine = frame.filter(pl.col("variant") == variant).select("date", "rank_ic")
    other = frame.filter(pl.col("variant") == reference).select("date", other="rank_ic")
    both = mine.join(other, on="date").drop_nulls().sort("date")
    if both.is_empty():
        return None
    total = both.select("date", total=(pl.col("rank_ic") - pl.col("other")).cum_sum())
    stride = max(1, total.height // _CURVE_POINTS)
    kept = total.gather_every(stride) if stride > 1 else total
    days = tuple(str(day) for day in kept["date"])
    return DailyGap(variant, days, tuple(float(value) for value in kept["total"]))


def _files(workspace: Path, *kinds: str) -> list[Path]:
    """``compare/KIND-*.json``, newest first."""
    folder = workspace / "compare"
    paths = [path for kind in kinds for path in folder.glob(f"{kind}-*.json")]
    return sorted(paths, key=lambda path: (-_stamp(path)[0], path.name))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _variant(row: dict[str, Any]) -> Variant:
    test = row.get("test") or {}
    gap = (row.get("difference") or {}).get("test")
    changes = ", ".join(f"{key}={value}" for key, value in row.get("changes", {}).items())
    return Variant(
        name=str(row["name"]),
        changes=changes,
        seeds=len(row.get("runs", ())),
        validation=figure(row.get("validation")),
        test=figure(row.get("test")),
        seed_deviation=number(test.get("seed_deviation")),
        gap=_gap(gap),
        verdict=str(row.get("verdict", "reference")),
        parameters=row.get("parameters"),
        seconds=number(row.get("seconds")),
        errors=tuple(str(words) for words in row.get("errors", ())),
    )


def _gap(values: dict[str, Any] | None) -> Gap | None:
    if not values or values.get("difference") is None:
        return None
    return Gap(
        difference=float(values["difference"]),
        se=number(values.get("se")),
        low=number(values.get("low")),
        high=number(values.get("high")),
        n_dates=int(values.get("n_dates") or 0),
        direction=str(values.get("direction", "")),
    )


@lru_cache(maxsize=256)
def _pairs_of(path: Path, mtime_ns: int, size: int) -> tuple[Pair, ...]:
    values = read_json(path)
    found = []
    for row in values["pairs"]:
        gap = _gap(row)
        if gap is not None:
            found.append(
                Pair(
                    str(row["first"]),
                    str(row["second"]),
                    gap,
                    float(values["confidence"]),
                    int(values["score_horizon"]),
                )
            )
    return tuple(found)


def _going(workspace: Path, about: RunSummary) -> Comparison:
    """A comparison that has not ended: what its events tell of the variants so far."""
    run = Run(workspace / "runs" / about.id)
    try:
        request = read_json(run.path("request.json"))
    except EngineError:
        request = {}
    told: dict[str, list[VariantFinished]] = {}
    offset, more = 0, True
    while more:
        events, after = read_new(run.events_path, offset)
        more, offset = after > offset, after
        for event in events:
            if isinstance(event, VariantFinished):
                told.setdefault(event.variant, []).append(event)
    return Comparison(
        id=about.id,
        kind=str(request.get("kind", "")),
        status=about.status,
        reference=next(iter(told), ""),
        horizon=0,
        confidence=math.nan,
        source="",
        seeds=int(request.get("seeds", 0)),
        variants=tuple(_told(name, events) for name, events in told.items()),
        run_id=about.id,
    )


def _told(name: str, events: Sequence[VariantFinished]) -> Variant:
    """The first seed's figure stands for the variant until its seeds' scores are averaged."""
    done = [event for event in events if math.isfinite(event.rank_ic)]
    test = None
    if done:
        test = RankICSummary(
            rank_ic=done[0].rank_ic,
            rank_ic_se=done[0].rank_ic_se,
            null_band=math.nan,
            n_dates=done[0].n_dates,
        )
    return Variant(
        name=name,
        changes="",
        seeds=len(done),
        validation=None,
        test=test,
        seed_deviation=math.nan,
        gap=None,
        verdict=f"seed {done[0].seed}" if done else "failed",
        parameters=None,
        seconds=math.nan,
        errors=tuple(event.error for event in events if event.error),
    )
