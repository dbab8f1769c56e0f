"""A bug of a command prints its traceback without the secrets of the environment."""

import os
import subprocess
import sys
from pathlib import Path

from engine.data.jquants.client import key_from
from engine.secrets import redact, secret_of


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


def test_a_secret_is_a_variable_or_else_a_credential_and_either_is_masked(tmp_path: Path) -> None:
    """Of a systemd unit; the key of a vendor as the address of a webhook."""
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert (
        key_from(environment | {"JQUANTS_API_KEY": "mine"}, "https://api.jquants.com/v2") == "mine"
    )
    (tmp_path / "JQUANTS_API_KEY").write_text("of-the-unit\n")
    assert key_from(environment, "https://api.jquants.com/v2") == "of-the-unit"
    assert redact("Failed: of-the-unit was said", environment) == "Failed: [redacted] was said"
    assert secret_of("ATFT_WEBHOOK_URL", environment) == ""
