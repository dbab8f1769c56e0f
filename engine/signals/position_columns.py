"""Columns of a positions file: what brokers call ours, and which line of cells is a line of names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.data.reading.names import BARS, match, normal
from engine.records.reading import Column

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    ours: tuple(theirs.split())
    for ours, theirs in {
        "code": "symbol ticker code financialinstrument instrument symbolcusip symbolisin"
        " 銘柄コードティッカー 銘柄コードファンド名",
        "shares": "shares quantity qty qtyquantity position positions units noofshares numberofshares"
        " sharesheld sharesowned netposition netquantity netqty openquantity totalquantity"
        " currentquantity quantityavailable holding holdings"
        " 保有株数 保有数量 保有数 株数 数量 残高数量 残高株数 残高 現在数量 建株数"
        " 股票余额 证券余额 股份余额 持仓数量 持股数量 证券数量 当前持仓 持有数量",
        "side": "side positionside longshort ls direction buysell bs 売買 売買区分 建区分 買売区分 方向",
        "account": "account accountid accountnumber accountname clientaccountid acctid acct"
        " 口座 口座区分 預り区分 預り 账户",
        "kind": "assetcategory assetclass assettype securitytype sectype instrumenttype producttype"
        " 種別 商品 商品種別 証券種別 资产类别",
        "value": "marketvalue mktvalmarketvalue currentvalue positionvalue mktval mktvalue value"
        " endingmarketvalue 評価額 時価評価額 市值",
        "name": "description name securitydescription securityname companyname 銘柄 銘柄名 銘柄名称 名称"
        " 证券名称 ファンド名",
        "currency": "currency ccy currencyprimary 通貨 币种",
        "detail": "datadiscriminator levelofdetail",
    }.items()
}
"""Our column -> normal forms of its names elsewhere, the surest first."""
_NEEDED = ("code", "shares")
_WORDS = {**SYNONYMS, "symbol": (*SYNONYMS["code"], *BARS["symbol"])}
del _WORDS["code"]  # a column Code beside Symbol holds the broker's remarks
_TOTAL = re.compile(r"(grand|sub|net|accounts?|positions?|portfolio|section)?totals?")
_WITH_UNIT = re.compile(r"^(.+?)\s*(?:株|股|口|shares)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A line of names."""

    names: tuple[str, ...]
    columns: Mapping[str, Column]
    """Ours -> theirs; at least `_NEEDED`."""

    def cells(self, row: Sequence[str]) -> dict[str, str]:
        """Ours -> the row's cell; a row that is too short has empty ones."""
        at = {ours: self.names.index(column.theirs) for ours, column in self.columns.items()}
        return {ours: row[i] if i < len(row) else "" for ours, i in at.items()}


def head_of(row: Sequence[str], said: Mapping[str, str]) -> Head | None:
    """The row as a line of names; None if code or shares is not among them.

    ``said``: our column -> the file's, by the user; goes before what is guessed.
    """
    names = tuple(row)
    theirs = {"symbol" if ours == "code" else ours: name for ours, name in said.items()}
    found = match(names, _WORDS, theirs, "positions")
    columns = {"code" if ours == "symbol" else ours: column for ours, column in found.items()}
    if any(ours not in columns for ours in (*_NEEDED, *said)):
        return None
    return Head(names=names, columns=columns)


def looks_like_names(row: Sequence[str]) -> bool:
    """Two names or more and no digit: a line of names, of whatever table."""
    filled = [cell for cell in row if cell]
    return len(filled) > 1 and not any(c.isdigit() for cell in filled for c in cell)


def without_unit(number: str) -> str:
    """``100株`` is 100."""
    parts = _WITH_UNIT.match(number)
    return parts[1] if parts else number


def is_total(text: str) -> bool:
    """Whether a line that begins so adds up others."""
    form = normal(text)
    return _TOTAL.fullmatch(form) is not None or form.endswith(
        ("合計", "小計", "合计", "小计", "总计")
    )
