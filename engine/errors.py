"""What can go wrong, as one tree. Each error names the thing, the place and the way out.

Caught in two places only: the command line (stderr and exit code) and the stage wrapper
(`RunFinished("failed")`). Any other exception is a bug and keeps its traceback (exit code 1).
"""

import sys
from collections.abc import Mapping
from typing import Any, ClassVar


class EngineError(Exception):
    """A problem the user can act on."""

    exit_code: ClassVar[int] = 4

    def __init__(
        self, message: str, *, hint: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        """What to do next, one sentence; empty if the message already says it."""
        self.details = dict(details or {})
        """What ``--json`` prints beside the error."""


class UsageError(EngineError):
    """The command was called in a way that cannot work."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError):
    """config.toml or `--set` is wrong; the message carries file:line: key."""


class DataError(EngineError):
    """Market data are missing, malformed or refused by the quality gates."""

    exit_code: ClassVar[int] = 3


class EnvironmentProblem(EngineError):  # noqa: N818 - a disk or a device is a problem, not an error of ours
    """Disk, device, permission or network."""


class IntegrityError(EnvironmentProblem):
    """A file is not the one its manifest describes (truncated, flipped bit, other version)."""


class LockedError(EngineError):
    """Another process holds the lock."""

    exit_code: ClassVar[int] = 5


class GateError(EngineError):
    """A gate refused: start-up assertion, quality verdict, in-sample scores."""

    exit_code: ClassVar[int] = 6


class Interrupted(EngineError):  # noqa: N818 - not an error: the user asked for it
    """The user stopped the work; what was done so far is kept."""

    exit_code: ClassVar[int] = 130


def refuse_windows() -> None:
    """EnvironmentProblem on Windows, before a library is loaded that is not there: the locks of POSIX."""
    if sys.platform == "win32":
        raise EnvironmentProblem(
            "atft-tui does not run on Windows itself: it locks files as Linux and macOS do",
            hint="install it inside WSL 2 (`wsl --install`), which is a Linux of its own",
        )
