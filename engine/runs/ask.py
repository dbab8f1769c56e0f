"""A command as a process of its own, asked by a program: options become words, its ``--json`` a value."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import IO

from engine.commands import Command
from engine.errors import EngineError, EnvironmentProblem, UsageError
from engine.files import Json

Option = str | int | float | bool | Sequence[str] | None
"""What an option of a command takes; None leaves it out."""
_ERRORS = {kind.exit_code: kind for kind in reversed(EngineError.__subclasses__())}
_TOLD = 20
"""Last lines of a command's own words that go into an error."""


def as_words(command: Command, options: Mapping[str, Option]) -> Iterable[str]:
    """Options as words of the command line; UsageError for one that the command has not."""
    known = {one.name: one for one in command.parameters if one.kind != "argument"}
    for name, value in options.items():
        if name not in known:
            hint = f"it takes {', '.join(known)}" if known else "it takes none"
            raise UsageError(f"{command.name} has no option {name!r}", hint=hint)
        flag = f"--{name.replace('_', '-')}"
        if known[name].kind == "flag":
            yield from [flag] if value else []
        elif value is not None:
            many = known[name].multiple and not isinstance(value, str)
            values = value if many and isinstance(value, Sequence) else [value]
            yield from (f"{flag}={one}" for one in values)


def answer_of(command: str, words: Sequence[str]) -> Json:
    """Start it by its whole command line and wait; interrupted, it is asked to stop and waited for.

    What it tells goes to stderr. Its error is raised here, in the class that its exit code names;
    EnvironmentProblem, with its last words, where it gives no answer.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert child.stderr is not None
        try:
            lines = _passed_on(child.stderr)
        except KeyboardInterrupt:
            child.terminate()
            lines = _passed_on(child.stderr)
        code = child.wait()
        out.seek(0)
        said = out.read()
    try:
        answer: Json = json.loads(said)
    except ValueError:
        last = "".join(lines[-_TOLD:])
        raise EnvironmentProblem(f"{command}: ended with code {code}: {last.strip()}") from None
    if "exit_code" in answer and "error" in answer:
        kind = _ERRORS.get(code, EnvironmentProblem)
        raise kind(answer["error"], hint=answer.get("hint", ""), details=answer)
    return answer


def _passed_on(stream: IO[str]) -> list[str]:
    lines = []
    for line in stream:
        sys.stderr.write(line)
        lines.append(line)
    return lines
