"""Where `ingest` reads from: the synthetic market, files, J-Quants, Yahoo."""

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from engine.data.calendar import exchange_named
from engine.data.files_source import read_files
from engine.data.merge import BarOrigin
from engine.data.store import Snapshot
from engine.data.synthetic import generate
from engine.data.tables import RawTables
from engine.errors import ConfigError, DataError, UsageError
from engine.records.reading import ReadingPlan, plan_lines
from engine.stages.context import StageContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What a source delivered, and how it was read."""

    raw: RawTables
    plans: tuple[ReadingPlan, ...] = ()
    origin: BarOrigin | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else the answer of the command says."""

    def lines(self) -> list[str]:
        """The plans for the eye."""
        return [line for plan in self.plans for line in plan_lines(plan)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFiles:
    """The files of the command line, and how they are to be read; None = not given."""

    prices: str | None
    columns: str | None
    """``OUR_NAME=COLUMN``, separated by commas."""
    tables: Mapping[str, str | None]
    """Files beside the prices, by name."""
    reading: Mapping[str, str | None]
    """Options that go before ``data.reading``."""


def from_synthetic(context: StageContext, until: str | None) -> Arrived:
    """The synthetic market, as it was known at the close of the day ``until``."""
    raw = generate(context.config.data.synthetic).raw
    if until is None:
        return Arrived(raw=raw)
    try:
        day = dt.date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"--until {until!r} is not a date like 2022-01-31") from None
    first, last = raw.bars.select(first=pl.col("date").min(), last=pl.col("date").max()).row(0)
    if not first <= day <= last:
        raise DataError(
            f"--until {day}: the synthetic market goes from {first} to {last}",
            hint="data.synthetic.n_sessions makes it longer",
        )
    return Arrived(raw=raw.as_of(day))


def from_files(context: StageContext, files: PriceFiles, old: Snapshot | None) -> Arrived:
    """The tables of the files. ``old``: the snapshot that the bars are to be added to."""
    if files.prices is None:
        raise UsageError("ingest --source files needs --prices FILE")
    market = context.config.data.market
    if market == "synthetic":
        raise ConfigError("data.market is synthetic; set it to us or jp for files")
    calendar = exchange_named(context.config.data.calendar)
    if old is not None:
        if calendar not in ("", old.exchange):
            raise ConfigError(
                f"data.calendar is {calendar}, but the sessions of the store are those of {old.exchange}",
                hint="leave data.calendar out, or ingest the whole history again",
            )
        calendar = old.exchange
    given = {name: Path(path) for name, path in files.tables.items() if path}
    read = read_files(
        Path(files.prices),
        securities=given.pop("securities", None),
        index=given.pop("index", None),
        actions=given.pop("actions", None),
        optional=given,
        columns=context.config.data.columns | parse_columns(files.columns),
        market=market,
        calendar=calendar,
        currency=context.config.data.currency,
        settings=context.config.data.reading.model_copy(
            update={name: given for name, given in files.reading.items() if given is not None}
        ),
        now=context.now(),
        after=None if old is None else dt.date.fromisoformat(old.days[-1]),
    )
    return Arrived(raw=read.raw, plans=read.plans, origin=read.origin)


def from_jquants(context: StageContext) -> Arrived:
    """Update the parts, then read them; also what the pull did."""
    from engine.data.jquants.client import PER_MINUTE, Api, Pace, key_from
    from engine.data.jquants.parts import read_jquants
    from engine.data.jquants.pull import Pull, patient_sleep

    if context.config.data.market != "jp":
        raise ConfigError(
            f"data.market is {context.config.data.market}; J-Quants is the Japanese market",
            hint="--set data.market=jp",
        )
    settings = context.config.data.jquants

    def stopped() -> bool:
        return context.stop.requested

    folder = context.workspace / "data" / "jquants"
    api = Api(
        base_url=settings.base_url,
        key=key_from(os.environ, settings.base_url),
        timeout=settings.timeout_seconds,
        pace=Pace(PER_MINUTE[settings.plan], sleep=patient_sleep(stopped)),
        sink=context.sink,
    )
    report = Pull(
        folder=folder,
        settings=settings,
        api=api,
        sink=context.sink,
        now=context.now(),
        stopped=stopped,
    ).run()
    raw = read_jquants(
        folder,
        first=dt.date.fromisoformat(settings.first),
        tables=report.tables,
        notes=report.notes,
    )
    return Arrived(raw=raw, more={k: v for k, v in asdict(report).items() if k != "notes"})


def from_yahoo(context: StageContext) -> Arrived:
    """The codes of ``data.yahoo.codes``, read over the network."""
    from engine.data.yahoo import read_yahoo

    market = context.config.data.market
    if market == "synthetic":
        raise ConfigError("data.market is synthetic; set it to us or jp for yahoo")
    calendar = exchange_named(context.config.data.calendar)
    settings = context.config.data.yahoo
    if not settings.codes:
        raise ConfigError(
            "data.yahoo.codes is empty", hint="""--set 'data.yahoo.codes=["AAPL","MSFT"]'"""
        )
    raw = read_yahoo(settings.codes, first=dt.date.fromisoformat(settings.first), market=market)
    raw = replace(raw, calendar=calendar, currency=context.config.data.currency)
    return Arrived(raw=raw)


def parse_columns(text: str | None, option: str = "--columns") -> dict[str, str]:
    """``"symbol=code,volume=vol*100"`` -> mapping; anything else is a UsageError."""
    mapping = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        ours, separator, theirs = part.partition("=")
        if not separator or not ours.strip() or not theirs.strip():
            raise UsageError(
                f"{option}: {part!r} is not OUR_NAME=COLUMN",
                hint=f"in single quotes, which keep a name such as $close from the shell: {option} "
                "'symbol=$code'",
            )
        mapping[ours.strip()] = theirs.strip()
    return mapping
