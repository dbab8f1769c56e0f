"""TensorBoard: event files of a run's figures, written by ``tensorboardX``, which is a megabyte."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import EnvironmentProblem
from engine.export.extras import load
from engine.export.points import Point, final_figures, flat_config
from engine.runs.events import RunFinished
from engine.runs.store import Run

_SUFFIX = ".atft"
"""Ends the names of our event files, so that another export replaces them and nothing else."""


class TensorBoard:
    """Writes one event file; those of an earlier export of the run into this folder are replaced."""

    def __init__(self, run: Run, folder: Path) -> None:
        """EnvironmentProblem where ``tensorboardX`` is missing or the folder cannot be written."""
        library = load("tensorboardX", "tensorboard")
        self._run, self.folder, self.points = run, folder, 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob(f"events.out.tfevents.*{_SUFFIX}"):
                old.unlink()
            self._writer: Any = library.SummaryWriter(str(folder), filename_suffix=_SUFFIX)
        except OSError as error:
            raise EnvironmentProblem(f"{folder}: cannot be written ({error.strerror})") from error
        rows = [f"    {key} = {value}" for key, value in flat_config(run).items()]
        self._writer.add_text("config", "\n".join(rows), 0, walltime=run.created.timestamp())

    def take(self, points: Sequence[Point]) -> None:
        """Write them and make them visible to a TensorBoard that looks on."""
        for point in points:
            self._writer.add_scalar(point.key, point.value, point.step, walltime=point.at)
        self.points += len(points)
        self._writer.flush()

    def end(self, finished: RunFinished | None) -> None:
        """Add the figures of test days and backtest, and close the file."""
        figures = final_figures(self._run)
        created = self._run.created.timestamp()
        self.take([Point(name, value, 0, created) for name, value in figures.items()])
        self._writer.close()
