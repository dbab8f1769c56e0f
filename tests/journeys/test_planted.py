"""The market whose answer is known, at the size of preset `planted`: what the network finds of it."""

from pathlib import Path

import polars as pl
import pytest

from engine.data.store import PanelStore
from engine.dataset.split import single_split
from engine.runs.sink import NullSink
from engine.runs.store import RunStore
from engine.stages.compare import compare
from engine.stages.ingest import ingest
from engine.stages.load import load_dataset, oracle_frame
from engine.training.evaluate import evaluate
from tests.journeys.here import Here

SHARE = 0.8
"""Of the oracle's RankIC on test days: 0.82 was measured."""


@pytest.mark.long
@pytest.mark.slow
def test_the_network_finds_most_of_the_oracle_and_its_graph_is_why(tmp_path: Path) -> None:
    context = Here(tmp_path).preset("planted")
    ingest(context, source="synthetic", prices=None, securities=None, index=None, columns=None)
    made = compare(context, what=("ablations",), variants="graph none,graph random", seeds=1).json
    full, *others = made["variants"]
    features = load_dataset(context, NullSink(), in_memory=False).features
    split = single_split(features, context.config.split, context.config.universe.min_names)
    expected = PanelStore(tmp_path / "data").oracle()
    oracle = evaluate(
        oracle_frame(expected, features, split).filter(pl.col("split") == "test"),
        features,
        context.config.training,
        [5],
    )["test"]["5"]
    assert oracle.n_dates == full["test"]["n_dates"]
    assert full["test"]["rank_ic"] >= SHARE * oracle.rank_ic
    assert [row["name"] for row in others] == ["graph none", "graph random"]
    for row in others:
        gap = row["difference"]["test"]
        assert gap["difference"] < -2 * gap["se"], row["name"]
    assert RunStore(tmp_path / "runs").open(next(iter(full["runs"].values()))).status() == "done"
