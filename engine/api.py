"""A workspace from Python, for notebooks and scripts: data, features, scores and backtests as polars frames,
charts as SVG, and every command of the command line.

What reads, reads here and holds each file against its hash. What works is the command of the same name in a
process of its own, so that a notebook and a shell do the same, and days of `[protocol]` that confirm are
refused here as there. Errors are those of the product (`engine.errors`).
"""

import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.commands import BY_NAME
from engine.errors import UsageError
from engine.files import Json
from engine.records.run import written
from engine.runs.launch import Option, answer_of, argv, as_words
from engine.runs.store import Run, RunStore
from engine.workspace import resolve_workspace

if TYPE_CHECKING:
    import polars as pl

    from engine.config import Config
    from engine.records.backtest import BacktestSummary
    from engine.records.card import Card
    from engine.records.rank_ic import RankICSummary
    from engine.records.seal import Seal

Day = str | dt.date
"""A date, or its ISO form."""
_SHARPE = {"sharpe": "value", "sharpe_low": "low", "sharpe_high": "high"}


@dataclass(frozen=True, slots=True)
class ReportChart:
    """A drawing of the report; a notebook shows it."""

    title: str
    caption: str
    svg: str
    """Complete, with its colours."""

    def _repr_svg_(self) -> str:
        return self.svg


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What the scores of a run would have earned."""

    figures: "BacktestSummary"
    """With their intervals, rivals and verdict."""
    curve: "pl.DataFrame"
    """A row a session: returns, costs, ``equity`` and ``drawdown``; see `BacktestResult.curve`."""
    weights: "pl.DataFrame"
    """``date, symbol, weight``: fractions of equity decided at that close."""


@dataclass(frozen=True, slots=True)
class SealedSignal:
    """A sealed trade list; every byte is held against the seal when it is read."""

    _seal: "Seal"

    @property
    def name(self) -> str:
        """``2016-12-30``, or ``2016-12-30-r1`` for a revision."""
        return self._seal.name

    @property
    def card(self) -> "Card":
        """The lights that say whether to trade it."""
        return self._seal.card()

    def orders(self) -> "pl.DataFrame":
        """A row an order, as in ``orders.csv``."""
        import polars as pl
        from msgspec.structs import asdict

        from engine.records.orders import Order, rows_of

        orders = rows_of(self._seal.read("orders.csv"), Order, "orders.csv")
        return pl.DataFrame([asdict(order) for order in orders])

    def scores(self) -> "pl.DataFrame":
        """A row a stock: its score at each horizon, and its rank (1 = best)."""
        return self._frame("scores.parquet")

    def weights(self) -> "pl.DataFrame":
        """A row a stock: the weight that was decided and the one before it, fractions of equity."""
        return self._frame("weights.parquet")

    def _frame(self, name: str) -> "pl.DataFrame":
        import polars as pl

        return pl.read_parquet(io.BytesIO(self._seal.read(name)))


@dataclass(frozen=True, slots=True)
class RunReader:
    """A run of a workspace; nothing is computed again, so reading it is no new look at its days."""

    workspace: Path
    _run: Run

    @property
    def id(self) -> str:
        """Name of its directory."""
        return self._run.id

    @property
    def status(self) -> str:
        """created, running, paused, done, stopped, failed or crashed."""
        return self._run.status()

    @property
    def config(self) -> "Config":
        """The complete configuration that it was started with."""
        return self._run.config()

    def scores(self, split: str | None = "test") -> "pl.DataFrame":
        """``date, symbol, fold, split, score_<h>``: known at the close of ``date``, higher is better.

        ``split`` is train, validation or test; None gives all rows that the run has.
        """
        from engine.portfolio.prediction import Prediction

        found = Prediction.read(self._run.path("predictions.parquet"))
        return (found if split is None else found.only(split)).frame

    def rank_ic(self) -> "pl.DataFrame":
        """``model, split, rank_ic, rank_ic_se, null_band, n_dates`` of the network or blend and its rivals.

        Mean over days of the Spearman correlation with the return that followed, its Newey-West error and
        the half-width of the band of shuffled scores; a value inside the band is noise.
        """
        import polars as pl

        from engine.records.train import read_train

        told = read_train(self._run.directory)
        found: dict[tuple[str, str], RankICSummary | None] = {
            (told.model, "validation"): told.best,
            (told.model, "test"): told.test,
        }
        for name, rival in told.baselines.items():
            found |= {(name, "validation"): rival.validation, (name, "test"): rival.test}
        figures = ("rank_ic", "rank_ic_se", "null_band", "n_dates")
        rows = [
            {"model": model, "split": split, **{name: getattr(one, name) for name in figures}}
            for (model, split), one in found.items()
            if one is not None
        ]
        return pl.DataFrame(rows)

    def backtest(self) -> Simulated:
        """Figures, curve and weights of its simulation; EnvironmentProblem, with the way, without one."""
        from engine.backtest.result import BacktestResult
        from engine.portfolio.prediction import Weights
        from engine.records import record
        from engine.records.backtest import BACKTEST, BacktestSummary

        run = self._run
        return Simulated(
            curve=BacktestResult.read(run.path("backtest.parquet")).curve(),
            figures=record.read(run.path(BACKTEST), BacktestSummary),
            weights=Weights.read(run.path("weights.parquet")).frame,
        )

    def chart(self, name: str = "equity") -> ReportChart:
        """A chart of its report, such as equity, sharpe, costs, months, decay, quantiles or epochs."""
        from engine.report.charts import alone
        from engine.report.facts import gather
        from engine.report.sections import charted

        section = charted(gather(self.workspace, self._run), name)
        return ReportChart(section.title, section.caption, alone(section.chart))


@dataclass(frozen=True, slots=True)
class Workspace:
    """A directory of data, runs and signals. ``preset`` and ``settings`` (dotted key -> value) stand over its
    ``config.toml`` for all that is read and started through this object.
    """

    path: Path | str | None = None
    """None: where the command line would look."""
    preset: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """The absolute path."""
        return resolve_workspace(None if self.path is None else str(self.path))

    @property
    def config(self) -> "Config":
        """The configuration that holds here; ConfigError names file and line of a mistake."""
        from engine.config.file import resolve_new

        overrides = list(self._overrides())
        return resolve_new(self.directory, preset=self.preset, overrides=overrides).config

    def bars(self) -> "pl.DataFrame":
        """The clean daily bars, a row a session and stock, prices adjusted for splits."""
        from engine.data.load import open_panel

        return open_panel(self.directory, self.config).bars()

    def members(self) -> "pl.DataFrame":
        """``date, symbol``: which stocks may be ranked on which session, decided with the past alone."""
        from engine.data.load import open_panel
        from engine.data.universe import build_universe

        config, place = self.config, self.directory
        found = build_universe(open_panel(place, config), config.universe, place / "universe")
        return _long(found.dates_S, found.symbols, found.member_SN)

    def features(
        self, names: Sequence[str] | None = None, dates: tuple[Day, Day] | None = None
    ) -> "pl.DataFrame":
        """``date, symbol`` and the inputs as the network sees them, of the members of each session.

        Scaled within the day; 0 where a value is not known. ``dates``: first and last day, both included.
        UsageError for a name that is not among the columns, or where no session lies between the dates.
        """
        import numpy as np
        import polars as pl

        from engine.runs.sink import NullSink
        from engine.stages.context import StageContext, StopFlag
        from engine.stages.load import load_dataset

        context = StageContext(
            workspace=self.directory, config=self.config, sink=NullSink(), stop=StopFlag()
        )
        found = load_dataset(context, NullSink(), with_graph=False, in_memory=False).features
        names = found.features if names is None else tuple(names)
        if unknown := [name for name in names if name not in found.features]:
            hint = (
                "`atft-tui features list` has the names; features.families decides which are built"
            )
            raise UsageError(f"{', '.join(unknown)}: not among the features", hint=hint)
        columns = [found.features.index(name) for name in names]
        days_S, (first, last) = found.dates_S, dates or (str(found.dates_S[0]), "9999-12-31")
        chosen = np.flatnonzero((days_S >= np.datetime64(first)) & (days_S <= np.datetime64(last)))
        if not chosen.size:
            raise UsageError(
                f"no session from {first} to {last}", hint=f"there are {days_S[0]} to {days_S[-1]}"
            )
        keys = _long(days_S[chosen], found.symbols, found.member_SN[chosen])
        values = [found.x_SNF[s][found.member_SN[s]][:, columns] for s in chosen]
        return keys.hstack(pl.from_numpy(np.concatenate(values).astype(np.float32), list(names)))

    def runs(self) -> "pl.DataFrame":
        """A row a run, newest first, with figures and their errors; null where one is not known."""
        import polars as pl

        from engine.runs.summary import summarise

        rows = []
        for run in RunStore(self.directory / "runs"):
            about = summarise(run)
            row: dict[str, object] = {
                name: getattr(about, name) for name in ("id", "command", "status", "created")
            }
            for split in ("validation", "test"):
                for name in ("rank_ic", "rank_ic_se", "null_band", "n_dates"):
                    row[f"{split}_{name}"] = getattr(getattr(about, split), name, None)
            for name, key in _SHARPE.items():
                row[name] = getattr(about.sharpe, key, None)
            rows.append({**row, "days": about.days, "trouble": about.trouble})
        return pl.DataFrame(rows, infer_schema_length=None)

    def run(self, run_id: str = "last") -> RunReader:
        """A run by id, its start, or ``last``; UsageError if there is none."""
        return RunReader(self.directory, RunStore(self.directory / "runs").open(run_id))

    def signals(self, session: str | None = None) -> SealedSignal:
        """The newest sealed signal of a session (``-r0``, ``-r1``: that revision), or of the last one."""
        from engine.signals.seal import SealStore

        store = SealStore(self.directory / "signals")
        places = store.newest()
        if session is None and not places:
            raise UsageError("no sealed signal", hint="`atft-tui signals` makes one")
        return SealedSignal(store.open(session or places[-1].name))

    def train(self, **options: Option) -> RunReader:
        """Train a network; options are those of ``atft-tui train``, such as ``confirm=True``."""
        return self.run(str(self.do("train", **options)["run_id"]))

    def walkforward(self, **options: Option) -> RunReader:
        """Walk forward; options are those of the command, such as ``model="blend", seeds=3``."""
        return self.run(str(self.do("walkforward", **options)["run_id"]))

    def backtest(self, run: str = "last", **options: Option) -> RunReader:
        """Simulate the test scores of a run and give the run back."""
        return self.run(str(self.do("backtest", run, **options)["run_id"]))

    def do(self, command: str, *words: str, **options: Option) -> Json:
        """Run any command as a process of its own; what it tells goes to stderr, its ``--json`` comes back.

        ``words`` are its arguments; an option is named as in ``--help``, with ``_`` for ``-``. Interrupted,
        the command is asked to stop as by ctrl+c and waited for. An error of the command is raised here.
        """
        if (about := BY_NAME.get(command)) is None:
            raise UsageError(f"no command {command!r}", hint="`atft-tui --help` lists them")
        told = [*words, *as_words(about, options)]
        if about.configurable:
            told += [f"--preset={self.preset}"] if self.preset else []
            told += [word for setting in self._overrides() for word in ("--set", setting)]
        return answer_of(command, argv(self.directory, [command, *told]))

    def _overrides(self) -> Iterable[str]:
        return (f"{key}={written(value)}" for key, value in self.settings.items())


def _long(dates_S: object, symbols: Sequence[str], member_SN: object) -> "pl.DataFrame":
    """``date, symbol``, a row for each true place of ``member_SN``."""
    import numpy as np
    import polars as pl

    rows, columns = np.nonzero(np.asarray(member_SN))
    dates = pl.Series("date", np.asarray(dates_S)[rows]).cast(pl.Date)
    return pl.DataFrame([dates, pl.Series("symbol", symbols, dtype=pl.String).gather(columns)])
