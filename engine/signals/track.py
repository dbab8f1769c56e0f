"""The chain of a workspace, the key that signs it, and what a third party checks of a signed file.

Signatures are Ed25519 (RFC 8032), by ``cryptography``. The key is made on first use and only its owner can
read its file; a credential of the service or the environment variable stands before it.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine import disk
from engine.alerts.alert import Secret
from engine.errors import ConfigError, EnvironmentProblem, IntegrityError
from engine.files import sync_directory, write_bytes
from engine.records import record
from engine.records.track import (
    FORMAT,
    AnyItem,
    TrackEntry,
    TrackFile,
    TrackHeader,
    decode,
    file_bytes,
    item_bytes,
)
from engine.secrets import secret_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KEY = "ATFT_TRACK_KEY"
"""Environment variable or credential with the private key: 32 bytes as hex, the text of the key file."""
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Chain:
    """``WORKSPACE/track/chain.jsonl``."""

    path: Path

    def entries(self) -> list[TrackEntry]:
        """All entries, oldest first. IntegrityError names the first line that does not follow."""
        if not self.path.is_file():
            return []
        found: list[TrackEntry] = []
        for n, line in enumerate(self.path.read_bytes().splitlines()):
            place = f"{self.path}: line {n + 1}"
            entry = decode(line, TrackEntry, place)
            before = found[-1].hash if found else ""
            if not entry.is_whole or entry.before != before or entry.n != len(found):
                raise IntegrityError(
                    f"{place} is not what was written", hint="bring the file back from a copy"
                )
            found.append(entry)
        return found

    def extend(self, items: Iterable[AnyItem]) -> list[TrackEntry]:
        """Add what is new or says something else than the newest of its kind and name; all entries."""
        found = self.entries()
        known: dict[tuple[str, str], str] = {}
        for entry in found:
            item = entry.read()
            known[type(item).__name__, item.name] = item.same
        new: list[TrackEntry] = []
        for item in items:
            if known.get((type(item).__name__, item.name)) != item.same:
                new.append(TrackEntry.after((found + new)[-1] if found or new else None, item))
        lines = [msgspec.json.encode(entry) + b"\n" for entry in found + new]
        write_bytes(self.path, b"".join(lines))
        return found + new


class TrackKey:
    """A private key; it shows itself nowhere."""

    def __init__(self, secret: Secret) -> None:
        """ConfigError where the secret is no key."""
        from cryptography.hazmat.primitives.asymmetric import ed25519

        try:
            seed = bytes.fromhex(secret.reveal())
            self._key: Ed25519PrivateKey = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        except ValueError:
            raise ConfigError(f"{_KEY} or the key file: not 32 bytes as hex") from None

    @classmethod
    def find(cls, folder: Path) -> "TrackKey":
        """The key of the environment or credential, else ``track.key`` in the folder, made if missing.

        EnvironmentProblem for a file that others may read.
        """
        given = secret_of(_KEY, os.environ)
        return cls(Secret(given) if given else _kept(folder / "track.key"))

    @property
    def public(self) -> str:
        """The public key as hex."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, content: bytes) -> str:
        """The signature as hex."""
        return self._key.sign(content).hex()


def _kept(path: Path) -> Secret:
    """The key in the file, made on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with disk.named(path):
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE)
            try:
                os.write(file, os.urandom(32).hex().encode() + b"\n")
                os.fsync(file)
            finally:
                os.close(file)
        sync_directory(path.parent)
    if path.stat().st_mode & 0o077:
        raise EnvironmentProblem(f"{path}: others may read it", hint=f"chmod 600 {path}")
    return Secret(path.read_text(encoding="ascii", errors="replace").strip())


def signed(entries: Sequence[TrackEntry], key: TrackKey, made: str) -> TrackFile:
    """The entries, each signed, under a signed header; at least one."""
    header = TrackHeader(
        format=FORMAT, made=made, entries=len(entries), head=entries[-1].hash, public_key=key.public
    )
    return TrackFile(
        header=header,
        signature=key.sign(item_bytes(header)),
        entries=tuple(
            msgspec.structs.replace(entry, signature=key.sign(bytes.fromhex(entry.hash)))
            for entry in entries
        ),
    )


def read_track(path: Path) -> tuple[TrackFile, bytes]:
    """A file and its bytes. RecordError where it is none, IntegrityError for one of a later format."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise record.RecordError(f"{path}: cannot be read ({error.strerror})") from error
    found = decode(content, TrackFile, str(path))
    if found.header.format > FORMAT:
        raise IntegrityError(
            f"{path}: of a later version of the program (format {FORMAT} is known)"
        )
    return found, content


def faults(found: TrackFile, content: bytes) -> list[str]:
    """Everything in the file that is not what was signed, one clause each; nothing else is needed for it."""
    header = found.header
    told = [] if _signs(header.public_key, found.signature, item_bytes(header)) else [
        "the header was altered, or is signed by another key"
    ]  # fmt: skip
    before: TrackEntry | None = None
    for entry in found.entries:
        words = entry.words()
        if not entry.is_whole:
            told.append(f"{words} was altered")
        elif not _signs(header.public_key, entry.signature, _unhex(entry.hash)):
            told.append(f"{words} is not signed by this key")
        follows = before.hash if before else ""
        if entry.before != follows or entry.n != (before.n + 1 if before else 0):
            after = f"after {before.words()}" if before else "before the first entry"
            told.append(f"{words}: something was taken out, put in or moved {after}")
        before = entry
    if header.entries != len(found.entries) or header.head != (before.hash if before else ""):
        told.append(f"the header is of {header.entries} entries, {len(found.entries)} are here")
    if not told and file_bytes(found) != content:
        told.append("the file holds something besides what was signed")
    return told


def continues(found: TrackFile, earlier: TrackFile) -> list[str]:
    """What of an earlier file is not in this one, one clause each."""
    now = {entry.n: entry.hash for entry in found.entries}
    return [
        f"{entry.words()} of the earlier file is not the same here"
        for entry in earlier.entries
        if now.get(entry.n) != entry.hash
    ]


def _signs(public: str, signature: str, content: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(_unhex(public))
        key.verify(_unhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _unhex(text: str) -> bytes:
    """The bytes; none for a text that is another way to write them."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return b""
    return found if found.hex() == text else b""
