"""The encoding of text that is neither ASCII nor Unicode: by names of columns, then by its characters."""

from collections.abc import Callable, Sequence

from engine.data.reading.names import BARS

_SAMPLE = 20_000
"""Lines' worth of non-ASCII bytes that plausibility is judged on."""
_HALF = 0.5
"""Share of plausible characters above which text of two bytes a character is believed."""
_SHORT = 8
"""Characters below which Korean is not told from Chinese: the commonest of both have the same bytes."""
_NAMES = frozenset(
    word for words in BARS.values() for word in words if len(word) > 1 and not word.isascii()
)


def most_plausible(content: bytes) -> str:
    """The codec in which most names of columns are known, then that with the most plausible characters.

    Shift-JIS, Korean, GBK and Big5 are asked for both, Central European and Cyrillic only for names; where
    nothing speaks for one it is Latin-1, in which every byte is a character.
    """
    sample = _around_non_ascii(content)
    latin = sample.decode("latin-1")
    found = [(_known(latin), _HALF, "latin-1")]
    for codec, plausible in _ASIAN:
        text = _decoded(sample, codec)
        if text and (share := _share(text, plausible)) > _HALF:
            found.append((_known(text), share, codec))
    for codec in ("cp1250", "cp1251"):
        text = _decoded(sample, codec)
        if text and (names := _known(text)):
            found.append((names, _HALF, codec))
    return max(found, key=lambda one: one[:2])[2]


def _around_non_ascii(content: bytes) -> bytes:
    """Whole lines that are not ASCII, of the start of the file."""
    lines = (line for line in content.split(b"\n", _SAMPLE)[:_SAMPLE] if not line.isascii())
    return b"\n".join(lines)


def _decoded(sample: bytes, codec: str) -> str:
    """The text, or nothing where a byte does not fit."""
    try:
        return sample.decode(codec)
    except UnicodeDecodeError:
        return ""


def _known(text: str) -> int:
    folded = text.casefold()
    return sum(name in folded for name in _NAMES)


def _share(text: str, plausible: Callable[[str], float]) -> float:
    foreign = [c for c in text if ord(c) > 127]
    share = sum(map(plausible, foreign)) / len(foreign) if foreign else 0.0
    return share * 0.9 if plausible is _korean and len(foreign) < _SHORT else share


def _japanese(character: str) -> float:
    """1 for kana, full-width forms and the 2,965 kanji of JIS level 1; half-width kana seldom."""
    code = ord(character)
    if 0xFF61 <= code <= 0xFF9F:
        return 0.4
    if 0x3000 <= code <= 0x30FF or 0xFF01 <= code <= 0xFF5E:
        return 1.0
    lead = character.encode("cp932")[0]
    return 1.0 if 0x81 <= lead <= 0x97 and lead not in (0x85, 0x86) else 0.1


def _korean(character: str) -> float:
    """1 for the 2,350 syllables and the marks of KS X 1001; hanja are hardly written any more."""
    encoded = character.encode("cp949")
    if len(encoded) < 2 or encoded[1] < 0xA1:
        return 0.1
    return 1.0 if 0xB0 <= encoded[0] <= 0xC8 or encoded[0] in (0xA1, 0xA3) else 0.1


def _chinese(character: str) -> float:
    """1 for full-width forms, marks and the 3,755 hanzi of GB 2312 level 1."""
    encoded = character.encode("gbk")
    if len(encoded) < 2 or encoded[1] < 0xA1:
        return 0.0
    return 1.0 if 0xB0 <= encoded[0] <= 0xD7 or encoded[0] in (0xA1, 0xA3) else 0.1


def _traditional(character: str) -> float:
    """1 for full-width forms, marks and the 5,401 hanzi of Big5 level 1."""
    return 1.0 if 0xA1 <= character.encode("cp950")[0] <= 0xC6 else 0.1


_ASIAN: Sequence[tuple[str, Callable[[str], float]]] = (
    ("cp932", _japanese), ("cp949", _korean), ("gbk", _chinese), ("cp950", _traditional)
)  # fmt: skip
"""Codec and how plausible a character of it is; of equals the first is taken."""
