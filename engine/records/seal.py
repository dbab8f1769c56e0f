"""Sealed signals as directories: which there are, and whether each is still what was sealed.

    signals/2016-12-30/{scores.parquet, ..., manifest.json, SEAL}     the first signal of a session
    signals/2016-12-30-r1/                                            its first revision

Nothing that a file of a seal says is handed out before its hash was held against the manifest, and nothing
of a manifest before its hash was held against ``SEAL``.
"""

import hashlib
import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from engine.errors import IntegrityError
from engine.files import MANIFEST
from engine.records import record
from engine.records.card import Card, SignalEvidence
from engine.records.orders import Positions

SEAL = "SEAL"
"""File with the SHA-256 of the manifest."""
ATTEMPT = Path("signals") / "attempt.json"
"""The file, in the workspace, with the card of the last attempt that sealed nothing."""
_Standing = Literal["sealed", "torn", "broken"]
"""``torn``: a part is missing; ``broken``: a part is not what was sealed. Neither may be traded on."""
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}(?:-r[1-9]\d*)?")
_SEAL_BYTES = 256
"""More than a digest and its line end: a longer file is no seal."""
_KEPT = 4096
"""Seals kept in memory, about 5 KB each: reading one again costs a look at its directory only."""
_Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of change of every file: what has the same stamp has been read before."""


class SealKey(Struct, frozen=True, kw_only=True):
    """What a signal is of. Two signals of one key are the same signal."""

    exchange: str
    session: str
    model: str
    data: str
    """Digest of everything that was known at the session's close."""

    def __str__(self) -> str:
        return f"{self.exchange}:{self.session}:{self.model}:{self.data}"


class SealedFile(Struct, frozen=True, kw_only=True):
    """A file as it was sealed."""

    sha256: str
    bytes: int


class SealManifest(Struct, frozen=True, kw_only=True):
    """``manifest.json``: what the files of a signal come from."""

    key: SealKey | None = None
    key_text: str = ""
    same: str = ""
    """Digest of what a caller decides: the key, the trading rules, the positions."""
    revision: int = 0
    reason: str = ""
    """Why it was revised; empty for the first one."""
    model: str = ""
    data: str = ""
    config: str = ""
    positions: str = ""
    inputs: str = ""
    """Digests of the parts of the inputs; ``positions`` is empty where none were given."""
    code: dict[str, str] = {}
    """Version and digest of the program that sealed it."""
    files: dict[str, SealedFile]


class ScoredDay(Struct, frozen=True, kw_only=True):
    """A pinned session of scores."""

    date: str
    data: str
    """Data part of the key that this session's signal has."""
    pin: str


class SignalInputs(Struct, frozen=True, kw_only=True):
    """``inputs.json``: everything that decides a signal; from it alone the signal can be made again.

    What is large (windows of features, edges, bars) is named by its pin, what is small stands here. No
    clock, no run and no path is in it.
    """

    key: SealKey
    decided: bool
    """The session is one on which the book is decided."""
    trading: dict[str, Any]
    """Tables of the configuration after the scores, and the cash that an account without positions has."""
    positions: Positions | None
    """Positions as given; None means those of an account that followed the book."""
    window: tuple[tuple[str, str], ...]
    """Date and pin of each session that the networks see, oldest first."""
    edges: str | None
    history: tuple[ScoredDay, ...]
    """Scores of the decisions before this session."""
    bars: tuple[tuple[str, str], ...]
    """Date and pin of each session whose prices the book may look at, oldest first."""
    index: str | None
    securities: str
    evidence: dict[str, object]
    """As it was sealed, by whatever version: a replay has to write the very same bytes."""

    @property
    def horizon(self) -> int:
        """Sessions that the traded score looks ahead."""
        return int(self.trading["portfolio"]["horizon"])

    @property
    def told(self) -> SignalEvidence:
        """What the card looks at besides the scores and the orders. RecordError if it is not there."""
        return record.convert(self.evidence, SignalEvidence, "evidence of a signal")

    def pins(self) -> list[str]:
        """Every pin that the signal rests on, sorted."""
        named = {pin for _, pin in (*self.window, *self.bars)}
        named |= {day.pin for day in self.history} | {self.securities}
        return sorted(named | {pin for pin in (self.edges, self.index) if pin})


@dataclass(frozen=True, slots=True)
class SealPlace:
    """A directory with the name of a seal; what stands in it is not looked at."""

    directory: Path

    @property
    def name(self) -> str:
        """The name of the directory: ``2016-12-30`` or ``2016-12-30-r1``."""
        return self.directory.name

    @property
    def session(self) -> str:
        """ISO date of the session."""
        return self.name[:10]

    @property
    def revision(self) -> int:
        """0 = the first signal of its session."""
        return int(self.name[12:] or 0)

    @property
    def word(self) -> str:
        """The word that ``verify``, ``replay`` and ``diff`` take: always this revision, not the newest."""
        return f"{self.session}-r{self.revision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal(SealPlace):
    """A sealed directory, after its manifest was held against ``SEAL`` and its files were counted.

    Two values are equal while no file of the directory has changed.
    """

    stamp: _Stamp = ()
    standing: _Standing = field(compare=False)
    trouble: str = field(default="", compare=False)
    """What is missing or differs; empty when sealed."""
    digest: str = field(default="", compare=False)
    """SHA-256 of the manifest as ``SEAL`` records it."""
    trusted: SealManifest | None = field(default=None, compare=False)
    """The manifest, or None if it is not the one that was sealed."""

    @property
    def manifest(self) -> SealManifest:
        """What was sealed. IntegrityError if the manifest is not the one that ``SEAL`` stands for."""
        if self.trusted is None:
            raise IntegrityError(f"{self.directory}: {self.trouble}")
        return self.trusted

    @property
    def key(self) -> SealKey:
        """What the signal is of. IntegrityError if that was not sealed."""
        key = self.manifest.key
        if key is None:
            raise IntegrityError(f"{self.directory}: {MANIFEST} has no key")
        return key

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the sealed files."""
        return tuple(self.manifest.files)

    def read(self, name: str) -> bytes:
        """One file's bytes, after their hash was checked. IntegrityError names what is wrong."""
        path = self.directory / name
        entry = self.manifest.files.get(name)
        if entry is None:
            raise IntegrityError(f"{path}: not among the sealed files")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise IntegrityError(f"{path}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise IntegrityError(f"{path}: is not what was sealed")
        return content

    def card(self) -> Card:
        """Its card. IntegrityError if it was changed, cannot be read, or is of another session."""
        card = record.parse(self.read("card.json"), Card, f"{self.directory / 'card.json'}")
        if card.session != self.session:
            raise IntegrityError(f"card.json is of {card.session}")
        return card

    def inputs(self) -> SignalInputs:
        """What it was made from. IntegrityError if that was changed or cannot be read."""
        name = "inputs.json"
        return record.parse(self.read(name), SignalInputs, f"{self.directory / name}")


def seal_places(root: Path) -> list[SealPlace]:
    """Everything sealed under ``WORKSPACE/signals``, by session, then revision."""
    try:
        with os.scandir(root) as entries:
            found = [SealPlace(Path(one.path)) for one in entries if _NAME.fullmatch(one.name)]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda place: (place.session, place.revision))


def read_seal(directory: Path) -> Seal:
    """What stands in a directory; the very same value for as long as no file of it changes."""
    return _kept(directory, _stamp(directory))


def examine(directory: Path) -> Seal:
    """What stands in a directory, read anew whatever was read before."""
    stamp = _stamp(directory)
    sizes = {name: size for name, size, _ in stamp}
    for name in (SEAL, MANIFEST):
        if name not in sizes:
            return Seal(directory, stamp=stamp, standing="torn", trouble=f"has no {name}")
    try:
        with (directory / SEAL).open("rb") as file:
            digest = file.read(_SEAL_BYTES).decode("ascii").strip()
        content = (directory / MANIFEST).read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        trouble = f"{SEAL} cannot be read: {error}"
        return Seal(directory, stamp=stamp, standing="torn", trouble=trouble)
    manifest: SealManifest | None = None
    standing: _Standing = "broken"
    trouble = f"{MANIFEST} is not what {SEAL} stands for"
    if hashlib.sha256(content).hexdigest() == digest:
        try:
            manifest = record.parse(content, SealManifest, MANIFEST)
            standing, trouble = _counted(manifest, sizes)
        except record.RecordError as error:
            trouble = f"{MANIFEST} is of another version: {error.message}"
    return Seal(
        directory, stamp=stamp, standing=standing, trouble=trouble, digest=digest, trusted=manifest
    )  # fmt: skip


@lru_cache(_KEPT)
def _kept(directory: Path, stamp: _Stamp) -> Seal:
    return examine(directory)


def _stamp(directory: Path) -> _Stamp:
    try:
        with os.scandir(directory) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats))


def _counted(manifest: SealManifest, sizes: dict[str, int]) -> tuple[_Standing, str]:
    """Every listed file there in its size, and no other. Their hashes are checked when they are read."""
    for name, file in manifest.files.items():
        if name not in sizes:
            return "torn", f"{name} is missing"
        if sizes[name] != file.bytes:
            return "broken", f"{name} is not what was sealed"
    strange = sorted(sizes.keys() - manifest.files.keys() - {SEAL, MANIFEST})
    return ("broken", f"{strange[0]} was not sealed") if strange else ("sealed", "")
