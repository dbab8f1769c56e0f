"""The keys of the configuration by their dotted names: values as text, what they mean, what they may be."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.config import Config, PhaseConfig
from engine.config.base import DERIVED

EPOCHS, PHASES = "training.epochs", "training.phases"
"""``training.epochs`` is short for the epochs of all phases, ``training.phases.NAME.KEY`` is a key of one."""
_UNIT = re.compile(
    r"(?:^|[.;] )((?:Trading sessions|Sessions|Fraction|Basis points|Seconds|Minutes|Hours|Days|Stocks"
    r"|Quote currency|L2 norm|Standard errors)[^.;]{0,30})\.$"
)
"""The last words of a key's documentation where they are its unit."""


class _KeyHelp(NamedTuple):
    """What the documentation says of a key."""

    about: str
    limits: str
    """Such as ``>= 0, <= 1`` or ``close | open``; empty where anything of the type is taken."""
    unit: str
    """Empty where the documentation names none."""


def table_of(names: Sequence[str]) -> type[BaseModel] | None:
    """The table that stands under these names; None where there is none."""
    model: type[BaseModel] = Config
    for name in names:
        kind: Any = getattr(model.model_fields.get(name), "annotation", None)
        if not _is_table(kind):
            return None
        model = kind
    return model


def field_of(key: str) -> FieldInfo | None:
    """The field of a dotted key, of a phase too; None where a table or nothing has that name."""
    *tables, name = key.split(".")
    model = PhaseConfig if key.startswith(f"{PHASES}.") else table_of(tables)
    field = model.model_fields.get(name) if model is not None else None
    return None if field is None or _is_table(field.annotation) else field


def is_of_phases(key: str) -> bool:
    """Whether the key changes the list of phases and not a value of its own."""
    return key == EPOCHS or key.startswith(f"{PHASES}.")


def describe(key: str) -> _KeyHelp:
    """Documentation, range and unit of a dotted key."""
    field = field_of(key)
    assert field is not None, key
    about = (field.description or "").replace("\n", " ")
    unit = _UNIT.search(about)
    return _KeyHelp(about, _range(field), _uncapitalised(unit[1]) if unit else "")


def texts(config: Config) -> dict[str, str]:
    """Dotted key -> value as TOML; the phases are opened by their names."""
    found = {key: toml_text(value) for key, value in flatten(config).items() if key != PHASES}
    for phase in config.training.phases:
        for name, value in phase.model_dump(mode="json").items():
            if name != "name":
                found[f"{PHASES}.{phase.name}.{name}"] = toml_text(value)
    return found


def flatten(config: BaseModel, prefix: str = "") -> dict[str, object]:
    """Dotted key -> value of what a file may hold, tables opened, everything else as it is."""
    flat: dict[str, object] = {}
    for name in _writable(config):
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _writable(table: BaseModel) -> list[str]:
    """Names of the keys that are no `DERIVED` ones."""

    def derived(field: FieldInfo) -> bool:
        return isinstance(field.json_schema_extra, dict) and DERIVED in field.json_schema_extra

    return [name for name, field in type(table).model_fields.items() if not derived(field)]


def render_template() -> str:
    """The commented config.toml of the repository: every key, its default, unit and range."""
    lines = [
        "# Every key of atft-tui with its default. A file like this may stand in the current directory or",
        "# in the workspace; keys that it leaves out keep their default. `atft-tui config show` tells where",
        "# each value comes from.",
    ]
    defaults = Config()
    for table in Config.model_fields:
        lines += ["", *_render_table(getattr(defaults, table), table)]
    return "\n".join(lines) + "\n"


def _render_table(table: BaseModel, name: str) -> list[str]:
    lines, after = [f"[{name}]"], []
    for key in _writable(table):
        value = getattr(table, key)
        if isinstance(value, BaseModel):
            after += ["", *_render_table(value, f"{name}.{key}")]
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for item in value:
                after += ["", f"[[{name}.{key}]]"]
                after += [f"{k} = {toml_text(v)}" for k, v in item.model_dump(mode="json").items()]
        else:
            if remark := comment(f"{name}.{key}"):
                lines.append(f"# {remark}")
            lines.append(f"{key} = {toml_text(value)}")
    return lines + after


def comment(key: str) -> str:
    """What the template says above a key, without the sign."""
    text, limits, _ = describe(key)
    return " ".join(part for part in (text, f"[{limits}]" if limits else "") if part)


def toml_text(value: Any) -> str:
    """A value as it stands in a file."""
    if isinstance(value, BaseModel):
        return toml_text(value.model_dump(mode="json"))
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_text(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} = {toml_text(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _range(field: FieldInfo) -> str:
    words = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "multiple_of": "multiple of"}
    parts = []
    for item in field.metadata:
        for name, word in words.items():
            limit = getattr(item, name, None)
            if limit is not None and isinstance(item, annotated_types.BaseMetadata):
                parts.append(f"{word} {limit:g}")
    options = getattr(field.annotation, "__args__", ())
    if options and all(isinstance(option, str) for option in options):
        parts.append(" | ".join(options))
    return ", ".join(parts)


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _uncapitalised(words: str) -> str:
    return words if words.startswith("L2") else words[0].lower() + words[1:]
