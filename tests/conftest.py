"""A small synthetic market, built once per worker: panel, features, graphs, configuration."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, settings

from engine.config import Config
from engine.config.file import resolve
from engine.data.files_source import read_files
from engine.data.panel import Panel
from engine.data.quality import examine
from engine.data.synthetic import generate
from engine.data.tables import RawTables
from engine.data.universe import Universe, build_universe
from engine.dataset.split import Split, single_split
from engine.features.feature_set import FeatureSet, build_features
from engine.graph.build import build_graphs
from engine.graph.graph import GraphSeries
from engine.runs.sink import NullSink
from tests.slow import part_of, tenth_of

# A busy machine is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SMALL = (
    "universe.min_history=60",
    "universe.min_names=10",
    "graph.window=60",
    "graph.k=4",
    "split.window=8",
    "split.validation_sessions=60",
    "split.test_sessions=60",
    "model.hidden=8",
    "model.attention_heads=2",
    "model.gat_heads=[2,2]",
    "executor.jobs=1",
)
"""A network and splits that any small market fills, in one process: a second one loads torch for 4 s."""
TINY = (
    "data.synthetic.n_symbols=48",
    "data.synthetic.n_sessions=520",
    *SMALL,
    "training.day_stride=8",
    "training.epochs=[1,1,1,1]",
    "training.log_every=2",
    "training.checkpoint_steps=3",
    "training.null_draws=50",
)
NASDAQ = Path(__file__).parents[2] / "shared" / "data" / "nasdaq"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("slow tests")
    group.addoption("--slow-part", metavar="K/N", help="of the slow tests every N-th from the K-th")
    group.addoption(
        "--slow-tenth",
        metavar="COMMIT",
        help="of the slow tests a tenth, drawn by this word, and none that is marked `long`",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out slow tests as the two options say; the others stay."""
    part, commit = config.getoption("--slow-part"), config.getoption("--slow-tenth")
    slow = [item for item in items if item.get_closest_marker("slow")]
    kept = {item.nodeid for item in slow}
    if part is not None:
        kept &= part_of([item.nodeid for item in slow], part)
    if commit is not None:
        short = [item.nodeid for item in slow if not item.get_closest_marker("long")]
        kept &= tenth_of(short, commit)
    left = [item for item in slow if item.nodeid not in kept]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@dataclass(frozen=True)
class World:
    """Everything before the model, for one raw market."""

    config: Config
    raw: RawTables
    panel: Panel
    universe: Universe
    features: FeatureSet
    graphs: GraphSeries
    split: Split
    root: Path
    """Folder of universe, graphs and features."""


def build_world(raw: RawTables, config: Config, root: Path) -> World:
    clean, report = examine(raw, config.quality)
    panel = Panel(
        frame=clean,
        securities=raw.securities,
        index=raw.index,
        tables=raw.optional,
        market=raw.market,
        source=raw.source,
        as_of=report.last,
        fingerprint=f"test-{root.name}",
    )
    universe = build_universe(panel, config.universe, root / "universe")
    graphs = build_graphs(panel, universe, config.graph, root / "graphs", NullSink())
    features = build_features(panel, universe, graphs, config, root / "features", NullSink())
    return World(
        config=config,
        raw=raw,
        panel=panel,
        universe=universe,
        features=features.loaded(),
        graphs=graphs,
        split=single_split(features, config.split, config.universe.min_names),
        root=root,
    )


@pytest.fixture(scope="session")
def config() -> Config:
    return resolve([], preset="demo", overrides=TINY).config


@pytest.fixture(scope="session")
def raw(config: Config) -> RawTables:
    return generate(config.data.synthetic).raw


@pytest.fixture(scope="session")
def nasdaq() -> RawTables:
    """The real market, dirty as it is; tests that want it are skipped where it is not."""
    if not NASDAQ.exists():
        pytest.skip("the NASDAQ development data are not here")
    return read_files(
        NASDAQ / "prices.parquet",
        securities=NASDAQ / "securities.parquet",
        index=None,
        columns={},
        market="us",
        now=dt.datetime(2026, 11, 28, tzinfo=dt.UTC),
    ).raw


@pytest.fixture(scope="session")
def world(raw: RawTables, config: Config, tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(raw, config, tmp_path_factory.mktemp("world"))


@contextmanager
def few_rounds() -> Iterator[None]:
    """LightGBM with 20 rounds for 300, 0.2 s a fit for 2 s, where its scores need not be good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.model_kit.LightGBMModel.rounds", 20)
        yield


@pytest.fixture(scope="module")
def few_trees() -> Iterator[None]:
    with few_rounds():
        yield


@pytest.fixture(scope="session")
def scrambled(
    raw: RawTables, config: Config, world: World, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, int]:
    """The same market with every bar after a session replaced by noise, and that session's index."""
    cut = int(world.split.validation[30])
    changed = scramble(raw, world.features.dates_S[cut].item())
    return build_world(changed, config, tmp_path_factory.mktemp("scrambled")), cut


def scramble(raw: RawTables, day: dt.date) -> RawTables:
    """The same tables with every bar and index value after ``day`` replaced by noise."""
    rng = np.random.default_rng(5)
    noise = pl.Series(np.exp(rng.normal(0, 0.4, len(raw.bars))))
    after = pl.col("date") > day

    def replaced(name: str, value: pl.Expr) -> pl.Expr:
        return pl.when(after).then(value).otherwise(pl.col(name)).alias(name)

    prices = ("open", "high", "low", "close")
    bars = raw.bars.with_columns(replaced(name, pl.col(name) * noise) for name in prices)
    bars = bars.with_columns(
        replaced(name, pl.col(name) * 3 * noise) for name in ("volume", "turnover")
    )
    index = raw.index
    if index is not None:
        index = index.with_columns(replaced("close", pl.col("close") * 2))
    return replace(raw, bars=bars, index=index)


@pytest.fixture
def make_bars() -> Callable[..., pl.DataFrame]:
    """Bars of the store's schema from closes per symbol; other prices equal the close."""

    def make(closes: dict[str, list[float]], **columns: dict[str, list[float]]) -> pl.DataFrame:
        parts = []
        for symbol, values in closes.items():
            n = len(values)
            days = [dt.date(2020, 1, 1) + dt.timedelta(days=i) for i in range(n)]
            row: dict[str, object] = {
                name: columns.get(name, {}).get(symbol, values) for name in ("open", "high", "low")
            }
            volume = columns.get("volume", {}).get(symbol, [1000.0] * n)
            parts.append(
                pl.DataFrame(
                    {
                        "date": days,
                        "symbol": [symbol] * n,
                        **row,
                        "close": values,
                        "volume": volume,
                        "turnover": [c * v for c, v in zip(values, volume, strict=True)],
                    }
                ).cast(
                    dict.fromkeys(
                        ("open", "high", "low", "close", "volume", "turnover"), pl.Float64
                    )
                )
            )
        return pl.concat(parts).sort("date", "symbol")

    return make
