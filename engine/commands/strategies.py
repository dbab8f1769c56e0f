"""The strategies that exist, read without importing any: cheap enough for the screen's path."""

import ast
import importlib.util
from pathlib import Path


def strategy_names() -> list[str]:
    """Names of the modules of ``strategies/`` that define ``STRATEGY``, sorted."""
    return sorted(strategy_summaries())


def strategy_summaries() -> dict[str, str]:
    """Name -> first line of the module's docstring. A file that does not parse says so instead."""
    spec = importlib.util.find_spec("strategies")
    roots = list(spec.submodule_search_locations or ()) if spec else []
    found: dict[str, str] = {}
    for path in sorted(file for root in roots for file in Path(root).glob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError) as error:
            found[path.stem] = f"does not parse: {error}"
            continue
        if any("STRATEGY" in _names(node) for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    return set()
