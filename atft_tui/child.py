"""The answer of a command that runs in a process of its own, beside the screen."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.files import from_json
from engine.runs import launch


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
    try:
        answer = from_json(out)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"error": "it ended without an answer"}
