"""What `diff`, `verify` and `replay` answered, found among the jobs that the screen has started."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atft_tui.jobs import Job, JobBook

_COMMANDS = ("diff", "verify", "replay")
RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The newest job of each command line."""

    jobs: Mapping[tuple[str, ...], Job] = field(default_factory=dict)

    def of(self, *words: str) -> Job | None:
        """The newest job of a command line; None if it was never started."""
        return self.jobs.get(words)

    def diffs(self) -> list[Job]:
        """Newest first."""
        found = [job for words, job in self.jobs.items() if words[0] == "diff"]
        return sorted(found, key=lambda job: job.id, reverse=True)


_ended: dict[Path, dict[str, Job]] = {}
"""Jobs that will not change any more, by workspace and id."""


def read_answers(workspace: Path) -> Answers:
    """The jobs of the screen that look at signals."""
    book = JobBook(workspace)
    known = _ended.setdefault(workspace, {})
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
    if job.status != "done":
        return f"{job.words[0]}: {job.answer.get('error', 'it died without an answer')}", False
    if job.words[0] == "replay":
        same = job.answer.get("identical") is True
        return ("replayed, every byte the same" if same else _differing(job.answer)), same
    if job.words[0] == "verify":
        rows = job.answer.get("signals") or [{}]
        error = str(rows[0].get("error", "it names no signal"))
        return error or f"{rows[0].get('checked', 0)} files, inputs and model verified", not error
    return "answered", True


def _differing(answer: Mapping[str, Any]) -> str:
    files = answer.get("files", {})
    return "replay differs in " + ", ".join(str(n) for n, same in files.items() if not same)
