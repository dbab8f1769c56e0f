"""The rows of positions in a broker's file: its lines of names, section by section, in our columns.

What a row is (a stock, cash, a sum, or something that is left out) is decided in `position_kinds`.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.reading.dialect import SEPARATORS
from engine.data.reading.finding import decoded
from engine.data.reading.names import BARS, listed, match, normal
from engine.errors import EnvironmentProblem, UsageError
from engine.plain_text import readable
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
        " 庫存股數 股票余额 证券余额 股份余额 持仓数量 持股数量 证券数量 当前持仓 持有数量",
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
_OF_TRADES = frozenset(
    {
        "tradedate", "transactiondate", "settlementdate", "settledate", "activitydate", "processdate",
        "rundate", "transactiontype", "約定日", "受渡日", "成交日期", "交收日期",
    }
)  # fmt: skip
"""Names of columns that only a list of trades has, in normal form."""
_TOTAL = re.compile(r"(grand|sub|net|accounts?|positions?|portfolio|section)?totals?")
_WITH_UNIT = re.compile(r"^(.+?)\s*(?:株|股|口|shares)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionHead:
    """A line of names."""

    names: tuple[str, ...]
    columns: Mapping[str, Column]
    """Ours -> theirs; at least `_NEEDED`."""

    def cells(self, row: Sequence[str]) -> dict[str, str]:
        """Ours -> the row's cell; a row that is too short has empty ones."""
        at = {ours: self.names.index(column.theirs) for ours, column in self.columns.items()}
        return {ours: row[i] if i < len(row) else "" for ours, i in at.items()}


def _head_of(row: Sequence[str], said: Mapping[str, str]) -> PositionHead | None:
    """The row as a line of names; None if code or shares is not among them, or if it is one of trades.

    ``said``: our column -> the file's, by the user; goes before what is guessed.
    """
    names = tuple(row)
    if not said and _tells_trades(names):
        return None
    theirs = {"symbol" if ours == "code" else ours: name for ours, name in said.items()}
    found = match(names, _WORDS, theirs, "positions")
    columns = {"code" if ours == "symbol" else ours: column for ours, column in found.items()}
    if any(ours not in columns for ours in (*_NEEDED, *said)):
        return None
    return PositionHead(names=names, columns=columns)


def _tells_trades(names: Sequence[str]) -> bool:
    """Whether the columns are of a list of trades, which says what was done and not what is held."""
    return any(normal(name) in _OF_TRADES for name in names)


def _looks_like_names(row: Sequence[str]) -> bool:
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


_Record = tuple[int, list[str]]
"""Line, from 1, and its cells without space around them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    line: int
    cells: Mapping[str, str]
    """Ours -> text."""
    head: PositionHead
    every: tuple[str, ...]
    """Every cell, ours or not."""

    @property
    def first(self) -> str:
        return next((cell for cell in self.every if cell), "")


@dataclass(slots=True, kw_only=True)
class PositionTable:
    """What was found in a file."""

    separator: str
    rows: list[PositionRow] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Sections, and lines outside of any table, that are not positions."""


def read_rows(path: Path, said: Mapping[str, str]) -> PositionTable:
    """Rows below lines of names that have a code and a number of shares; UsageError if there is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EnvironmentProblem(f"{path}: cannot be read ({error.strerror})") from error
    if content.startswith(b"PK\x03\x04"):
        raise UsageError(f"{path}: a workbook or archive, not text", hint="save it as CSV")
    text = decoded(content, name=str(path))[0].decode("utf-8")
    tried = [_rows(records_of(text, separator), separator, said) for separator in SEPARATORS]
    best = max(tried, key=lambda found: (len(found.rows), found.separator == ","))
    if not best.rows and not any(_heads(text, separator, said) for separator in SEPARATORS):
        raise _no_columns(path, text, said)
    return best


def records_of(text: str, separator: str) -> list[_Record]:
    """The lines of a text, counted from 1, with their cells; space around cells is left out."""
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator)
    found, before = [], 0
    for cells in reader:
        found.append((before + 1, [cell.strip() for cell in cells]))
        before = reader.line_num
    return found


def _heads(text: str, separator: str, said: Mapping[str, str]) -> bool:
    return any(_head_of(cells, said) for _, cells in records_of(text, separator))


def _rows(records: Sequence[_Record], separator: str, said: Mapping[str, str]) -> PositionTable:
    found = PositionTable(separator=separator)
    if any(len(cells) > 2 and normal(cells[1]) == "header" for _, cells in records):
        found.rows += _statement(records, said, found.left)
    else:
        found.rows += _plain(records, said, found.left)
    return found


def _plain(
    records: Sequence[_Record], said: Mapping[str, str], left: list[str]
) -> Iterator[PositionRow]:
    """Tables one below the other, each with its names, and titles between them.

    Below a title or an empty line, names of other things than positions end a table; nothing else does,
    so that no position is lost below a remark.
    """
    head: PositionHead | None = None
    blank = False
    for line, cells in records:
        if not any(cells):
            blank = True
            continue
        named = _head_of(cells, said)
        title = len(cells) == 1 and head is not None and len(head.names) > 2
        if named is not None:
            head = named
        elif blank and _looks_like_names(cells):
            head = None
        if head is None:
            left.append(f"line {line}")
        elif named is None and not title:
            yield PositionRow(line=line, cells=head.cells(cells), head=head, every=tuple(cells))
        blank = title


def _statement(
    records: Sequence[_Record], said: Mapping[str, str], left: list[str]
) -> Iterator[PositionRow]:
    """A statement of activity: each line begins with its section and what it is of it.

    Positions are the section that knows shares and value and no time of a trade; cash is the row of the
    cash report that ends it.
    """
    head: PositionHead | None = None
    cash = False
    for line, cells in records:
        if len(cells) < 3:
            continue
        section, kind, rest = cells[0], normal(cells[1]), cells[2:]
        if kind == "header":
            head, cash = _head_of(rest, said), normal(rest[0]) == "currencysummary"
            if head and ("value" not in head.columns or any("date" in normal(n) for n in rest)):
                head = None
            if cash:
                head = _head_of(("code", "kind", "shares"), {})
            if head is None and section not in left:
                left.append(section)
        elif kind == "data" and head is not None:
            if not cash:
                yield PositionRow(line=line, cells=head.cells(rest), head=head, every=tuple(rest))
            elif normal(rest[0]) == "endingcash":
                row = [rest[1], "cash", rest[2]]
                yield PositionRow(line=line, cells=head.cells(row), head=head, every=tuple(row))


def _no_columns(path: Path, text: str, said: Mapping[str, str]) -> UsageError:
    """Names what the file has where names are looked for: its widest line without numbers."""
    rows = [cells for separator in SEPARATORS for _, cells in records_of(text, separator)]
    named = [row for row in rows if _looks_like_names(row)] or [row for row in rows if any(row)]
    widest: list[str] = max(named, key=len, default=[])
    shown = listed(filter(None, widest))
    there = {normal(name) for name in widest}
    absent = {o: t for o, t in said.items() if normal(t.partition("*")[0]) not in there}
    wanted = ", ".join(f"`{readable(theirs)}` for {ours}" for ours, theirs in absent.items())
    needs = (
        f"there is no column {wanted}" if wanted else "needs a column of codes and one of shares"
    )
    if any(_tells_trades(row) for row in named):
        needs += ", and not in a list of trades"
    return UsageError(
        f"{path}: {needs}; its columns are {shown or 'none'}",
        hint='name them with --position-columns "code=THEIRS,shares=THEIRS"; side, account, kind, '
        "value, name and currency can be named too",
    )
