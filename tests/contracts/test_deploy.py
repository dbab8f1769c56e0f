"""deploy/: commands that exist, a container that is slim and not root, units that systemd takes."""

import re
import shutil
import subprocess
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

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
    image = next(line for line in lines if line.startswith("ARG PYTHON="))
    assert re.search(r"-slim@sha256:[0-9a-f]{64}$", image)
    users = [number for number, line in enumerate(lines) if line.startswith("USER ")]
    start = next(n for n, line in enumerate(lines) if line.startswith("ENTRYPOINT"))
    assert lines[users[-1]] == "USER atft"
    assert users[-1] < start
    assert "ATFT_WEBHOOK_URL=" not in "\n".join(lines)


def test_the_container_takes_each_package_by_its_hash_from_one_index() -> None:
    """Of two indexes pip takes the higher version, whoever has put it there."""
    text = (DEPLOY / "Dockerfile").read_text()
    installs = re.findall(r"pip install (.+?)(?=\nARG|\nCOPY|\n\n)", text, re.DOTALL)
    assert len(installs) == 3
    assert all("--require-hashes --no-deps" in one for one in installs[:2])
    assert installs[2].startswith("--no-deps --no-build-isolation . ")
    assert "--extra-index-url" not in text


@pytest.mark.parametrize("extras", [("jquants",), ("jquants", "ray")], ids="+".join)
def test_what_the_container_installs_is_whole_and_has_the_pinned_versions(
    extras: tuple[str, ...],
) -> None:
    """Each need of ours and of each package, with a hash; torch from the file of its own index."""
    file = "requirements-ray.txt" if "ray" in extras else "requirements.txt"
    lines = [
        line
        for name in (file, "torch.txt")
        for line in (DEPLOY / name).read_text().splitlines()
        if not line.startswith("#")
    ]
    found = [re.fullmatch(r"(\S+)==(\S+) --hash=sha256:[0-9a-f]{64}", line) for line in lines]
    assert all(found), lines
    versions = {canonicalize_name(one[1]): one[2] for one in found if one}
    pins = (DEPLOY.parent / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in pins if line and not line.startswith("#"))
    for name, version in pinned.items():
        own = versions.get(canonicalize_name(name), version)
        assert Version(own).public == version, name
    for need in _needs(extras, set(versions)):
        assert Version(versions[canonicalize_name(need.name)]) in need.specifier, need


def _needs(extras: tuple[str, ...], names: set[str]) -> list[Requirement]:
    """Of our project with these extras, and of those of its packages that are installed here."""
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    told = [*project["dependencies"]]
    told += [one for extra in extras for one in project["optional-dependencies"][extra]]
    for name in names:
        with suppress(PackageNotFoundError):
            told += requires(name) or []
    needs = [Requirement(one) for one in told]
    here = {"extra": "", "python_version": "3.11", "platform_machine": "x86_64"}
    return [one for one in needs if one.marker is None or one.marker.evaluate(here)]


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
