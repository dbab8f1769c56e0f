"""`export`: a run handed on to other programs, in their shapes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from engine.errors import UsageError
from engine.records import record
from engine.records.exported import Exported
from engine.records.train import TRAIN
from engine.runs.events import StageStarted
from engine.runs.store import Run, require_file
from engine.stages.context import Outcome, StageContext, require_model

if TYPE_CHECKING:
    import polars as pl

    from engine.report.facts import Facts
    from engine.stages.load import Dataset

_LIVE = ("mlflow", "tensorboard")


@dataclass(frozen=True, slots=True)
class _Task:
    """What is asked of a target that takes a finished run."""

    context: StageContext
    run: Run
    place: Path
    named: bool
    """Whether a person named the place."""
    confirm: bool

    def folder(self) -> Path:
        """The folder that was named, or the run's own in the workspace; it is there when this returns."""
        folder = self.place if self.named else self.place / self.run.id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def facts(self) -> "Facts":
        """Everything that its report says."""
        from engine.report.facts import gather

        require_file(self.run.path(TRAIN), "train it to its end first")
        return gather(self.context.workspace, self.run)


def export(
    context: StageContext,
    *,
    run: str,
    to: str,
    output: str | None = None,
    uri: str | None = None,
    follow: bool = False,
    confirm: bool = False,
) -> Outcome:
    """Write the run's figures, scores or files for another program; what is there is told.

    ``output``: a folder, for excel the workbook; default ``WORKSPACE/export/TARGET``. ``uri``: tracking
    address of MLflow instead. ``follow``: until the run ends; SIGTERM and ctrl-c end it, all is kept.
    alphalens and qlib get the returns of the scored days: what judges them is a look, as in `backtest`.
    """
    if uri and to != "mlflow":
        raise UsageError("--uri is for --to mlflow")
    if follow and to not in _LIVE:
        raise UsageError(f"--follow is for --to {' and '.join(_LIVE)}")
    found = context.store.open(run)
    require_model(found)
    context.sink.emit(StageStarted(stage="export"))
    place = Path(output) if output else context.workspace / "export" / to
    if to in _LIVE:
        told = _live(context, found, to, place, uri, follow=follow)
    else:
        told = _WAYS[to](_Task(context, found, place, output is not None, confirm))
    return Outcome(json=record.as_json(told), text=told.text)


def _live(
    context: StageContext, run: Run, to: str, place: Path, uri: str | None, *, follow: bool
) -> Exported:
    """MLflow or TensorBoard, which take figures while they are made."""
    from engine.export.live import feed

    notes = (
        () if run.path("report.html").is_file() else (f"no report yet: atft-tui report {run.id}",)
    )
    if to == "tensorboard":
        from engine.export.tensorboard import TensorBoard

        board = TensorBoard(run, place / run.id)
        ended = feed(run, board, follow=follow, stopped=lambda: context.stop.requested)
        counts = {"points": board.points}
        told = Exported(target=to, place=str(board.folder), counts=counts)
    else:
        from engine.export.mlflow import MLflow

        if uri is None:
            place.mkdir(parents=True, exist_ok=True)
        own = uri or f"sqlite:///{place.absolute() / 'mlflow.db'}"
        server = MLflow(run, own, None if uri else place / "artifacts")
        ended = feed(run, server, follow=follow, stopped=lambda: context.stop.requested)
        counts = {"points": server.points, "files": server.files}
        told = Exported(target=to, place=server.shown, counts=counts, notes=notes)
    if ended:
        return told
    waiting = "the run has not ended: export it again and the rest is added"
    return structs.replace(told, notes=(*told.notes, waiting))


def _alphalens(task: _Task) -> Exported:
    from engine.export import alphalens
    from engine.portfolio.prediction import score_column

    prediction, dataset = _scored(task)
    labelled = {
        h: _labelled(prediction, dataset, h)
        for h in dataset.features.horizons
        if score_column(h) in prediction.columns
    }
    return alphalens.write(task.folder(), labelled)


def _qlib(task: _Task) -> Exported:
    from engine.export import qlib

    prediction, dataset = _scored(task)
    labelled = _labelled(prediction, dataset, task.run.config().training.score_horizon)
    return qlib.write(task.folder(), labelled, dataset.panel.bars())


def _quantstats(task: _Task) -> Exported:
    from engine.export import quantstats

    return quantstats.write(task.run, task.folder())


def _csv(task: _Task) -> Exported:
    from engine.export.tables import write_csv

    return write_csv(task.run, task.facts(), task.folder())


def _excel(task: _Task) -> Exported:
    from engine.export.tables import write_excel

    path = task.place if task.named else task.place / f"{task.run.id}.xlsx"
    return write_excel(task.run, task.facts(), path)


_WAYS: dict[str, Callable[[_Task], Exported]] = {
    "alphalens": _alphalens,
    "quantstats": _quantstats,
    "qlib": _qlib,
    "excel": _excel,
    "csv": _csv,
}


def _scored(task: _Task) -> "tuple[pl.DataFrame, Dataset]":
    """Out-of-sample scores of the run, and the data that judge them, by the run's own configuration.

    The look at them is counted.
    """
    from engine.stages import protocol
    from engine.stages.load import load_dataset
    from engine.stages.trading import out_of_sample

    context, run = task.context, task.run
    prediction = out_of_sample(run)
    protocol.check_prediction(context, prediction, confirm=task.confirm)
    protocol.count_looks(context, run, protocol.as_days(prediction.dates), prediction.market)
    own = replace(context, config=run.config())
    return prediction.frame, load_dataset(own, context.sink, with_graph=False, in_memory=False)


def _labelled(prediction: "pl.DataFrame", dataset: "Dataset", horizon: int) -> "pl.DataFrame":
    """``date, symbol, score, forward_return`` of a horizon; NaN where the return is not known."""
    import numpy as np
    import polars as pl

    from engine.training.evaluate import scored_days

    frame = prediction.sort("date", "symbol")
    _, (scores, returns) = scored_days(frame, dataset.features, horizon)
    return frame.select("date", "symbol").with_columns(
        pl.Series("score", np.concatenate(scores)),
        pl.Series("forward_return", np.concatenate(returns)),
    )
