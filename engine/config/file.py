"""Reading and writing configuration: presets, layers, origins, and mistakes named by file:line: key."""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ValidationError

from engine import hashes
from engine.config import Config
from engine.config.keys import EPOCHS, PHASES, table_of
from engine.errors import ConfigError
from engine.files import parse_toml, read_toml_text, write_text
from engine.records.features import accepted_texts
from engine.workspace import config_files

PRESETS: dict[str, dict[str, object]] = {
    "cpu-small": {
        "features.breadth": "core",
        "model.hidden": 64,
        "split.window": 10,
        "loss.base": 0.1,
        "loss.rank_ic": 0.0,
        "loss.cs_ic": 1.0,
        "loss.sharpe": 0.0,
        "training.epochs": (6, 1, 1, 1),
    },
    "base": {"model.hidden": 64, "model.gat_heads": (4, 2)},
    "large": {"model.hidden": 256, "model.attention_heads": 8, "model.gat_heads": (8, 4)},
    "demo": {
        "data.market": "synthetic",
        "features.breadth": "core",
        "data.synthetic.n_sessions": 1400,
        "universe.min_history": 130,
        "universe.min_price": 0.0,
        "universe.min_turnover": 0.0,
        "graph.window": 120,
        "graph.half_life": 60.0,
        "split.window": 12,
        "split.validation_sessions": 160,
        "split.test_sessions": 252,
        "protocol.development_to": "",
        "protocol.confirmation_to": "",
        "model.dropout": 0.4,
        "loss.base": 0.3,
        "loss.cs_ic": 1.0,
        "training.learning_rate": 1e-3,
        "training.rivals_hear_neighbours": True,
        "training.epochs": (3, 1, 10, 1),
    },
}
PRESETS["planted"] = PRESETS["demo"] | {
    "data.synthetic.n_symbols": 1000,
    "data.synthetic.n_sessions": 2000,
    "features.columns": ("volume_level_10_250",),
    "universe.min_history": 252,
    "graph.window": 250,
    "graph.half_life": 250.0,
    "model.hidden": 64,
    "model.blocks": ("gat", "bypass"),
    "model.gat_heads": (4,),
    "model.dropout": 0.3,
    "loss.sharpe": 0.0,
    "training.learning_rate": 2e-3,
    "training.averaging": "ema",
    "training.epochs": (3, 0, 6, 0),
    "training.phases.gat.trained_scale": 0.5,
}
"""``training.epochs`` is short for the epochs of the phases, in order."""
Origins = dict[str, str]
_Tables = dict[str, Any]
"""Tables of TOML within each other, as a file or an option gives them: of no known type until validated."""
_RETIRED = ("max_price", "split_tolerance")
"""Keys of ``[quality]`` in older versions; they stand in the configurations of their runs and models."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A configuration, and where each of its values comes from."""

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
    values: _Tables = {}
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


def resolve_new(
    workspace: Path, *, preset: str | None = None, overrides: Sequence[str] = ()
) -> Resolved:
    """The configuration of a new command: that of its files, with the own features of the workspace as they
    stand there.

    An empty text stands for one that the audit has not accepted. ConfigError where a file or an option
    sets them: `atft-tui features add` does.
    """
    resolved = resolve(config_files(workspace), preset=preset, overrides=overrides)
    if resolved.config.features.own:
        raise ConfigError(
            "features.own is filled from the workspace", hint="`atft-tui features add NAME TEXT`"
        )
    features = resolved.config.features.model_copy(update={"own": accepted_texts(workspace)})
    return Resolved(resolved.config.model_copy(update={"features": features}), resolved.origins)


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
    text = read_toml_text(hashes.checked(path))
    lines = {key: f"{path}:{n}" for key, n in _lines(text).items()}
    values = parse_toml(text, path)
    quality = values.get("quality")
    if isinstance(quality, dict):
        values["quality"] = {name: quality[name] for name in quality if name not in _RETIRED}
    return _validate(values, lines)


def write_resolved(path: Path, config: Config) -> None:
    """Write every key with its value, as a run keeps them."""
    write_text(path, tomlkit.dumps(config.model_dump(mode="json", exclude_none=True)))


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


def _merge(into: _Tables, table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _assign(values: _Tables, key: str, value: Any, origin: str) -> None:
    if key == EPOCHS:
        _assign_epochs(values, value, origin)
        return
    if key.startswith(f"{PHASES}."):
        _assign_phase(values, key, value, origin)
        return
    *tables, name = key.split(".")
    place = values
    for table in tables:
        place = place.setdefault(table, {})
        if not isinstance(place, dict):
            raise ConfigError(f"{origin}: {key}: {table} is not a table")
    place[name] = value


def _assign_epochs(values: _Tables, value: Any, origin: str) -> None:
    """``training.epochs = [3, 2, 5, 2]``: the epochs of the phases in order; one number counts for all."""
    phases = _phases(values)
    counts = list(value) if isinstance(value, list | tuple) else [value] * len(phases)
    if len(counts) != len(phases):
        raise ConfigError(f"{origin}: training.epochs needs {len(phases)} numbers, one per phase")
    values["training"]["phases"] = [
        {**phase, "epochs": count} for phase, count in zip(phases, counts, strict=True)
    ]


def _assign_phase(values: _Tables, key: str, value: Any, origin: str) -> None:
    """``training.phases.NAME.KEY = value``: one key of the phase of that name."""
    name, _, field = key.removeprefix(f"{PHASES}.").rpartition(".")
    phases = _phases(values)
    if name not in [phase.get("name") for phase in phases]:
        known = ", ".join(str(phase.get("name")) for phase in phases)
        raise ConfigError(f"{origin}: {key}: there is no phase {name!r}", hint=f"known: {known}")
    values["training"]["phases"] = [
        {**phase, field: value} if phase.get("name") == name else phase for phase in phases
    ]


def _phases(values: _Tables) -> list[_Tables]:
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


_IN_TOML = {
    r"valid dictionary or (?:object|instance of \w+)|valid dictionary": "table",
    r"valid tuple|valid list": "list",
}
"""What the types of Python are in a file."""


def _explain(item: Mapping[str, Any], origins: Origins) -> str:
    parts = [str(part) for part in item["loc"]]
    key = ".".join(part for part in parts if not part.isdigit())
    candidates = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    place = next((origins[c] for c in candidates if c in origins), "")
    prefix = f"{place}: " if place else ""
    if item["type"] == "extra_forbidden":
        table = table_of(parts[:-1])
        near = difflib.get_close_matches(parts[-1], table.model_fields if table else (), n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        return f"{prefix}{key}: unknown key{hint}"
    message = str(item["msg"]).removeprefix("Value error, ")
    for theirs, ours in _IN_TOML.items():
        message = re.sub(theirs, ours, message)
    shown = repr(item.get("input"))
    given = f" (given: {shown})" if item["type"] != "value_error" and len(shown) < 80 else ""
    return f"{prefix}{key + ': ' if key else ''}{message}{given}"
