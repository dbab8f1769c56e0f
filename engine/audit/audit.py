"""The checks in order, on a sample of the market, and what they found."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.audit.compare import TOO_EARLY, Leak, Pair
from engine.audit.futures import in_flight, poisoned, sample, unpublished
from engine.audit.scale import adjusted_as_a_whole, scale_leaks
from engine.audit.world import World, build_world
from engine.config import Config
from engine.data.tables import OPTIONAL, RawTables
from engine.dataset.split import Split, single_split, walk_forward
from engine.errors import DataError
from engine.features.feature_set import FeatureSet
from engine.features.targets import forward_returns
from engine.runs.events import Advanced
from engine.runs.sink import EventSink

STOCKS, SESSIONS = 160, 320
"""Of the sample, beside the history that the universe asks for."""
_CHECKS = (
    ("prices", "open, high, low and close are of one scale: none knows later dividends"),
    ("quality", "cleaning a day uses that day and earlier ones"),
    ("universe", "who is a member is decided with what is known that day"),
    ("graph", "edges come from returns up to their day"),
    ("features", "no column looks ahead"),
    ("normalisers", "scaling a day uses no later day"),
    ("publication", "rows of optional tables count from their publication on"),
    ("labels", "a label starts after its day and is final when its horizon has passed"),
    ("splits", "no label of one part ends inside the next"),
    ("scores", "scores of a run do not change with what comes after them"),
)
_STEP = 252
_MAX_TOLD = 40
_ADJUSTED = (
    "all prices are adjusted backwards: their levels know later splits and dividends, returns do not; "
    "rules that look at a level (universe.min_price) are not point in time"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    leaks: tuple[Leak, ...]
    skipped: dict[str, str]
    """Check -> why it could not be made."""
    cuts: tuple[dt.date, ...]
    stocks: int
    sessions: int
    columns: int
    notes: tuple[str, ...] = ()
    """What is no leak, but should be known."""

    @property
    def passed(self) -> bool:
        return not self.leaks

    def to_json(self) -> dict[str, Any]:
        """``verdict``, one entry per check, every leak with column, day and stock."""
        return {
            "verdict": "passed" if self.passed else "failed",
            "checks": [
                {"name": name, "passed": self._passed(name), "detail": self._detail(name, text)}
                for name, text in _CHECKS
            ],
            "leaks": [
                {
                    "check": leak.check,
                    "name": leak.name,
                    "day": str(leak.day),
                    "symbol": leak.symbol,
                    "detail": leak.detail,
                    "ahead": leak.ahead,
                }
                for leak in self.leaks
            ],
            "notes": list(self.notes),
            "cuts": [str(day) for day in self.cuts],
            "sample": {
                "stocks": self.stocks,
                "sessions": self.sessions,
                "columns": self.columns,
            },
        }

    def _passed(self, check: str) -> bool | None:
        """None = not checked."""
        return None if check in self.skipped else not self._of(check)

    def _of(self, check: str) -> list[Leak]:
        return [leak for leak in self.leaks if leak.check == check]

    def _detail(self, check: str, text: str) -> str:
        found = self._of(check)
        if found:
            names = ", ".join(leak.name for leak in found[:3])
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            return f"{names}{more}: {found[0].detail}"
        return f"not checked: {self.skipped[check]}" if check in self.skipped else text


def audit(
    raw: RawTables,
    config: Config,
    sink: EventSink,
    *,
    split_features: Callable[[], FeatureSet],
    scores: Callable[[], Iterator[Leak]] | None,
    deep: bool = False,
    adjusted: bool = False,
) -> Audit:
    """Run the pipeline on altered futures and compare everything before them, bit by bit.

    ``split_features``: the whole feature set (its tensor is not looked at), for the splits. ``scores``:
    the leaks of a run's scores, or None. ``deep``: more stocks and cuts, and how far ahead a leak looks.
    ``adjusted``: the bars were read as adjusted by their vendor, which is noted; else their cents tell it.
    """
    told: dict[tuple[str, str], Leak] = {}
    skipped: dict[str, str] = {}
    cuts: list[dt.date] = []
    part = sample(
        raw,
        stocks=STOCKS * (3 if deep else 1),
        sessions=config.universe.min_history + SESSIONS,
        keep=config.data.index_symbol,
    )
    ours = build_world(part, config)
    size = ours.universe.dates_S.size
    plan = _plan(part, size, deep=deep)
    if not any(name == "publication" for name, _, _ in plan):
        skipped["publication"] = "the data have no optional table with rows in flight"
    for done, (kind, cut, change) in enumerate(plan):
        day = ours.universe.dates_S[cut].item()
        cuts.append(day)
        pair = Pair(ours=ours, other=build_world(change(part, day), config), cut=cut)
        for leak in pair.leaks(publication=kind == "publication"):
            told.setdefault((leak.check, leak.name), leak)
        sink.emit(Advanced(stage="audit", done=done + 1, total=len(plan), note=f"{kind} {day}"))
    leaks = list(told.values())
    leaks = _blamed(leaks, part, ours, config)
    if deep:
        leaks = [_measured(leak, part, ours, config) for leak in leaks]
    leaks += _label_leaks(ours, config)
    whole = raw.bars.join(part.bars.select("symbol").unique(), on="symbol", how="semi")
    leaks += _scale_leaks(whole, skipped)
    try:
        leaks += _split_leaks(split_features(), config)
    except DataError as error:
        skipped["splits"] = error.message
    if scores is None:
        skipped["scores"] = "no run was named (`atft-tui audit RUN`)"
    else:
        leaks += list(scores())
    order = [name for name, _ in _CHECKS]
    leaks.sort(key=lambda leak: order.index(leak.check))
    return Audit(
        leaks=tuple(leaks[:_MAX_TOLD]),
        skipped=skipped,
        cuts=tuple(sorted(set(cuts))),
        stocks=part.bars["symbol"].n_unique(),
        sessions=size,
        columns=len(ours.chosen),
        notes=(_ADJUSTED,) if adjusted or adjusted_as_a_whole(whole) else (),
    )


_Change = Callable[[RawTables, dt.date], RawTables]


def _plan(part: RawTables, size: int, *, deep: bool) -> list[tuple[str, int, _Change]]:
    """Kind, session and change of each altered future."""
    plan: list[tuple[str, int, _Change]] = [
        ("poison", int(size * 0.80), poisoned),
        ("truncation", int(size * 0.87) + 1, RawTables.as_of),
    ]
    if deep:
        plan += [("poison", int(size * share), poisoned) for share in (0.70, 0.95)]
        plan += [("truncation", int(size * 0.75), RawTables.as_of)]
    day = in_flight(part)
    if day is not None:
        days = part.bars["date"].unique().sort()
        plan.append(("publication", int(days.search_sorted(day)), unpublished))
    return plan


def _blamed(leaks: list[Leak], part: RawTables, ours: World, config: Config) -> list[Leak]:
    """A column of an optional table that noise in the bars alone leaves as it is reads the table early."""
    table = {feature.name: feature.source for feature in ours.chosen}
    suspects = [leak for leak in leaks if table.get(leak.name) in OPTIONAL]
    if not suspects:
        return leaks
    cut = int(ours.universe.dates_S.size * 0.8)
    bars = replace(poisoned(part, ours.universe.dates_S[cut].item()), optional=part.optional)
    pair = Pair(ours=ours, other=build_world(bars, config), cut=cut)
    guilty = {leak.name for leak in pair.leaks()}
    early = {leak.name for leak in suspects} - guilty
    told: dict[tuple[str, str], Leak] = {}
    for leak in leaks:
        if leak.name in early:
            leak = replace(leak, check="publication", detail=TOO_EARLY)
        told.setdefault((leak.check, leak.name), leak)
    return list(told.values())


def _measured(leak: Leak, part: RawTables, ours: World, config: Config) -> Leak:
    """How many sessions ahead it looks: the fewest after which noise no longer reaches it."""
    if leak.check not in ("quality", "universe", "graph", "features", "normalisers"):
        return leak
    cut = int(ours.universe.dates_S.size * 0.8)

    def reached(ahead: int) -> bool:
        day = ours.universe.dates_S[cut + ahead].item()
        other = build_world(poisoned(part, day), config)
        found = Pair(ours=ours, other=other, cut=cut).leaks()
        return any(
            x.check == leak.check and (x.name == leak.name or leak.check == "graph") for x in found
        )

    low, high = 0, ours.universe.dates_S.size - cut - 2  # reached(low) is true, of high unknown
    if reached(high):
        return replace(leak, detail=f"{leak.detail}; depends on the whole history")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) else (low, middle)
    return replace(leak, ahead=high, detail=f"{leak.detail}; looks {high} sessions ahead")


def _label_leaks(world: World, config: Config) -> Iterator[Leak]:
    """No price of a day or before it may enter the day's label."""
    dense = world.dense
    cut = dense.dates_S.size // 2
    past = np.arange(dense.dates_S.size) <= cut
    changed = replace(
        dense,
        close_NS=np.where(past, dense.close_NS * 1.7 + 1.0, dense.close_NS),
        open_NS=np.where(past, dense.open_NS * 0.6 + 1.0, dense.open_NS),
    )
    a_NH, b_NH = (forward_returns(x, config.labels)[cut] for x in (dense, changed))
    for h, horizon in enumerate(config.labels.horizons):
        if not np.array_equal(a_NH[:, h], b_NH[:, h], equal_nan=True):
            yield Leak(
                check="labels",
                name=f"forward_return_{horizon}",
                day=dense.dates_S[cut].item(),
                symbol="",
                detail="contains a price of its own day: it could not be traded at",
            )


def _scale_leaks(bars: pl.DataFrame, skipped: dict[str, str]) -> list[Leak]:
    try:
        return list(scale_leaks(bars))
    except DataError as error:
        skipped["prices"] = error.message
        return []


def _split_leaks(features: FeatureSet, config: Config) -> Iterator[Leak]:
    least = config.universe.min_names
    splits = [("split", single_split(features, config.split, least))]
    try:
        folds = walk_forward(
            features, config.split, least, first_test=None, last_test=None, step_sessions=_STEP
        )
        splits += [(f"fold {fold.index}", fold.split) for fold in folds]
    except DataError:
        pass  # the single split alone fits these data
    for name, split in splits:
        yield from _crossings(name, split, features)


def _crossings(name: str, split: Split, features: FeatureSet) -> Iterator[Leak]:
    parts: Sequence[tuple[str, NDArray[np.int64]]] = (
        ("train", split.train),
        ("validation", split.validation),
        ("test", split.test),
    )
    longest = max(features.horizons)
    for (before, early), (after, late) in itertools.pairwise(parts):
        end, start = int(early[-1]) + 1 + longest, int(late[0])
        if end > start:
            last = min(end, features.dates_S.size - 1)
            yield Leak(
                check="splits",
                name=f"{name}: {before} into {after}",
                day=features.dates_S[early[-1]].item(),
                symbol="",
                detail=f"its {longest}-session label ends on {features.dates_S[last]}, "
                f"but {after} starts on {features.dates_S[start]}",
            )
