"""Pages of the site that are made from the program: `mkdocs build` calls `on_files`, a test `generated`."""

import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli import main
from engine.commands import COMMANDS, Command
from engine.config import Config
from engine.config.keys import describe, texts

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_NOTEBOOK = Path(__file__).with_name("tutorial.ipynb")


def generated() -> dict[str, str]:
    """Path of a page in the site -> its Markdown."""
    return {
        "index.md": _index(),
        "reference/config.md": _config(),
        "reference/commands.md": "# Commands\n\n" + "\n".join(map(_command, _shown())),
        "reference/features.md": _features(),
        "notebook.md": _notebook(),
    }


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for path, text in generated().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_page: object) -> str:
    """A link to a file outside of docs/ stays its name."""
    return re.sub(r"\[([^]]+)\]\(\.\./[^)]+\)", r"\1", markdown)


def _shown() -> Iterator[Command]:
    return (command for command in COMMANDS if not command.hidden)


def _index() -> str:
    """The README, with its links as they are from here."""
    text = Path("README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    return re.sub(r"\[([^]]+)\]\((?!http)([A-Z]+\.md)\)", r"\1", text)


def _config() -> str:
    lines, table = ["# Keys of the configuration", ""], ""
    for key, value in texts(Config()).items():
        group = key.rpartition(".")[0]
        if group != table:
            table = group
            lines += [
                "",
                f"## {table}",
                "",
                "| key | default | range | meaning |",
                "|---|---|---|---|",
            ]
        known = describe(key)
        cells = (f"`{key}`", f"`{value}`", known.limits, known.about)
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _command(command: Command) -> str:
    words = " ".join(
        f"{one.name.upper()}{' ...' if one.multiple else ''}"
        for one in command.parameters
        if one.kind == "argument"
    )
    lines = [f"## {command.name}", "", f"`atft-tui {command.name} {words}".rstrip() + "`", ""]
    lines += [command.help, ""]
    lines += [command.about, ""] if command.about else []
    options = [one for one in command.parameters if one.help]
    if options:
        lines += ["| option | default | meaning |", "|---|---|---|"]
    for one in options:
        name = one.name if one.kind == "argument" else f"--{one.name.replace('_', '-')}"
        shown = "" if one.default in (None, False) else f"`{one.default}`"
        choice = f" One of {', '.join(one.choices)}." if one.choices else ""
        lines.append(_row((f"`{name}`", shown, one.help + choice)))
    if command.configurable:
        lines += ["", "Takes `--preset`, `--set`, `--mode` and `--device`."]
    return "\n".join([*lines, ""])


def _features() -> str:
    """The catalogue as `features list` tells it."""
    out = io.StringIO()
    with redirect_stdout(out), tempfile.TemporaryDirectory() as workspace:
        code = main(["features", "list", "--json", "--quiet", "--workspace", workspace])
    assert code == 0, out.getvalue()
    rows: list[Mapping[str, Any]] = json.loads(out.getvalue())["features"]
    names = [name for name in ("name", "family", "unit", "lookback", "formula") if name in rows[0]]
    lines = ["# Features", "", _row(names), _row(["---"] * len(names))]
    lines += [_row([str(row[name]) for name in names]) for row in rows]
    return "\n".join(lines) + "\n"


def _notebook() -> str:
    book = json.loads(_NOTEBOOK.read_text(encoding="utf-8"))
    parts = []
    for cell in book["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def _row(cells: "Iterator[str] | list[str] | tuple[str, ...]") -> str:
    words = (cell.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;") for cell in cells)
    return "| " + " | ".join(words) + " |"
