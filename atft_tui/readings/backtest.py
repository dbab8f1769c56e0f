"""The backtest of a run from its files, read off the main thread; the same value while no file changed."""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atft_tui.readings.backtest_figures import Figures, Sweep, figures, sweep
from atft_tui.readings.tables import readable
from engine.files import read_json
from engine.runs.store import Run, RunStore

if TYPE_CHECKING:
    import polars as pl

_FILES = (
    "backtest.json", "backtest.parquet", "backtest_baselines.parquet", "backtest_sectors.parquet",
    "holdings.parquet", "sweep.json", "report.html", "report.md", "report.pdf", "report.json",
)  # fmt: skip
_REPORTS = ("report.html", "report.pdf", "report.md", "report.json")

Series = tuple[float, ...]
_Stamp = tuple[tuple[int, int] | None, ...]
"""Modification time and size of each of `_FILES`."""


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
class Earlier:
    """The backtest of the same run that the newest one replaced while this program was looking."""

    figures: Figures
    curves: Curves | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestValue:
    run_id: str = ""
    """Empty: no run to show."""
    figures: Figures | None = None
    curves: Curves | None = None
    sweep: Sweep | None = None
    earlier: Earlier | None = None
    has_holdings: bool = False
    report: str = ""
    """Path of the newest report; empty if there is none."""
    report_is_older: bool = False
    """Than the backtest."""


class BacktestReader:
    """Reads a run's backtest again when a file of it changed; remembers what a new one replaced."""

    def __init__(self) -> None:
        self._stamp: tuple[Path, _Stamp] | None = None
        self._value = BacktestValue()
        self._earlier: dict[Path, Earlier] = {}

    def value(self, workspace: Path, chosen: str | None) -> BacktestValue:
        run = run_to_show(workspace, chosen)
        if run is None:
            self._stamp, self._value = None, BacktestValue()
            return self._value
        stamp = (run.directory, tuple(_stamp(run.path(name)) for name in _FILES))
        if stamp != self._stamp:
            before = self._value if self._stamp and self._stamp[0] == run.directory else None
            found = _read_backtest(run)
            self._value = self._with_earlier(run, before, found)
            self._stamp = stamp
        return self._value

    def _with_earlier(
        self, run: Run, before: BacktestValue | None, found: BacktestValue
    ) -> BacktestValue:
        old = before.figures if before else None
        if before and old and found.figures and old != found.figures:
            self._earlier[run.directory] = Earlier(figures=old, curves=before.curves)
        return BacktestValue(
            run_id=found.run_id,
            figures=found.figures,
            curves=found.curves,
            sweep=found.sweep,
            earlier=self._earlier.get(run.directory),
            has_holdings=found.has_holdings,
            report=found.report,
            report_is_older=found.report_is_older,
        )


def run_to_show(workspace: Path, chosen: str | None) -> Run | None:
    """The chosen run, backtested or not; without one the newest that has a backtest."""
    store = RunStore(workspace / "runs")
    if chosen is not None and (store.root / chosen / "manifest.json").is_file():
        return Run(store.root / chosen)
    return next((run for run in store if run.path("backtest.json").is_file()), None)


def _read_backtest(run: Run) -> BacktestValue:
    path = run.path("backtest.json")
    if not path.is_file():
        return BacktestValue(run_id=run.id)
    report = next((run.path(name) for name in _REPORTS if run.path(name).is_file()), None)
    swept = run.path("sweep.json")
    return BacktestValue(
        run_id=run.id,
        figures=figures(read_json(path)),
        curves=_read_curves(run),
        sweep=sweep(read_json(swept)) if swept.is_file() else None,
        has_holdings=run.path("holdings.parquet").is_file(),
        report=str(report or ""),
        report_is_older=report is not None and report.stat().st_mtime < path.stat().st_mtime,
    )


def _read_curves(run: Run) -> Curves | None:
    """Daily figures as plain numbers; None if the table is not there."""
    path = run.path("backtest.parquet")
    if not path.is_file():
        return None
    import polars as pl

    names = ("net_return", "long_exposure", "short_exposure", "n_names", "turnover")
    with readable(path):
        daily = pl.read_parquet(path).select("date", *names).fill_null(math.nan)
    net = _column(daily, "net_return")
    equity = growth(net)
    dates = tuple(daily["date"].to_list())
    return Curves(
        dates=dates,
        net=net,
        equity=equity,
        drawdown=falls(equity),
        long=_column(daily, "long_exposure"),
        short=_column(daily, "short_exposure"),
        names=_column(daily, "n_names"),
        turnover=_column(daily, "turnover"),
        rivals=_rival_curves(run.path("backtest_baselines.parquet"), dates),
        sectors=_sector_curves(run.path("backtest_sectors.parquet"), dates),
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


def _rival_curves(path: Path, dates: tuple[dt.date, ...]) -> tuple[tuple[str, Series], ...]:
    if not path.is_file():
        return ()
    import polars as pl

    out = []
    with readable(path):
        table = pl.read_parquet(path, columns=["name", "date", "net_return"])
    for (name,), rows in table.group_by("name", maintain_order=True):
        rows = rows.sort("date")
        values = dict(zip(rows["date"].to_list(), growth(_column(rows, "net_return")), strict=True))
        out.append((str(name), tuple(values.get(date, math.nan) for date in dates)))
    return tuple(out)


def _sector_curves(path: Path, dates: tuple[dt.date, ...]) -> tuple[tuple[str, Series], ...]:
    if not path.is_file():
        return ()
    import polars as pl

    with readable(path):
        table = pl.read_parquet(path, columns=["date", "sector", "net", "gross"])
    wide = table.group_by("sector", maintain_order=True).agg("date", "net", "gross")
    rows = []
    for sector, days, net, gross in wide.iter_rows():
        values = dict(zip(days, net, strict=True))
        curve = tuple(float(values.get(date, math.nan)) for date in dates)
        rows.append((sum(gross) / max(1, len(gross)), str(sector), curve))
    rows.sort(key=lambda row: (-row[0], row[1]))
    return tuple((name, curve) for _, name, curve in rows)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
