"""`champion show`, `verify` and `ledger` on many sealed signals: seconds of each, start included.

The seals are copies of one small signal, each of its own session and key and with its own pins of bars, so
that the way of the reading is the real one. Nothing is scored and no network is trained.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.large_market import large_market
from benchmarks.options import read_options, say
from engine.config import Config, SplitConfig, UniverseConfig
from engine.config.file import write_resolved
from engine.data.store import PanelStore
from engine.files import digest
from engine.portfolio.prediction import score_column
from engine.records import record
from engine.records.card import Card, Light, TradeFigures
from engine.records.orders import CASH, Order, Refused, rows_csv
from engine.records.rank_ic import RankICSummary
from engine.records.seal import SealManifest, SignalInputs
from engine.runs.sink import NullSink
from engine.signals.book import bar_slice
from engine.signals.compose import _table_bytes, securities_bytes
from engine.signals.drift import Distribution, Reference
from engine.signals.models import Model, ModelStore
from engine.signals.seal import SealStore, trading_tables
from engine.signals.window import day_slice
from engine.stages.context import StageContext, StopFlag
from engine.stages.identity import input_rules
from engine.stages.load import Dataset, load_dataset
from engine.stages.signal_inputs import Gatherer

BEFORE, AFTER = 320, 5
"""Sessions before the first seal, and after the last."""
COMMANDS = (("champion", "show"), ("verify",), ("ledger",))


def model_of(context: StageContext, dataset: Dataset) -> Model:
    """A package whose weights are noise: nothing here loads them. It is champion."""
    rng = np.random.default_rng(0)
    weights = context.workspace / "weights.bin"
    weights.write_bytes(rng.bytes(4_000_000))
    noise = Distribution.of([rng.normal(size=100)])
    names = dataset.features.features
    facts = {
        "features": list(names),
        "blocks": [[]],
        "rules": input_rules(context.config, dataset.features.market),
        "splits": {},
        "last_session": str(dataset.features.dates_S[BEFORE // 2]),
        "score_horizon": context.config.training.score_horizon,
        "test": record.as_json(
            RankICSummary(rank_ic=0.02, rank_ic_se=0.004, null_band=0.01, n_dates=252)
        ),
    }
    reference = Reference(
        features=dict.fromkeys(names, noise), scores=noise, deviation=1.0, sessions=1
    )
    store = ModelStore(context.workspace / "models")
    model = store.pack({"seed-1.safetensors": weights}, context.config, facts, reference)
    store.record("promoted", model.id, at=context.now())
    return model


def seal_all(context: StageContext, dataset: Dataset, model: Model, number: int) -> None:
    """One seal a session, the newest ``number`` of the store but for the last few."""
    features, store = dataset.features, SealStore(context.workspace / "signals")
    config, pins = context.config, store.pins
    files = _files(dataset, config)
    securities = pins.put(securities_bytes(dataset.panel.securities))
    frame = dataset.panel.bars(str(features.dates_S[0]))
    days = {str(d): rows for (d,), rows in frame.group_by("date", maintain_order=True)}
    bars = [(day, pins.put_arrays(bar_slice(rows))) for day, rows in days.items()]
    windows = [pins.put_arrays(day_slice(features, s)) for s in range(len(bars))]
    reach, window = 270, config.split.window
    for session in range(len(bars) - number - AFTER, len(bars) - AFTER):
        gatherer = Gatherer(
            dataset=dataset, session=session, model=model, config=config, seals=store, pins=pins,
            positions=None,
        )  # fmt: skip
        key = gatherer.key
        inputs = SignalInputs(
            key=key,
            decided=True,
            trading=trading_tables(config, store.workspace),
            positions=None,
            window=tuple(
                (bars[s][0], windows[s]) for s in range(session - window + 1, session + 1)
            ),
            edges=None,
            history=(),
            bars=tuple(bars[max(0, session - reach) : session + 1]),
            index=None,
            securities=securities,
            evidence={},
        )
        card = Card.of(key.session, key.exchange, LIGHTS, FIGURES)
        own = {
            "inputs.json": record.to_bytes(inputs, indent=1),
            "card.json": record.to_bytes(card),
            "card.md": card.markdown([]).encode(),
        }
        manifest = SealManifest(
            key=key, key_text=str(key), model=model.id, data=key.data,
            inputs=digest(inputs.pins()), files={},
        )  # fmt: skip
        store.publish(key.session, 0, files | own, manifest)


LIGHTS = [Light(name=f"light {n}", verdict="TRADE", value=0.0, limit=1.0) for n in range(14)]
FIGURES = TradeFigures(equity=1e6)


def _files(dataset: Dataset, config: Config) -> dict[str, bytes]:
    """What all seals have in common; the explanation is as large as that of a real signal."""
    symbols = sorted(dataset.features.symbols)
    n = len(symbols)
    score = np.linspace(-2.0, 2.0, n).astype(np.float32)
    scores = pl.DataFrame({"symbol": symbols, "rank": np.arange(n, 0, -1)}).with_columns(
        pl.Series(score_column(h), score) for h in config.labels.horizons
    )
    held = np.where(np.arange(n) % 2, 0.5, -0.5) / n
    weights = pl.DataFrame({"symbol": symbols, "weight": held, "weight_before": held})
    orders = [
        Order(symbol=code, side="buy", shares=100, lots=100, limit=30.3, close=30.0, notional=3e3,
              held=0.0, reason="open: rank 1 of 100, score +2.000")
        for code in symbols[:50]
    ]  # fmt: skip
    heard = pl.DataFrame({"symbol": symbols * 20, "kind": "neighbour", "value": 0.05})
    return {
        "scores.parquet": _table_bytes(scores, {}),
        "weights.parquet": _table_bytes(weights, {}),
        "orders.csv": rows_csv(Order, orders),
        "refused.csv": rows_csv(Refused, []),
        "positions.csv": f"code,shares\n{CASH},1000000.0\n".encode(),
        "explain.parquet": _table_bytes(heard, {}),
    }


def main(arguments: list[str] | None = None) -> int:
    """Tell the seconds that each command takes on so many seals of so many stocks."""
    options = read_options(__doc__, arguments, seals=(2000, 8), stocks=(100, 12))
    seals, stocks = options.seals, options.stocks
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        config = Config(
            split=SplitConfig(validation_sessions=60, test_sessions=60),
            universe=UniverseConfig(min_names=5),
        )
        write_resolved(workspace / "config.toml", config)
        PanelStore(workspace / "data").save(large_market(stocks, seals + BEFORE + AFTER))
        context = StageContext(workspace=workspace, config=config, sink=NullSink(), stop=StopFlag())
        dataset = load_dataset(context, NullSink(), in_memory=False)
        seal_all(context, dataset, model_of(context, dataset), seals)
        for command in COMMANDS:
            _tell(workspace, command, seals)
    return 0


def _tell(workspace: Path, command: tuple[str, ...], seals: int) -> None:
    """Seconds of the processor too: on a machine with other work the clock says more about that."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [sys.executable, "-m", "engine", *command, "--workspace", str(workspace), "--json"]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    clock = time.perf_counter() - began
    say(f"{' '.join(command):14} {seals:6,} seals  {spent:6.1f} s of the processor, {clock:6.1f} s")


if __name__ == "__main__":
    sys.exit(main())
