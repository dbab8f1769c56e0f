"""A track record that somebody else can check: what was sealed, traded, looked at and promoted, in one chain.

    WORKSPACE/track/chain.jsonl    one entry a line, added to and never changed
    FILE                           the entries, and a signed header

An entry holds an item of one of these kinds. Its hash is of the former entry's hash, a newline and the bytes
of the item as they stand in the file: nothing in the middle can be changed, moved or left out.
"""

import hashlib
import json
from typing import TypeVar

import msgspec
from msgspec import Struct

from engine.files import strict
from engine.records import record
from engine.records.card import Verdict
from engine.records.champion import ChampionEntry
from engine.records.protocol import CountedLook
from engine.records.shadow import ShadowLedger, ShadowRow

FORMAT = 1
"""Rises when the meaning of a file changes, not with new fields of an item."""


class TrackItem(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What an entry is about."""

    @property
    def name(self) -> str:
        """What it is called: items of one kind and name are of the same thing."""
        raise NotImplementedError  # every kind has its own

    @property
    def same(self) -> str:
        """Text that is equal for items that say the same."""
        return item_bytes(self).decode()


class SealedSignal(TrackItem, frozen=True, kw_only=True, tag="signal"):
    """A sealed signal."""

    session: str
    revision: int
    reason: str
    """Why it was revised."""
    seal: str
    """SHA-256 of its manifest, which names the hash of each of its files."""
    model: str
    data: str
    code: dict[str, str]
    """Version and digest of the program that sealed it."""
    verdict: Verdict
    """Of its card."""
    sealed_at: str
    """UTC: the time of the file ``SEAL``, by the clock of the machine that sealed it."""

    @property
    def name(self) -> str:
        return f"{self.session}-r{self.revision}"

    @property
    def same(self) -> str:
        return self.seal  # a copied file has another time


class Reign(TrackItem, frozen=True, kw_only=True, tag="champion"):
    """A promotion, a rollback or a refusal."""

    entry: ChampionEntry

    @property
    def name(self) -> str:
        return str(self.entry.n)


class Look(TrackItem, frozen=True, kw_only=True, tag="look"):
    """A look at scores, or at a book made of them."""

    look: CountedLook

    @property
    def name(self) -> str:
        told = self.look
        return " ".join(filter(None, (told.run, told.book, told.market, told.first, told.last)))


class Fill(TrackItem, frozen=True, kw_only=True, tag="fill"):
    """A sealed book over one session, in the shadow ledger; again where prices were corrected."""

    row: ShadowRow

    @property
    def name(self) -> str:
        return f"{self.row.session} {self.row.entry}"


class Standing(TrackItem, frozen=True, kw_only=True, tag="standing"):
    """What all of it came to when the file was made."""

    at: str
    trials: int
    """Variants that were ever simulated, those of deleted runs included."""
    looks: int
    signals: int
    code: dict[str, str]
    """Version and digest of the program that made the file."""
    ledger: ShadowLedger | None = None
    """None before the first `ledger`."""

    @property
    def name(self) -> str:
        return self.at


AnyItem = SealedSignal | Reign | Look | Fill | Standing


class TrackEntry(Struct, frozen=True, kw_only=True):
    """One link of the chain."""

    n: int
    """From 0, without gaps."""
    before: str
    """Hash of the former entry; empty for the first."""
    hash: str
    item: msgspec.Raw
    signature: str = ""
    """Of the hash, hex; empty in the chain of the workspace."""

    @classmethod
    def after(cls, last: "TrackEntry | None", item: AnyItem) -> "TrackEntry":
        """The link that follows ``last``."""
        before = last.hash if last else ""
        content = item_bytes(item)
        return cls(
            n=last.n + 1 if last else 0,
            before=before,
            hash=_link_hash(before, content),
            item=msgspec.Raw(content),
        )

    @property
    def is_whole(self) -> bool:
        """Whether its hash is of what it says."""
        return self.hash == _link_hash(self.before, bytes(self.item))

    def read(self) -> AnyItem:
        """The item. RecordError for one of a later version or for none."""
        kind: type[AnyItem] = AnyItem  # type: ignore[assignment]
        return record.parse(bytes(self.item), kind, f"entry {self.n}")

    def words(self) -> str:
        """``entry 3 (signal 2016-12-30-r0)``; the number alone where the item cannot be read."""
        try:
            item = self.read()
        except record.RecordError:
            return f"entry {self.n}"
        return f"entry {self.n} ({item.__struct_config__.tag} {item.name})"


class TrackHeader(Struct, frozen=True, kw_only=True):
    """What the signature of the whole file is of."""

    format: int
    made: str
    """UTC, ISO 8601."""
    entries: int
    head: str
    """Hash of the last entry."""
    public_key: str
    """Ed25519, 32 bytes as hex."""


class TrackFile(Struct, frozen=True, kw_only=True):
    """The whole file."""

    header: TrackHeader
    signature: str
    """Of the header's bytes (JSON, sorted keys, no spaces), hex."""
    entries: tuple[TrackEntry, ...]


_T = TypeVar("_T", TrackEntry, TrackFile)


def decode(content: bytes, kind: type[_T], name: str) -> _T:
    """An entry or a file with its items as the bytes they are. RecordError, which begins with ``name``."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise record.RecordError(f"{name}: {error}") from error


def _link_hash(before: str, item: bytes) -> str:
    """SHA-256 as hex of the former hash, a newline and the item's bytes."""
    return hashlib.sha256(before.encode() + b"\n" + item).hexdigest()


def item_bytes(value: Struct) -> bytes:
    """JSON with sorted keys and without spaces; a number that is not known is null."""
    told = strict(msgspec.to_builtins(value))
    return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def file_bytes(found: TrackFile) -> bytes:
    """The bytes of a file: an entry a line. There is no other way to write the same file."""
    lines = ",\n".join(msgspec.json.encode(entry).decode() for entry in found.entries)
    header = msgspec.json.encode(found.header).decode()
    signature = msgspec.json.encode(found.signature).decode()
    return (f'{{"header":{header},\n"signature":{signature},\n"entries":[\n{lines}\n]}}\n').encode()
