"""The checks in order, on a sample of the market, and what they found."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from msgspec.structs import replace as changed

from engine.audit.compare import TOO_EARLY, World, WorldPair, build_world, last_session_differs
from engine.audit.futures import in_flight, poisoned, sample, unpublished
from engine.audit.scale import adjusted_as_a_whole, scale_leaks
from engine.config import Config
from engine.data.tables import OPTIONAL, RawTables
from engine.dataset.split import Split, single_split, walk_forward
from engine.errors import DataError, GateError
from engine.features.catalog import asked_for
from engine.features.compute import longest_reach
from engine.features.feature_set import FeatureSet
from engine.features.targets import forward_returns
from engine.records.preflight import AuditCheck, AuditResult, AuditSample, Leak
from engine.runs.events import Advanced
from engine.runs.sink import EventSink

_STOCKS, _SESSIONS = 160, 320
"""Stocks and sessions of the sample, beside the history that the universe asks for."""
_POISON = 0.80
"""Share of the sample's sessions before the first altered future."""
_CHECKS = {
    "prices": "open, high, low and close are of one scale: none knows later dividends",
    "quality": "cleaning a day uses that day and earlier ones",
    "universe": "who is a member is decided with what is known that day",
    "graph": "edges come from returns up to their day",
    "features": "no column looks ahead",
    "normalisers": "scaling a day uses no later day",
    "publication": "rows of optional tables count from their publication on",
    "labels": "a label starts after its day and is final when its horizon has passed",
    "splits": "no label of one part ends inside the next",
    "scores": "scores of a run do not change with what comes after them",
}
_MEASURED = ("quality", "universe", "graph", "features", "normalisers")
"""Checks whose leaks the deep audit measures."""
_STEP = 252
_MAX_TOLD = 40
_NOTE = (
    "all prices are adjusted backwards: their levels know later splits and dividends, returns do not; "
    "rules that look at a level (universe.min_price) are not point in time"
)
_Change = Callable[[RawTables, dt.date], RawTables]

_DAY_STOCKS, _DAY_SESSIONS = 48, 160
"""Stocks and sessions of the sample, beside the history that the universe asks for."""


@dataclass(slots=True, kw_only=True)
class _AuditedMarket:
    """A sample of the market, and what was found on it so far."""

    config: Config
    part: RawTables
    ours: World
    skipped: dict[str, str] = field(default_factory=dict)
    """Check -> why it could not be made."""

    @property
    def size(self) -> int:
        """Sessions of the sample."""
        return self.ours.universe.dates_S.size

    def day(self, session: int) -> dt.date:
        """Date of a session."""
        day: dt.date = self.ours.universe.dates_S[session].item()
        return day

    def changed_by(self, future: RawTables, cut: int, *, publication: bool = False) -> list[Leak]:
        """What another future changes up to session ``cut``."""
        pair = WorldPair(ours=self.ours, other=build_world(future, self.config), cut=cut)
        return list(pair.leaks(publication=publication))


def audit(
    raw: RawTables,
    config: Config,
    sink: EventSink,
    *,
    split_features: Callable[[], FeatureSet],
    scores: Callable[[], Iterator[Leak]] | None,
    deep: bool = False,
    adjusted: bool = False,
) -> AuditResult:
    """Run the pipeline on altered futures and compare everything before them, bit by bit.

    ``split_features``: the whole feature set (its tensor is not looked at), for the splits. ``scores``:
    the leaks of a run's scores, or None. ``deep``: more stocks and cuts, and how far ahead a leak looks.
    ``adjusted``: the bars were read as adjusted by their vendor, which is noted; else their cents tell it.
    """
    part = sample(
        raw,
        stocks=_STOCKS * (3 if deep else 1),
        sessions=config.universe.min_history + _SESSIONS,
        keep=config.data.index_symbol,
    )
    market = _AuditedMarket(config=config, part=part, ours=build_world(part, config))
    futures = _futures(market, deep=deep)
    leaks = _blamed(_future_leaks(market, futures, sink), market)
    if deep:
        leaks = [_measured(leak, market) for leak in leaks]
    leaks += _label_leaks(market.ours, config)
    whole = raw.bars.join(part.bars.select("symbol").unique(), on="symbol", how="semi")
    leaks += _or_skipped(market, "prices", lambda: scale_leaks(whole))
    leaks += _or_skipped(market, "splits", lambda: _split_leaks(split_features(), config))
    if scores is None:
        market.skipped["scores"] = "no run of `train` was named (`atft-tui audit RUN`)"
    else:
        leaks += list(scores())
    leaks = sorted(leaks, key=lambda leak: list(_CHECKS).index(leak.check))[:_MAX_TOLD]
    return AuditResult(
        verdict="failed" if leaks else "passed",
        checks=tuple(_check(name, leaks, market.skipped) for name in _CHECKS),
        leaks=tuple(leaks),
        cuts=tuple(str(day) for day in sorted({market.day(cut) for _, cut, _ in futures})),
        sample=AuditSample(
            stocks=part.bars["symbol"].n_unique(),
            sessions=market.size,
            columns=len(market.ours.chosen),
        ),
        notes=(_NOTE,) if adjusted or adjusted_as_a_whole(whole) else (),
    )


def audit_features(raw: RawTables, config: Config, sink: EventSink) -> tuple[Leak, ...]:
    """What leaks of the columns that the configuration names, on the same altered futures; first days first.

    More history than `audit` takes, where a column looks further back. GateError for a column that has no
    value there, or whose last value is another one when its look-back is all that is known.
    """
    reach = longest_reach(asked_for(config.features))
    part = sample(
        raw,
        stocks=_STOCKS,
        sessions=config.universe.min_history + _SESSIONS + reach,
        keep=config.data.index_symbol,
    )
    market = _AuditedMarket(config=config, part=part, ours=build_world(part, config))
    for feature in market.ours.chosen:
        if not np.isfinite(market.ours.raw[feature.name]).any():
            raise GateError(
                f"{feature.name} has no value on {len(market.ours.universe.symbols)} stocks over "
                f"{market.size} sessions: nothing can be shown of it",
                hint="a shorter look-back, more data, or the table that it reads",
            )
    leaks = _blamed(_future_leaks(market, _futures(market, deep=False), sink), market)
    short = next(last_session_differs(market.ours), None) if not leaks else None
    if short:
        raise GateError(
            f"{short}: its last value is another one when only its look-back is known",
            hint="LOOKBACK is the number of sessions before the day that a value may depend on",
        )
    return tuple(sorted(leaks, key=lambda leak: leak.day))


def _check(name: str, leaks: list[Leak], skipped: dict[str, str]) -> AuditCheck:
    """One check in a line: what leaks, why it was not made, or what it has shown."""
    found = [leak for leak in leaks if leak.check == name]
    if not found and name in skipped:
        return AuditCheck(name=name, passed=None, detail=f"not checked: {skipped[name]}")
    if not found:
        return AuditCheck(name=name, passed=True, detail=_CHECKS[name])
    names = ", ".join(leak.name for leak in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return AuditCheck(name=name, passed=False, detail=f"{names}{more}: {found[0].detail}")


def _or_skipped(
    market: _AuditedMarket, check: str, look: Callable[[], Iterator[Leak]]
) -> list[Leak]:
    """The leaks of a check; data that do not allow it leave it out."""
    try:
        return list(look())
    except DataError as error:
        market.skipped[check] = error.message
        return []


def _futures(market: _AuditedMarket, *, deep: bool) -> list[tuple[str, int, _Change]]:
    """Kind, session and change of each altered future."""
    size, part = market.size, market.part
    plan: list[tuple[str, int, _Change]] = [
        ("poison", int(size * _POISON), poisoned),
        ("truncation", int(size * 0.87) + 1, RawTables.as_of),
    ]
    if deep:
        plan += [("poison", int(size * share), poisoned) for share in (0.70, 0.95)]
        plan += [("truncation", int(size * 0.75), RawTables.as_of)]
    day = in_flight(part)
    if day is None:
        market.skipped["publication"] = "the data have no optional table with rows in flight"
    else:
        days = part.bars["date"].unique().sort()
        plan.append(("publication", int(days.search_sorted(day)), unpublished))
    return plan


def _future_leaks(
    market: _AuditedMarket, futures: list[tuple[str, int, _Change]], sink: EventSink
) -> list[Leak]:
    """What the altered futures change; the first leak of each check and name."""
    told: dict[tuple[str, str], Leak] = {}
    for done, (kind, cut, change) in enumerate(futures, start=1):
        day = market.day(cut)
        other = change(market.part, day)
        for leak in market.changed_by(other, cut, publication=kind == "publication"):
            told.setdefault((leak.check, leak.name), leak)
        sink.emit(Advanced(stage="audit", done=done, total=len(futures), note=f"{kind} {day}"))
    return list(told.values())


def _blamed(leaks: list[Leak], market: _AuditedMarket) -> list[Leak]:
    """A column of an optional table that noise in the bars alone leaves as it is reads the table early."""
    late = {f.name for f in market.ours.chosen if any(table in OPTIONAL for table in f.tables)}
    suspects = {leak.name for leak in leaks if leak.name in late}
    if not suspects:
        return leaks
    cut = int(market.size * _POISON)
    noise = replace(poisoned(market.part, market.day(cut)), optional=market.part.optional)
    early = suspects - {leak.name for leak in market.changed_by(noise, cut)}
    told: dict[tuple[str, str], Leak] = {}
    for leak in leaks:
        if leak.name in early:
            leak = changed(leak, check="publication", detail=TOO_EARLY)
        told.setdefault((leak.check, leak.name), leak)
    return list(told.values())


def _measured(leak: Leak, market: _AuditedMarket) -> Leak:
    """How many sessions ahead it looks: the fewest after which noise no longer reaches it."""
    if leak.check not in _MEASURED:
        return leak
    cut = int(market.size * _POISON)

    def reached(ahead: int) -> bool:
        found = market.changed_by(poisoned(market.part, market.day(cut + ahead)), cut)
        return any(
            x.check == leak.check and (x.name == leak.name or leak.check == "graph") for x in found
        )

    low, high = 0, market.size - cut - 2  # reached(low) is true, of high unknown
    if reached(high):
        return changed(leak, detail=f"{leak.detail}; depends on the whole history")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) else (low, middle)
    return changed(leak, ahead=high, detail=f"{leak.detail}; looks {high} sessions ahead")


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
                day=str(dense.dates_S[cut]),
                detail="contains a price of its own day: it could not be traded at",
            )


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
    parts = (
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
                day=str(features.dates_S[early[-1]]),
                detail=f"its {longest}-session label ends on {features.dates_S[last]}, "
                f"but {after} starts on {features.dates_S[start]}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _StepAudit:
    """What the newest session changed before it."""

    leaks: tuple[str, ...]
    """``check: name`` of everything before the session that it changed."""
    columns: int
    """Features that were compared; 0 = the sample is too small to say anything."""


def sessions_needed(config: Config) -> int:
    """Sessions of the sample: the history that the universe asks for, and some to compare."""
    return config.universe.min_history + _DAY_SESSIONS


def audit_step(raw: RawTables, config: Config) -> _StepAudit:
    """Replace the newest session of ``raw`` by noise and compare all that came before, bit by bit."""
    part = sample(
        raw, stocks=_DAY_STOCKS, sessions=sessions_needed(config), keep=config.data.index_symbol
    )
    try:
        ours = build_world(part, config)
        cut = ours.universe.dates_S.size - 2
        day = ours.universe.dates_S[cut].item()
        other = build_world(poisoned(part, day), config)
    except DataError:  # no stock of the sample is ever in the universe
        return _StepAudit(leaks=(), columns=0)
    leaks = WorldPair(ours=ours, other=other, cut=cut).leaks()
    return _StepAudit(
        leaks=tuple(f"{leak.check}: {leak.name}" for leak in leaks), columns=len(ours.chosen)
    )
