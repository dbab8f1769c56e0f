"""Commands that the screen starts: children that outlive it, with words, progress and answer in files.

``logs/jobs/ID.json`` holds the words and the process, ``ID.log`` what it tells (stderr), ``ID.out`` the
JSON object it answers with. A reopened screen finds all of it again.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from msgspec import Struct

from atft_tui import format as fmt
from atft_tui.readings.tail import last_lines
from engine.files import Json, from_json
from engine.records import record
from engine.runs import launch

_JobStatus = Literal["running", "done", "failed", "died"]
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
        if self.answer.get("action") != "refused":
            return ""
        rows = [row for row in self.answer.get("gate", ()) if isinstance(row, dict)]
        failed = [row for row in rows if not row.get("passed")]
        lines = [fmt.clean(f"{row.get('name')}: {row.get('detail')}") for row in failed]
        return "\n".join(["the gate refuses:", *lines])


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
        self._sweep()
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
        running = self._is_running(job_id, about.pid)
        status: _JobStatus
        if running:
            status = "running"
        elif not answer:
            status = "died"
        else:
            status = "failed" if "error" in answer and "exit_code" in answer else "done"
        return Job(
            id=job_id,
            words=about.words,
            started=about.started,
            status=status,
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

    def _sweep(self) -> None:
        for old in self.ids()[_KEPT:]:
            for suffix in (".json", ".log", ".out"):
                (self.root / f"{old}{suffix}").unlink(missing_ok=True)


def _answer(path: Path) -> Json:
    """The JSON object that a command printed; empty while it runs or if it died before printing."""
    try:
        found = from_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
