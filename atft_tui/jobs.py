"""Commands that the screen starts: children that outlive it, with words, progress and answer in files.

``logs/jobs/ID.json`` holds the words and the process, ``ID.log`` what it tells (stderr), ``ID.out`` the
JSON object it answers with. A reopened screen finds all of it again.
"""

import asyncio
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from atft_tui import format as fmt
from atft_tui.readings.files import last_lines
from engine.errors import GateError
from engine.files import Json, from_json
from engine.records import record
from engine.runs import launch

_JobStatus = Literal["running", "done", "refused", "failed", "died"]
_KEPT = 200
"""Jobs kept on disk; older ones are removed when a new one starts."""


@dataclass(frozen=True, slots=True)
class Job:
    """One command that was started from the screen, as its files tell it."""

    id: str
    words: tuple[str, ...]
    """The words of the command line after ``atft-tui``."""
    started: str
    """UTC, ISO 8601."""
    status: _JobStatus
    answer: Json
    """What it printed; with ``error``, ``hint`` and ``exit_code`` if it failed."""
    last: str
    """Newest line it told."""

    @property
    def line(self) -> str:
        """The whole command line."""
        return " ".join(("atft-tui", *self.words))

    @property
    def refusal(self) -> str:
        """What a gate had against it, one condition to a line; empty unless the answer is a refusal."""
        found, says = [], "the gate refuses:"
        if self.answer.get("action") == "refused":
            found = [row for row in self._rows("gate") if not row.get("passed")]
        elif self.answer.get("verdict") == "failed":
            found, says = self._rows("leaks"), "the audit found what sees ahead:"
        lines = [fmt.clean(f"{row.get('name')}: {row.get('detail')}") for row in found]
        return "\n".join([says, *lines]) if lines else ""

    def _rows(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.answer.get(name, ()) if isinstance(row, dict)]

    @property
    def told(self) -> list[str]:
        """Its answer in lines to read: what was refused and the way out, else each part with its name."""
        if self.refusal:
            return self.refusal.split("\n")
        if "error" in self.answer:
            words = (self.answer["error"], self.answer.get("hint", ""))
            return [fmt.clean(str(word)) for word in words if word]
        return answer_lines(self.answer)


_DEEP, _MANY = 2, 8


def _plain(values: Iterable[object]) -> str:
    """The words and numbers of a row."""
    shown = {True: "yes", False: "no"}
    known = (shown[v] if isinstance(v, bool) else v for v in values)
    return fmt.clean("  ".join(str(v) for v in known if isinstance(v, str | int | float)))


def answer_lines(answer: Mapping[str, Any], indent: int = 0) -> list[str]:
    """``name  value`` of each part of an answer; a long list is counted, deep parts are left to the file."""
    lines = []
    for name, value in answer.items():
        head = f"{' ' * indent}{fmt.clean(str(name)).replace('_', ' ')}"
        if isinstance(value, Mapping):
            if indent < 2 * _DEEP and value:
                lines += [head, *answer_lines(value, indent + 2)]
        elif isinstance(value, list):
            rows = [_plain(x.values()) if isinstance(x, dict) else _plain([x]) for x in value]
            if len(rows) > _MANY:
                lines.append(f"{head}  {fmt.counted(len(rows), 'row')}")
            elif any(isinstance(x, dict) for x in value):
                lines += [head, *(f"{' ' * (indent + 2)}{row}" for row in rows)]
            else:
                lines.append(f"{head}  {', '.join(rows) or 'none'}")
        elif value is not None and value != "":
            shown = {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else None
            written = f"{value:.4g}" if isinstance(value, float) else str(value)
            lines.append(f"{head}  {fmt.clean(shown or written)}")
    return lines


class _JobFile(Struct):
    """The words of a job, when it began (UTC, ISO 8601) and its process."""

    words: tuple[str, ...]
    started: str
    pid: int


class JobBook:
    """The jobs of a workspace."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.root = workspace / "logs" / "jobs"
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, words: Sequence[str]) -> str:
        """Start ``atft-tui WORDS`` in this workspace; returns the job's id."""
        self.root.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        name = f"{now:%Y%m%d-%H%M%S-%f}-{words[0]}"
        with (
            (self.root / f"{name}.log").open("wb") as log,
            (self.root / f"{name}.out").open("wb") as out,
        ):
            child = subprocess.Popen(
                launch.argv(self.workspace, words),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
                close_fds=True,
            )
        job = _JobFile(words=tuple(words), started=now.isoformat(), pid=child.pid)
        record.write(self.root / f"{name}.json", job)
        self._children[name] = child
        for old in self.ids()[_KEPT:]:
            for suffix in (".json", ".log", ".out"):
                (self.root / f"{old}{suffix}").unlink(missing_ok=True)
        return name

    def ids(self) -> list[str]:
        """Newest first."""
        if not self.root.is_dir():
            return []
        return sorted((path.stem for path in self.root.glob("*.json")), reverse=True)

    def read(self, job_id: str) -> Job:
        """How a job stands now; RecordError for one whose file cannot be read."""
        about = record.read(self.root / f"{job_id}.json", _JobFile)
        answer = _answer(self.root / f"{job_id}.out")
        failed = "error" in answer and "exit_code" in answer
        status: _JobStatus = "failed" if failed else "done" if answer else "died"
        told = (answer.get("action"), answer.get("verdict"), answer.get("exit_code"))
        if told[0] == "refused" or told[1] == "failed" or told[2] == GateError.exit_code:
            status = "refused"
        return Job(
            id=job_id,
            words=about.words,
            started=about.started,
            status="running" if self._is_running(job_id, about.pid) else status,
            answer=answer,
            last=next(iter(self.tail(job_id, 1)), ""),
        )

    def tail(self, job_id: str, lines: int) -> list[str]:
        """The last non-empty lines that it told, cleaned, oldest first."""
        return last_lines(self.root / f"{job_id}.log", lines)

    def stop(self, job_id: str) -> None:
        """SIGTERM to a running job's process."""
        pid = record.read(self.root / f"{job_id}.json", _JobFile).pid
        if self._is_running(job_id, pid):
            os.kill(pid, 15)

    def _is_running(self, job_id: str, pid: int) -> bool:
        child = self._children.get(job_id)
        if child is not None:
            return child.poll() is None
        import psutil  # only for jobs of an earlier session

        try:
            return job_id.split("-")[-1] in " ".join(psutil.Process(pid).cmdline())
        except psutil.Error:
            return False


def _answer(path: Path) -> Json:
    """The JSON object that a command printed; empty while it runs or if it died before printing."""
    try:
        return _object(path.read_bytes())
    except OSError:
        return {}


def _object(text: bytes) -> Json:
    try:
        found = from_json(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


_COMMANDS = ("diff", "verify", "replay")
RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The newest job of each command line, newest first."""

    jobs: Mapping[tuple[str, ...], Job] = field(default_factory=dict)

    def of(self, *words: str) -> Job | None:
        """The newest job of a command line; None if it was never started."""
        return self.jobs.get(words)

    def diffs(self) -> list[Job]:
        """Newest first."""
        return [job for words, job in self.jobs.items() if words[0] == "diff"]


_ended: dict[Path, dict[str, Job]] = {}
"""Jobs that will not change any more, by workspace and id."""


def read_answers(workspace: Path) -> Answers:
    """The jobs of the screen that look at signals."""
    book, known = JobBook(workspace), _ended.setdefault(workspace, {})
    newest: dict[tuple[str, ...], Job] = {}
    for job_id in book.ids():
        if job_id.rsplit("-", 1)[-1] in _COMMANDS:
            job = known.get(job_id) or book.read(job_id)
            if job.status != RUNNING:
                known[job_id] = job
            newest.setdefault(job.words, job)
    return Answers(jobs=newest)


def outcome(job: Job | None) -> tuple[str, bool | None]:
    """What a job says in a few words, and whether that is well; None while that is not known."""
    if job is None:
        return "", None
    if job.status == RUNNING:
        return f"{job.words[0]} is running", None
    if job.status not in ("done", "refused"):
        return f"{job.words[0]}: {job.answer.get('error', 'it died without an answer')}", False
    if job.words[0] == "replay":
        same = job.answer.get("identical") is True
        files = job.answer.get("files", {})
        differing = ", ".join(str(name) for name, equal in files.items() if not equal)
        told = "replayed, every byte the same" if same else f"replay differs in {differing}"
        return told, same
    if job.words[0] == "verify":
        rows = job.answer.get("signals") or [{}]
        error = str(rows[0].get("error", "it names no signal"))
        files = fmt.counted(int(rows[0].get("checked", 0)), "file")
        return error or f"{files}, inputs and model verified", not error
    return "answered", True


async def answer_of(workspace: Path, words: Sequence[str]) -> Mapping[str, Any]:
    """The JSON object that ``atft-tui WORDS --json`` prints; of one without an answer, an ``error``.

    The process ends with its caller.
    """
    child = await asyncio.create_subprocess_exec(
        *launch.argv(workspace, list(words)),
        "--quiet",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        out, _ = await child.communicate()
    finally:
        with suppress(ProcessLookupError):
            child.kill()
    return _object(out) or {"error": "it ended without an answer"}
