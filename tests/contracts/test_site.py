"""The site: what is generated names everything there is, and no page is left out."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from engine.commands import COMMANDS
from engine.config import Config
from engine.config.keys import texts

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The generated pages."""
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, str] = module.generated()
    return found


def test_every_key_command_option_and_feature_is_in_the_reference(pages: dict[str, str]) -> None:
    for key in texts(Config()):
        assert f"| `{key}` |" in pages["reference/config.md"]
    told = pages["reference/commands.md"]
    for command in COMMANDS:
        assert (f"## {command.name}\n" in told) != command.hidden
        options = [] if command.hidden else command.parameters
        names = [one.name for one in options if one.kind != "argument"]
        assert all(f"`--{name.replace('_', '-')}`" in told for name in names)
    features = pages["reference/features.md"]
    assert features.count("\n| return_") > 3
    rows = [line for page in pages.values() for line in page.splitlines() if line[:2] == "| "]
    assert len(rows) > 400
    assert "```python\nfrom engine.api import Workspace" in pages["notebook.md"]


def test_every_page_has_its_place_and_every_place_its_page(pages: dict[str, str]) -> None:
    placed = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    there = {path.name for path in (ROOT / "docs").glob("*.md")} | set(pages)
    assert sorted(placed) == sorted(there)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="extra docs: `make docs`")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "reference" / "commands.html").is_file()
