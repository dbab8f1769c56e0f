"""The backtest of a run from its files, read off the main thread; the same value while no file changed."""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from atft_tui.readings.feed import chosen_or_newest
from atft_tui.readings.files import FILES, checked, read_table, readable
from engine.records import record
from engine.records.backtest import BACKTEST, SETTINGS, BacktestSummary
from engine.records.sweep import SWEEP, SweepSummary
from engine.runs.store import Run
from engine.runs.trials import day_words

if TYPE_CHECKING:
    import polars as pl

_REPORTS = ("report.html", "report.pdf", "report.md", "report.json")
_DAILY, _RIVALS = "backtest.parquet", "backtest_baselines.parquet"
_SECTORS = "backtest_sectors.parquet"
_HOLDINGS = "holdings.parquet"
_FILES = (BACKTEST, _DAILY, _RIVALS, _SECTORS, _HOLDINGS, SWEEP, *_REPORTS)
Series = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Day by day, all of one length. Fractions of equity."""

    dates: tuple[dt.date, ...]
    net: Series
    equity: Series
    """Growth of 1 since before the first session."""
    drawdown: Series
    """<= 0."""
    long: Series
    short: Series
    names: Series
    turnover: Series
    rivals: tuple[tuple[str, Series], ...]
    """Equity of the baselines, NaN where they have no session."""
    sectors: tuple[tuple[str, Series], ...]
    """Net weight; the largest on average first. Empty in older files."""

    @property
    def months(self) -> dict[tuple[int, int], float]:
        """Compound net return by (year, month)."""
        growth: dict[tuple[int, int], float] = {}
        for date, net in zip(self.dates, self.net, strict=True):
            key = (date.year, date.month)
            growth[key] = growth.get(key, 1.0) * (1.0 + net)
        return {key: value - 1.0 for key, value in growth.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Earlier:
    """The backtest of the same run that the newest one replaced while this program was looking."""

    figures: BacktestSummary
    curves: Curves | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestValue:
    """Everything that the screen shows of one run."""

    run_id: str = ""
    """Empty: no run to show."""
    days: str = ""
    """What days it rests on and how often they were looked at; empty without a protocol."""
    figures: BacktestSummary | None = None
    curves: Curves | None = None
    sweep: SweepSummary | None = None
    earlier: _Earlier | None = None
    has_holdings: bool = False
    report: str = ""
    """Path of the newest report; empty if there is none."""
    report_is_older: bool = False
    """Than the backtest."""


class BacktestReader:
    """Reads a run's backtest again when a file of it changed; remembers what a new one replaced."""

    def __init__(self) -> None:
        self._newest = self._value = BacktestValue()
        self._earlier: dict[Path, _Earlier] = {}

    def value(self, workspace: Path, chosen: str | None) -> BacktestValue:
        """The chosen run's backtest, else that of the newest run with one."""
        run = run_to_show(workspace, chosen)
        if run is None:
            self._newest = self._value = BacktestValue()
            return self._value
        files = [run.path(name) for name in _FILES]
        found = FILES.together("backtest", files, partial(_read_backtest, run))
        if found is not self._newest:
            old, self._newest = self._newest, found
            same_run = old.run_id == run.id
            if same_run and old.figures and found.figures and old.figures != found.figures:
                self._earlier[run.directory] = _Earlier(figures=old.figures, curves=old.curves)
            self._value = replace(found, earlier=self._earlier.get(run.directory))
        days = day_words(workspace / "runs", found.figures.judged_days if found.figures else None)
        if days != self._value.days:
            self._value = replace(self._value, days=days)
        return self._value


def run_to_show(workspace: Path, chosen: str | None) -> Run | None:
    """The chosen run, backtested or not; without one the newest that has a backtest."""
    return chosen_or_newest(workspace, chosen, lambda run: run.path(BACKTEST).is_file())


def overrides(found: BacktestSummary, workspace: Path) -> list[str]:
    """``costs.commission_bps=2.0`` for each simple setting that the workspace has otherwise.

    Tables and lists are left out: they are edited in config.toml.
    """
    from engine.config.file import resolve
    from engine.workspace import config_files

    config = resolve(config_files(workspace)).config
    now = {
        f"{table}.{key}": value
        for table in SETTINGS
        for key, value in getattr(config, table).model_dump(mode="json").items()
    }
    changed = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in found.settings.items()
        if key in now and isinstance(value, bool | int | float | str) and value != now[key]
    }
    return [f"{key}={word}" for key, word in changed.items()]


def _read_backtest(run: Run) -> BacktestValue:
    path = run.path(BACKTEST)
    if not path.is_file():
        return BacktestValue(run_id=run.id)
    report = next((run.path(name) for name in _REPORTS if run.path(name).is_file()), None)
    return BacktestValue(
        run_id=run.id,
        figures=record.read(path, BacktestSummary),
        curves=_read_curves(run),
        sweep=record.read_if_there(run.path(SWEEP), SweepSummary),
        has_holdings=run.path(_HOLDINGS).is_file(),
        report=str(report or ""),
        report_is_older=report is not None and report.stat().st_mtime < path.stat().st_mtime,
    )


def _read_curves(run: Run) -> Curves | None:
    """Daily figures as plain numbers; None if the table is not there."""
    path = run.path(_DAILY)
    if not path.is_file():
        return None
    names = ("net_return", "long_exposure", "short_exposure", "n_names", "turnover")
    daily = read_table(path, ("date", *names), name=path.name).fill_null(math.nan)
    net, long, short, held, turnover = (_column(daily, name) for name in names)
    equity, dates = growth(net), tuple(daily["date"].to_list())
    return Curves(
        dates=dates,
        net=net,
        equity=equity,
        drawdown=falls(equity),
        long=long,
        short=short,
        names=held,
        turnover=turnover,
        rivals=_rival_curves(run.path(_RIVALS), dates),
        sectors=_sector_curves(run.path(_SECTORS), dates),
    )


def growth(net: Iterable[float]) -> Series:
    """Growth of 1 after each return; a return that is not known changes nothing."""
    out, value = [], 1.0
    for step in net:
        value *= 1.0 + (0.0 if math.isnan(step) else step)
        out.append(value)
    return tuple(out)


def falls(equity: Iterable[float]) -> Series:
    """Equity over its highest so far (1 at the start), less 1."""
    out, high = [], 1.0
    for value in equity:
        high = max(high, value)
        out.append(value / high - 1.0 if high > 0 else math.nan)
    return tuple(out)


def _column(frame: "pl.DataFrame", name: str) -> Series:
    return tuple(float(value) for value in frame[name].to_list())


def _on(dates: tuple[dt.date, ...], days: Iterable[dt.date], values: Iterable[float]) -> Series:
    """The values on these dates, NaN where there is none."""
    known = dict(zip(days, values, strict=True))
    return tuple(float(known.get(date, math.nan)) for date in dates)


def _rival_curves(path: Path, dates: tuple[dt.date, ...]) -> tuple[tuple[str, Series], ...]:
    if not path.is_file():
        return ()
    table = read_table(path, ("name", "date", "net_return"), name=path.name)
    groups = (
        (str(name), rows.sort("date"))
        for (name,), rows in table.group_by("name", maintain_order=True)
    )
    return tuple(
        (name, _on(dates, rows["date"], growth(_column(rows, "net_return"))))
        for name, rows in groups
    )


def _sector_curves(path: Path, dates: tuple[dt.date, ...]) -> tuple[tuple[str, Series], ...]:
    if not path.is_file():
        return ()
    table = read_table(path, ("date", "sector", "net", "gross"), name=path.name)
    wide = table.group_by("sector", maintain_order=True).agg("date", "net", "gross")
    rows = [
        (sum(gross) / max(1, len(gross)), str(sector), _on(dates, days, net))
        for sector, days, net, gross in wide.iter_rows()
    ]
    rows.sort(key=lambda row: (-row[0], row[1]))
    return tuple((name, curve) for _, name, curve in rows)


class Holding(Struct, frozen=True, kw_only=True):
    """One position at the close of a session; fractions of equity."""

    symbol: str
    name: str
    sector: str
    weight: float
    """Value at the close / equity; negative = short, 0 = closed that session."""
    rank: int | None
    """Place of its score the evening before; 1 = best."""
    scored: int
    contribution: float
    """What it added to the gross return of the session."""
    dividend: float
    """Cash a share on its ex-date, quote currency; 0 = no ex-date."""
    received: float
    """The same over the equity of the evening before; negative = paid by a short. In the contribution."""

    @property
    def side(self) -> str:
        return "long" if self.weight > 0 else "short" if self.weight < 0 else "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBook:
    """Largest positions first."""

    date: dt.date
    rows: tuple[Holding, ...]


def read_day(directory: Path, date: dt.date) -> DayBook:
    """Holdings of a session from ``holdings.parquet`` of a run's directory."""
    import polars as pl

    path, names = directory / "holdings.parquet", directory / "holdings_names.parquet"
    found = pl.scan_parquet(checked(path)).filter(pl.col("date") == date)
    if names.is_file():
        found = found.join(pl.scan_parquet(checked(names)), on="symbol", how="left")
    else:
        found = found.with_columns(name=pl.lit(""), sector=pl.lit(""))
    with readable(path.name):
        if "dividend" not in pl.read_parquet_schema(path):  # made before dividends were money
            found = found.with_columns(dividend=pl.lit(0.0), received=pl.lit(0.0))
        ordered = found.sort(pl.col("weight").abs(), "symbol", descending=[True, False])
        known = pl.col("name", "sector").fill_null(""), pl.col("scored").fill_null(0)
        rows = ordered.with_columns(*known).select(Holding.__struct_fields__).collect()
    held = list(rows.iter_rows(named=True))
    return DayBook(date=date, rows=record.convert(held, tuple[Holding, ...], path.name))
