"""`tune`: a search for settings on inner validation folds; every trial is a run of the store.

    tune/<study>/lock  journal.jsonl  study.json  best.toml

A search that died or was stopped goes on where it was: the same command again finds the trials that were
cut off, puts them back in the queue and lets their runs go on from the last checkpoint.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomlkit

from engine.config import Config
from engine.config.keys import flatten
from engine.errors import GateError, UsageError
from engine.files import read_json, write_json, write_text
from engine.runs import lock
from engine.runs.events import (
    Noted,
    Warned,
)
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages.context import Outcome, StageContext, run_session
from engine.stages.pipeline import Dataset, Shelf
from engine.stages.search import Search, epochs_per_fold
from engine.stages.text import table
from engine.stages.trial import folds_of
from engine.tuning.space import Space, usable
from engine.tuning.study import open_study

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$")
_JUDGED_BY = ("universe", "labels", "features", "graph", "split", "model", "loss", "training")
"""Tables of the configuration that a trial's outcome depends on, besides the space and the data."""
_NO_MATTER = ("training.device", "training.log_every", "training.checkpoint_steps")
_ROWS = 10


def tune(
    context: StageContext,
    *,
    trials: int,
    study: str,
    jobs: int = 1,
    resume: str | None = None,
) -> Outcome:
    """Search until ``trials`` trials of the study have ended, those of earlier calls included.

    ``resume``: the run of a search; it goes on with its own configuration, to the number it was asked for.
    """
    if resume is not None:
        asked = context.store.open(resume)
        if asked.command != "tune":
            raise UsageError(f"{asked.id} is no tune run")
        plan = read_json(asked.path("tune.json"))
        study, trials, jobs = plan["study"], plan["trials"], plan["jobs"]
        context = replace(context, config=asked.config())
    if not NAME.match(study):
        raise UsageError(f"--study {study!r}: letters, digits, '.', '_' and '-' only")
    if trials < 1 or jobs < 1:
        raise UsageError("--trials and --jobs must be at least 1")
    directory = context.workspace / "tune" / study
    with lock.hold(directory / "lock"):
        run = _search_run(context, study)
        resumed = run.last_event() is not None
        write_json(run.path("tune.json"), {"study": study, "trials": trials, "jobs": jobs})
        with run_session(context, run, resumed=resumed) as session:
            search = _open_search(
                context, run, session.sink, study, directory, trials=trials, jobs=jobs
            )
            summary = search.run()
            _keep(directory, summary)
            session.summary = {"best": summary["best"], "trials": len(summary["trials"])}
    return Outcome(json=summary, text=_text(summary))


def _search_run(context: StageContext, study: str) -> Run:
    """The run that tells of a study; there is one, however often it is continued."""
    known = next(context.store.tagged("tune", study=study), None)
    return known or context.store.create("tune", context.config, {"study": study})


def _open_search(
    context: StageContext,
    run: Run,
    sink: EventSink,
    name: str,
    directory: Path,
    *,
    trials: int,
    jobs: int,
) -> Search:
    """Data, space and study, with what a dead process left behind put back in the queue."""
    shelf = Shelf()
    dataset = shelf.open(context, sink)
    folds = folds_of(context, dataset.features)
    space = usable(context.config.tune.space, context.config)
    for words in space.left_out:
        sink.emit(Warned(code="config", message=f"left out of the search: {words}"))
    study = open_study(
        directory / "journal.jsonl",
        name=name,
        identity=identity(context.config, space, dataset),
        space=space,
        config=context.config.tune,
        epochs_per_fold=epochs_per_fold(context.config),
        seed=context.config.training.seed,
        parallel=jobs > 1,
    )
    for told in study.recover():
        where = f"it goes on in {told.run}" if told.run else "it had not begun"
        sink.emit(Noted(message=f"trial {told.number} was cut off: {where}"))
    days = sum(fold.split.validation.size for fold in folds)
    sink.emit(Noted(message=f"{len(folds)} inner folds, {days} validation days, no test day"))
    return Search(
        context=context,
        parent=run,
        sink=sink,
        name=name,
        study=study,
        shelf=shelf,
        trials=trials,
        jobs=jobs,
    )


def identity(config: Config, space: Space, dataset: Dataset) -> dict[str, Any]:
    """What the trials of a study have in common; with another one they could not be compared."""
    flat = flatten(config)
    tuned = {dimension.key for dimension in space.dimensions}
    settings = {
        key: value
        for key, value in flat.items()
        if key.split(".")[0] in _JUDGED_BY and key not in tuned and key not in _NO_MATTER
    }
    phases = [phase.model_dump(mode="json") for phase in config.training.phases]
    tune = config.tune.model_dump(mode="json", exclude={"space"})
    return {
        "search space": space.to_json(),
        "data": dataset.features.fingerprint,
        **settings,
        "training.phases": phases,
        **{f"tune.{key}": value for key, value in tune.items()},
    }


def _keep(directory: Path, summary: dict[str, Any]) -> None:
    """Write ``study.json`` and ``best.toml``. No trial that came to its end is a GateError."""
    write_json(directory / "study.json", summary)
    if summary["best"] is None:
        why = next((row["error"] for row in reversed(summary["trials"]) if row["error"]), "")
        raise GateError(f"study {summary['study']}: no trial came to its end; {why}")
    write_text(directory / "best.toml", _fragment(summary["best"]["parameters"]))


def _fragment(parameters: dict[str, Any]) -> str:
    """The best values as the words of a command line, and as TOML where the key has a place of its own."""
    words = " ".join(
        f"--set '{key}={tomlkit.item(value).as_string()}'" for key, value in parameters.items()
    )
    document = tomlkit.document()
    document.add(tomlkit.comment(f"atft-tui train {words}"))
    tables: dict[str, dict[str, Any]] = {}
    for key, value in parameters.items():
        name, _, rest = key.partition(".")
        if "." not in rest:
            tables.setdefault(name, {})[rest] = value
    for name, values in tables.items():
        document.add(name, tomlkit.item(values))
    return tomlkit.dumps(document)


def _text(summary: dict[str, Any]) -> str:
    complete = [row for row in summary["trials"] if row["state"] == "complete"]
    ranked = sorted(complete, key=lambda row: -row["value"])
    rows = [
        [
            str(row["number"]),
            f"{row['value']:+.4f}",
            f"{row['rank_ic']:+.4f} ± {row['rank_ic_se']:.4f} (n={row['n_dates']})",
            f"{row['size']:,}",
            f"{row['seconds']:.0f}",
            row["run_id"],
        ]
        for row in ranked[:_ROWS]
    ]
    counts = ", ".join(f"{count} {state}" for state, count in summary["counts"].items())
    best = summary["best"]
    header = ["trial", "objective", f"validation RankIC, h={summary['score_horizon']}", "size",
              "seconds", "run"]  # fmt: skip
    return "\n".join(
        [
            f"study {summary['study']} ({summary['run_id']}): {counts}",
            "",
            table(rows, header=header),
            "",
            "objective = mean RankIC of the inner folds' validation days less one Newey-West error; "
            "no test day was scored",
            "",
            f"best: trial {best['number']}",
            *(f"  {key} = {value}" for key, value in best["parameters"].items()),
            "The best of many looks better than it is: every trial counts in the deflated Sharpe ratio.",
        ]
    )
