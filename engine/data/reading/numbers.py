"""Numbers as people write them: decimal comma, thousands, currency signs, missing values, 18.9M.

A file has one style. It is decided by all of its numeric columns together, because ``1,234`` alone may be
twelve hundred or one and a quarter, and a neighbour such as ``12,5`` or ``1,234,567`` settles it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

MISSING = (
    "", "-", "--", "---", ".", "...", "*", "?", "n/a", "na", "n.a.", "nan", "null", "none", "nil",
    "nat", "<na>", "#n/a", "#na", "#n/a n/a", "#value!", "#ref!", "#div/0!", "#num!", "#name?",
)  # fmt: skip
"""What stands for no value, in lower case and after dashes became hyphens."""
DASHES = "[\u2010-\u2015\u2212\u30fc\uff0d]"
_SPACES = r"[\s'\u2019_]"
"""Marks that only ever part thousands."""
CURRENCIES = (
    r"USD|EUR|GBP|GBX|JPY|CNY|RMB|CNH|HKD|TWD|KRW|INR|AUD|NZD|CAD|CHF|SEK|NOK|DKK|PLN|CZK|HUF|TRY|"
    r"ZAR|BRL|MXN|SGD|THB|IDR|MYR|PHP|VND|ILS|SAR|AED|RUB|"
    r"kr\.?|z\u0142|Rs\.?|Fr\.?"
)
_CURRENCY = rf"(?:(?:US|HK|NT|MX|R|C|A|S)?\p{{Sc}}|\b(?:{CURRENCIES})|[\u5186\u5143])"
"""A sign, perhaps after letters (``US$``), or a code, or yen and yuan as a character."""
_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12, "\u4e07": 1e4, "\u5104": 1e8, "\u4ebf": 1e8}
_RATIO = r"^\s*(\d+(?:\.\d+)?)\s*(?::|/|-?\s*for\s*-?)\s*(\d+(?:\.\d+)?)\s*$"
_POINTS = r"^[^.,]*[.][^.,]*$"
_SAMPLE = 100_000
"""Values of a column that are asked for its style."""
_SOME = 1_000
"""Values that are asked whether a point could part thousands; longer numbers soon say that it cannot."""
_NUMBER = r"\d[\d.,]*(?:e[+-]?\d+)?|[.,]\d+(?:e[+-]?\d+)?"
_WHOLE = rf"(?i)^(\(?)([+-]?)\s*({_NUMBER})\s*([kmbt\u4e07\u5104\u4ebf]?)\s*(%?)\s*(-?)(\)?)$"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberStyle:
    """How the numbers of a file are written."""

    decimal: str = "."
    thousands: str = ""
    """Mark between groups of digits that was seen; empty if none was."""

    @property
    def other(self) -> str:
        """The one of point and comma that is not the decimal mark."""
        return "," if self.decimal == "." else "."

    def plain(self, digits: pl.Series) -> pl.Series:
        """Digits without marks between their groups and with a full stop."""
        bare = digits.str.replace_all(self.other, "", literal=True)
        return bare.str.replace(self.decimal, ".", literal=True)


class BadValue(ValueError):  # noqa: N818 - the value is bad; the caller makes an error of it
    """A value, or a whole column, that cannot be read; the caller adds file, line and column."""

    def __init__(
        self, why: str, *, row: int | None = None, value: str = "", hint: str = ""
    ) -> None:
        super().__init__(why)
        self.why = why
        """A whole clause, e.g. ``is not a number``; a sentence where no single row is to blame."""
        self.row = row
        """Position in the column, from 0; None where the whole column is meant."""
        self.value = value
        self.hint = hint


def number_style(columns: Sequence[pl.Series], decimal: str = "") -> NumberStyle:
    """The style of a file, from all of its numeric text columns; a full stop where nothing else speaks.

    ``decimal`` is the user's word and goes before what is seen. Columns that are no text are passed over.
    """
    texts = [column for column in columns if column.dtype == pl.String]
    marks = pl.concat([pl.Series([], dtype=pl.String), *(_with_marks(column) for column in texts)])
    comma = marks.str.contains(",", literal=True).any()
    if comma:
        # Single points are common and say nothing on their own; beside commas they do.
        marks = pl.concat([marks, *(_sample(column, _POINTS) for column in texts)])
    seen = {mark: _evidence(marks, mark) for mark in ".,"}
    if not decimal:
        _refuse_open(texts, marks)
        points = seen["."].decimal + seen[","].thousands
        commas = seen[","].decimal + seen["."].thousands
        decimal = "," if commas > points else "."
    style = NumberStyle(decimal=decimal)
    if seen[style.other].there:
        return replace(style, thousands=style.other)
    spaced = marks.str.extract(rf"\d({_SPACES})\d", 1).drop_nulls()
    return replace(style, thousands=str(spaced[0]) if spaced.len() else "")


def _refuse_open(texts: Sequence[pl.Series], marks: pl.Series) -> None:
    """BadValue where volumes are all like ``1.475`` and no price tells whether that is 1475.

    Volumes are whole numbers, so that such a point should part thousands, and prices would be a thousandth.
    """
    if marks.len():
        return
    for volume in (text for text in texts if text.name in ("volume", "adj_volume")):
        first = volume.drop_nulls().head(_SOME)
        if not first.str.contains(r"^[1-9]\d{0,2}[.]\d{3}$").any():
            continue
        others = [text.drop_nulls().head(_SOME).str for text in texts]
        if all(other.contains(r"^(?:[1-9]\d{0,2}(?:[.]\d{3})?|0)$").all() for other in others):
            raise BadValue(
                f"The numbers fit two ways of writing: {first[0]!r} may be thousands or three decimals",
                hint="--decimal , where the point parts thousands, --decimal . where it does not",
            )


def to_numbers(column: pl.Series, style: NumberStyle) -> pl.Series:
    """The column as Float64; what stands for no value is null, and so are NaN and infinity of a typed column.

    Percent become fractions, ``18.9M`` 18,900,000, ``(5)`` and ``5-`` minus five. BadValue names the first
    row that is no number or whose groups of digits do not fit the style.
    """
    if column.dtype != pl.String:
        if not column.dtype.is_numeric() and column.dtype != pl.Null:
            raise BadValue(
                f"The column holds {column.dtype}, not numbers", hint="map another with --columns"
            )
        numbers = column.cast(pl.Float64)
        return numbers.set(~numbers.is_finite(), None)
    text = column.str.strip_chars()
    numbers = _plain(text, style)
    rest = (text.is_not_null() & ~numbers.is_finite().fill_null(False)).arg_true()
    if rest.len():
        numbers = numbers.scatter(rest, _written(column, text.gather(rest), rest, style))
    return numbers.rename(column.name)


def to_ratios(column: pl.Series, style: NumberStyle) -> pl.Series:
    """`to_numbers` for a column of splits, which may also say 7:1, 3/2 or 2-for-1: new shares an old one.

    ``0:0`` and the like are 0, no split.
    """
    if column.dtype != pl.String:
        return to_numbers(column, style)
    pair = column.str.to_lowercase().str.extract_groups(_RATIO).struct.unnest()
    new, old = (pair.to_series(at).cast(pl.Float64, strict=False) for at in (0, 1))
    ratio = pl.select(pl.when(old > 0).then(new / old).when(old == 0).then(0.0)).to_series()
    rest = pl.select(pl.when(ratio.is_null()).then(column)).to_series()
    return pl.select(pl.coalesce(ratio, to_numbers(rest, style))).to_series().rename(column.name)


def _plain(text: pl.Series, style: NumberStyle) -> pl.Series:
    """The common way of writing at the speed of a scan; null where a value is written otherwise."""
    text = text.str.strip_chars("$\u20ac\u00a3\u00a5 ")
    if style.thousands == style.other or style.decimal == ",":
        grouped = text.str.contains(_digits(style))
        text = pl.select(pl.when(grouped).then(style.plain(text))).to_series()
    return text.cast(pl.Float64, strict=False)


def _digits(style: NumberStyle) -> str:
    """Pattern of unsigned digits whose groups fit the style (also 12,34,567), perhaps with an exponent."""
    mark, other = ("[.]", ",") if style.decimal == "." else (",", "[.]")
    groups = rf"(?:\d*|\d{{1,3}}(?:{other}\d{{2,3}})*{other}\d{{3}})"
    return rf"^[+-]?{groups}(?:{mark}\d*)?(?:[eE][+-]?\d+)?$"


@dataclass(frozen=True, slots=True)
class _Evidence:
    there: bool
    decimal: int
    """Values where the mark can only be the decimal mark."""
    thousands: int
    """Values where it can only part thousands."""


def _with_marks(column: pl.Series) -> pl.Series:
    """Values that hold a mark of thousands or a comma."""
    return _sample(column, rf",|[.].*[.]|\d{_SPACES}\d")


def _sample(column: pl.Series, pattern: str) -> pl.Series:
    """Some distinct values that match, without signs and units around the digits."""
    found = column.filter(column.str.contains(pattern).fill_null(False))
    found = found.gather_every(max(1, found.len() // _SAMPLE)).unique(maintain_order=True)
    return _bare(found).str.strip_chars("+-()% kKmMbBtT").rename("text")


def _evidence(texts: pl.Series, mark: str) -> _Evidence:
    other = "," if mark == "." else "."
    m, o = ("[.]", ",") if mark == "." else (",", "[.]")
    has = texts.str.contains(mark, literal=True)
    count = texts.str.count_matches(mark, literal=True)
    last = texts.str.contains(rf"{o}.*{m}[^{other}]*$")
    before = texts.str.contains(rf"{m}.*{o}")
    alone = has & ~texts.str.contains(other, literal=True) & (count == 1)
    grouped = texts.str.contains(rf"^[1-9]\d{{0,2}}{m}\d{{3}}$")
    decimal = (last & (count == 1)) | (alone & ~grouped)
    thousands = (count > 1) | before
    return _Evidence(bool(has.any()), int(decimal.sum()), int((thousands & ~decimal).sum()))


def _bare(texts: pl.Series) -> pl.Series:
    """Values in one alphabet, without currency and without Excel's marks of text."""
    return (
        texts.str.normalize("NFKC")
        .str.replace_all(DASHES, "-")
        .str.replace(r'^="?(.*?)"?$', "$1")
        .str.strip_chars(" \t\r\n\"'")
        .str.replace(_CURRENCY, "")
        .str.strip_chars()
    )


def _written(column: pl.Series, texts: pl.Series, rows: pl.Series, style: NumberStyle) -> pl.Series:
    """Values that are not plain numbers, worked out once for each way they are written."""
    distinct = texts.unique()
    bare = _bare(distinct)
    missing = bare.str.to_lowercase().is_in(MISSING)
    parts = bare
    for _ in range(2):  # Groups side by side overlap: 1 234 567.
        parts = parts.str.replace_all(rf"(\d){_SPACES}(\d{{3}})", "$1$2")
    fields = parts.str.extract_groups(_WHOLE).struct.unnest()
    opened, sign, digits, unit, percent, after, closed = fields.iter_columns()
    numbers = style.plain(digits).cast(pl.Float64, strict=False)
    fits = digits.str.contains(_digits(style))
    bad = ~missing & ~(
        fits.fill_null(False)
        & numbers.is_finite().fill_null(False)
        & ((opened == "(") == (closed == ")"))
    )
    if bad.any():
        wrong = distinct.filter(bad)
        at = int(texts.is_in(wrong.implode()).arg_max() or 0)
        raise BadValue(
            f"is not a number with {style.decimal!r} as decimal mark",
            row=int(rows[at]),
            value=str(column[int(rows[at])]),
            hint="correct the value, say the decimal mark with --decimal, or map another column "
            "with --columns",
        )
    negative = (sign == "-") | (after == "-") | (opened == "(")
    scale = unit.str.to_lowercase().replace_strict(_UNITS, default=1.0, return_dtype=pl.Float64)
    scale = scale * percent.replace_strict({"%": 0.01}, default=1.0, return_dtype=pl.Float64)
    scale = scale * negative.cast(pl.Float64) * -2.0 + scale
    values = pl.select(pl.when(~missing).then(numbers * scale)).to_series()
    return texts.replace_strict(distinct, values, return_dtype=pl.Float64)
