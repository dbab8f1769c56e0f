"""What the name of a file or folder tells: a code, a day or a field."""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from engine.data.reading.names import field_of

_WORDS = (
    "data daily day d 1d eod price prices quote quotes history historical hist stock stocks bars bar"
    " ohlc ohlcv adjusted unadjusted raw us csv download table export chart values max historicaldata all"
)
_NOISE = frozenset(_WORDS.split())
"""Words of file names that are no code; nor is a compound of longer ones (HistoricalPrices)."""
_COMPOUND = re.compile(rf"(?i)^(?:{'|'.join(sorted(w for w in _NOISE if len(w) > 2))})+$")
_STAMP = re.compile(r"^(\d{9,}|\d+(d|w|mo|mon|y|yr|yrs|years|min|h))$", re.IGNORECASE)
"""The moment of a download, as codes have at most eight digits, or a length of time."""
_YEAR = re.compile(r"(?i)^(?:19|20)\d\d(?:[-_.](?:0[1-9]|1[0-2])|[-_.]?q[1-4])?$")
"""A year, perhaps with a month or a quarter."""
_MONTH = re.compile(r"(?<!\d)(?:19|20)\d\d[-_.](?:0[1-9]|1[0-2])(?!\d)")
_LONGEST = 16
"""Letters and digits of a code, with the exchange behind it (0700.HK, BTC-USD); more are a sentence."""
_FIRM = re.compile(r"^(?=.*[A-Z]|\d{4})[A-Z0-9^][A-Z0-9.\-=]{0,11}$")
"""A word that is hardly anything but a code."""
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")
_DAY_OF_MONTH = re.compile(
    r"(?<!\d)(0[1-9]|[12]\d|3[01])[-_]?([A-Za-z]{3})[-_]?((?:19|20)\d\d)(?!\d)"
)
_OPEN_DAY = re.compile(r"(?<!\d)(\d\d)([-_.]?)(\d\d)\2((?:19|20)?\d\d)(?!\d)")
"""``020124`` or ``01-02-2024``: the order is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the names of all files of a table tell about each of them."""

    common: frozenset[str] = frozenset()
    """Words, in lower case, that all of them have: a vendor's or an exchange's name."""
    years: bool = False
    """Whether each is a year: they part the history of a code that the folder names."""


def beside(stems: Iterable[str]) -> Beside:
    """What the names of all files, without folders and endings, have in common."""
    words = {stem: {word.lower() for word in _words(stem)} for stem in set(stems)}
    if len(words) < 2:
        return Beside()
    common = frozenset.intersection(*map(frozenset, words.values()))
    return Beside(common=common, years=all(map(_YEAR.match, words)))


def symbol_of(within: PurePosixPath, names: Beside) -> str | None:
    """The code that a folder states (``symbol=AAPL``), else the one that the file is called after.

    Where the file's name is a year or says nothing, it is the folder's.
    """
    for place in reversed(within.parts[:-1]):
        key, said, value = place.partition("=")
        if said and field_of(key) == "symbol":
            return value or None
    own = _codes(within.name, names)
    if own or not within.name:
        return symbol_in(within.name, names)
    for place in reversed(within.parts[:-1]):
        if _codes(place, Beside()) and not _YEAR.match(place):
            return place if _FIRM.match(place) else None
    return None


def symbol_in(stem: str, names: Beside = Beside()) -> str | None:
    """``AAPL_data`` -> AAPL, ``aapl.us`` -> AAPL.US, ``stock_7203_2020-01-01`` -> 7203; None if unclear."""
    codes = _codes(stem, names)
    if len(codes) != 1 or not re.search(r"[A-Za-z0-9]", codes[0]):
        return None
    code = re.sub(r"(?i)[-.](daily|history|historical|data|prices?|quotes?|1d)$", "", codes[0])
    if len(code) > _LONGEST:
        return None
    return code.upper() if code.islower() else code


def _words(stem: str) -> list[str]:
    without = _MONTH.sub(" ", _DAY.sub(" ", stem)) if len(stem) > 10 else stem
    bare = (word.strip("-.") for word in re.split(r"[\s_()\[\],+]+", without))
    return [word for word in bare if word and not _STAMP.match(word)]


def _codes(stem: str, names: Beside) -> list[str]:
    """Words of a name that may be its code, without years and what all names have where others are left."""
    if names.years and _YEAR.match(stem):
        return []
    said = _words(stem)
    codes = [w for w in said if w.lower() not in _NOISE and not _COMPOUND.match(w)]
    codes = codes or [word for word in said if word.isupper() and len(word) <= 5]
    if len(codes) > 1:
        codes = [word for word in codes if not _YEAR.match(word)]
    own = [word for word in codes if word.lower() not in names.common]
    # Of AAPL_mw and AAPL_wsj the common word is the code.
    if len(codes) > len(own) == 1 and (_FIRM.match(own[0]) or not any(map(_FIRM.match, codes))):
        return own
    return codes


def day_in(stem: str) -> str | None:
    """``prices_20240102``, ``2024-01-02``, ``cm02JAN2024bhav`` -> the day in ISO; None without one.

    ``EQ020124`` and ``01-02-2024`` -> the digits, whose order the whole table decides.
    """
    try:
        if parts := _DAY.search(stem):
            return dt.date(int(parts[1]), int(parts[2]), int(parts[3])).isoformat()
        if parts := _DAY_OF_MONTH.search(stem):
            said = "".join(parts.groups()).title()
            return dt.datetime.strptime(said, "%d%b%Y").date().isoformat()
    except ValueError:
        return None
    if parts := _OPEN_DAY.search(stem):
        mark = "-" if parts[2] else ""
        return mark.join((parts[1], parts[3], parts[4]))
    return None


def field_in(within: PurePosixPath) -> str | None:
    """The field that a file or one of its folders is called after: ``close.csv``, ``prices_open.csv``."""
    for place in (within.name, *reversed(within.parts[:-1])):
        words = re.split(r"[\s_.\-]+", place)
        for text in (place, *words[::-1]):
            field = field_of(text) if len(text) > 1 else None
            if field is not None and field not in ("date", "symbol"):
                return field
    return None
