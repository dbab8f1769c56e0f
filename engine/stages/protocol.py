"""The protocol at work: which days a command may judge, and the look that is counted before it judges."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime

import msgspec
import numpy as np
import polars as pl
from msgspec.structs import asdict
from numpy.typing import NDArray

from engine.backtest.result import BacktestResult
from engine.config import Config, ProtocolConfig
from engine.errors import EngineError, GateError
from engine.features.feature_set import FeatureSet
from engine.portfolio.prediction import Prediction
from engine.records import record
from engine.records.backtest import JudgedFigures, SettingsTable, SpanFigures
from engine.records.protocol import LOOKS, CountedLook, DaySpan, JudgedDays, SpanName
from engine.records.train import SpanResult
from engine.runs.store import Run, RunStore
from engine.runs.trials import add_looks, read_looks, read_trials, trial_keys
from engine.stages.context import Outcome, StageContext
from engine.training.evaluate import against_baselines, evaluate

_Days = NDArray[np.datetime64]
"""Days ``[D]`` that a command judges, in order of time."""
LAST_TEST = "--last-test {day} ends before them"
NEWEST_DAYS = "`atft-tui walkforward --last-test {day}` ends before them"
"""How to stay before days that were refused; ``{day}`` is the last one allowed."""


def admit(
    context: StageContext,
    run: Run,
    features: FeatureSet,
    sessions: NDArray[np.int64],
    *,
    confirm: bool,
    way: str,
) -> JudgedDays | None:
    """Let a run judge the sessions, or refuse as `check` does, and count its look before it begins.

    A run that goes on has the permission that it began with, but not for days that the data have gained.
    """
    days_D = features.dates_S[sessions]
    first, last = str(days_D[0]), str(days_D[-1])
    begun = any(
        look.run == run.id and look.first <= first and look.last >= last
        for look in read_looks(context.store.root)
    )
    days = check(context, days_D, features.market, confirm=confirm or begun, way=way)
    count_looks(context, run, days_D, features.market)
    return days


def check(
    context: StageContext, days_D: _Days, market: str, *, confirm: bool, way: str
) -> JudgedDays | None:
    """The days by span, None without a protocol.

    GateError for days that confirm unless ``confirm`` is given, and for sealed days whatever is given: the
    habit of one option must not open the last days. They are opened by moving their bound.
    """
    protocol, root = context.config.protocol, context.store.root
    days = judged_days(protocol, days_D, market)
    if days is None:
        return None
    found = {span.name: span for span in days.spans}
    details = {"judged_days": record.as_json(days)}
    if sealed := found.get("sealed"):
        raise GateError(
            f"{_told(sealed, days)} are sealed: protocol.confirmation_to is {protocol.confirmation_to}",
            hint=f"{way.format(day=protocol.confirmation_to)}; a later protocol.confirmation_to opens them",
            details=details,
        )
    if (kept := found.get("confirmation")) and not confirm:
        looks = days.looks(read_looks(root))
        raise GateError(
            f"{_told(kept, days)} confirm settings and do not choose them: "
            f"protocol.development_to is {protocol.development_to}",
            hint=f"{way.format(day=protocol.development_to)}; --confirm judges them, which is counted "
            f"(looks so far: {looks})",
            details=details | {"looks": looks},
        )
    return days


def check_prediction(
    context: StageContext, prediction: Prediction, *, confirm: bool
) -> JudgedDays | None:
    """`check` of the days that have scores."""
    days_D = as_days(prediction.dates)
    return check(context, days_D, prediction.market, confirm=confirm, way=NEWEST_DAYS)


def _told(span: DaySpan, days: JudgedDays) -> str:
    total = sum(one.sessions for one in days.spans)
    return f"{span.sessions:,} of {total:,} days to judge ({span.first} to {span.last})"


def judged_days(protocol: ProtocolConfig, days_D: _Days, market: str) -> JudgedDays | None:
    """The days by the spans of the protocol; None without one."""
    if not protocol.development_to or days_D.size == 0:
        return None
    bounds = (protocol.development_to, protocol.confirmation_to or str(days_D[-1]))
    # A bound is the last day of its span.
    first, second = np.searchsorted(days_D, np.array(bounds, dtype="datetime64[D]"), side="right")
    names: tuple[SpanName, ...] = ("development", "confirmation", "sealed")
    parts = (days_D[:first], days_D[first:second], days_D[max(first, second) :])
    spans = (
        DaySpan(name=name, first=str(part[0]), last=str(part[-1]), sessions=part.size)
        for name, part in zip(names, parts, strict=True)
        if part.size
    )
    return JudgedDays(market=market, spans=tuple(spans))


def count_books(
    context: StageContext, run: Run, prediction: Prediction, books: Iterable[SettingsTable]
) -> None:
    """Write down that books of a run's scores, each told by its settings, are judged."""
    days_D = as_days(prediction.dates)
    count_looks(context, run, days_D, prediction.market, trial_keys(run, books))


def count_looks(
    context: StageContext, run: Run, days_D: _Days, market: str, books: Iterable[str] = ("",)
) -> None:
    """Write down that the scores of a run, or books made of them, are judged on these days.

    Also without a protocol: days that were looked at are not fresh when one is set later.
    """
    root, at = context.store.root, context.now()
    looks = _looks(run, days_D, market, books, at)
    if not (root / LOOKS).exists():
        looks = [*_earlier(context.store, at), *looks]
    add_looks(root, looks)


def _looks(
    run: Run, days_D: _Days, market: str, books: Iterable[str], at: datetime
) -> list[CountedLook]:
    """The looks at a run's scores on these days; none without a day."""
    if days_D.size == 0:
        return []
    where = {"market": market, "first": str(days_D[0]), "last": str(days_D[-1])}
    told = at.isoformat(timespec="seconds")
    return [
        CountedLook(run=run.id, book=book, command=run.command, at=told, **where) for book in books
    ]


def _earlier(store: RunStore, at: datetime) -> Iterator[CountedLook]:
    """The looks of runs that an earlier version made, which wrote none down.

    One whose scores cannot be read is passed over: `runs` tells what is wrong with it.
    """
    for run in store:
        path = run.path("predictions.parquet")
        if path.is_file():
            with suppress(EngineError):
                tested = Prediction.read(path).only("test")
                books = read_trials(run) or [""]
                yield from _looks(run, as_days(tested.dates), tested.market, books, at)


def as_days(dates: Iterable[date]) -> _Days:
    """The dates, which are in order of time, as an array ``[D]``."""
    return np.array(list(dates), dtype="datetime64[D]")


def span_results(
    scores: pl.DataFrame,
    baselines: pl.DataFrame,
    features: FeatureSet,
    config: Config,
    days: JudgedDays | None,
) -> tuple[SpanResult, ...]:
    """Test figures of each span alone; none where all days are of one span, whose figures are the whole's."""
    if days is None or len(days.spans) < 2:
        return ()
    training, found = config.training, []
    horizons = [h for h in features.horizons if f"score_{h}" in scores.columns]
    for span in days.spans:
        first, last = date.fromisoformat(span.first), date.fromisoformat(span.last)
        inside = pl.col("date").is_between(first, last)
        rows = scores.filter(inside, pl.col("split") == "test")
        ours = evaluate(rows, features, training, horizons)["test"]
        rivals = baselines if baselines.is_empty() else baselines.filter(inside)
        found.append(
            SpanResult(
                span=span.name,
                horizons=ours,
                baselines=against_baselines(rows, rivals, features, config),
                **asdict(ours[str(training.score_horizon)]),
            )
        )
    return tuple(found)


def span_figures(
    result: BacktestResult,
    days: JudgedDays | None,
    judged: Callable[[BacktestResult], JudgedFigures],
) -> tuple[SpanFigures, ...]:
    """Figures of a book over each span alone; none where all days are of one span.

    A session belongs to the span of the newest scores then; a span with a single day has no figures, because
    it is filled in the next one.
    """
    if days is None or len(days.spans) < 2:
        return ()
    starts = [date.fromisoformat(span.first) for span in days.spans]
    found = []
    for span, start, end in zip(days.spans, starts, [*starts[1:], date.max], strict=True):
        inside = pl.col("date").is_between(start, end, closed="left")
        daily = result.daily.filter(inside)
        if not daily.is_empty():
            figures = judged(replace(result, daily=daily))
            found.append(SpanFigures(span=span.name, **asdict(figures)))
    return tuple(found)


def outcome(
    context: StageContext, found: msgspec.Struct, text: str, days: JudgedDays | None
) -> Outcome:
    """What a command answers, with the kind of its days and how often they were looked at."""
    if days is None:
        return Outcome(json=record.as_json(found), text=text)
    looks = days.looks(read_looks(context.store.root))
    words = days.words(looks)
    told = {"looks": looks, "days": words}
    return Outcome(json=record.as_json(found) | told, text=f"{text}\n\nprotocol: {words}")
