"""Colours by role: outside `atft_tui.styles` no style is written as words, which no theme reaches."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TUI = Path(__file__).parents[2] / "atft_tui"
HOLDERS = {"styles.py"}
"""It says what a role looks like."""
LOOKS = {"bold", "dim", "italic", "underline", "black", "red", "green", "yellow", "blue", "magenta",
         "cyan", "white"}  # fmt: skip
BESIDE = {"not", "on", "none", "default", "reverse"}
"""Words of a style that are words of anything else too."""


def is_style(words: str) -> bool:
    """``bold red``, ``on #101418`` and so on."""
    parts = words.split()
    looks = [part in LOOKS or bool(re.fullmatch("#[0-9a-f]{6}", part)) for part in parts]
    known = [look or part in BESIDE for look, part in zip(looks, parts, strict=True)]
    return any(looks) and all(known)


def written(node: ast.expr) -> str | None:
    """The words of a string, or those of an f-string without what is put into it."""
    if isinstance(node, ast.JoinedStr):
        return " ".join(written(part) or "" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def results(node: ast.expr) -> Iterator[ast.expr]:
    """What an expression may come to: both sides of a condition, all of an ``or``."""
    if isinstance(node, ast.IfExp):
        yield from (*results(node.body), *results(node.orelse))
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from results(value)
    else:
        yield node


def asked_only(tree: ast.AST) -> Iterator[ast.expr]:
    """What is compared or looked up, and the parts of an f-string, which is judged as a whole."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield from (node.left, *node.comparators)
        elif isinstance(node, ast.Subscript):
            yield node.slice
        elif isinstance(node, ast.Dict):
            yield from (key for key in node.keys if key is not None)
        elif isinstance(node, ast.JoinedStr):
            yield from node.values


def styles_in_words(source: str) -> list[int]:
    """Lines of the style words in a module: any string of nothing else, and any string given as a style."""
    tree = ast.parse(source)
    asked = set(map(id, asked_only(tree)))
    found = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in asked
        if is_style(written(node) or "")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "style":
            found |= {one.lineno for one in results(node.value) if written(one) is not None}
    return sorted(found)


@pytest.mark.parametrize(
    "line",
    [
        'Text(words, style="dim")',
        'Text(words, "bold red")',
        'text.append(words, style="" if sure else DIM)',
        'text.append(words, style="reverse")',
        'row((name, 9, "not bold"), gap=2)',
        'MARKS = {"kept": ("v", "green")}',
        'style = f"bold {colour}"',
        'style = f"on {colour}" + (" bold underline" if here else "")',
        'BAR = "#5f86a8"',
        'def chart(values, *, style: str = "cyan"): ...',
    ],
)
def test_style_words_are_found(line: str) -> None:
    assert styles_in_words(f"x = 1\n{line}\n") == [2]


@pytest.mark.parametrize(
    "line",
    [
        'Text(words, style=DIM if words == "red" else STYLES["green"])',
        'Text(f"a run could not start: {red} red")',
        'bindings("reverse", "on", "default", "none", "", " ")',
        '{"bold": 1}["bold"]',
        'CSS = "Grid { text-style: bold; background: $panel; }"',
    ],
)
def test_other_words_are_not(line: str) -> None:
    assert styles_in_words(f"x = 1\n{line}\n") == []


def test_colours_are_roles_everywhere() -> None:
    modules = [path for path in sorted(TUI.rglob("*.py")) if path.name not in HOLDERS]
    assert len(modules) > 60
    found = [
        f"{path.relative_to(TUI)}:{line}"
        for path in modules
        for line in styles_in_words(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "use the roles of atft_tui/styles.py: a theme does not reach these words"
