"""Sealed signals as directories: which there are, and whether each is still what was sealed.

Nothing that a file of a seal says is handed out before its hash was held against the manifest, and
nothing of a manifest before its hash was held against ``SEAL``. Pins and models are checked by ``verify``.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.errors import IntegrityError
from engine.files import MANIFEST, from_json
from engine.seal_names import SEAL, SealPlace, seal_places

_SEAL_BYTES = 256
"""More than a digest and its line end: a longer file is no seal."""
Standing = Literal["sealed", "torn", "broken"]
"""``torn``: a part is missing; ``broken``: a part is not what was sealed. Neither may be traded on."""
_Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of change of every file: what has this has been read before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal(SealPlace):
    """One sealed directory, after its manifest was held against ``SEAL`` and its files were counted."""

    standing: Standing
    trouble: str = ""
    """What is missing or differs; empty when sealed."""
    digest: str = ""
    """SHA-256 of the manifest as ``SEAL`` records it."""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """Empty unless it is the one that was sealed."""
    stamp: _Stamp = ()

    @property
    def reason(self) -> str:
        """Why it was revised."""
        return str(self.manifest.get("reason", ""))

    @property
    def model(self) -> str:
        return str(self.manifest.get("model", ""))

    @property
    def key(self) -> str:
        return str(self.manifest.get("key_text", ""))

    def content(self, name: str) -> bytes:
        """One file's bytes, after their hash was checked. IntegrityError names what is wrong."""
        path = self.directory / name
        entry = self._entries().get(name)
        if entry is None:
            raise IntegrityError(f"{path}: not among the sealed files")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise IntegrityError(f"{path}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
            raise IntegrityError(f"{path}: is not what was sealed")
        return content

    def _entries(self) -> dict[str, dict[str, Any]]:
        files = self.manifest.get("files")
        return files if isinstance(files, dict) else {}


_known: dict[Path, Seal] = {}
"""What was read last of each directory: the same value for as long as no file of it changes."""


def seals(workspace: Path, limit: int) -> tuple[Seal, ...]:
    """The newest sealed directories, oldest session first, then by revision."""
    return tuple(read_seal(place.directory) for place in _places(workspace)[-limit:])


def newest(workspace: Path) -> Seal | None:
    """The newest revision of the newest session; the others are not looked into."""
    places = _places(workspace)
    return read_seal(places[-1].directory) if places else None


def _places(workspace: Path) -> list[SealPlace]:
    return seal_places(workspace / "signals")


def read_seal(directory: Path) -> Seal:
    """What stands in a directory; the very same value if no file of it has changed since."""
    stamp = _stamp(directory)
    known = _known.get(directory)
    if known is None or known.stamp != stamp:
        known = _known[directory] = _examined(directory, stamp)
    return known


def _stamp(directory: Path) -> _Stamp:
    try:
        with os.scandir(directory) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats))


def _examined(directory: Path, stamp: _Stamp) -> Seal:
    def failed(standing: Standing, trouble: str, digest: str = "") -> Seal:
        return Seal(
            directory=directory, standing=standing, trouble=trouble, digest=digest, stamp=stamp
        )

    sizes = {name: size for name, size, _ in stamp}
    for name in (SEAL, MANIFEST):
        if name not in sizes:
            return failed("torn", f"has no {name}")
    try:
        digest = _digest(directory / SEAL)
        content = (directory / MANIFEST).read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        return failed("torn", f"cannot be read: {error}")
    if hashlib.sha256(content).hexdigest() != digest:
        return failed("broken", f"{MANIFEST} is not what {SEAL} stands for", digest)
    try:
        manifest = from_json(content)
        listed = {name: int(entry["bytes"]) for name, entry in manifest["files"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return failed("broken", f"{MANIFEST} is of another version: {error}", digest)
    standing, trouble = _counted(listed, sizes)
    return Seal(
        directory=directory, standing=standing, trouble=trouble, digest=digest, manifest=manifest,
        stamp=stamp,
    )  # fmt: skip


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_SEAL_BYTES).decode("ascii").strip()


def _counted(listed: Mapping[str, int], sizes: Mapping[str, int]) -> tuple[Standing, str]:
    """Every listed file there in its size, and no other. Their hashes are checked when they are read."""
    for name, size in listed.items():
        if name not in sizes:
            return "torn", f"{name} is missing"
        if sizes[name] != size:
            return "broken", f"{name} is not what was sealed"
    strange = sorted(sizes.keys() - listed.keys() - {SEAL, MANIFEST})
    if strange:
        return "broken", f"{strange[0]} was not sealed"
    return "sealed", ""
