"""Every way in which the values of a date column can be read, each with the days that come of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from engine.data.reading.numbers import DASHES, BadValue

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = rf"((?:{'|'.join(_MONTHS)})[a-z]*)\.?"
_NTH = r"(\d{1,2})(?:st|nd|rd|th)?"
_WEEKDAY = r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+|\([\u65e5\u6708\u706b\u6c34\u6728\u91d1\u571f]\)"
_TIME = r"(\d{1,2}):?(\d{2})?(?::?\d{2}(?:[.,]\d+)?)?\s*([ap]m)?"
_DIGITS = r"(?:[t_\s]*(\d{2}):?(\d{2})(?::?\d{2}(?:[.,]\d+)?)?([ap]m)?)?"
"""A time of day that may stand right behind a date of eight digits."""
_OFFSET = r"((?:gmt|utc)?[+-]\d{2}(?::?\d{2})?(?::\d{2})?|z|utc|gmt|[a-z]{2,5})"
_WHERE = rf"\s*{_OFFSET}?(?:\s*(?:utc|gmt|[a-z]+/[a-z_/]+))?\s*(?:\(.*\)|\[.*\])?$"
"""What may end a value: the offset from UTC, the zone's name."""
_EPOCHS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}
"""Unit -> microseconds in it (a nanosecond is the thousandth part of one)."""
_REPUBLIC = 1911
"""Added to the years of Taiwan, which have three digits: 113 is 2024."""
_EXCEL = (20_000, 60_000)
"""Days since 1899-12-30 that are taken for dates: 1954 to 2064."""
_UTC = ("UTC", "GMT", "Etc/UTC", "Etc/GMT", "Zulu", "+00:00", "Z", "UCT", "Universal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to read the distinct values of a column."""

    format: str
    days: pl.Series
    """Date; null where a value does not fit."""
    zone: str = ""
    """Zone whose local day was taken; empty for days as they are written."""
    natural: bool = False
    """Whether it is taken unless the calendar objects; otherwise the calendar must speak for it."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """A spelling with three parts, whose order may be open."""

    pattern: str
    orders: tuple[str, ...]
    label: str = ""
    """How a plan names it; empty = made of the order and the separator that was found."""
    time: str = rf"(?:[t,\s]+{_TIME})?"


_SHAPES = (
    _Shape(r"^(\d{4})(\d{2})(\d{2})", ("YMD",), "YYYYMMDD", _DIGITS),
    _Shape(r"^(\d{2})(\d{2})(\d{4})", ("DMY", "MDY")),
    _Shape(r"^(\d{2})(\d{2})(\d{2})", ("YMD", "DMY", "MDY")),
    _Shape(r"^(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})", ("YMD",)),
    _Shape(r"^(\d{3})[-/.](\d{1,2})[-/.](\d{1,2})", ("YMD",), "year of the Republic/MM/DD"),
    _Shape(
        r"^(\d{4})\s*[\u5e74\ub144]\s*(\d{1,2})\s*[\u6708\uc6d4]\s*(\d{1,2})\s*[\u65e5\uc77c]?",
        ("YMD",),
        "YYYY\u5e74MM\u6708DD\u65e5",
    ),
    _Shape(r"^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})", ("DMY", "MDY")),
    _Shape(r"^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{2})", ("DMY", "MDY", "YMD")),
    _Shape(rf"^{_NTH}[-/., ]*{_NAME}[-/., ]*(\d{{4}})", ("DMY",)),
    _Shape(rf"^{_NTH}[-/., ]*{_NAME}[-/., ]*(\d{{2}})", ("DMY",)),
    _Shape(rf"^{_NAME}[-/. ]*{_NTH}[-/., ]+(\d{{4}})", ("MDY",), "Mon DD, YYYY"),
    _Shape(rf"^{_NAME}[-/. ]*{_NTH}[-/., ]+(\d{{2}})", ("MDY",), "Mon DD, YY"),
    _Shape(rf"^(\d{{4}})[-/., ]*{_NAME}[-/., ]*{_NTH}", ("YMD",)),
)


def candidates(
    values: pl.Series, *, wanted: str, zone: str, local: str, last_year: int
) -> list[Candidate]:
    """Ways to read distinct values; the natural one first. BadValue if the column holds no dates at all.

    ``wanted`` is the user's format. ``zone`` is the user's own and ``local`` that of the exchange, in
    which the day of a moment is taken. A two-digit year is at most ``last_year``.
    """
    if values.dtype == pl.Date:
        return [Candidate(format="date", days=values)]
    if values.dtype == pl.Datetime:
        return _of_moments(values.dt.cast_time_unit("us"), "datetime", zone, local)
    if values.dtype == pl.String:
        text = _tidy(values)
        if "%" in wanted:
            return _of_pattern(values.str.strip_chars(), wanted, zone, local)
        ticks = _counts(wanted)
        found = [] if ticks else [*_of_text(text, _order(wanted), zone, local, last_year)]
        digits = text.cast(pl.Int64, strict=False)
        if digits.null_count():  # 1.704294e+18, as a column of floats is written.
            digits = text.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
        mostly = 2 * digits.count() >= len(text)
        return [*found, *(_of_epoch(digits, wanted, zone, local) if mostly else ())]
    if values.dtype.is_numeric():
        whole = (values.floor() if values.dtype.is_float() else values).cast(pl.Int64, strict=False)
        longest = int(whole.abs().cast(pl.String).str.len_chars().max() or 0)  # type: ignore[arg-type]
        padded = whole.cast(pl.String).str.zfill({7: 8}.get(longest, longest))
        broken = values.dtype.is_float() and not (values == values.floor()).all()
        ticks = broken or _counts(wanted)
        found = [] if ticks else [*_of_text(padded, _order(wanted), zone, local, last_year)]
        return [*found, *_of_epoch(whole, wanted, zone, local)]
    raise BadValue(f"The column holds {values.dtype}, not dates", hint="map another with --columns")


def _tidy(values: pl.Series) -> pl.Series:
    return (
        values.str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(DASHES, "-")
        .str.strip_chars(" \t\r\n\"'=\ufeff")
        .str.replace_all(_WEEKDAY, "")
        .str.replace_all(r"\s+", " ")
        .str.replace(r"^(\d+)\.0+$", "$1")
    )


def _counts(wanted: str) -> bool:
    """Whether the user wants days or ticks since an epoch."""
    return re.match(r"(?i)epoch|excel", wanted) is not None


def _order(wanted: str) -> str:
    """``YMD``, ``DMY`` ... as a user's format has them; empty if nothing is wanted."""
    if not wanted:
        return ""
    order = "".join(part[0].upper() for part in re.findall(r"(?i)y+|mon(?:th)?|m+|d+", wanted))[:3]
    if sorted(order) != ["D", "M", "Y"]:
        raise BadValue(
            f"{wanted!r} is no date format",
            value=wanted,
            hint="YYYY, YY, MM, Mon and DD in their order, e.g. MM/DD/YYYY; or %d.%m.%Y; or epoch ms",
        )
    return order


def _of_epoch(digits: pl.Series, wanted: str, zone: str, local: str) -> Iterator[Candidate]:
    """Counts since an epoch: the unit follows from the size of the largest, Excel's days from them all."""
    largest = float(digits.abs().max() or 0)  # type: ignore[arg-type]
    unit = next(
        (name for name, top in (("s", 1e11), ("ms", 1e14), ("us", 1e17)) if largest < top), "ns"
    )
    if wanted.lower().startswith("epoch"):
        unit = wanted.lower().removeprefix("epoch").strip() or unit
        if unit not in _EPOCHS:
            raise BadValue(
                f"{wanted!r} is no date format", value=wanted, hint="epoch s, ms, us or ns"
            )
    serial = bool(digits.is_between(*_EXCEL).all()) and len(digits) > 0
    if wanted.lower().startswith("excel") or (not wanted and serial):
        days = (digits - 25_569).cast(pl.Int32, strict=False).cast(pl.Date)
        yield Candidate(format="Excel serial", days=days, natural=True)
    elif wanted.lower().startswith("epoch") or (not wanted and largest >= 1e8):
        ticks = digits // 1000 if unit == "ns" else digits * _EPOCHS[unit]
        moments = ticks.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        yield from _of_moments(moments, f"epoch {unit}", zone, local)


def _of_pattern(text: pl.Series, wanted: str, zone: str, local: str) -> list[Candidate]:
    """Readings of the text by a pattern of strptime."""
    timed = re.search(r"%[HIMSTRkls]", wanted) is not None
    if not timed:
        return [Candidate(format=wanted, days=text.str.to_date(wanted, strict=False))]
    moments = text.str.to_datetime(wanted, time_unit="us", strict=False)
    return _of_moments(moments, wanted, zone, local)


def _of_text(
    text: pl.Series, order: str, zone: str, local: str, last_year: int
) -> Iterator[Candidate]:
    for shape in _SHAPES:
        fields = text.str.extract_groups(f"(?i){shape.pattern}{shape.time}{_WHERE}").struct.unnest()
        if len(text) and fields.to_series(0).null_count() == len(text):
            continue
        parts = [fields.to_series(at) for at in range(7)]
        for letters in shape.orders:
            if order in ("", letters):
                moments = _moments(dict(zip(letters, parts[:3], strict=True)), parts, last_year)
                label = shape.label or _label(letters, parts[:3], text)
                yield from _of_written(moments, parts[3], parts[6], label, zone, local)


def _moments(named: dict[str, pl.Series], parts: list[pl.Series], last_year: int) -> pl.Series:
    """Date and time of day as written, without a zone; null where no such day exists."""
    year = named["Y"].cast(pl.Int32, strict=False)
    short = (named["Y"].str.len_chars() == 2).cast(pl.Int32)
    century = 100 * (last_year // 100) - 100 * (year > last_year % 100).cast(pl.Int32)
    month = named["M"].str.to_lowercase().str.slice(0, 3)
    month = month.replace({name: str(at + 1) for at, name in enumerate(_MONTHS)})
    parsed = pl.DataFrame(
        {
            "y": year
            + short * century
            + _REPUBLIC * (named["Y"].str.len_chars() == 3).cast(pl.Int32),
            "m": month,
            "d": named["D"],
            "h": parts[3],
            "n": parts[4],
            "p": parts[5],
        }
    )
    hour = pl.col("h").cast(pl.Int64, strict=False).fill_null(0)
    afternoon = pl.col("p").str.to_lowercase()
    hour = (
        pl.when(afternoon.is_null())
        .then(hour)
        .otherwise(hour % 12 + 12 * (afternoon == "pm").cast(pl.Int64))
    )
    day = pl.format("{}-{}-{}", "y", "m", "d").str.to_date("%Y-%m-%d", strict=False)
    minutes = hour * 60 + pl.col("n").cast(pl.Int64, strict=False).fill_null(0)
    return parsed.select(day.cast(pl.Datetime("us")) + pl.duration(minutes=minutes)).to_series()


def _label(letters: str, parts: list[pl.Series], text: pl.Series) -> str:
    """How a plan names the format, with the separator of the first value that has it."""
    named = {"M": "MM", "D": "DD", "Y": "YYYY"}
    fits = parts[0].is_not_null()
    if fits.any():
        first = str(text.filter(fits)[0])
        example = dict(zip(letters, (part.filter(fits)[0] for part in parts), strict=True))
        named["Y"] = "YY" if len(example["Y"]) == 2 else "YYYY"
        named["M"] = "MM" if example["M"].isdigit() else "Mon"
        mark = re.search(r"[^0-9a-z]", first[: sum(map(len, example.values())) + 1])
        return (mark.group() if mark else "").join(named[letter] for letter in letters)
    return "".join(named[letter] for letter in letters)


def _of_written(
    moments: pl.Series, hours: pl.Series, offsets: pl.Series, label: str, zone: str, local: str
) -> list[Candidate]:
    """Moments as text has them: with an offset from UTC in every value, or as the local time they say."""
    shown = f"{label} HH:MM" if hours.count() else label
    zero = offsets.is_in(["z", "utc", "gmt"])
    clean = offsets.str.replace_all(r"^(?:gmt|utc)|:", "")
    hour = clean.str.extract(r"^([+-]\d{2})").cast(pl.Int64, strict=False)
    minute = clean.str.extract(r"^[+-]\d{2}(\d{2})").cast(pl.Int64, strict=False).fill_null(0)
    minutes = hour * 60 + minute * (1 - 2 * clean.str.starts_with("-").cast(pl.Int64))
    minutes = minutes.set(zero.fill_null(False), 0)
    if minutes.null_count() > moments.null_count() or not len(moments):
        return _of_moments(moments, shown, zone, local)
    frame = pl.DataFrame({"at": moments, "minutes": minutes})
    utc = frame.select(pl.col("at") - pl.duration(minutes="minutes")).to_series()
    utc = utc.dt.replace_time_zone("UTC")
    if not (minutes != 0).any():
        return _of_moments(utc, f"{shown} UTC", zone, local)
    written = Candidate(format=f"{shown} and offset", days=moments.dt.date(), natural=True)
    moved = Candidate(format=written.format, days=_local(utc, local), zone=local)
    return [replace(moved, zone=zone)] if zone else [written, moved]


def _of_moments(moments: pl.Series, label: str, zone: str, local: str) -> list[Candidate]:
    """Days of moments: of a column's own zone, of the exchange for UTC, as written where there is none."""
    own = str(moments.dtype.time_zone or "")  # type: ignore[attr-defined]
    plain = Candidate(format=label, days=moments.dt.date(), zone="" if own in _UTC else own)
    utc = moments if own else moments.dt.replace_time_zone("UTC")
    moved = Candidate(format=label, days=_local(utc, local), zone=local)
    if zone and own:
        return [moved]
    midnight = bool((moments.dt.truncate("1d") == moments).all())
    if not own and midnight:
        return [plain]
    order = [moved, plain] if own in _UTC and not midnight else [plain, moved]
    return [replace(order[0], natural=True), order[1]]


def _local(utc: pl.Series, zone: str) -> pl.Series:
    return utc.dt.convert_time_zone(zone).dt.date()
