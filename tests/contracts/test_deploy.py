"""deploy/: commands that exist, a container that is slim and not root, units that systemd takes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.commands import BY_NAME

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted(DEPLOY.glob("*.service")) + sorted(DEPLOY.glob("*.timer"))


def test_every_command_that_is_called_exists() -> None:
    called = [
        (path.name, match[1], match[2])
        for path in DEPLOY.iterdir()
        for match in re.finditer(r"atft-tui (schedule) (\w+)", path.read_text())
    ]
    assert len(called) >= 5
    actions = {p.name: p.choices for p in BY_NAME["schedule"].parameters}["action"]
    assert {action for _, _, action in called} <= set(actions)


def test_the_container_is_slim_and_not_root() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    images = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert all(image.endswith("-slim") for image in images)
    users = [number for number, line in enumerate(lines) if line.startswith("USER ")]
    start = next(n for n, line in enumerate(lines) if line.startswith("ENTRYPOINT"))
    assert lines[users[-1]] == "USER atft"
    assert users[-1] < start
    assert "ATFT_WEBHOOK_URL=" not in "\n".join(lines)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_units() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, UNITS)], capture_output=True, text=True, check=False
    )
    complaints = [
        line for line in done.stderr.splitlines() if "atft-tui is not executable" not in line
    ]
    assert complaints == []
