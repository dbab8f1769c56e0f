"""What looks like a secret is masked before an error of ours that is a bug reaches a file or a terminal."""

import os
import re
import sys
import traceback
from collections.abc import Mapping
from types import TracebackType

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
        if len(value) >= _SHORTEST and is_secret(name):
            text = text.replace(value, MASK)
    for pattern, put in _SECRETS:
        text = pattern.sub(put, text)
    return text


def is_secret(variable: str) -> bool:
    """Whether the value of an environment variable of this name is taken for a secret."""
    return re.fullmatch(_VARIABLE, variable, re.IGNORECASE) is not None


def redact_tracebacks() -> None:
    """From now on what ends this process as a bug is printed with its secrets masked.

    The log of a run is what its process prints.
    """
    sys.excepthook = _print_redacted


def _print_redacted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
