"""What an account holds, in the codes of the store; a line that it does not know is never dropped.

One stock has many spellings: 7203, 72030, 7203.T, 7203 JP, TYO:7203; BRK.B, BRK-B, BRK B, BRKB. They are
compared on rungs, each coarser than the one before; the first rung on which anything fits decides. A code
that fits several known ones there is not matched: a wrong stock is worse than none.
"""

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Self

from engine.errors import UsageError
from engine.plain_text import readable
from engine.records.orders import CASH, Positions
from engine.signals.position_file import HeldLine, PositionFile

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
_SHOWN = 8
_NEAREST = 20
"""Unknown codes whose nearest known ones are looked for; each takes 10 ms among 4,000 codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matches:
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


def match_codes(codes: Iterable[str], known: Iterable[str], *, market: str = "") -> _Matches:
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
    return _Matches(found=found, unsure=unsure, unknown=tuple(unknown))


def _nearest(code: str, known: Iterable[str], count: int = 3) -> list[str]:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a file of positions says, in the codes of the store."""

    positions: Positions
    """Of the lines whose stock is known."""
    lines: int
    """Lines of stocks in the file."""
    notes: tuple[str, ...]
    """Whole clauses on what was matched, summed and left out."""
    missing: Mapping[str, str]
    """Code as the file spells it -> why it is no stock of the store, with the nearest codes."""


def account_of(
    file: PositionFile, *, known: Collection[str], market: str, currency: str, cash: float | None
) -> Account:
    """The file's lines matched to ``known`` codes and summed.

    ``market``: exchange or country of the store (`match_codes`). ``cash`` goes before the file's.
    UsageError without any cash, and where two spellings in one account are one stock.
    """
    money = file.cash if cash is None else cash
    if money is None:
        raise UsageError(
            f"{file.name}: no row {CASH}",
            hint=f"give the cash with --cash AMOUNT, or add a line like `{CASH},1000000`",
        )
    held = [line for line in file.lines if line.shares]
    foreign = {line.code: line.currency for line in held if _foreign(line.currency, currency)}
    matches = match_codes(
        dict.fromkeys(line.code for line in file.lines if line.code not in foreign),
        known,
        market=market,
    )
    lines: dict[str, list[HeldLine]] = defaultdict(list)
    for line in file.lines:
        if line.code in matches.found:
            lines[matches.found[line.code]].append(line)
    notes = [*file.notes, *_respelt(matches), *_summed(file.name, lines)]
    if cash is not None and file.cash is not None and cash != file.cash:
        notes.append(f"cash is {cash:,.2f} as the command says, not {file.cash:,.2f}")
    shares = {code: math.fsum(line.shares for line in lines[code]) for code in sorted(lines)}
    missing = _missing(matches, [line.code for line in held], known)
    missing |= {code: f"held in {theirs}, not {currency}" for code, theirs in foreign.items()}
    return Account(
        positions=Positions(shares=shares, cash=money),
        lines=len(file.lines),
        notes=tuple(notes),
        missing=missing,
    )


def _foreign(theirs: str, ours: str) -> bool:
    """Whether a line is in another currency; only where both are said by three capital letters."""
    both = (theirs.upper(), ours.upper())
    return theirs != "" and both[0] != both[1] and all(len(c) == 3 and c.isascii() for c in both)


def _missing(matches: _Matches, held: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Why each held code is none of the store's. A code of no shares is nothing to lose."""
    wanted = set(held)
    found = {
        code: f"several stocks: {', '.join(codes[:_SHOWN])}"
        for code, codes in matches.unsure.items()
        if code in wanted
    }
    unknown = [code for code in matches.unknown if code in wanted]
    for code in unknown:
        close = _nearest(code, known) if len(found) < _NEAREST else []
        found[code] = f"{' or '.join(close)}?" if close else "nothing like it is known"
    return found


def _respelt(matches: _Matches) -> list[str]:
    pairs = [f"{readable(theirs)} is {ours}" for theirs, ours in matches.respelt.items()]
    if not pairs:
        return []
    more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    return [f"codes spelt otherwise: {', '.join(pairs[:_SHOWN])}{more}"]


def _summed(name: str, lines: Mapping[str, Sequence[HeldLine]]) -> list[str]:
    """Says which stocks stand on several lines; refuses two spellings that no account tells apart."""
    several = {code: found for code, found in lines.items() if len(found) > 1}
    for code, found in several.items():
        spellings, accounts = {line.code for line in found}, {line.account for line in found}
        if len(spellings) > 1 and len(accounts) < len(found):
            places = ", ".join(f"{readable(line.code)} in line {line.line}" for line in found)
            raise UsageError(
                f"{name}: {places} are all {code}",
                hint="write one spelling if they are one stock, else correct the other code",
            )
    if not several:
        return []
    texts = [
        f"{code} {math.fsum(line.shares for line in found):g} of {len(found)} lines"
        for code, found in several.items()
    ]
    accounts = {line.account for found in several.values() for line in found if line.account}
    where = f" of {len(accounts)} accounts" if len(accounts) > 1 else ""
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return [f"several lines of one stock{where} summed: {', '.join(texts[:_SHOWN])}{more}"]
