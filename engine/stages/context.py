"""What every command gets, the frame around one that works on a run, and the lock of the sealed signals."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from engine import disk, hashes
from engine.config import Config
from engine.config.file import Origins, override
from engine.errors import (
    EngineError,
    EnvironmentProblem,
    GateError,
    Interrupted,
    LockedError,
    UsageError,
)
from engine.files import Json
from engine.records.features import CODE
from engine.runs import lock
from engine.runs.events import Noted, RunFinished, RunStarted, Status, Warned
from engine.runs.launch import ControlFiles, world_size
from engine.runs.settings import settings_digest
from engine.runs.sink import EventSink, JsonlSink, TeeSink
from engine.runs.store import Run, RunStore

_PATIENCE_S = 900.0
"""A second attempt waits so long for the first; then it gives up."""

_POLL_S, _RETRY_S = 1.0, 60.0
_ENOUGH = 2**20
"""So much more must be free than when a write failed; a quota tells of no room: it is tried every minute."""
_RESERVE = 64 * 1024


class Stop(Protocol):
    """Long work looks at it between steps."""

    @property
    def requested(self) -> bool: ...


@dataclass(slots=True)
class StopFlag:
    """Set by the first SIGTERM or SIGINT."""

    requested: bool = False


@dataclass(frozen=True, slots=True)
class AnyStop:
    """Requested if one of several is: the user's for the whole, and one for a part of the work."""

    stops: tuple[Stop, ...]

    @property
    def requested(self) -> bool:
        return any(stop.requested for stop in self.stops)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    workspace: Path
    config: Config
    sink: EventSink
    stop: Stop
    run_id: str | None = None
    """A run that the starter has created already (the screen does)."""
    task: str = ""
    """The part of a run that this process does for another one; empty: whatever the command says."""
    origins: Origins = field(default_factory=dict)
    configured: tuple[str, ...] = ()
    """--preset, --set ... as they were given, for the commands that this one starts."""
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def __post_init__(self) -> None:
        own = self.config.features.own
        if any(text.startswith(CODE) for text in own.values()):
            from engine.features.own_code import place_code  # the only reason to load the numerics

            place_code(self.workspace, own)

    @property
    def store(self) -> RunStore:
        return RunStore(self.workspace / "runs", self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    json: Json
    """Printed with ``--json``."""
    text: str
    """What a person reads on stdout."""
    exit_code: int = 0
    """6 where the answer itself is a refusal."""


@dataclass(slots=True, kw_only=True)
class _RunSession:
    sink: EventSink
    status: Status = "done"
    summary: dict[str, object] = field(default_factory=dict)


def open_or_create(
    context: StageContext, command: str, *, resume: str | None = None
) -> tuple[Run, StageContext]:
    """The run to work on, and the context with that run's own configuration if it existed before."""
    if resume is not None:
        run = context.store.open(resume)
        if run.command != command:
            raise UsageError(
                f"{run.id} is no {command} run", hint=f"`atft-tui {run.command}` made it"
            )
        if run.status() == "done" and not hashes.missing(run.directory):
            raise UsageError(f"{run.id}: already done", hint="start a new run")
        config = run.config()
    elif context.run_id is not None:
        run = context.store.open(context.run_id)
        config = run.config()
    else:
        extra = {"world_size": world_size()}
        return context.store.create(command, context.config, extra), context
    return run, replace(context, config=config)


def with_executor(
    context: StageContext,
    jobs: int | None,
    executor: str | None = None,
    address: str | None = None,
) -> StageContext:
    """The context with ``--jobs``, ``--executor`` and ``--address`` in its configuration, as far as given."""
    asked = {"jobs": jobs, "kind": executor, "address": address}
    given = {f"executor.{key}": value for key, value in asked.items() if value is not None}
    if not given:
        return context
    origin = "--jobs, --executor or --address" if len(given) > 1 or jobs is None else "--jobs"
    return replace(context, config=override(context.config, given, origin=origin))


def require_model(run: Run) -> None:
    """Refuse a run that was trained on permuted labels: a test of the method, never a model."""
    if run.config().training.permute_labels:
        raise GateError(
            f"{run.id} was trained on permuted labels: it is a test, not a model",
            hint="train again without training.permute_labels",
        )


@contextmanager
def run_session(context: StageContext, run: Run, *, resumed: bool = False) -> Iterator[_RunSession]:
    """Hold the run's lock, write its events, and end it with exactly one `RunFinished`.

    An EngineError becomes status failed with its message and hint; any other exception is recorded by
    its type. Both are raised again.
    """
    config = context.config
    with run.lock():
        ControlFiles.of(run).clear()
        run.exit_path.unlink(missing_ok=True)
        log = JsonlSink(run.events_path, now=context.now)
        session = _RunSession(sink=TeeSink([log, context.sink]))
        try:
            session.sink.emit(
                RunStarted(
                    run_id=run.id,
                    command=run.command,
                    device=config.training.device,
                    mode=config.training.mode,
                    seed=config.training.seed,
                    config_digest=settings_digest(config),
                    resumed=resumed,
                )
            )
            files = ControlFiles.of(run)
            try:
                with waiting_for_room(
                    run.directory, session.sink, files, lambda: context.stop.requested
                ):
                    yield session
            except BaseException as error:
                told = error if isinstance(error, EngineError) else disk.problem(error)
                status: Status = "stopped" if isinstance(error, Interrupted) else "failed"
                ended = RunFinished(status=status, error=f"{type(error).__name__}: {error}")
                if told is not None:
                    ended = RunFinished(status=status, error=told.message, hint=told.hint)
                session.sink.emit(ended)
                if told is not None and told is not error:
                    raise told from error
                raise
            session.sink.emit(RunFinished(status=session.status, summary=session.summary))
        finally:
            log.close()


def stop_here(context: StageContext) -> None:
    """Interrupted if the user asked for a stop; nothing is sealed before the last of these places."""
    if context.stop.requested:
        raise Interrupted("signals: stopped, nothing was sealed")


@contextmanager
def waiting_lock(
    context: StageContext, root: Path, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Hold the signals' lock; another attempt is waited for, LockedError when it takes too long."""
    end = time.monotonic() + _PATIENCE_S
    told = False
    while True:
        try:
            held = lock.hold(root / ".lock")
            held.__enter__()
            break
        except LockedError as error:
            stop_here(context)
            if time.monotonic() > end:
                raise
            if not told:
                context.sink.emit(Noted(message=f"waiting: {error.message}"))
                told = True
            sleep(0.1)
    try:
        yield
    finally:
        held.__exit__(None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RoomWait:
    """Waits; the run's events say so in room that was kept for them."""

    sink: EventSink
    files: ControlFiles
    reserve: Path
    stopped: Callable[[], bool]
    sleep: Callable[[float], None]

    def __call__(self, error: disk.DiskFull) -> None:
        """Until there is more room than there was; a stop raises the error again."""
        before, began = disk.free(self.reserve), time.monotonic()
        self.reserve.unlink(missing_ok=True)
        with suppress(EnvironmentProblem):  # no room for the words: the status has them
            self.sink.emit(Warned(code="disk_full", message=f"{error.message}; waiting for room"))
        with suppress(EnvironmentProblem):
            self.files.mark_paused()
        try:
            while disk.free(self.reserve) < before + _ENOUGH:
                if self.stopped():
                    raise error
                if time.monotonic() - began > _RETRY_S:
                    return
                self.sleep(_POLL_S)
        finally:
            self.files.unmark_paused()
        self.hold()
        with suppress(EnvironmentProblem):
            self.sink.emit(Noted(message="there is room on the disk again"))

    def hold(self) -> None:
        """Keep room for the words; where there is none already, there are no words."""
        with suppress(OSError):
            self.reserve.write_bytes(bytes(_RESERVE))


@contextmanager
def waiting_for_room(
    directory: Path,
    sink: EventSink,
    files: ControlFiles,
    stopped: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """In the block what is written into a run waits while the disk is full."""
    reserve = directory / ".reserve.tmp"
    wait = _RoomWait(sink=sink, files=files, reserve=reserve, stopped=stopped, sleep=sleep)
    wait.hold()
    try:
        with disk.patient(wait):
            yield
    finally:
        reserve.unlink(missing_ok=True)
