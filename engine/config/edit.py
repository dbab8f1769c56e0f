"""Changing one key of the workspace's config.toml: judged by the real resolver before a byte is written.

Comments, order and everything else in the file stay as they are (tomlkit); the file is replaced at once.
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import TypeAdapter, ValidationError
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Comment, Item, Null

from engine.config import Config, PhaseConfig
from engine.config.file import Resolved, override, resolve
from engine.config.keys import (
    EPOCHS,
    PHASES,
    comment,
    field_of,
    flatten,
    is_of_phases,
    texts,
    toml_text,
)
from engine.errors import ConfigError, UsageError
from engine.files import parse_toml, read_toml_text, write_text
from engine.workspace import CONFIG, config_files


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """What was done to a key."""

    key: str
    before: str
    """Resolved value, as TOML."""
    after: str
    origin: str
    """Where the value comes from now."""
    path: Path
    """The file that was written."""


def set_key(workspace: Path, key: str, text: str) -> KeyChange:
    """Write ``key = text`` into the workspace's file, or ConfigError and nothing is changed.

    ``text`` is a TOML value; what is none, or is of another kind where the key wants a text, is taken as
    the text itself. ``training.epochs`` and ``training.phases.NAME.KEY`` change the list of phases.
    """
    require_known(key)
    draft = _Draft(workspace)
    if is_of_phases(key):
        config = override(draft.before.config, {key: _value(key, text)}, origin="config set")
        draft.put_phases([phase.model_dump(mode="json") for phase in config.training.phases])
    else:
        draft.put(key, _item(key, text))
    return draft.write(key)


def unset_key(workspace: Path, key: str) -> KeyChange:
    """Take a key out of the workspace's file: its value is that of the layer below, mostly the default."""
    draft = _Draft(workspace)
    if not draft.has(key):
        require_known(key)
        if is_of_phases(key):
            raise UsageError(
                f"{key}: the phases are one list", hint=f"take it back whole: unset {PHASES}"
            )
        origin = draft.before.origins.get(key, "default")
        raise UsageError(
            f"{key} is not set in {draft.path}", hint=f"its value comes from: {origin}"
        )
    draft.remove(key)
    return draft.write(key)


def require_known(key: str) -> None:
    """ConfigError with the nearest names unless the key is one of the configuration's."""
    if key == EPOCHS or field_of(key) is not None:
        return
    names = [*flatten(Config()), EPOCHS]
    if key.startswith(f"{PHASES}."):
        table = key.rpartition(".")[0]
        names = [f"{table}.{name}" for name in PhaseConfig.model_fields]
    near = difflib.get_close_matches(key, names, n=3)
    last = key.rpartition(".")[2]
    near += [n for n in names if n.rpartition(".")[2] == last and n not in near]
    hint = f"did you mean {', '.join(near[:3])}?" if near else "`atft-tui config show` lists all"
    raise ConfigError(f"{key}: unknown key", hint=hint)


# ---- values --------------------------------------------------------------------------------------


def _item(key: str, text: str) -> Item:
    """The value as it was typed, if it is TOML."""
    value = _value(key, text)
    if isinstance(value, str):
        return tomlkit.item(value)
    try:
        return tomlkit.value(text.strip())
    except TOMLKitError as error:
        raise ConfigError(f"{key}: {text!r} cannot be written: {error}") from error


def _value(key: str, text: str) -> Any:
    """A TOML value; the text itself where it is none, or where only that is what the key takes."""
    text = text.strip()
    try:
        table = tomllib.loads(f"x = {text}")
    except tomllib.TOMLDecodeError:
        return text
    if set(table) != {"x"}:
        return text
    value, field = table["x"], None if is_of_phases(key) else field_of(key)
    if field is None or isinstance(value, str):
        return value
    assert field.annotation is not None
    takes = TypeAdapter[Any](field.annotation)
    return text if not _accepts(takes, value) and _accepts(takes, text) else value


def _accepts(adapter: "TypeAdapter[Any]", value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


# ---- the file ------------------------------------------------------------------------------------


class _Draft:
    """The workspace's file as it would be."""

    def __init__(self, workspace: Path) -> None:
        self.files = config_files(workspace)
        self.path = workspace / CONFIG
        self.text = read_toml_text(self.path) if self.path.is_file() else ""
        self.before: Resolved = resolve(self.files)
        self.document = tomlkit.parse(self.text)
        self.wanted = parse_toml(self.text, self.path)

    def has(self, key: str) -> bool:
        place: Any = self.wanted
        for part in key.split("."):
            if not isinstance(place, Mapping) or part not in place:
                return False
            place = place[part]
        return True

    def put(self, key: str, item: Item) -> None:
        table: Any = self.document
        wanted: Any = self.wanted
        *tables, name = key.split(".")
        for part in tables:
            if part not in table:
                table[part] = tomlkit.table()
            table = table[part]
            wanted = wanted.setdefault(part, {})
            if not isinstance(wanted, dict):
                raise ConfigError(f"{self.path}: {part} is not a table")
        wanted[name] = item.unwrap()
        if name in table:
            table[name] = item
        else:
            _append(table, name, item)

    def put_phases(self, phases: Sequence[Mapping[str, Any]]) -> None:
        """The list of phases; where it stands in the file already, only what differs is touched."""
        known = self.wanted.get("training", {}).get("phases")
        if known and [p.get("name") for p in known] == [p["name"] for p in phases]:
            there: Any = self.document["training"]["phases"]
            defaults: dict[str, object] = {"frozen": []}
            for number, phase in enumerate(phases):
                for name, value in phase.items():
                    if known[number].get(name, defaults.get(name)) != value:
                        there[number][name] = value
                        known[number][name] = value
            return
        array = tomlkit.aot()
        for phase in phases:
            table = tomlkit.table()
            table.update(phase)
            array.append(table)
        if "training" not in self.document:
            self.document["training"] = tomlkit.table(is_super_table=True)
        self.document["training"]["phases"] = array
        self.wanted.setdefault("training", {})["phases"] = phases

    def remove(self, key: str) -> None:
        """The key, and the comment that `config init` wrote above it."""
        *tables, name = key.split(".")
        table: Any = self.document
        wanted: Any = self.wanted
        for part in tables:
            table, wanted = table[part], wanted[part]
        if field_of(key) is not None and not is_of_phases(key):
            _remove_remark(_container(table), name, f"# {comment(key)}")
        del wanted[name]
        del table[name]

    def write(self, key: str) -> KeyChange:
        """Judge the whole configuration with the new text, then replace the file."""
        text = tomlkit.dumps(self.document)
        # The current directory may be the workspace: then both layers are this file.
        place = self.path.resolve()
        drafts = {path: text for path in self.files if path.resolve() == place}
        after = resolve(self.files, drafts=drafts)
        if parse_toml(text, self.path) != self.wanted:
            raise ConfigError(
                f"{self.path}: {key} cannot be changed without changing more",
                hint="edit the file by hand; nothing was written",
            )
        if self.text != (read_toml_text(self.path) if self.path.is_file() else ""):
            raise ConfigError(f"{self.path}: somebody else changed it just now", hint="try again")
        write_text(self.path.resolve(), text, listed=False)
        return KeyChange(
            key=key,
            before=_shown(self.before.config, key),
            after=_shown(after.config, key),
            origin=after.origins.get(PHASES if is_of_phases(key) else key, "default"),
            path=self.path,
        )


def _shown(config: Config, key: str) -> str:
    """A key's resolved value as TOML."""
    if key == EPOCHS:
        return toml_text([phase.epochs for phase in config.training.phases])
    if key == PHASES:
        return toml_text(config.training.phases)
    return texts(config).get(key, "")


def _container(table: Any) -> Container | None:
    """Where tomlkit keeps the lines of a table; None for what has no lines of its own."""
    if isinstance(table, Container):
        return table
    found = getattr(table, "value", None)
    return found if isinstance(found, Container) else None


def _append(table: Any, name: str, item: Item) -> None:
    """After the last key of the table, before the comments that lead to the next one."""
    container = _container(table)
    keys = [] if container is None else [k for k, v in container.body if k and not _is_table(v)]
    if container is None or not keys or getattr(table, "is_super_table", lambda: False)():
        table[name] = item
        return
    container._insert_after(keys[-1], name, item)


def _is_table(item: Item) -> bool:
    return isinstance(item, tomlkit.items.Table | tomlkit.items.AoT)


def _remove_remark(container: Container | None, name: str, remark: str) -> None:
    if container is None:
        return
    at = next((i for i, (key, _) in enumerate(container.body) if key and key.key == name), 0)
    above = container.body[at - 1][1] if at else None
    if isinstance(above, Comment) and above.as_string().strip() == remark:
        container.body[at - 1] = (None, Null())
