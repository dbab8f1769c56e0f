"""The number of trials: each variant once, each training run at least once."""

from pathlib import Path

from engine.config import Config
from engine.runs.store import RunStore
from engine.runs.trials import count_trials, read_trials, record_trials


def test_variants_count_once_per_set_of_scores(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    assert count_trials(store) == 1
    run = store.create("train", Config())
    assert count_trials(store) == 1
    run.path("predictions.parquet").write_bytes(b"scores")
    record_trials(run, {"backtest": ({"fraction": 0.1}, 0.5)})
    record_trials(run, {"the same again": ({"fraction": 0.1}, 0.5)})
    assert count_trials(store) == 1
    record_trials(run, {f"cell {i}": ({"fraction": 0.1 + i}, 0.1 * i) for i in range(1, 5)})
    assert count_trials(store) == 5
    run.path("predictions.parquet").write_bytes(b"other scores")
    record_trials(run, {"backtest": ({"fraction": 0.1}, 0.4)})
    assert count_trials(store) == 6
    assert {trial["sharpe"] for trial in read_trials(run).values()} >= {0.4, 0.5}
    store.create("walkforward", Config())
    assert count_trials(store) == 7
