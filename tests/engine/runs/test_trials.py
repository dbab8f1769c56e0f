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
    assert {trial.sharpe for trial in read_trials(run).values()} >= {0.4, 0.5}
    store.create("walkforward", Config())
    assert count_trials(store) == 7


def test_every_trial_of_a_search_counts_and_the_search_itself_does_not(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    store.create("train", Config())
    store.create("tune", Config(), {"study": "a"})
    assert count_trials(store) == 1
    for number in range(20):
        store.create("trial", Config(), {"study": "a", "trial": number})
    assert count_trials(store) == 21
    store.create("compare", Config(), {"comparison": "ablations-0"})
    store.create("train", Config(), {"comparison": "ablations-0", "variant": "full", "seed": 1})
    assert count_trials(store) == 22, "a variant is a run like any other"
