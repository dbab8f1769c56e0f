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
    images = {line.split()[1] for line in lines if line.startswith("FROM")}
    assert images == {"$PYTHON"}, "one name, so that one --build-arg pins both by their digest"
    assert next(line for line in lines if line.startswith("ARG PYTHON=")).endswith("-slim")
    users = [number for number, line in enumerate(lines) if line.startswith("USER ")]
    start = next(n for n, line in enumerate(lines) if line.startswith("ENTRYPOINT"))
    assert lines[users[-1]] == "USER atft"
    assert users[-1] < start
    assert "ATFT_WEBHOOK_URL=" not in "\n".join(lines)


def test_the_container_takes_each_package_from_one_index_in_a_pinned_version() -> None:
    """Of two indexes pip takes the higher version, whoever has put it there."""
    text = (DEPLOY / "Dockerfile").read_text()
    installs = re.findall(r"pip install (.+?)(?=\nRUN|\nFROM|\n\n)", text, re.DOTALL)
    assert len(installs) == 2
    assert "--extra-index-url" not in "".join(installs)
    assert all("-c constraints.txt" in one or "constraints.txt)" in one for one in installs)
    pinned = (DEPLOY.parent / "constraints.txt").read_text().splitlines()
    assert all("==" in line for line in pinned if line and not line.startswith("#"))
    assert [line for line in pinned if line.startswith("torch==")]


@pytest.mark.parametrize("unit", sorted(DEPLOY.glob("*.service")), ids=lambda path: path.name)
def test_a_unit_has_no_capability_few_calls_and_a_limit_of_memory(unit: Path) -> None:
    said = dict(line.partition("=")[::2] for line in unit.read_text().splitlines() if "=" in line)
    assert said["CapabilityBoundingSet"] == ""
    assert "SystemCallFilter=@system-service" in unit.read_text().splitlines()
    assert said["MemoryMax"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_units() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, UNITS)], capture_output=True, text=True, check=False
    )
    complaints = [
        line for line in done.stderr.splitlines() if "atft-tui is not executable" not in line
    ]
    assert complaints == []
