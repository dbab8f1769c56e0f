"""Which files there are: a file, or a folder at any depth, compressed or not; and their bytes as text.

The encoding is told by marks, strict decoding and plausible characters.
"""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from engine.data.reading.encodings import most_plausible
from engine.errors import DataError, EnvironmentProblem
from engine.plain_text import readable
from engine.records.reading import Unread

_Kind = Literal["text", "parquet", "feather", "excel"]
_ENDINGS: dict[str, _Kind] = {
    ".csv": "text", ".txt": "text", ".tsv": "text", ".parquet": "parquet", ".pq": "parquet",
    ".feather": "feather", ".arrow": "feather", ".xlsx": "excel", ".xlsm": "excel", ".xls": "excel",
}  # fmt: skip
_MAGIC: dict[bytes, _Kind] = {
    b"PAR1": "parquet", b"ARROW1": "feather", b"\xd0\xcf\x11\xe0": "excel"
}  # fmt: skip
"""What files of a kind begin with; it goes before the ending."""
_PACKED = {
    b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"BZh": ".bz2", b"\xfd7zXZ": ".xz",
    b"PK\x03\x04": ".zip",
}  # fmt: skip
_STREAMS: Mapping[str, Callable[..., Any]] = {
    ".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open
}  # fmt: skip
_HEAD = 8
"""Bytes that tell the kind of a file."""


class NotATable(DataError):  # noqa: N818 - a verdict on a file; in a folder it is no error
    """A file in which there is no table of the kind that is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file, or one file within an archive."""

    name: str
    """The name in messages: ``prices.zip/AAPL.csv`` for a file within an archive."""
    within: PurePosixPath
    """Its place below what the user named, without endings: tells a symbol, a day or a field."""
    kind: _Kind
    load: Callable[[], bytes]
    """The whole content, unpacked; damage is a DataError that names the file."""


def find(path: Path) -> tuple[list[Member], list[Unread]]:
    """Files to read in order of their names, and the others with a reason."""
    if not path.exists():
        raise EnvironmentProblem(f"{path}: no such file")
    found: list[Member] = []
    unread: list[Unread] = []
    files = sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
    for file in files:
        within = PurePosixPath(file.relative_to(path).as_posix()) if path.is_dir() else None
        for member in _members(
            str(file),
            within or PurePosixPath(file.name),
            file.read_bytes,
            _head(file),
            path == file,
        ):
            (found if isinstance(member, Member) else unread).append(member)  # type: ignore[arg-type]
    return found, unread


def _head(file: Path) -> bytes:
    with file.open("rb") as handle:
        return handle.read(_HEAD)


def _members(
    name: str, within: PurePosixPath, load: Callable[[], bytes], head: bytes, named: bool
) -> Iterator[Member | Unread]:
    """``named``: the user named this very file, so that no ending is asked for."""
    hidden = any(part.startswith((".", "~$", "__MACOSX")) for part in within.parts)
    ending = within.suffix.lower()
    if hidden and not named:
        yield Unread(file=name, reason="a hidden file")
        return
    if not head:
        yield Unread(file=name, reason="the file is empty")
        return
    packing = next((end for magic, end in _PACKED.items() if head.startswith(magic)), "")
    if not packing and ending in _PACKED.values():
        packing = ending
    if packing == ".zip" and _ENDINGS.get(ending) != "excel":
        yield from _zipped(name, within, load)
        return
    if packing and packing != ".zip":
        inner = within.with_suffix("") if ending == packing else within

        def unpacked() -> bytes:
            return _unpacked(name, load(), packing)

        start = _unpacked(name, load(), packing, _HEAD)
        bare = inner.suffix.lower() not in _ENDINGS
        yield from _members(name, inner, unpacked, start, named or bare)
        return
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    kind = kind or _ENDINGS.get(ending) or ("text" if named else None)
    if kind is None:
        reason = f"no table by its ending {ending}" if ending else "no ending of a table"
        yield Unread(file=name, reason=reason)
        return
    stem = within.with_suffix("") if ending in _ENDINGS else within
    yield Member(name=name, within=stem, kind=kind, load=load)


def _zipped(
    name: str, within: PurePosixPath, load: Callable[[], bytes]
) -> Iterator[Member | Unread]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(load()))
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise _damaged(name, error) from error

    def content(inside: str, size: int = -1) -> bytes:
        try:
            with archive.open(inside) as stream:
                return stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise _damaged(f"{name}/{readable(inside)}", error) from error

    for inside in sorted(entry.filename for entry in archive.infolist() if not entry.is_dir()):
        yield from _members(
            f"{name}/{readable(inside)}", within.with_suffix("") / inside,
            partial(content, inside), content(inside, _HEAD), named=False,
        )  # fmt: skip


def _unpacked(name: str, content: bytes, packing: str, size: int = -1) -> bytes:
    """The content, or its first ``size`` bytes."""
    try:
        if packing == ".zst":
            import pyarrow as pa

            with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
                return bytes(stream.read(None if size < 0 else size))
        with _STREAMS[packing](io.BytesIO(content)) as plain:
            return bytes(plain.read(size))
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise _damaged(name, error) from error


def _damaged(name: str, why: object) -> DataError:
    return DataError(
        f"{name}: not readable as an archive ({str(why).splitlines()[0] if str(why) else 'cut'})",
        hint="the file is damaged or incomplete; fetch it again",
    )


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")
)  # fmt: skip


def decoded(content: bytes, *, name: str, encoding: str = "") -> tuple[bytes, str]:
    """The text in UTF-8 without a mark, its lines ended by line feeds, and the encoding it came in.

    ``encoding`` insists; otherwise UTF-8 is taken where it fits strictly, then what
    `most_plausible` says.
    """
    told = encoding or _told(content)
    if told.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig"):
        told, content = "utf-8", content.removeprefix(codecs.BOM_UTF8)
    if told not in ("utf-8", "ascii"):
        try:
            content = content.decode(told).encode("utf-8")
        except LookupError:
            raise DataError(
                f"there is no encoding {told!r}", hint="e.g. --encoding utf-8, cp932, gbk, latin-1"
            ) from None
        except UnicodeDecodeError as error:
            raise _undecodable(content, error, name, told) from None
    elif told == "utf-8":
        try:
            content.decode(told)
        except UnicodeDecodeError as error:
            raise _undecodable(content, error, name, told) from None
    content = content.removeprefix(codecs.BOM_UTF8)
    if content.count(b"\r") != content.count(b"\r\n"):
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\0" in content:
        raise DataError(
            f"{name}: bytes of zero in the text, at line {_line(content, content.index(0))}",
            hint="the file is damaged or no text; name its encoding with --encoding",
        )
    return content, "utf-8" if told == "ascii" else told


def _told(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    if content.isascii():
        return _of_zeros(content) or "ascii"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        if _of_zeros(content):
            return _of_zeros(content)
        before = content[: error.start]
        if error.reason == "unexpected end of data" and not before.isascii():
            return "utf-8"  # The last character was cut off: refused as UTF-8, by its line.
        return most_plausible(content)
    return "utf-8"


def _of_zeros(content: bytes) -> str:
    """UTF-16 without a mark: every other byte of ASCII text is zero."""
    head = content[:1000]
    half = len(head) // 2
    if not half or b"\0" not in head:
        return ""
    if head[1::2].count(0) > 0.6 * half:
        return "utf-16-le"
    return "utf-16-be" if head[0::2].count(0) > 0.6 * half else ""


def _line(content: bytes, at: int) -> int:
    return content.count(b"\n", 0, at) + 1


def _undecodable(content: bytes, error: UnicodeDecodeError, name: str, encoding: str) -> DataError:
    return DataError(
        f"{name}: line {_line(content, error.start)} is not {encoding} ({error.reason})",
        hint="name the encoding with --encoding, or fetch the file again if it was cut",
    )
