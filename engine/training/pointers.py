"""Which version of a checkpoint counts: the pointer ``root/NAME`` names the folder ``root/NAME-000012``."""

import re
from collections.abc import Iterator
from pathlib import Path

from engine.errors import IntegrityError
from engine.files import read_text

_VERSION = re.compile(r"^(?P<name>[a-z]+)-(?P<number>\d{6})$")


def current(root: Path, name: str) -> Path:
    """Folder that the pointer names. IntegrityError unless that is a version of this checkpoint."""
    version = read_text(root / name).strip()
    found = _VERSION.match(version)
    if found is None or found["name"] != name:
        raise IntegrityError(
            f"{root / name}: names no version of checkpoint {name} ({version!r:.40})"
        )
    return root / version


def versions(root: Path, name: str) -> dict[int, Path]:
    """Number -> folder, of all versions that are there."""
    found = {}
    for path in root.iterdir():
        match = _VERSION.match(path.name)
        if match and match["name"] == name:
            found[int(match["number"])] = path
    return found


def dangling(root: Path) -> Iterator[Path]:
    """Pointers in a folder and below it that are undamaged and name a version which is not there."""
    for pointer in sorted(path for path in root.rglob("[a-z]*") if path.is_file()):
        if not pointer.suffix:
            try:
                version = current(pointer.parent, pointer.name)
            except IntegrityError:
                continue  # damaged: its hash tells that
            if not version.is_dir():
                yield pointer
