"""One stock, many spellings: 7203, 72030, 7203.T, 7203 JP, TYO:7203; BRK.B, BRK-B, BRK B, BRKB.

Spellings are compared on rungs, each coarser than the one before; the first rung on which anything fits
decides. A code that fits several known ones there is not matched: a wrong stock is worse than none.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Self

_MARKETS = {
    "us": "US UN UW UQ UR UA N O OQ NMS NYQ NASDAQ NYSE NYSEARCA AMEX ARCA BATS XNYS XNAS XASE",
    "jp": "JP JT T TYO TSE JPX XTKS XJPX",
    "gb": "LN L LON LSE XLON",
    "hk": "HK HKG HKEX SEHK XHKG",
    "cn": "CN CH CG CS SS SH SZ BJ SHA SHE SSE SZSE XSHG XSHE",
    "ca": "CN CT TO V TSX TSXV TSE XTSE",
    "de": "GR GY DE F ETR XETRA FRA XETR XFRA",
    "fr": "FP PA EPA XPAR",
    "nl": "NA AS AMS XAMS",
    "ch": "SW VX SIX XSWX",
    "it": "IM MI BIT XMIL",
    "es": "SM MC BME XMAD",
    "se": "SS ST STO XSTO",
    "au": "AU AX ASX XASX",
    "kr": "KS KQ KP KRX KOSPI KOSDAQ XKRX",
    "tw": "TT TW TWO TWSE XTAI",
    "in": "IN IB IS NS BO NSE BSE XNSE XBOM",
    "sg": "SP SI SGX XSES",
    "br": "BZ SA BVMF",
}
"""Country -> how data vendors, brokers and ISO 10383 write its exchanges beside a code."""
_COUNTRIES: Mapping[str, frozenset[str]] = {
    name: frozenset(country for country, names in _MARKETS.items() if name in names.split())
    for names in _MARKETS.values()
    for name in names.split()
}
_PARTS = re.compile(r"[ .\-/_:]+")
_SUFFIX = re.compile(r"(?:(?<=\w)\.([A-Z]{1,4})|(?<=\w)[ \-:]([A-Z]{2,8}))$")
"""One letter counts as an exchange only after a dot: BRK-T and BRK T are share classes."""
_PREFIX = re.compile(r"^([A-Z]{2,12})[:.](?=\w)|^(SH|SZ|BJ)(?=\d{6}$)")
_FIVE = re.compile(r"^(\d[0-9A-Z]\d[0-9A-Z])0$")
"""A common share of Tokyo with the zero of its issue: 72030, 130A0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """What became of each code that was asked for."""

    found: Mapping[str, str] = field(default_factory=dict)
    """Code as asked -> code as known."""
    unsure: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Code as asked -> the several known ones that it could be."""
    unknown: tuple[str, ...] = ()

    @property
    def respelt(self) -> dict[str, str]:
        """Those found under another spelling."""
        return {code: known for code, known in self.found.items() if code != known}


def match_codes(codes: Iterable[str], known: Iterable[str], *, market: str = "") -> Matches:
    """Each code as it is known, where that is beyond doubt.

    ``market``: country or exchange of the known codes ("us", "jp", "XLON"): 7203.HK is then no stock of
    Tokyo. "" or a name that says no country: any exchange fits a code without one.
    """
    exact, home = set(known), _home(market)
    rungs: list[dict[str, list[_Spelling]]] = []
    found, unsure, unknown = {}, {}, []
    for code in codes:
        if code in exact:
            found[code] = code
            continue
        rungs = rungs or _index(sorted(exact), home)
        fits = _fits(_Spelling.of(code, home), rungs)
        if len(fits) == 1:
            found[code] = fits[0]
        elif fits:
            unsure[code] = tuple(fits)
        else:
            unknown.append(code)
    return Matches(found=found, unsure=unsure, unknown=tuple(unknown))


def nearest(code: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known codes that look most like it, best first."""
    plain = {_normal(name): name for name in sorted(known, reverse=True)}
    wanted = _normal(code)
    close = get_close_matches(wanted, plain, n=count)
    return [plain[name] for name in close]


def _normal(code: str) -> str:
    """Upper case, full-width letters narrow, without the quotes and the ``.0`` that spreadsheets leave."""
    text = unicodedata.normalize("NFKC", code).strip(" \t='\"").upper()
    text = re.sub(r"\s+", " ", text).removesuffix(" EQUITY")
    return re.sub(r"^(\d+)\.0+$", r"\1", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spelling:
    code: str
    rungs: tuple[frozenset[str], ...]
    """Keys from fine to coarse; two codes meet on a rung where they share a key."""
    countries: frozenset[str]
    """Where it is traded; empty = not said."""

    @classmethod
    def of(cls, code: str, home: frozenset[str]) -> Self:
        plain = _normal(code)
        base, countries = _without_market(plain)
        countries = countries or home
        if not countries or "jp" in countries:
            base = _FIVE.sub(r"\1", base)
        parts = [part for part in _PARTS.split(base) if part]
        return cls(
            code=code,
            rungs=(
                frozenset({plain}),
                frozenset({_PARTS.sub(".", plain)}),
                frozenset({".".join(parts)}),
                _joined(parts),
            ),
            countries=countries,
        )


def _without_market(plain: str) -> tuple[str, frozenset[str]]:
    """The code without the exchange before or after it, and the countries of that exchange."""
    for pattern in (_SUFFIX, _PREFIX):
        place = pattern.search(plain)
        countries = _COUNTRIES.get((place[1] or place[2]), frozenset()) if place else frozenset()
        if place and countries:
            return plain[: place.start()] + plain[place.end() :], countries
    return plain, frozenset()


def _joined(parts: list[str]) -> frozenset[str]:
    """Without separators: BRKB is BRK.B. Only one letter after the last one may melt into the code, so
    that AB.CD is not ABCD. Digits alone are compared without the zeros that spreadsheets drop.
    """
    text = "".join(parts)
    if text.isdecimal():
        return frozenset({f"={text.lstrip('0')}"})
    apart = {f"+{text}"} if len(parts) > 1 else set()
    whole = {f"={text}"} if len(parts) == 1 or parts[-1:] == [text[-1:]] else set()
    return frozenset(apart | whole)


def _home(market: str) -> frozenset[str]:
    if market in _MARKETS:
        return frozenset({market})
    return _COUNTRIES.get(market.upper(), frozenset())


def _index(known: Sequence[str], home: frozenset[str]) -> list[dict[str, list[_Spelling]]]:
    """A table of keys for each rung."""
    spelt = [_Spelling.of(code, home) for code in known]
    tables: list[dict[str, list[_Spelling]]] = []
    for rung in range(4):
        table = defaultdict(list)
        for spelling in spelt:
            for key in spelling.rungs[rung]:
                table[key].append(spelling)
        tables.append(table)
    return tables


def _fits(asked: _Spelling, rungs: Sequence[Mapping[str, list[_Spelling]]]) -> list[str]:
    """Known codes of the finest rung on which there is any, of the same country."""
    for keys, table in zip(asked.rungs, rungs, strict=True):
        fits = {
            other.code
            for key in keys
            for other in table.get(key, ())
            if not asked.countries or not other.countries or asked.countries & other.countries
        }
        if fits:
            return sorted(fits)
    return []
