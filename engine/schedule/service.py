"""The scheduler's work: recover, see what is due, run its jobs, write the book. It keeps no time itself.

`sessions` and `errands` are called whenever somebody thinks that something may be due: by APScheduler,
by ``schedule once``, by a test that turns the clock. Called too often they do nothing.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config import Config
from engine.errors import DataError, EngineError, IntegrityError
from engine.records import record
from engine.records.agenda import BookedSession
from engine.records.card import Light, why_not
from engine.records.seal import read_seal, seal_places
from engine.runs.events import Noted, Warned
from engine.runs.sink import EventSink
from engine.schedule import errands
from engine.schedule.errands import REPORTS, Errands, carry_out, errands_after
from engine.schedule.jobs import STOPPED, ChildJob, Ended, Runner
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.plan import SessionPlan, decide, is_caught_up, update_jobs
from engine.schedule.timetable import (
    Clock,
    ClockReading,
    Session,
    Timetable,
    difference,
    timetable_of,
)

_TRADE, GATE = 0, 6
_SIGNALS = "signals"
"""Directory of sealed signals in the workspace."""
NO_DATA, _LOCKED = 3, 5
"""Exit codes of a job that has to wait."""


def _is_sealed(ended: Ended) -> bool:
    """Sealed with a card, whatever it says. A card without a seal is of data that are not complete."""
    return ended.exit_code in (_TRADE, GATE) and bool(ended.answer.get("seal"))


def _why(ended: Ended) -> str:
    """One sentence on why there is no signal."""
    if "verdict" not in ended.answer:
        return ended.problem
    return why_not([record.convert(light, Light, "lights") for light in ended.answer["lights"]])


def _find_sealed(workspace: Path, session: dt.date) -> Ended | None:
    """The newest sealed signal of a session as its job would answer; its card's hash is checked."""
    day = session.isoformat()
    places = [one for one in seal_places(workspace / _SIGNALS) if one.session == day]
    if not places:
        return None
    seal = read_seal(places[-1].directory)
    card = seal.card()
    answer = {
        "session": day,
        "verdict": card.verdict,
        "lights": [record.as_json(light) for light in card.lights],
        "directory": str(seal.directory),
        "seal": seal.digest,
    }
    return Ended(exit_code=card.exit_code, answer=answer)


@dataclass(slots=True, kw_only=True)
class Service:
    """What the scheduler does, with everything it does it with."""

    workspace: Path
    config: Config
    ledger: ScheduleLedger
    runner: Runner
    """Runs the jobs of sessions."""
    background: Runner
    """Runs errands, which never hold a session up."""
    clock: Clock
    sink: EventSink
    stopped: Callable[[], bool] = lambda: False
    reading: ClockReading | None = None
    known: Timetable | None = None
    """The timetable when the store could last be read."""

    @property
    def timetable(self) -> Timetable:
        """Sessions of the stored data; a store that is damaged meanwhile fails the jobs, not this."""
        try:
            self.known = timetable_of(self.workspace, self.config)
        except (DataError, IntegrityError):
            if self.known is None:
                raise
        return self.known

    def recover(self) -> None:
        """After whatever happened to the process before: end its jobs, take its attempts back."""
        for runner in (self.runner, self.background):
            if runner.recover():
                self._note("a job of a scheduler that died was ended")
        now = self.clock.now()
        for entry in self.ledger.entries(self.timetable.exchange).values():
            if entry.state == "running":
                self.ledger.interrupt(entry, now)
                self._note(f"{entry.exchange} {entry.session}: an attempt did not end; tried again")

    def sessions(self, *, at_once: bool = False) -> None:
        """Settle every session whose time has come, and try the latest: at once, or after its pause."""
        now = self.clock.now()
        self._adopt(self._due(now))
        while (plan := self._plan(now, at_once=at_once)).void:
            days = ", ".join(str(entry.session) for entry in plan.void)
            note = f"the clock is back before {days}: what was written of it is void"
            self.ledger.void(plan.void, now, note)
            self.sink.emit(Noted(message=note))
        if plan.late:
            self.ledger.skip(plan.late, now, errands.late(plan.late))
            self._note(f"late: {', '.join(str(session.date) for session in plan.late)}")
        for session in plan.missed:
            self._miss(session, now)
        if plan.open is not None and plan.give_up_at is not None:
            caught_up = is_caught_up(now, plan.open, self.config.schedule)
            self.ledger.open(plan.open, give_up_at=plan.give_up_at, caught_up=caught_up)
        self._watch_calendar(now)
        if plan.attempt is not None and not self.stopped():
            self._attempt(plan.attempt)

    def is_due(self) -> bool:
        """Whether `sessions` has anything to do; cheap."""
        plan = self._plan(self.clock.now())
        return bool(plan.void or plan.late or plan.missed or plan.open or plan.attempt)

    def watch_clock(self) -> str:
        """What happened to the clock since the last call; told in the notes."""
        before, self.reading = self.reading, self.clock.read()
        moved = difference(before, self.reading) if before is not None else ""
        if moved:
            self._note(moved)
        return moved

    def errands(self) -> None:
        """Reports, audits and challengers that finished sessions asked for."""
        errands = Errands(self.ledger.database)
        for errand in errands.wanted(self.clock.now()):
            if self.stopped():
                return
            self.sink.emit(Noted(message=f"{errand.kind} {errand.key}"))
            reports = self.workspace / REPORTS
            alerts = carry_out(errand, errands, self.background, self.config, self.clock, reports)
            self.ledger.tell(alerts, self.clock.now())

    def latest(self) -> tuple[Session | None, BookedSession | None]:
        """The newest session whose time has come, and what the book says of it."""
        session = self.timetable.latest(self.clock.now())
        return session, self.ledger.entry(session) if session is not None else None

    def _plan(self, now: dt.datetime, *, at_once: bool = False) -> SessionPlan:
        timetable = self.timetable
        since = self.ledger.open_since(timetable.exchange)
        entries = self.ledger.entries(timetable.exchange, since or dt.date.min)
        upcoming = timetable.upcoming(now)
        return decide(now, self._due(now), upcoming, entries, self.config.schedule, at_once=at_once)

    def _due(self, now: dt.datetime) -> list[Session]:
        """Sessions from the first open one in the book on; a new book starts with the latest."""
        since = self.ledger.open_since(self.timetable.exchange)
        if since is not None:
            return self.timetable.due(now, since)
        latest = self.timetable.latest(now)
        return [latest] if latest is not None else []

    def _adopt(self, due: Sequence[Session]) -> None:
        """Take over what is sealed: by a job that outlived its scheduler, or by hand."""
        for session in due:
            entry = self.ledger.entry(session)
            if entry is not None and entry.state != "due":
                continue
            try:
                sealed = _find_sealed(self.workspace, session.date)
            except IntegrityError as problem:  # the job will fail on it too, and be told
                self.sink.emit(Warned(code="schedule", message=problem.message))
                continue
            if sealed is None:
                continue
            if entry is None:
                caught_up = is_caught_up(self.clock.now(), session, self.config.schedule)
                self.ledger.open(session, give_up_at=session.cutoff_at, caught_up=caught_up)
            self.ledger.start(session)
            self._finish(session, sealed, tell=session == due[-1])

    def _attempt(self, session: Session) -> None:
        self.ledger.start(session)
        try:
            jobs = update_jobs(self.workspace, self.config, session.date, self.clock.now())
        except EngineError as problem:
            ended = Ended(exit_code=problem.exit_code)
            self._again(session, "update", ended, reason=problem.message)
            return
        for job in (*jobs, self._signals(session)):
            self.ledger.enter(session, job.name)
            self.sink.emit(Noted(message=f"{session}: {job.name}"))
            ended = self.runner.run(job)
            if job.name == "signals" and _is_sealed(ended):
                self._finish(session, ended)
                return
            if job.name == "signals" or ended.exit_code != 0:
                self._again(session, job.name, ended, reason=_why(ended))
                return

    def _signals(self, session: Session) -> ChildJob:
        words: tuple[str, ...] = ("signals", "--date", session.date.isoformat())
        if self.config.schedule.positions:
            words += ("--positions", self.config.schedule.positions)
        return ChildJob(name="signals", words=words, limit_s=60 * self.config.schedule.job_minutes)

    def _finish(self, session: Session, ended: Ended, *, tell: bool = True) -> None:
        now = self.clock.now()
        entry = self.ledger.entry(session)
        assert entry is not None
        previous = self.ledger.done_before(session)
        self.ledger.finish(
            session,
            now,
            verdict=str(ended.answer["verdict"]),
            seal=str(ended.answer.get("seal", "")),
            exit_code=ended.exit_code,
            alerts=[errands.signal(session, entry, ended.answer, now)] if tell else [],
            errands=errands_after(session.date, previous, self.config.schedule),
        )
        self.sink.emit(Noted(message=f"{session}: {ended.answer['verdict']}"))

    def _again(self, session: Session, stage: str, ended: Ended, *, reason: str) -> None:
        """Data that are not there yet and a store in use are no failures; anything else is told."""
        now = self.clock.now()
        text = f"{stage}: {reason}"
        waiting = ended.exit_code in (NO_DATA, _LOCKED, STOPPED) or "verdict" in ended.answer
        self.ledger.retry(
            session,
            now,
            now + dt.timedelta(minutes=self.config.schedule.retry_minutes),
            reason=text,
            exit_code=ended.exit_code,
            alerts=[] if waiting else [errands.failure(session, text)],
        )
        if waiting:
            self.sink.emit(Noted(message=f"{session}: {text}"))
        else:
            self.sink.emit(Warned(code="schedule", message=f"{session}: {text}"))

    def _miss(self, session: Session, now: dt.datetime) -> None:
        entry = self.ledger.entry(session)
        reason = entry.reason if entry is not None else ""
        self.ledger.miss(session, now, reason=reason, alert=errands.missed(session, reason))
        self.sink.emit(Warned(code="schedule", message=f"{session}: no signal; {reason}"))

    def _watch_calendar(self, now: dt.datetime) -> None:
        days = self.timetable.days_left(now)
        if days < self.config.schedule.warn_days:
            alert = errands.calendar_ends(self.timetable.exchange, now.date(), days)
            self.ledger.tell([alert], now)

    def _note(self, text: str) -> None:
        self.ledger.note(text, self.clock.now())
        self.sink.emit(Noted(message=text))
