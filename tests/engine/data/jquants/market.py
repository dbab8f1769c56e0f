"""What the fake service knows: a small Tokyo market from a seed, in the vendor's columns.

Like the real service it gives quoted and adjusted prices, the adjusted ones re-based by every split up to
`today`; rows without a trade have null prices; statement figures are text.
"""

import datetime as dt
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from jquantsapi import constants

from engine.data.calendar import sessions_between

Row = dict[str, Any]
CODES = ("13010", "130A0", "25935", "72030", "99840")
"""An ordinary share, an alphanumeric code, a preferred share, two large ones."""
SECTORS = dict(zip(CODES, ("0050", "5250", "3050", "3700", "5250"), strict=True))

RANK = {"free": 0, "light": 1, "standard": 2, "premium": 3}


@cache
def xtks() -> list[dt.date]:
    """Sessions from 2020 to a month from now."""
    end = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
    days: list[dt.date] = sessions_between("XTKS", dt.date(2020, 1, 1), end).tolist()
    return days


@dataclass
class Market:
    """Sessions of XTKS from ``first`` to ``last``."""

    first: dt.date
    last: dt.date
    plan: str = "premium"
    splits: dict[tuple[str, dt.date], float] = field(default_factory=dict, kw_only=True)
    """(code, ex-date) -> AdjFactor."""
    silent: set[dt.date] = field(default_factory=set, kw_only=True)
    """Days of which the server gives no bars."""

    def __post_init__(self) -> None:
        self.calendar = xtks()
        self.days = [day for day in self.calendar if self.first <= day <= self.last]
        rng = np.random.default_rng(11)
        shape = (len(CODES), 4000)
        self._close = np.round(1000 + 50 * rng.standard_normal(shape).cumsum(axis=1), 1).clip(100)
        self._volume = rng.integers(1, 5000, shape) * 100
        self._quiet = rng.random(shape) < 0.1

    def extend(self, last: dt.date) -> None:
        """Time goes on."""
        self.last = last
        self.days = [day for day in self.calendar if self.first <= day <= last]

    def _at(self, day: dt.date) -> int:
        return (day - dt.date(2020, 1, 1)).days % 4000

    def quoted(self, code: str, day: dt.date) -> tuple[float, float] | None:
        """Close and volume of the day; None without a trade. Splits show in both."""
        i, t = CODES.index(code), self._at(day)
        if self._quiet[i, t]:
            return None
        done = 1.0
        for (who, ex), factor in self.splits.items():
            if who == code and ex <= day:
                done *= factor
        return round(float(self._close[i, t]) * done, 1), float(self._volume[i, t])

    def bars(self, day: dt.date) -> list[Row]:
        known = day in self.days and day not in self.silent
        return [self._bar(code, day) for code in CODES] if known else []

    def _bar(self, code: str, day: dt.date) -> Row:
        later = 1.0
        for (who, ex), factor in self.splits.items():
            if who == code and day < ex <= self.last:
                later *= factor
        quote = self.quoted(code, day)
        row: Row = {"Date": day.isoformat(), "Code": code, "UL": "0", "LL": "0"}
        row["AdjFactor"] = self.splits.get((code, day), 1.0)
        if quote is None:
            names = ("O", "H", "L", "C", "Vo", "Va", "AdjO", "AdjH", "AdjL", "AdjC", "AdjVo")
            return row | dict.fromkeys(names)
        close, volume = quote
        prices = {"O": close - 0.5, "H": close + 2, "L": close - 3, "C": close}
        adjusted = {f"Adj{name}": round(value * later, 1) for name, value in prices.items()}
        return row | prices | adjusted | {
            "Vo": volume, "Va": round(close * volume), "AdjVo": volume / later,
        }  # fmt: skip

    def master(self, day: dt.date) -> list[Row]:
        blank = dict.fromkeys(constants.EQ_MASTER_COLUMNS_V2, "")
        return [
            blank | {
                "Date": day.isoformat(), "Code": code, "CoName": f"銘柄{code}", "CoNameEn": f"Name {code}",
                "S17": "10", "S33": SECTORS[code], "Mkt": "0111", "ProdCat": "011",
                "Mrgn": "" if RANK[self.plan] < 2 else "12"[i % 2],
            }
            for i, code in enumerate(CODES)
        ]  # fmt: skip

    def topix(self, first: dt.date, last: dt.date) -> list[Row]:
        return [
            {
                "Date": day.isoformat(),
                "O": 2000.0,
                "H": 2010.0,
                "L": 1990.0,
                "C": 2000.0 + self._at(day),
            }
            for day in self.days
            if first <= day <= last
        ]

    def investors(self, first: dt.date, last: dt.date) -> list[Row]:
        """Published on Thursday for the week before."""
        rows = []
        for day in self.days:
            if day.weekday() != 3 or not first <= day <= last:
                continue
            monday = day - dt.timedelta(days=10)
            row: Row = {
                name: float(1000 + self._at(day)) for name in constants.EQ_INVESTOR_TYPES_COLUMNS_V2
            }
            row |= {"PubDate": day.isoformat(), "StDate": monday.isoformat()}
            row |= {"EnDate": (monday + dt.timedelta(days=4)).isoformat()}
            rows += [row | {"Section": section} for section in ("TSEPrime", "TokyoNagoya")]
        return rows

    def margin(self, day: dt.date) -> list[Row]:
        daily = day >= dt.date(2026, 9, 25)
        if day not in self.days or not (daily or day.weekday() == 4):
            return []
        published = next(d for d in self.calendar if d > day) if daily else None
        blank = dict.fromkeys(constants.MKT_MARGIN_INTEREST_COLUMNS_V2)
        return [
            blank | {
                "PubDate": published.isoformat() if published else None, "Date": day.isoformat(),
                "Code": code, "IssType": "2", "ShrtVol": 100.0 * i, "LongVol": 1000.0 + i,
            }
            for i, code in enumerate(CODES)
        ]  # fmt: skip

    def short_ratio(self, day: dt.date) -> list[Row]:
        if day not in self.days:
            return []
        return [
            {
                "Date": day.isoformat(), "S33": sector, "SellExShortVa": 600.0,
                "ShrtWithResVa": 300.0, "ShrtNoResVa": 100.0,
            }
            for sector in sorted(set(SECTORS.values()))
        ]  # fmt: skip

    def summary(self, day: dt.date) -> list[Row]:
        """Two disclosures a day, one after the close; each fifth day a revision of a forecast."""
        if day not in self.days:
            return []
        blank = dict.fromkeys(constants.FIN_SUMMARY_COLUMNS_V2, "")
        t = self._at(day)
        base = blank | {
            "DiscDate": day.isoformat(), "CurPerEn": "2023-12-31", "CurFYEn": "2024-03-31",
            "DocType": "3QFinancialStatements_Consolidated_JP", "CurPerType": "3Q", "Sales": "100000",
            "OP": "9000", "NP": "-500", "TA": "1", "Eq": "", "FSales": "140000", "FOP": "12000",
            "FNP": "700", "NxFSales": "150000", "NxFOP": "13000", "NxFNp": "800",
        }  # fmt: skip
        rows = [
            base | {"Code": CODES[t % 5], "DiscTime": "14:30:00"},
            base | {"Code": CODES[(t + 1) % 5], "DiscTime": "15:30:00", "CurPerType": "FY"},
        ]
        if t % 5 == 0:
            empty = dict.fromkeys(("Sales", "OP", "NP", "TA"), "")
            revision = {"DocType": "EarnForecastRevision", "DiscTime": "9:05:00", "Code": CODES[0]}
            rows.append(base | empty | revision | {"CurPerType": "FY"})
        return rows

    def earnings(self, day: dt.date) -> list[Row]:
        if day not in self.days:
            return []
        blank = dict.fromkeys(constants.FIN_EARNINGS_DATE_COLUMNS_V2, "")
        t = self._at(day)
        scheduled = "" if t % 4 == 0 else (day + dt.timedelta(days=20)).isoformat()
        return [blank | {"PubDate": day.isoformat(), "SchDate": scheduled, "Code": CODES[t % 5]}]

    def options(self, day: dt.date) -> list[Row]:
        """A put and a call; on every third day both once more for an emergency margin call."""
        if day not in self.days:
            return []
        blank: Row = dict.fromkeys(constants.DERIVATIVES_OPTIONS_COLUMNS_V2, "")
        rows = []
        for kind in ("1", "2"):
            row = blank | {
                "Date": day.isoformat(), "Code": f"13{kind}0038", "CM": "2024-03", "Strike": 38000.0,
                "SQD": (day + dt.timedelta(days=30)).isoformat(), "PCDiv": kind, "IV": 21.5,
                "OI": 120.0, "Vo": 7.0, "UnderPx": 38500.5, "EmMrgnTrgDiv": "002",
            }  # fmt: skip
            rows.append(row)
            if self._at(day) % 3 == 0:
                rows.append(row | {"EmMrgnTrgDiv": "001", "IV": 99.0})
        return rows

    def valuation(self, day: dt.date) -> list[Row]:
        """Of every issue; all null for the preferred share, but for its market capitalisation."""
        if day not in self.days:
            return []
        blank: Row = dict.fromkeys(constants.EQ_VALUATION_COLUMNS_V2)
        ratios = {
            "EPS": 100.0,
            "PER": 12.5,
            "FwdPER": 11.0,
            "PBR": 1.2,
            "ROE": 0.096,
            "FwdROE": 0.1,
        }
        return [
            blank | {"Date": day.isoformat(), "Code": code, "MktCap": 1500.5}
            | ({} if code == CODES[2] else ratios)
            for code in CODES
        ]  # fmt: skip

    def holdings(self, day: dt.date) -> list[Row]:
        """One report on a listed issuer a day, and on Fridays one on another without a code."""
        if day not in self.days:
            return []
        blank: Row = dict.fromkeys(constants.EDINET_LARGE_VOLUME_SHAREHOLDERS_COLUMNS_V2, "")
        row = blank | {
            "DocId": "S100ABCD", "Code": CODES[self._at(day) % 5], "SubDate": day.isoformat(),
            "SubTime": "10:01", "TotalShsHeld": 600_000, "TotalOutStks": 10_000_000, "TotalShsRatio": "6.00",
            "Hldrs": [{"Name": "a fund"}],
        }  # fmt: skip
        return [row, row | {"Code": None, "DocId": "S100ABCE"}] if day.weekday() == 4 else [row]

    def disclosures(self, day: dt.date) -> list[Row]:
        """Two documents of one company by noon and one after the close, one of another at 14:30."""
        if day not in self.days:
            return []
        blank: Row = dict.fromkeys(constants.TD_LIST_COLUMNS_V2, "")
        told = (("12010", 0, "11:30:00"), ("12020", 0, "12:00"), ("12030", 0, "15:30:00"),
                ("12040", 1, "14:30:00"))  # fmt: skip
        return [
            blank | {
                "DiscNo": f"{day:%Y%m%d}{number}", "Code": CODES[place], "DiscDate": day.isoformat(),
                "DiscTime": time, "DiscItems": ["11101"], "Docs": ["g"],
            }
            for number, place, time in told
        ]  # fmt: skip
