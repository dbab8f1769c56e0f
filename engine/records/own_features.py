"""The features of a workspace's own: their files, and which texts the look-ahead audit has accepted.

WORKSPACE/features/NAME.toml or NAME.py, and WORKSPACE/features/accepted.json.
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from engine.errors import ConfigError
from engine.files import read_toml_text
from engine.hashes import sha256
from engine.records import record

FOLDER = Path("features")
ACCEPTED = FOLDER / "accepted.json"
CODE = "sha256:"
"""Begins what stands for the text of a Python file: its hash."""


class Acceptance(Struct, frozen=True, kw_only=True):
    """One file that the audit found blind to the future."""

    sha256: str
    """Of the bytes of the file."""
    columns: tuple[str, ...]
    snapshot: str
    """The data on which it was shown."""
    when: str
    """UTC, ISO."""


class AcceptedFeatures(Struct, frozen=True, kw_only=True):
    """``features/accepted.json``."""

    files: dict[str, Acceptance] = {}


def own_files(workspace: Path) -> dict[str, Path]:
    """Name -> file of every own feature, sorted. ConfigError where a name stands for two files or is none."""
    found: dict[str, Path] = {}
    folder = workspace / FOLDER
    for path in sorted([*folder.glob("[!._]*.toml"), *folder.glob("[!._]*.py")]):
        if not path.stem.isidentifier():
            raise ConfigError(f"{path}: a feature's name has letters, digits and _ only")
        if path.stem in found:
            raise ConfigError(
                f"{path}: {found[path.stem].name} has the same name", hint="delete one of them"
            )
        found[path.stem] = path
    return found


def own_text(path: Path) -> str:
    """What stands for a file in a configuration: the text of an expression file, the hash of a Python one."""
    return CODE + sha256(path) if path.suffix == ".py" else read_toml_text(path)


def accepted_texts(workspace: Path) -> dict[str, str]:
    """Name -> `own_text` of each own file; empty for one that is not accepted as it stands."""
    kept = record.read_if_there(workspace / ACCEPTED, AcceptedFeatures) or AcceptedFeatures()
    texts = {}
    for name, path in own_files(workspace).items():
        known = kept.files.get(name)
        same = known is not None and known.sha256 == sha256(path)
        texts[name] = own_text(path) if same else ""
    return texts


def changed_since(workspace: Path, own: Mapping[str, str]) -> tuple[str, ...]:
    """Own features of a configuration whose file is gone or says something else by now, sorted."""
    files = own_files(workspace)
    return tuple(
        name
        for name, text in sorted(own.items())
        if text and (name not in files or own_text(files[name]) != text)
    )
