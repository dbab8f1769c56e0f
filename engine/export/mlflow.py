"""MLflow: a run's figures, settings and files in a tracking server or a local SQLite file.

The run is found again by its tag, so exporting it once more adds what is new. MLflow's own telemetry is
switched off: nothing goes anywhere but to the tracking address.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import EnvironmentProblem
from engine.export.extras import load
from engine.export.points import Point, final_figures, flat_config, seconds
from engine.records import record
from engine.records.train import TRAIN, TrainResult
from engine.runs.events import RunFinished
from engine.runs.store import Run
from engine.secrets import redact

EXPERIMENT = "atft-tui"
_RUN, _SEEN = "atft.run", "atft.points"
_METRICS, _PARAMS, _VALUE = 1000, 100, 6000
"""What one request may hold, and characters of one setting: limits of MLflow's REST API."""
_FILES = ("report.html", "report.md", "report.json", "predictions.parquet", "train.json",
          "backtest.json", "backtest.parquet", "sweep.json", "manifest.json")  # fmt: skip
_STATUS = {"done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


class MLflow:
    """One run in MLflow; its figures come with the time at which they were made."""

    def __init__(self, run: Run, uri: str, artefacts: Path | None = None) -> None:
        """Open or make the MLflow run. ``artefacts``: folder of its files where the address is a local one
        of ours; None leaves it to the server. EnvironmentProblem where MLflow is missing or refuses.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        self._library = load("mlflow", "mlflow")
        self._entities = load("mlflow.entities", "mlflow")
        self._run, self._uri = run, uri
        with self._refusals():
            self.client: Any = self._library.MlflowClient(tracking_uri=uri)
            found = self.client.get_experiment_by_name(EXPERIMENT)
            place = artefacts.absolute().as_uri() if artefacts else None
            home = (
                found.experiment_id if found else self.client.create_experiment(EXPERIMENT, place)
            )
            self.id, seen = self._open(home)
        self.shown = redact(uri)
        """The tracking address without a password."""
        self.points, self.files = 0, 0
        self._known = self._seen = seen

    def _open(self, experiment: str) -> tuple[str, int]:
        """Id of the MLflow run, and how many points of ours it holds already."""
        there = self.client.search_runs([experiment], f"tags.`{_RUN}` = '{self._run.id}'")
        if there:
            return there[0].info.run_id, int(there[0].data.tags.get(_SEEN, 0))
        start, entity = int(self._run.created.timestamp() * 1000), self._entities
        made = self.client.create_run(experiment, start, self._tags(), self._run.id)
        params = [entity.Param(k, v[:_VALUE]) for k, v in flat_config(self._run).items()]
        for first in range(0, len(params), _PARAMS):
            self.client.log_batch(made.info.run_id, params=params[first : first + _PARAMS])
        return made.info.run_id, 0

    def _tags(self) -> dict[str, str]:
        """Which run, program and data the figures are of."""
        manifest = self._run.manifest
        told = record.read_if_there(self._run.path(TRAIN), TrainResult) or TrainResult()
        tags = {
            _RUN: self._run.id,
            "atft.command": self._run.command,
            "atft.config": manifest.config_digest,
            "atft.version": manifest.packages.get("atft-tui", ""),
            "mlflow.source.git.commit": manifest.git_commit or "",
            "mlflow.source.name": "atft-tui",
            "atft.data": told.data.fingerprint,
            "atft.data_source": told.data.source,
            "atft.features": told.features_fingerprint,
        }
        return {name: value for name, value in tags.items() if value}

    def take(self, points: Sequence[Point]) -> None:
        """Log the points that the MLflow run does not hold yet."""
        skipped = min(self._known, len(points))
        self._known -= skipped
        new = points[skipped:]
        with self._refusals():
            for first in range(0, len(new), _METRICS):
                some = new[first : first + _METRICS]
                self.client.log_batch(self.id, metrics=[self._metric(point) for point in some])
                self._seen += len(some)
                self.client.set_tag(self.id, _SEEN, str(self._seen))
        self.points += len(new)

    def end(self, finished: RunFinished | None) -> None:
        """Log final figures, tags and files; the MLflow run ends if ours has."""
        at = seconds(finished.at) if finished else self._run.created.timestamp()
        figures = [Point(name, value, 0, at) for name, value in final_figures(self._run).items()]
        files = [path for name in _FILES if (path := self._run.path(name)).is_file()]
        with self._refusals():
            if figures:
                self.client.log_batch(self.id, metrics=[self._metric(one) for one in figures])
            for name, value in self._tags().items():
                self.client.set_tag(self.id, name, value)
            for path in files:
                self.client.log_artifact(self.id, str(path))
            if finished:
                status, end = _STATUS[finished.status], int(seconds(finished.at) * 1000)
                self.client.set_terminated(self.id, status, end)
        self.files = len(files)

    def _metric(self, point: Point) -> Any:
        return self._entities.Metric(point.key, point.value, int(point.at * 1000), point.step)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """What MLflow refuses is a problem of the environment; an address may hold a password."""
        try:
            yield
        except self._library.exceptions.MlflowException as error:
            told = redact(str(error).splitlines()[0])
            raise EnvironmentProblem(
                f"mlflow, {redact(self._uri)}: {told}",
                hint="look at --uri; a server must be running, a local one is sqlite:///FILE",
            ) from None
