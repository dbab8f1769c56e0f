"""Where secrets are read, and how they are masked before a bug of ours reaches a file or a terminal."""

import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from engine.errors import ConfigError

_MASK = "[redacted]"
_FOLDER = "CREDENTIALS_DIRECTORY"
_SHORTEST = 6
"""Least length of a value of the environment that is masked; shorter ones stand in ordinary words."""
_VARIABLE = r".*(?:key|token|secret|passw(?:or)?d|credential|auth|webhook).*"
"""Names of environment variables whose values are secrets."""
_NAME = (
    r"[\w-]*(?:(?:api|access|secret|private|auth)[_-]?key|token|secret|passw(?:or)?d|credential)s?"
)
_SECRETS = (
    # The part before @ of an address, as in https://user:password@host
    (re.compile(r"(?<=://)[^\s/@]+(?=@)"), _MASK),
    # Everything behind the host of a webhook: the path is the secret
    (re.compile(r"(https?://hooks\.[^\s/]+)/[^\s'\"]+"), rf"\1/{_MASK}"),
    # Values of a query string
    (re.compile(r"([?&][\w.-]+=)[^\s&'\"]+"), rf"\1{_MASK}"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE), rf"\1 {_MASK}"),
    (re.compile(rf"(?i)({_NAME}['\"]?\s*[:=]\s*)(?:'[^']*'|\"[^\"]*\"|['\"]?[^\s'\",;)}}]+)"),
     rf"\1{_MASK}"),
    # Keys of services, digests, tokens in parts: long, with letters and digits
    (re.compile(r"(?<![\w/.-])(?=[A-Za-z+=-]*\d)(?=[\d+=-]*[A-Za-z])[A-Za-z\d+=-]{28,}(?:\.[\w+=-]+)*"),
     _MASK),
    (re.compile(r"\b(?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])(?=\w*_)\w{20,}"), _MASK),
)  # fmt: skip


def secret_of(name: str, environment: Mapping[str, str]) -> str:
    """The value of an environment variable, else of a credential of a systemd unit, else empty.

    A credential is a file in memory that only the unit's processes can read.
    """
    folder = environment.get(_FOLDER)
    if (value := environment.get(name, "").strip()) or not folder:
        return value
    try:
        return (Path(folder) / name).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = f"the credential {name} cannot be read ({type(error).__name__})"
        raise ConfigError(why) from None


def redact(text: str, environment: Mapping[str, str] | None = None) -> str:
    """The text without what looks like a secret: also any long value of the environment or of a credential.

    Variables are taken for secrets by their name; their values are masked wherever they stand.
    """
    environment = os.environ if environment is None else environment
    values = [value for name, value in environment.items() if is_secret(name)]
    for value in (*values, *_credentials(environment)):
        if len(value) >= _SHORTEST:
            text = text.replace(value, _MASK)
    for pattern, put in _SECRETS:
        text = pattern.sub(put, text)
    return text


def _credentials(environment: Mapping[str, str]) -> Iterator[str]:
    folder = environment.get(_FOLDER)
    for path in Path(folder).glob("*") if folder else ():
        with suppress(OSError, UnicodeDecodeError):  # a traceback is told whatever is in there
            yield path.read_text(encoding="utf-8").strip()


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
