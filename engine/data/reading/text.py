"""Bytes as text: which encoding they are in, told by marks, strict decoding and plausible characters."""

import codecs
from collections.abc import Callable

from engine.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")
)  # fmt: skip
_SAMPLE = 20_000
"""Lines' worth of non-ASCII bytes that plausibility is judged on."""


def decoded(content: bytes, *, name: str, encoding: str = "") -> tuple[bytes, str]:
    """The text in UTF-8 without a mark, its lines ended by line feeds, and the encoding it came in.

    ``encoding`` insists; otherwise UTF-8 is taken where it fits strictly, then the most plausible of
    Shift-JIS (cp932), GBK and Latin-1.
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
        return _most_plausible(content)
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


def _most_plausible(content: bytes) -> str:
    sample = _around_non_ascii(content)
    best, encoding = 0.5, "latin-1"
    for candidate, share in (("cp932", _japanese), ("gbk", _chinese)):
        try:
            text = sample.decode(candidate)
        except UnicodeDecodeError:
            continue
        plausible = _share(text, share)
        if plausible > best:
            best, encoding = plausible, candidate
    return encoding


def _around_non_ascii(content: bytes) -> bytes:
    """Whole lines that are not ASCII, of the start of the file."""
    lines = (line for line in content.split(b"\n", _SAMPLE)[:_SAMPLE] if not line.isascii())
    return b"\n".join(lines)


def _share(text: str, plausible: Callable[[str], float]) -> float:
    foreign = [c for c in text if ord(c) > 127]
    return sum(plausible(c) for c in foreign) / len(foreign) if foreign else 0.0


def _japanese(character: str) -> float:
    """1 for kana, full-width forms and the 2,965 kanji of JIS level 1; half-width kana seldom."""
    code = ord(character)
    if 0xFF61 <= code <= 0xFF9F:
        return 0.4
    if 0x3000 <= code <= 0x30FF or 0xFF01 <= code <= 0xFF5E:
        return 1.0
    lead = character.encode("cp932")[0]
    return 1.0 if 0x81 <= lead <= 0x97 and lead not in (0x85, 0x86) else 0.1


def _chinese(character: str) -> float:
    """1 for full-width forms, marks and the 3,755 hanzi of GB 2312 level 1."""
    encoded = character.encode("gbk")
    if len(encoded) < 2 or encoded[1] < 0xA1:
        return 0.0
    return 1.0 if 0xB0 <= encoded[0] <= 0xD7 or encoded[0] in (0xA1, 0xA3) else 0.1


def _line(content: bytes, at: int) -> int:
    return content.count(b"\n", 0, at) + 1


def _undecodable(content: bytes, error: UnicodeDecodeError, name: str, encoding: str) -> DataError:
    return DataError(
        f"{name}: line {_line(content, error.start)} is not {encoding} ({error.reason})",
        hint="name the encoding with --encoding, or fetch the file again if it was cut",
    )
