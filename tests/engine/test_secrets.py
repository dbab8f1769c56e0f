"""A bug of a command prints its traceback without the secrets of the environment."""

import os
import subprocess
import sys


def test_a_traceback_on_the_terminal_is_masked() -> None:
    """`tests/tui/test_crash.py` has what is masked; here that the process itself does it."""
    code = (
        "from engine.secrets import redact_tracebacks\n"
        "redact_tracebacks()\n"
        "raise ValueError('refused canary-8d2f at https://me:pw@host/x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "JQUANTS_API_KEY": "canary-8d2f"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ValueError: refused [redacted] at https://[redacted]@host/x" in done.stderr
    assert "line 3" in done.stderr
    assert "canary" not in done.stderr
