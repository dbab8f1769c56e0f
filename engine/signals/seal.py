"""Sealed directories: built aside, renamed into place once, never changed.

    signals/2016-12-30/{scores.parquet, ..., manifest.json, SEAL}     the first signal of a session
    signals/2016-12-30-r1/                                            its first revision

A directory is there whole or not at all: what a killed process left is swept at the next start.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EnvironmentProblem, IntegrityError, UsageError
from engine.files import MANIFEST, read_json, strict, verify_files
from engine.seal_names import SEAL, SealPlace, seal_places
from engine.signals.inputs import SignalInputs
from engine.signals.pins import PinStore

_INPUTS = "inputs.json"
_STAGING = ".staging-"


@dataclass(frozen=True, slots=True)
class Sealed(SealPlace):
    """A sealed directory, checked as it is read."""

    @property
    def seal(self) -> str:
        """SHA-256 of the manifest, as it was sealed."""
        try:
            return (self.directory / SEAL).read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            raise IntegrityError(f"{self.directory}: has no {SEAL}") from error

    @property
    def manifest(self) -> dict[str, Any]:
        """After the seal was checked; the files it lists are not."""
        path = self.directory / MANIFEST
        if not path.is_file():
            raise IntegrityError(f"{path}: missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != self.seal:
            raise IntegrityError(f"{path}: does not have the hash that {SEAL} records")
        return read_json(path)

    def read(self, name: str) -> bytes:
        """One file, after its hash was checked."""
        verify_files(self.directory, self.manifest, (name,))
        return (self.directory / name).read_bytes()

    def inputs(self) -> SignalInputs:
        return SignalInputs.from_bytes(self.read(_INPUTS))

    def verify(self, pins: PinStore) -> int:
        """Check the seal, every file, that there is no other, and every input; the number checked."""
        manifest = self.manifest
        verify_files(self.directory, manifest, manifest["files"])
        strange = {path.name for path in self.directory.iterdir()}
        strange -= {*manifest["files"], MANIFEST, SEAL}
        if strange:
            raise IntegrityError(f"{self.directory}: {', '.join(sorted(strange))} was not sealed")
        needed = self.inputs().pins()
        for pin in needed:
            pins.get(pin)
        return len(manifest["files"]) + len(needed)


@dataclass(frozen=True, slots=True)
class SealStore:
    root: Path
    """``WORKSPACE/signals``."""

    @property
    def pins(self) -> PinStore:
        return PinStore(self.root / "pins")

    def __iter__(self) -> Iterator[Sealed]:
        """Every sealed directory, by session, then revision."""
        return (Sealed(place.directory) for place in seal_places(self.root))

    def of(self, session: str) -> list[Sealed]:
        """Revisions of a session, the first signal first."""
        return [one for one in self if one.session == session]

    def open(self, name: str) -> Sealed:
        """``2016-12-30`` = the newest of that session, ``2016-12-30-r0`` = the first, ``-r1`` ..."""
        session, _, revision = name.partition("-r")
        found = self.of(session)
        if revision:
            found = [one for one in found if str(one.revision) == revision]
        if not found:
            raise UsageError(f"no sealed signal {name!r}", hint="`atft-tui verify` lists them")
        return found[-1]

    def newest(self) -> list[Sealed]:
        """The newest revision of each session, oldest session first."""
        return list({one.session: one for one in self}.values())

    def sweep(self) -> list[str]:
        """Remove what killed writers left. Only for the holder of the lock."""
        left = sorted(self.root.glob(f"{_STAGING}*")) if self.root.is_dir() else []
        for path in left:
            shutil.rmtree(path)
        for path in self.root.glob("pins/.*.tmp"):
            path.unlink(missing_ok=True)
        return [path.name for path in left]

    def publish(
        self, session: str, revision: int, files: Mapping[str, bytes], fields: Mapping[str, Any]
    ) -> Sealed:
        """Seal the files. If the place is taken meanwhile, the one that is there stays and is returned."""
        name = f"{session}-r{revision}" if revision else session
        target = self.root / name
        staging = self.root / f"{_STAGING}{name}-{secrets.token_hex(4)}"
        staging.mkdir(parents=True)
        try:
            manifest = manifest_bytes(files, fields)
            seal = hashlib.sha256(manifest).hexdigest() + "\n"
            for file, content in {**files, MANIFEST: manifest, SEAL: seal.encode()}.items():
                _write(staging / file, content)
            _sync(staging)
            staging.rename(target)
            _sync(self.root)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise EnvironmentProblem(
                    f"{target}: cannot be written ({error.strerror})"
                ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return Sealed(target)


def manifest_bytes(files: Mapping[str, bytes], fields: Mapping[str, Any]) -> bytes:
    """The manifest of these files: the same fields and files give the same bytes."""
    entries = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
    }
    value = strict({**fields, "files": entries})
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
