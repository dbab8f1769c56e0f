"""Reading and writing configuration: layers, origins, and mistakes named by file:line: key."""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import annotated_types
import tomlkit
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from engine.commands.presets import PRESETS
from engine.config import Config
from engine.errors import ConfigError
from engine.files import parse_toml, read_toml_text, write_text

Origins = dict[str, str]
_RETIRED = ("max_price", "split_tolerance")
"""Of ``[quality]``: keys of older versions, which stand in the configurations of their runs and models."""


@dataclass(frozen=True, slots=True)
class Resolved:
    config: Config
    origins: Origins
    """Dotted key -> where its value comes from; keys that are absent have their default."""


def resolve(
    files: Sequence[Path],
    *,
    preset: str | None = None,
    overrides: Sequence[str] = (),
    drafts: Mapping[Path, str] | None = None,
) -> Resolved:
    """Defaults <- files, in order (those that exist) <- preset <- ``key=value`` overrides.

    ``drafts``: texts that would stand in some of the files, taken in place of what does.
    """
    values: dict[str, Any] = {}
    origins: Origins = {}
    drafts = drafts or {}
    for path in files:
        if path in drafts or path.is_file():
            text = drafts[path] if path in drafts else read_toml_text(path)
            _merge(values, parse_toml(text, path))
            origins |= {key: f"{path}:{line}" for key, line in _lines(text).items()}
    if preset is not None:
        if preset not in PRESETS:
            raise ConfigError(f"no preset {preset!r}", hint=f"known: {', '.join(PRESETS)}")
        for key, value in PRESETS[preset].items():
            _assign(values, key, value, f"preset {preset}")
            origins[key] = f"preset {preset}"
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key.strip():
            raise ConfigError(f"--set {override!r}: expected key=value")
        _assign(values, key.strip(), _value(text), "--set")
        origins[key.strip()] = "--set"
    return Resolved(_validate(values, origins), origins)


def override(config: Config, changes: Mapping[str, Any], *, origin: str) -> Config:
    """The configuration with some dotted keys changed; text is read as on the command line."""
    values = config.model_dump(mode="json")
    for key, value in changes.items():
        _assign(values, key, _value(value) if isinstance(value, str) else value, origin)
    return _validate(values, dict.fromkeys(changes, origin))


def read_resolved(path: Path) -> Config:
    """A complete configuration as `write_resolved` wrote it, in this version or an older one.

    Keys that are `_RETIRED` are passed over: they belong to data that are cleaned otherwise now.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    text = read_toml_text(path)
    lines = {key: f"{path}:{n}" for key, n in _lines(text).items()}
    values = parse_toml(text, path)
    quality = values.get("quality")
    if isinstance(quality, dict):
        values["quality"] = {name: quality[name] for name in quality if name not in _RETIRED}
    return _validate(values, lines)


def write_resolved(path: Path, config: Config) -> None:
    write_text(path, tomlkit.dumps(config.model_dump(mode="json", exclude_none=True)))


def flatten(config: BaseModel, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value, tables opened, everything else as it is."""
    flat: dict[str, Any] = {}
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def describe(key: str) -> tuple[str, str]:
    """Documentation and range of a dotted key."""
    model: type[BaseModel] = Config
    *tables, name = key.split(".")
    for table in tables:
        annotation = model.model_fields[table].annotation
        assert isinstance(annotation, type)
        model = annotation
    return describe_field(model.model_fields[name])


def describe_field(field: FieldInfo) -> tuple[str, str]:
    return (field.description or "").replace("\n", " "), _range(field)


_UNIT = re.compile(
    r"(?:^|[.;] )((?:Trading sessions|Sessions|Fraction|Basis points|Seconds|Minutes|Hours|Days|Stocks"
    r"|Quote currency|L2 norm|Standard errors)[^.;]{0,30})\.$"
)


def unit(key: str) -> str:
    """Unit of a dotted key: the last words of its documentation where they name one."""
    found = _UNIT.search(describe(key)[0])
    return _uncapitalised(found[1]) if found else ""


def _uncapitalised(words: str) -> str:
    return words if words.startswith("L2") else words[0].lower() + words[1:]


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
    for key in type(table).model_fields:
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
    text, limits = describe(key)
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


def _lines(text: str) -> dict[str, int]:
    """Dotted key -> line of the text. Good enough for messages: keys are found at line starts."""
    table, found = "", dict[str, int]()
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header:
            table = header[1]
            found.setdefault(table, number)
        elif pair := re.match(r"\s*([A-Za-z0-9_.\"-]+)\s*=", line):
            key = pair[1].replace('"', "")
            found[f"{table}.{key}" if table else key] = number
    return found


def _merge(into: dict[str, Any], table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _assign(values: dict[str, Any], key: str, value: Any, origin: str) -> None:
    if key == "training.epochs":
        _assign_epochs(values, value, origin)
        return
    if key.startswith("training.phases."):
        _assign_phase(values, key, value, origin)
        return
    *tables, name = key.split(".")
    place = values
    for table in tables:
        place = place.setdefault(table, {})
        if not isinstance(place, dict):
            raise ConfigError(f"{origin}: {key}: {table} is not a table")
    place[name] = value


def _assign_epochs(values: dict[str, Any], value: Any, origin: str) -> None:
    """``training.epochs = [3, 2, 5, 2]``: the epochs of the phases in order; one number counts for all."""
    phases = _phases(values)
    counts = list(value) if isinstance(value, list | tuple) else [value] * len(phases)
    if len(counts) != len(phases):
        raise ConfigError(f"{origin}: training.epochs needs {len(phases)} numbers, one per phase")
    values["training"]["phases"] = [
        {**phase, "epochs": count} for phase, count in zip(phases, counts, strict=True)
    ]


def _assign_phase(values: dict[str, Any], key: str, value: Any, origin: str) -> None:
    """``training.phases.NAME.KEY = value``: one key of the phase of that name."""
    name, _, field = key.removeprefix("training.phases.").rpartition(".")
    phases = _phases(values)
    if name not in [phase.get("name") for phase in phases]:
        known = ", ".join(str(phase.get("name")) for phase in phases)
        raise ConfigError(f"{origin}: {key}: there is no phase {name!r}", hint=f"known: {known}")
    values["training"]["phases"] = [
        {**phase, field: value} if phase.get("name") == name else phase for phase in phases
    ]


def _phases(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The phases so far, or the default ones."""
    phases = values.setdefault("training", {}).get("phases")
    return phases or [phase.model_dump(mode="json") for phase in Config().training.phases]


def _value(text: str) -> Any:
    """A TOML value; text that is none is taken as a string."""
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def _validate(values: Mapping[str, Any], origins: Origins) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        lines = [_explain(item, origins) for item in error.errors()]
        raise ConfigError(
            "\n".join(lines), hint="`atft-tui config show` lists every key"
        ) from error


def _explain(item: Mapping[str, Any], origins: Origins) -> str:
    parts = [str(part) for part in item["loc"]]
    key = ".".join(part for part in parts if not part.isdigit())
    candidates = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    place = next((origins[c] for c in candidates if c in origins), "")
    prefix = f"{place}: " if place else ""
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(parts[-1], _siblings(parts[:-1]), n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        return f"{prefix}{key}: unknown key{hint}"
    message = str(item["msg"]).removeprefix("Value error, ")
    shown = repr(item.get("input"))
    given = f" (given: {shown})" if item["type"] != "value_error" and len(shown) < 80 else ""
    return f"{prefix}{key + ': ' if key else ''}{message}{given}"


def _siblings(tables: Sequence[str]) -> list[str]:
    model: Any = Config
    for table in tables:
        field = model.model_fields.get(table)
        model = getattr(field, "annotation", None)
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return list(model.model_fields)
