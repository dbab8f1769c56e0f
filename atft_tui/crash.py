"""The report of a bug: what went wrong and where, in a file without values of variables or secrets."""

import datetime as dt
import os
import platform
import re
import traceback
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from atft_tui import format as fmt
from engine.files import write_text

_PACKAGES = ("atft-tui", "textual", "rich", "polars", "plotext", "pydantic")
KEPT = 20
"""Reports in ``logs``; older ones are removed when a new one is written."""
MASK = "[redacted]"
_SHORTEST = 6
"""Least length of a value of the environment that is masked; shorter ones stand in ordinary words."""
_VARIABLE = r".*(?:key|token|secret|passw(?:or)?d|credential|auth|webhook).*"
"""Names of environment variables whose values are secrets."""
_NAME = (
    r"[\w-]*(?:(?:api|access|secret|private|auth)[_-]?key|token|secret|passw(?:or)?d|credential)s?"
)
_SECRETS = (
    # The part before @ of an address, as in https://user:password@host
    (re.compile(r"(?<=://)[^\s/@]+(?=@)"), MASK),
    # Everything behind the host of a webhook: the path is the secret
    (re.compile(r"(https?://hooks\.[^\s/]+)/[^\s'\"]+"), rf"\1/{MASK}"),
    # Values of a query string
    (re.compile(r"([?&][\w.-]+=)[^\s&'\"]+"), rf"\1{MASK}"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(rf"(?i)({_NAME}['\"]?\s*[:=]\s*)(?:'[^']*'|\"[^\"]*\"|['\"]?[^\s'\",;)}}]+)"),
     rf"\1{MASK}"),
    # Keys of services, digests, tokens in parts: long, with letters and digits
    (re.compile(r"(?<![\w/.-])(?=[A-Za-z+=-]*\d)(?=[\d+=-]*[A-Za-z])[A-Za-z\d+=-]{28,}(?:\.[\w+=-]+)*"),
     MASK),
    (re.compile(r"\b(?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])(?=\w*_)\w{20,}"), MASK),
)  # fmt: skip


def redact(text: str, environment: Mapping[str, str] | None = None) -> str:
    """The text without what looks like a secret, and without any long value of the environment.

    Variables are taken for secrets by their name; their values are masked wherever they stand.
    """
    environment = os.environ if environment is None else environment
    for name, value in environment.items():
        if len(value) >= _SHORTEST and re.fullmatch(_VARIABLE, name, re.IGNORECASE):
            text = text.replace(value, MASK)
    for pattern, put in _SECRETS:
        text = pattern.sub(put, text)
    return text


def report(error: BaseException, *, screen: str, size: tuple[int, int], now: dt.datetime) -> str:
    """The report's text: versions, screen, traceback with lines of code, no variables."""
    trace = "".join(
        traceback.TracebackException.from_exception(error, capture_locals=False).format()
    )
    lines = [
        f"atft-tui stopped because of a bug, {now:%Y-%m-%d %H:%M:%S} UTC",
        "",
        f"screen     {screen}",
        f"terminal   {size[0]}x{size[1]}, TERM={fmt.clean(os.environ.get('TERM', ''))}",
        f"python     {platform.python_version()} on {platform.system()} {platform.machine()}",
        *(f"{name:<10} {_version(name)}" for name in _PACKAGES),
        "",
        redact("\n".join(fmt.clean(line) for line in trace.splitlines())),
        "",
        "Runs that were started go on. This file holds no data, no settings and no environment.",
    ]
    return "\n".join(lines) + "\n"


def write_report(
    workspace: Path, error: BaseException, *, screen: str, size: tuple[int, int], now: dt.datetime
) -> Path:
    """Write ``logs/crash-TIME.txt`` and return its path; the oldest ones go."""
    path = workspace / "logs" / f"crash-{now:%Y%m%d-%H%M%S-%f}.txt"
    write_text(path, report(error, screen=screen, size=size, now=now))
    for old in sorted(path.parent.glob("crash-*.txt"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def last_line(error: BaseException) -> str:
    """What is said on stderr: kind and message, one line, redacted."""
    told = f"{type(error).__name__}: {error}"
    return fmt.clean(redact(told.splitlines()[0]))[:200]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
