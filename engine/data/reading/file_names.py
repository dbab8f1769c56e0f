"""What the name of a file or folder tells: a code, a day or a field."""

import datetime as dt
import re
from pathlib import PurePosixPath

from engine.data.reading.names import field_of

_WORDS = (
    "data daily day d 1d eod price prices quote quotes history historical hist stock stocks bars bar"
    " ohlc ohlcv adjusted unadjusted raw us csv download table export chart values max historicaldata all"
)
NOISE = frozenset(_WORDS.split())
"""Words of file names that are no code."""
STAMP = re.compile(r"^(\d{9,}|\d+(d|w|mo|mon|y|yr|yrs|years|min|h))$", re.IGNORECASE)
"""The moment of a download, as codes have at most eight digits, or a length of time."""
DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")
DAY_OF_MONTH = re.compile(
    r"(?<!\d)(0[1-9]|[12]\d|3[01])[-_]?([A-Za-z]{3})[-_]?((?:19|20)\d\d)(?!\d)"
)


def symbol_in(stem: str) -> str | None:
    """``AAPL_data`` -> AAPL, ``aapl.us`` -> AAPL.US, ``stock_7203_2020-01-01`` -> 7203; None if unclear."""
    without = DAY.sub(" ", stem) if len(stem) > 10 else stem
    words = re.split(r"[\s_()\[\],+]+", without)
    bare = (word.strip("-.") for word in words)
    said = [word for word in bare if word and not STAMP.match(word)]
    codes = [word for word in said if word.lower() not in NOISE]
    codes = codes or [word for word in said if word.isupper() and len(word) <= 5]
    if len(codes) != 1 or not re.search(r"[A-Za-z0-9]", codes[0]):
        return None
    code = re.sub(r"(?i)[-.](daily|history|historical|data|prices?|quotes?|1d)$", "", codes[0])
    return code.upper() if code.islower() else code


def day_in(stem: str) -> dt.date | None:
    """``prices_20240102``, ``2024-01-02``, ``cm02JAN2024bhav`` -> the day; None without one."""
    try:
        if parts := DAY.search(stem):
            return dt.date(int(parts[1]), int(parts[2]), int(parts[3]))
        if parts := DAY_OF_MONTH.search(stem):
            return dt.datetime.strptime("".join(parts.groups()).title(), "%d%b%Y").date()
    except ValueError:
        return None
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
