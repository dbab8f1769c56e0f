"""`tune`: a search for settings on inner validation folds; every trial is a run of the store.

    tune/<study>/lock  journal.jsonl  study.json  best.toml

A search that died or was stopped goes on where it was: the same command again finds the trials that were
cut off, puts them back in the queue and lets their runs go on from the last checkpoint.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tomlkit
from msgspec import structs

from engine.config import Config
from engine.config.keys import flatten
from engine.errors import GateError, UsageError
from engine.files import write_text
from engine.records import record
from engine.records.plans import STUDY_PLAN, StudyPlan
from engine.records.study import STUDY, StudyResult
from engine.runs import lock
from engine.runs.events import Noted, Warned
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages import protocol
from engine.stages.context import Outcome, StageContext, run_session, with_executor
from engine.stages.load import Dataset, Shelf
from engine.stages.search import Search, epochs_per_fold
from engine.stages.text import table
from engine.stages.trial import folds_of
from engine.tuning.space import JUDGED_BY, Space, usable
from engine.tuning.study import open_study

_NO_MATTER = ("training.device", "training.log_every", "training.checkpoint_steps")
_ROWS = 10
_WAY = "with a larger split.test_sessions the days before the test days end by {day}"
"""How a search stays before days that were refused."""


def tune(
    context: StageContext,
    *,
    trials: int,
    study: str,
    confirm: bool = False,
    jobs: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    resume: str | None = None,
) -> Outcome:
    """Search until ``trials`` trials of the study have ended, those of earlier calls included.

    ``resume``: the run of a search; it goes on with its own configuration, to the number it was asked for.
    Trials beside each other know less of each other, so there is one at a time unless more are asked for.
    """
    context = with_executor(context, jobs, executor, address)
    jobs = context.config.executor.jobs or 1
    plan = StudyPlan(study=study, trials=trials, jobs=jobs, confirm=confirm)
    if resume is not None:
        asked = context.store.open(resume)
        if asked.command != "tune":
            raise UsageError(f"{asked.id} is no tune run")
        plan = record.read(asked.path(STUDY_PLAN), StudyPlan)
        plan = structs.replace(plan, confirm=plan.confirm or confirm)
        context = replace(context, config=asked.config())
    plan.check()
    directory = context.workspace / "tune" / plan.study
    with lock.hold(directory / "lock"):
        run = _search_run(context, plan.study)
        resumed = run.last_event() is not None
        record.write(run.path(STUDY_PLAN), plan)
        with run_session(context, run, resumed=resumed) as session:
            found = _open_search(context, run, session.sink, plan, directory).run()
            _keep(directory, found)
            session.summary = {
                "best": record.as_json(found.best) if found.best else None,
                "trials": len(found.trials),
            }
    return protocol.outcome(context, found, _text(found), found.judged_days)


def _search_run(context: StageContext, study: str) -> Run:
    """The run that tells of a study; there is one, however often it is continued."""
    known = next(context.store.tagged("tune", study=study), None)
    return known or context.store.create("tune", context.config, {"study": study})


def _open_search(
    context: StageContext, run: Run, sink: EventSink, plan: StudyPlan, directory: Path
) -> Search:
    """Data, space and study, with what a dead process left behind put back in the queue."""
    shelf = Shelf()
    dataset = shelf.open(context, sink)
    folds, features = folds_of(context, dataset.features), dataset.features
    validation = np.concatenate([fold.split.validation for fold in folds])
    judged = protocol.check(
        context, features.dates_S[validation], features.market, confirm=plan.confirm, way=_WAY
    )
    space = usable(context.config.tune.space, context.config)
    for words in space.left_out:
        sink.emit(Warned(code="config", message=f"left out of the search: {words}"))
    study = open_study(
        directory / "journal.jsonl",
        name=plan.study,
        identity=_study_identity(context.config, space, dataset),
        space=space,
        config=context.config.tune,
        epochs_per_fold=epochs_per_fold(context.config),
        seed=context.config.training.seed,
        parallel=plan.jobs > 1,
    )
    for told in study.recover():
        where = f"it goes on in {told.run_id}" if told.run_id else "it had not begun"
        sink.emit(Noted(message=f"trial {told.number} was cut off: {where}"))
    words = f"{len(folds)} inner folds, {validation.size} validation days, no test day"
    sink.emit(Noted(message=words))
    return Search(
        context=context,
        parent=run,
        sink=sink,
        name=plan.study,
        study=study,
        shelf=shelf,
        trials=plan.trials,
        jobs=plan.jobs,
        days=judged,
    )


def _study_identity(config: Config, space: Space, dataset: Dataset) -> dict[str, object]:
    """What the trials of a study have in common; with another one they could not be compared."""
    flat = flatten(config)
    tuned = {dimension.key for dimension in space.dimensions}
    settings = {
        key: value
        for key, value in flat.items()
        if key.split(".")[0] in JUDGED_BY and key not in tuned and key not in _NO_MATTER
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


def _keep(directory: Path, found: StudyResult) -> None:
    """Write ``study.json`` and ``best.toml``. No trial that came to its end is a GateError."""
    record.write(directory / STUDY, found)
    if found.best is None:
        why = next((row.error for row in reversed(found.trials) if row.error), "")
        raise GateError(f"study {found.study}: no trial came to its end; {why}")
    write_text(directory / "best.toml", _fragment(found.best.parameters))


def _fragment(parameters: dict[str, object]) -> str:
    """The best values as the words of a command line, and as TOML where the key has a place of its own."""
    words = " ".join(
        f"--set '{key}={tomlkit.item(value).as_string()}'" for key, value in parameters.items()
    )
    document = tomlkit.document()
    document.add(tomlkit.comment(f"atft-tui train {words}"))
    tables: dict[str, dict[str, object]] = {}
    for key, value in parameters.items():
        name, _, rest = key.partition(".")
        if "." not in rest:
            tables.setdefault(name, {})[rest] = value
    for name, values in tables.items():
        document.add(name, tomlkit.item(values))
    return tomlkit.dumps(document)


def _text(found: StudyResult) -> str:
    """The best trials, and what their order does not say."""
    complete = [row for row in found.trials if row.state == "complete"]
    rows = [
        [
            str(row.number),
            f"{row.value:+.4f}",
            row.figure.text(),
            f"{row.size:,}",
            f"{row.seconds:.0f}",
            row.run_id or "",
        ]
        for row in sorted(complete, key=lambda row: -row.value)[:_ROWS]
    ]
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items())
    best = found.best
    assert best is not None
    header = ["trial", "objective", f"validation RankIC, h={found.score_horizon}", "size",
              "seconds", "run"]  # fmt: skip
    return "\n".join(
        [
            f"study {found.study} ({found.run_id}): {counts}",
            "",
            table(rows, header=header),
            "",
            "objective = mean RankIC of the inner folds' validation days less one Newey-West error; "
            "no test day was scored",
            "",
            f"best: trial {best.number}",
            *(f"  {key} = {value}" for key, value in best.parameters.items()),
            "The best of many looks better than it is: every trial counts in the deflated Sharpe ratio.",
        ]
    )
