"""Counts that tell whether the house is in order: ``python -m benchmarks.house [DIRECTORY] [PATHS]``.

What is counted, in the packages engine, atft_tui and strategies:

- files and lines, with the longest file and the functions over 50 lines;
- public names: functions, classes and constants at the top of a module that do not begin with ``_``;
- class names that have more than one meaning: the same public name in two modules;
- mentions of ``dict[str, Any]``;
- docstrings of public functions, classes and their public methods; overrides of Textual's own methods
  (``compose``, ``render``, ``on_*``, ``watch_*``, ``action_*`` ...) are not asked for one;
- array docstrings: public functions that take or return an array or a tensor and whose docstring gives a
  shape or a unit;
- lines of the tests of ``engine/stages`` for each line of the stages.

``--check`` ends with exit code 1 if a count is beyond its bound.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("engine", "atft_tui", "strategies")
FRAMEWORK = re.compile(
    r"^(compose|render|render_line|render_lines|get_content_\w+|on_\w+|watch_\w+|validate_\w+|compute_\w+"
    r"|action_\w+|key_\w+|check_action|forward|get_line_filters|get_system_commands|get_default_screen)$"
)
"""Methods that a framework calls by name: their meaning is the framework's."""
ARRAY = re.compile(r"NDArray|Tensor|\bArray\b|ndarray|Vector|Matrix|Floats|Bools|Ints|Mask")
SHAPE = re.compile(
    r"shape|shaped|``\[|\[[A-Z](, ?[A-Z])*\]|\([A-Z](, ?[A-Z0-9])*\)|_[A-Z]{1,4}\b|scalar"
    r"|per cent|percent|fraction|unit|currency|shares|log return|basis point|sessions|0\.\.1|\bNaN\b"
)
BOUNDS = {
    "files": 430,
    "lines": 52_000,
    "lines of atft_tui": 13_000,
    "public names": 1_900,
    "class names with more than one meaning": 8,
    "dict[str, Any]": 40,
    "longest file": 350,
}
AT_LEAST = {
    "public docstrings, %": 86.0,
    "array docstrings with a shape or a unit, %": 85.0,
    "lines of tests for each line of the stages": 0.25,
}


@dataclass
class Count:
    """What was counted so far."""

    files: int = 0
    lines: int = 0
    screen_lines: int = 0
    longest: tuple[int, str] = (0, "")
    names: int = 0
    classes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    untyped: int = 0
    documented: int = 0
    public: int = 0
    arrays: int = 0
    shaped: int = 0
    functions: int = 0
    long: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    """Public names without a docstring."""
    shapeless: list[str] = field(default_factory=list)

    def take(self, path: Path, name: str) -> None:
        """Count one module."""
        text = path.read_text(encoding="utf-8")
        n = len(text.splitlines())
        self.files += 1
        self.lines += n
        self.screen_lines += n if name.startswith("atft_tui") else 0
        self.longest = max(self.longest, (n, name))
        self.untyped += text.count("dict[str, Any]")
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions += 1
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 50:
                    self.long.append(f"{name}: {node.name} {length}")
        for node in tree.body:
            self._top(node, name)

    def _top(self, node: ast.stmt, name: str) -> None:
        self.names += sum(not n.startswith("_") for n in _constants(node))
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return
        if node.name.startswith("_"):
            return
        self.names += 1
        self._documented(node, f"{name}: {node.name}")
        if isinstance(node, ast.ClassDef):
            self.classes[node.name].append(name)
            for item in node.body:
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and not (
                    item.name.startswith("_") or FRAMEWORK.match(item.name)
                ):
                    self._documented(item, f"{name}: {node.name}.{item.name}")

    def _documented(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, name: str
    ) -> None:
        doc = ast.get_docstring(node) or ""
        self.public += 1
        self.documented += bool(doc)
        if not doc:
            self.bare.append(name)
        if not isinstance(node, ast.ClassDef) and ARRAY.search(_signature(node)):
            self.arrays += 1
            self.shaped += bool(doc and SHAPE.search(doc))
            if not (doc and SHAPE.search(doc)):
                self.shapeless.append(name)

    def figures(self, stages: tuple[int, int]) -> dict[str, float]:
        """Every count by its name."""
        return {
            "files": self.files,
            "lines": self.lines,
            "lines of atft_tui": self.screen_lines,
            "longest file": self.longest[0],
            "functions": self.functions,
            "functions over 50 lines": len(self.long),
            "public names": self.names,
            "class names with more than one meaning": len(self.twice()),
            "dict[str, Any]": self.untyped,
            "public docstrings, %": 100.0 * self.documented / max(1, self.public),
            "array functions": self.arrays,
            "array docstrings with a shape or a unit, %": 100.0 * self.shaped / max(1, self.arrays),
            "lines of tests for each line of the stages": stages[1] / max(1, stages[0]),
        }

    def twice(self) -> dict[str, list[str]]:
        """Public class names that stand in more than one module."""
        return {name: found for name, found in self.classes.items() if len(found) > 1}


def _constants(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    for target in targets:
        for part in target.elts if isinstance(target, ast.Tuple) else [target]:
            if isinstance(part, ast.Name):
                yield part.id


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    args = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    parts = [arg.annotation for arg in args] + [node.returns]
    return " ".join(ast.unparse(part) for part in parts if part is not None)


def _lines(directory: Path) -> int:
    return sum(len(p.read_text(encoding="utf-8").splitlines()) for p in directory.rglob("*.py"))


def count(root: Path, paths: list[str]) -> Count:
    """Count the modules under ``root`` whose path begins with one of ``paths``; all where there are none."""
    out = Count()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not paths or name.startswith(tuple(paths)):
                out.take(path, name)
    return out


def main(arguments: list[str]) -> int:
    """Print the counts; with ``--check`` also whether each keeps its bound."""
    check = "--check" in arguments
    verbose = "--verbose" in arguments
    given = [a for a in arguments if not a.startswith("--")]
    root = Path(given[0]) if given else Path()
    found = count(root, given[1:])
    stages = (_lines(root / "engine/stages"), _lines(root / "tests/engine/stages"))
    failed = 0
    for name, value in found.figures(stages).items():
        bad = value > BOUNDS.get(name, value) or value < AT_LEAST.get(name, value)
        bound = BOUNDS.get(name, AT_LEAST.get(name))
        failed += bad
        limit = "" if bound is None else f"  {'over' if bad else 'keeps'} its bound {bound:,}"
        sys.stdout.write(f"{name:<44} {value:>10,.6g}{limit if check else ''}\n")
    if verbose:
        twice = [f"{name}: {', '.join(places)}" for name, places in found.twice().items()]
        for title, lines in (
            ("over 50 lines", found.long),
            ("more than one meaning", twice),
            ("without a docstring", found.bare),
            ("array functions without shape or unit", found.shapeless),
        ):
            sys.stdout.write(f"\n{title}\n" + "".join(f"  {line}\n" for line in lines))
    return 1 if check and failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
