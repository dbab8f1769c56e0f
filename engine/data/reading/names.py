"""Names of columns: what ours are called elsewhere, compared in normal form; and what names of files tell."""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from engine.plain_text import readable
from engine.records.reading import Column

BARS: Mapping[str, tuple[str, ...]] = {
    ours: tuple(theirs.split())
    for ours, theirs in {
        "date": "date tradedate tradingdate pricedate quotedate datadate traddt bizdt date1 timestamp"
        " dtyyyymmdd datetime windowstart tradetime tradingday day opentime time dt t dates datum fecha data"
        " 日付 取引日 年月日 日時 交易日期 交易日 日期 成交日期 时间 時間 날짜 일자",
        "symbol": "symbol code ticker tickersymbol stocksymbol actsymbol tckrsymb tscode stockcode"
        " securitycode secucode securitiescode instrumentcode tickercode"
        " wincode windcode scripcode sccode localcode orderbookid instrument"
        " mnemonic ric tic sid secid isin permno"
        " 銘柄コード 証券コード コード 证券代码 股票代码 證券代號 股票代號 代码 代碼 종목코드",
        "open": "open openprice openingprice openprc opnpric pxopen openpx op o"
        " eröffnung eröffn ouverture ouv apertura abertura otwarcie"
        " 始値 寄付値 开盘价 开盘 開盤價 開盤 今开 시가",
        "high": "high highprice highestprice hghpric pxhigh highpx hi h max askhi"
        " hoch haut plushaut máximo maximo máx massimo najwyższy najwyzszy 高値 最高价 最高 最高價 고가",
        "low": "low lowprice lowestprice lwpric pxlow lowpx lo l min bidlo"
        " tief bas plusbas mínimo minimo mín najniższy najnizszy 安値 最低价 最低 最低價 저가",
        "close": "close closeprice closingprice closelast clsprc clspric closeunadj last lastprice pxlast"
        " closepx lastpx settle price prc c zuletzt schluss schlusskurs dernier clôture cloture clot"
        " cierre último ultimo chiusura fechamento zamknięcie zamkniecie"
        " 終値 终值 收盘价 收盘 收盤價 收盤 最新价 종가",
        "volume": "volume vol vo v volumeshares totalvolume tradedvolume tradingvolume volumetraded"
        " sharestraded tottrdqty ttltrdqnty ttltradgvol noofshrs noofshares numberofshares pxvolume"
        " shares quantity qty volumen volumi wolumen"
        " 出来高 売買高 成交量 成交股数 成交股數 거래량",
        "turnover": "turnover turnovervalue va amount dollarvolume tradedvalue tradingvalue tottrdval"
        " ttltrfval netturnov totalvalue valuetraded quotevolume money value"
        " 売買代金 成交额 成交金额 成交金額",
        "factor": "adjustmentfactor adjfactor factor cumfactor cumulativefactor cfacpr 調整係数 复权因子",
        "split": "stocksplits stocksplit splits split splitfactor splitcoefficient splitratio"
        " 株式分割 分割比率 分割",
        "dividend": "dividend dividends divcash cashdividend dividendamount exdividend divamount"
        " 配当 配当金 分红 股息",
    }.items()
}  # fmt: skip
"""Our column of bars -> normal forms of its names elsewhere, the surest first."""
PRICES = ("open", "high", "low", "close")
ADJUSTED_FIELDS = (*PRICES, "volume")
_AROUND = (
    "adj{}", "adjusted{}", "adjustment{}", "{}adj", "{}adjusted", "adjprice{}", "splitadjusted{}",
    "調整後{}", "調整済{}", "調整済み{}", "{}調整値", "{}調整", "前复权{}", "后复权{}", "复权{}", "復權{}",
)  # fmt: skip
ADJUSTED: Mapping[str, tuple[str, ...]] = {
    f"adj_{ours}": tuple(form.format(name) for name in BARS[ours] for form in _AROUND)
    for ours in ADJUSTED_FIELDS
}
ALL_BARS: Mapping[str, tuple[str, ...]] = {**BARS, **ADJUSTED}
_UNITS = {
    "千株": 1e3, "千円": 1e3, "百万円": 1e6, "億円": 1e8, "円": 1.0, "株": 1.0,
    "手": 100.0, "股": 1.0, "元": 1.0, "千股": 1e3, "千元": 1e3, "万股": 1e4, "万元": 1e4, "亿元": 1e8,
    "shares": 1.0, "lacs": 1e5, "lakh": 1e5, "lakhs": 1e5, "crore": 1e7, "crores": 1e7,
    "000": 1e3, "000s": 1e3, "thousand": 1e3, "thousands": 1e3, "k": 1e3,
    "mn": 1e6, "million": 1e6, "millions": 1e6, "bn": 1e9, "billion": 1e9, "billions": 1e9,
    "usd": 1.0, "eur": 1.0, "gbp": 1.0, "jpy": 1.0, "cny": 1.0, "rmb": 1.0, "inr": 1.0, "rs": 1.0,
    "hkd": 1.0, "chf": 1.0, "krw": 1.0, "twd": 1.0, "aud": 1.0, "cad": 1.0, "sek": 1.0, "": 1.0,
}  # fmt: skip
"""Units behind a name, in brackets or as its last word -> what the numbers are multiplied by."""
_NUMBERED = re.compile(r"^\s*\d{1,2}[a-z]?\.\s+(?=\D)")
_BRACKETS = re.compile(r"^(.*?)[\s_]*[(\[<]([^()\[\]<>]*)[)\]>]\s*$")
_LAST_WORD = re.compile(r"^(.*[^\s_])[\s_]+([^\s_]+)$")
_TIMES = re.compile(r"^(.*\S)\s*\*\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)$")
_NO_NAME = re.compile(
    r"^(|index|unnamed\d+(level\d+)?|level\d+|indexlevel\d+|columnduplicated\d+)$"
)


@lru_cache(maxsize=20_000)
def normal(name: str) -> str:
    """Width, case, spaces, underscores and punctuation do not count: ``<TICKER>``, ``$open``, ``1. open``."""
    return "".join(
        c for c in unicodedata.normalize("NFKC", _NUMBERED.sub("", name)).casefold() if c.isalnum()
    )


def nameless(name: str) -> bool:
    """Whether it is what pandas makes of an index that has no name."""
    return _NO_NAME.match(normal(name)) is not None


def _forms(name: str) -> list[tuple[str, float]]:
    """The normal form, and that without a known unit behind it, each with the unit's size."""
    out = [(normal(name), 1.0)]
    plain = unicodedata.normalize("NFKC", name)
    for pattern in (_BRACKETS, _LAST_WORD):
        parts = pattern.match(plain)
        if parts and normal(parts[1]) and normal(parts[2]) in _UNITS:
            out.append((normal(parts[1]), _UNITS[normal(parts[2])]))
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What the user says about a column: ``volume=vol*100``."""

    theirs: str
    times: float
    insisted: bool
    """False: a mapping without the table's name, tried first for a table that may not mean it."""


def mapped(columns: Mapping[str, str], table: str, ours: str, *, lenient: bool) -> Mapped | None:
    """What the user says of one of our columns: for this table first, else for all; None if nothing."""
    for key in (f"{table}.{ours}", ours):
        if key in columns:
            parts = _TIMES.match(columns[key].strip())
            theirs, times = (parts[1], float(parts[2])) if parts else (columns[key].strip(), 1.0)
            return Mapped(theirs=theirs, times=times, insisted="." in key or not lenient)
    return None


def hit(theirs: str, there: Sequence[str]) -> str | None:
    """The column that is called so, else one whose normal form is the same."""
    if theirs in there:
        return theirs
    wanted = normal(theirs)
    return next((name for name in there if wanted and normal(name) == wanted), None)


def match(
    there: Sequence[str],
    synonyms: Mapping[str, tuple[str, ...]],
    columns: Mapping[str, str],
    table: str,
    *,
    lenient: bool = False,
) -> dict[str, Column]:
    """Our columns that the file has; one that the user mapped is no other of ours but by its very name.

    A mapping that the user insists on and the file has not is left out, so that it shows as missing.
    """
    found: dict[str, Column] = {}
    settled: set[str] = set()
    for ours in synonyms:
        said = mapped(columns, table, ours, lenient=lenient)
        theirs = hit(said.theirs, there) if said else None
        if said and theirs:
            found[ours] = Column(ours=ours, theirs=theirs, times=said.times, decided_by="option")
        if said and (theirs or said.insisted):
            settled.add(ours)
    taken = {column.theirs for column in found.values()}
    known: dict[str, tuple[str, float]] = {}
    for name in there:
        # Beside `t`, the time, `T` is the ticker: the one pair of names that only case tells apart.
        for form, times in _forms("ticker" if name == "T" and "t" in there else name):
            known.setdefault(form, (name, times))
    for ours, names in synonyms.items():
        if ours in settled:
            continue
        fitting = (known[form] for form in _normals(ours, names) if form in known)
        first = next(
            (one for one in fitting if one[0] not in taken or normal(one[0]) == ours), None
        )
        if first is not None:
            found[ours] = Column(ours=ours, theirs=first[0], times=first[1])
    return {ours: found[ours] for ours in synonyms if ours in found}


@lru_cache(maxsize=1000)
def _normals(ours: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Worked out once a table and not once a file: 1 ms instead of 6 for each of 5,000 tickers."""
    return tuple(map(normal, (ours, *names)))


def field_of(name: str, synonyms: Mapping[str, tuple[str, ...]] = ALL_BARS) -> str | None:
    """Our column that a name means, None if it means none."""
    form = normal(name)
    return next(
        (ours for ours, names in synonyms.items() if form and form in _normals(ours, names)), None
    )


def known_forms(
    synonyms: Mapping[str, tuple[str, ...]], columns: Mapping[str, str]
) -> frozenset[str]:
    """Normal forms that tell a line of names: ours, the synonyms, and what the user mapped."""
    theirs = (_TIMES.sub(r"\1", name.strip()) for name in columns.values())
    names: Iterable[str] = (*synonyms, *(n for group in synonyms.values() for n in group), *theirs)
    return frozenset(filter(None, map(normal, names)))


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names for a message, cleaned, not more than one reads."""
    shown = [readable(name) or "(no name)" for name in names]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


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
        return _symbol_in(within.name, names)
    for place in reversed(within.parts[:-1]):
        if _codes(place, Beside()) and not _YEAR.match(place):
            return place if _FIRM.match(place) else None
    return None


def _symbol_in(stem: str, names: Beside = Beside()) -> str | None:
    """``AAPL_data`` -> AAPL, ``aapl.us`` -> AAPL.US, ``stock_7203_2020-01-01`` -> 7203; None if unclear."""
    codes = _codes(stem, names)
    if len(codes) != 1 or not re.search(r"[A-Za-z0-9]", codes[0]):
        return None
    code = re.sub(
        r"(?i)[-.](daily|history|historical|data|prices?|quotes?|1d|(?:19|20)\d\d)$", "", codes[0]
    )
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
