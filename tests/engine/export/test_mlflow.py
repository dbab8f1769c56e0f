"""MLflow's own client reads the run back."""

import os
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EnvironmentProblem
from engine.export.live import feed
from engine.runs.events import RunFinished
from engine.runs.store import Run
from tests.engine.export.samples import finished, tell
from tests.engine.runs.samples import training
from tests.journeys.command import atft_here

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
pytest.importorskip("mlflow", reason="mlflow-skinny is not installed: the extra mlflow")

from engine.export.mlflow import EXPERIMENT, MLflow


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """A run that was exported twice: while it was at work, and after its end.

    Into MLflow's file store: making a database takes it seconds.
    """
    folder = tmp_path_factory.mktemp("mlflow")
    run, uri = finished(folder), (folder / "runs of mlflow").as_uri()
    *events, last = training()
    tell(run, events)
    with run.lock():
        first = MLflow(run, uri, folder / "artifacts")
        assert not feed(run, first, follow=False)
    tell(run, [last])
    second = MLflow(run, uri, folder / "artifacts")
    assert feed(run, second, follow=True)
    assert second.id == first.id
    assert first.points > 0
    assert second.points == 0, "nothing is logged twice"
    return run, uri


def client_of(uri: str) -> Any:
    import mlflow

    return mlflow.MlflowClient(tracking_uri=uri)


def test_metrics_settings_and_files_come_back(exported: tuple[Run, str]) -> None:
    run, uri = exported
    client = client_of(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == run.id
    assert found.info.status == "FINISHED"
    assert found.data.params["training.seed"] == "1"
    history = client.get_metric_history(found.info.run_id, "step/loss")
    assert sorted((one.step, one.value) for one in history) == [
        (step, 1.0 / (1 + step / 20)) for step in range(1, 49)
    ]
    assert found.data.metrics["test/rank_ic"] == 0.03
    assert found.data.metrics["backtest/sharpe"] == 0.4
    assert found.data.tags["atft.data"] == "f"
    names = {one.path for one in client.list_artifacts(found.info.run_id)}
    assert {"predictions.parquet", "train.json", "backtest.json"} <= names
    assert "config.toml" not in names, "it may name people and machines"


def test_what_mlflow_refuses_is_said_without_the_password(tmp_path: Path) -> None:
    run = finished(tmp_path)
    tell(run, [RunFinished(status="done")])
    with pytest.raises(EnvironmentProblem, match="mlflow") as caught:
        MLflow(run, "postgresqlx://me:hunter22@nowhere/db")
    assert "hunter22" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.slow
def test_the_default_is_a_database_in_the_workspace(tmp_path: Path) -> None:
    run = finished(tmp_path)
    tell(run, training())
    done = atft_here(tmp_path, "export", run.id, "--to", "mlflow", "--json")
    assert done.code == 0, done.err
    assert done.json["counts"]["files"] == 5
    client = client_of(f"sqlite:///{tmp_path / 'export' / 'mlflow' / 'mlflow.db'}")
    (found,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert len(client.get_metric_history(found.info.run_id, "step/loss")) == 48
