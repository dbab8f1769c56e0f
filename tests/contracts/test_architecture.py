"""The pages for who comes next name nothing that is not there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md")
FOLDERS = ("", "engine", "engine/stages", "atft_tui/readings")
"""Where a path may start; the last two are for the bare names of the table of joints."""
ELSEWHERE = {"path.py:Name", "runs/ID/", "signals/SESSION/", "compare/"}
"""Words of the page that look like a path of the house and are an example, or lie in a workspace."""
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w./-]+\.(?:py|md|toml|txt)|[\w.-]+(?:/[\w.-]+)*/")
LINK = re.compile(r"\]\(([^)#]+)\)")


def words(page: str) -> set[str]:
    """What stands in backticks outside of blocks of code, links of the page included."""
    text = re.sub(r"```.*?```", "", Path(page).read_text(encoding="utf-8"), flags=re.DOTALL)
    return {*CODE.findall(text), *(link for link in LINK.findall(text) if "://" not in link)}


def place(path: str) -> Path | None:
    """The file or folder that a path of a page means; None if there is none."""
    return next((at for folder in FOLDERS if (at := Path(folder) / path).exists()), None)


@cache
def names(module: Path) -> frozenset[str]:
    """Everything that a module defines at its top, and the fields and methods of its classes."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
    return frozenset(found)


def missing(word: str) -> bool:
    """Whether a word is the path, the name in a file, or the class of something that is not there."""
    path, _, name = word.partition(":")
    if PATH.fullmatch(path):
        at = place(path)
        return at is None or bool(name and name not in names(at))
    if re.fullmatch(r"[A-Z][a-z]+\w*[A-Z]\w*", word):
        return not any(word in names(at) for at in house())
    return False


@cache
def house() -> tuple[Path, ...]:
    return tuple(
        at for package in ("engine", "atft_tui", "strategies") for at in Path(package).rglob("*.py")
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_file_module_and_class_of_the_page_exists(page: str) -> None:
    assert {word for word in words(page) - ELSEWHERE if missing(word)} == set()


def test_the_check_of_names_sees_what_is_missing() -> None:
    """A file, a name in a file and a class that do not exist are each found; existing ones are not."""
    assert missing("engine/runs/wire.py")
    assert missing("runs/fold.py:unfold")
    assert missing("StateOfRun")
    assert missing("records/nothing/")
    assert not missing("runs/fold.py:fold")
    assert not missing("RunState")
    assert not missing("--check")


def test_the_page_names_every_package_of_the_engine() -> None:
    table = Path("ARCHITECTURE.md").read_text(encoding="utf-8").partition("## The packages")[2]
    named = set(CODE.findall(table.partition("## The joints")[0]))
    packages = {at.parent.name for at in Path("engine").glob("*/__init__.py")}
    assert packages - named == set()


def test_the_way_of_a_gate_alpha_has_at_most_five_hops() -> None:
    page = Path("ARCHITECTURE.md").read_text(encoding="utf-8")
    way = page.partition("## The way of a gate alpha")[2].partition("\n## ")[0]
    hops = re.findall(r"^\d+\. ", way, flags=re.MULTILINE)
    assert 1 <= len(hops) <= 5
    first, last = "model/graph_attention.py", "atft_tui/widgets/network_panels.py:GatePanel"
    assert way.index(first) < way.index("runs/fold.py:fold") < way.index(last)


@pytest.mark.parametrize("page", [*PAGES, "README.md", "CHANGELOG.md"])
def test_prose_stands_in_lines_of_100_characters(page: str) -> None:
    text = re.sub(r"```.*?```", "", Path(page).read_text(encoding="utf-8"), flags=re.DOTALL)
    long = [line for line in text.splitlines() if len(line) > 100 and line[0] not in "|!"]
    assert long == []
