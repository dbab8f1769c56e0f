"""Files of positions as brokers write them: small ones of each kind, worked out by hand."""

import contextlib
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, EnvironmentProblem, UsageError
from engine.records.orders import Positions
from engine.signals.account import Account, account_of
from engine.signals.position_file import PositionFile, read_position_file

KNOWN = ("1001", "1002", "BRK.B", "AAPL", "7203", "0050", "TRUE")

PLAIN = {
    "alpaca": ("symbol,qty,side,avg_entry_price\n1001,100,long,98.1\n1002,50,short,90.2\n", None),
    "alpaca, signed": (
        "asset_class,symbol,qty,side\nus_equity,1001,100,long\nus_equity,1002,-50,short\n", None,
    ),
    "flex": (
        '"ClientAccountID","Symbol","Quantity","PositionValue","Side"\n"U1","1001","100","10250","Long"\n'
        '"U1","1002","-50","-4405","Short"\n', None,
    ),
    "flex with lots": (
        "AccountId,AssetClass,Symbol,Quantity,Side,LevelOfDetail\nU1,STK,1001,100,Long,SUMMARY\n"
        "U1,STK,1001,60,Long,LOT\nU1,STK,1001,40,Long,LOT\nU1,STK,1002,-50,Short,SUMMARY\n"
        "U1,OPT,1001  230616C00100000,2,Long,SUMMARY\n", None,
    ),
    "statement": (
        "Statement,Header,Field Name,Field Value\nStatement,Data,BrokerName,Interactive Brokers\n"
        "Cash Report,Header,Currency Summary,Currency,Total,Securities,Futures\n"
        "Cash Report,Data,Starting Cash,Base Currency Summary,1,1,0\n"
        "Cash Report,Data,Ending Cash,Base Currency Summary,5100.5,5100.5,0\n"
        "Cash Report,Data,Ending Cash,EUR,50,50,0\nCash Report,Data,Ending Cash,USD,5000,5000,0\n"
        "Cash Report,Data,Ending Settled Cash,USD,4000,4000,0\n"
        "Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Value,Code\n"
        "Open Positions,Data,Summary,Stocks,USD,1001,100,1,10250,X\n"
        "Open Positions,Data,Lot,Stocks,USD,1001,100,1,10250,X\n"
        'Open Positions,Data,Summary,Stocks,USD,1002,"-50",1,-4405,\n'
        "Open Positions,Data,Summary,Equity and Index Options,USD,1001 16JUN23 100 C,2,100,30,\n"
        "Open Positions,Total,,Stocks,USD,,,,5845,\n"
        "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,Value\n"
        'Trades,Data,Order,Stocks,USD,1001,"2023-05-12, 09:30:00",999,1\n', 5000.0,
    ),
    "schwab": (
        '"Positions for account Individual ...123 as of 09:01 AM ET, 2023/05/15"\n\n'
        '"Symbol","Description","Quantity","Price","Market Value"\n'
        '"1001","ALPHA","100","$102.50","$10,250.00"\n"1002","BETA","-50","$88.10","-$4,405.00"\n'
        '"Cash & Cash Investments","--","--","--","$1,234.56"\n"Account Total","--","--","--","$7,079.56"\n',
        1234.56,
    ),
    "schwab, newer": (
        '"Symbol","Qty (Quantity)","Mkt Val (Market Value)","Security Type"\n"1001","100","$1","Equity"\n'
        '"1002","-50","$1","ETFs & Closed End Funds"\n"1001 06/16/2023 100.00 C","1","$1","Option"\n'
        '"Cash & Cash Investments","--","$99.00","Cash and Money Market"\n"Positions Total","","$1","--"\n',
        99.0,
    ),
    "two accounts": ("account,code,shares\nA,1001,60\nB,1001,40\nB,1002,-50\n", None),
    "semicolon": ("code;shares;price\n1001;100,0;98,10\n1002;-50;1.088,20\n$cash;1.000,5\n", 1000.5),
    "tab, thousands": ("Ticker\tShares\n1001\t100\n1002\t(50)\nUSD\t1,000,000\n", 1e6),
    "totals": ("code,shares\n1001,100\n1002,-50\nTotal,\nGrand total,50\nCASH,7\n", 7.0),
    "fidelity": (
        "Account Number,Symbol,Description,Quantity,Last Price,Current Value,Type\n"
        "X1,1001,ALPHA,100,$102.50,$10250.00,Cash,\nX1,1002,BETA,-50,$88.10,-$4405.00,Short,\n"
        "X1,SPAXX**,HELD IN MONEY MARKET,,,$1234.56,Cash,\nX1,Pending Activity,,,,-$34.56,,\n\n"
        '"The data is provided, as is, to 3 clients"\n"Date downloaded May-15-2023"\n', 1200.0,
    ),
    "side in a column of another name": (
        "Symbol,Position,Quantity,Grade\n1001,LONG,100,S\n1002,SHORT,50,B\nCash,,12,\n", 12.0,
    ),
    "remarks": ("code,shares,note\n# longs\n1001,100,\n\n# shorts\n1002,-50,\n$cash,3,\n", 3.0),
    "spaces": (" Code , Shares \n 1001 , 100 \n 1002 , -50 \n\n $cash , 3 \n", 3.0),
}  # fmt: skip

SBI = """保有証券一覧

株式（現物/特定預り）
"銘柄（コード）","買付日","数量","取得単価","現在値","評価額"
"1001 アルファ","----/--/--","1,100","98","102","10,250"
株式（現物/特定預り）合計
"評価額","含み損益"
"10,250","+440"

株式（信用）
"銘柄（コード）","売買","数量","建単価"
"1002 ベータ","売建","50株","90"

投資信託（金額/特定預り）
"ファンド名","数量","評価額"
"世界株式","12,345","20,000"
"""
RAKUTEN = """"■資産合計欄"
"","時価評価額[円]"
"国内株式","10,250"

"■ 保有商品詳細 (すべて）"
"種別","銘柄コード・ティッカー","銘柄","口座","保有数量","［単位］","時価評価額[円]"
"国内株式","1001","アルファ","特定","1,000","株","10,250"
"国内株式","1001","アルファ","NISA","100","株","10,250"
"国内株式","1002","ベータ","特定","-50","株","-4,405"
"投資信託","","世界株式","特定","12,345","口","20,000"
"預り金","","","","","","1,234,567"
"""


def read(path: Path, text: str | bytes, currency: str = "USD", **columns: str) -> PositionFile:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_position_file(path, columns=columns, currency=currency, known=frozenset(KNOWN))


def account(file: PositionFile, cash: float | None = None, currency: str = "USD") -> Account:
    return account_of(file, known=KNOWN, market="", currency=currency, cash=cash)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "positions.csv"


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_one_account_as_each_broker_writes_it(kind: str, encoding: str, path: Path) -> None:
    text, cash = PLAIN[kind]
    found = read(path, text.encode(encoding))
    assert found.cash == cash
    held = account(found, cash=None if cash is not None else 5.0)
    assert held.positions == Positions(
        shares={"1001": 100.0, "1002": -50.0}, cash=5.0 if cash is None else cash
    )
    assert not held.missing


@pytest.mark.parametrize(
    ("text", "cash"), [(SBI, None), (RAKUTEN, 1_234_567.0)], ids=["sbi", "rakuten"]
)
@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
def test_japanese_brokers(text: str, cash: float | None, encoding: str, path: Path) -> None:
    found = read(path, text.encode(encoding), currency="JPY")
    assert found.cash == cash
    held = account(found, cash=0.0 if cash is None else None, currency="JPY")
    assert held.positions.shares == {"1001": 1100.0, "1002": -50.0}
    assert not held.missing


@pytest.mark.parametrize(
    ("column", "bought", "sold", "second"),
    [
        ("Type", "BUY", "SELL", -5.0),
        ("Action", "Bought", "Sold", -5.0),
        ("Trade Type", "buy", "sell", -5.0),
        ("備考", "買い建て", "売り建て", -5.0),
        ("Comment", "long", "short", -5.0),
        ("Advice", "buy", "sell", 5.0),
        ("Type", "B", "S", 5.0),
        ("Type", "Buy", "Stock", 5.0),
    ],
)
def test_a_side_in_a_column_of_another_name(
    column: str, bought: str, sold: str, second: float, path: Path
) -> None:
    """Buy and sell are the side where the column is called after the trade; elsewhere they are advice."""
    text = f"symbol,shares,{column}\n1001,10,{bought}\n1002,5,{sold}\n$cash,1,\n"
    assert account(read(path, text)).positions.shares == {"1001": 10.0, "1002": second}


def test_what_is_left_out_or_summed_is_said(path: Path) -> None:
    words = "; ".join(read(path, PLAIN["flex with lots"][0]).notes)
    assert "lots of what a summary counts already left out (2 lines)" in words
    assert "(OPT)" in words
    words = "; ".join(read(path, PLAIN["statement"][0]).notes)
    for word in ("Equity and Index Options", "50.00 EUR", "Trades", "Statement"):
        assert word in words
    words = "; ".join(account(read(path, RAKUTEN, currency="JPY"), currency="JPY").notes)
    assert "世界株式 (投資信託)" in words
    assert "of 2 accounts summed: 1001 1100 of 2 lines" in words
    assert "totals left out (2 lines)" in read(path, PLAIN["totals"][0]).notes
    summed = account(read(path, "code,shares\n1001,100\n1001,200\n$cash,1\n"))
    assert summed.positions.shares == {"1001": 300.0}
    assert summed.notes == ("several lines of one stock summed: 1001 300 of 2 lines",)


def test_trades_below_the_positions_are_not_added_to_them(path: Path) -> None:
    """100 shares are held after a purchase of 10 of them, which the same export lists further down."""
    text = (
        "Account Number,Symbol,Shares,Total Value\n1,1001,100,500\n\n\n"
        "Account Number,Trade Date,Transaction Type,Symbol,Shares\n1,2024-01-02,Buy,1001,10\n"
    )
    found = read(path, text)
    assert [(line.code, line.shares) for line in found.lines] == [("1001", 100.0)]
    assert found.notes == ["passed over: line 5, line 6"]


def test_codes_are_matched_and_two_spellings_of_one_stock_are_not_added_in_silence(
    path: Path,
) -> None:
    held = account(read(path, "code,shares\nBRK-B,3\n72030,1\naapl us,2\n$cash,1\n"))
    assert held.positions.shares == {"7203": 1.0, "AAPL": 2.0, "BRK.B": 3.0}
    assert "BRK-B is BRK.B" in held.notes[0]
    with pytest.raises(UsageError, match=r"BRK-B in line 2, BRK B in line 3 are all BRK\.B"):
        account(read(path, "code,shares\nBRK-B,3\nBRK B,1\n$cash,1\n"))
    held = account(read(path, "account,code,shares\nx,BRK-B,3\ny,BRK B,1\n,$cash,1\n"))
    assert held.positions.shares == {"BRK.B": 4.0}


def test_a_line_that_is_no_stock_of_the_store_is_named_and_not_dropped(path: Path) -> None:
    held = account(
        read(
            path, "code,shares,currency\n1001X,5,USD\nZZZZZ,1,USD\nQ,0,USD\nAAPL,1,EUR\n$cash,1,\n"
        )
    )
    assert dict(held.missing) == {
        "1001X": "1001 or 1002?",
        "ZZZZZ": "nothing like it is known",
        "AAPL": "held in EUR, not USD",
    }
    assert held.positions.shares == {}


def test_cash_and_usd_may_be_stocks(path: Path) -> None:
    text = "code,shares\nCASH,5\nUSD,6\n$cash,7\n"
    path.write_text(text)
    known = frozenset({"CASH", "USD"})
    found = read_position_file(path, columns={}, currency="USD", known=known)
    assert ([line.code for line in found.lines], found.cash) == (["CASH", "USD"], 7.0)
    found = read(path, "code,shares\nEUR,6\n$cash,7\n")
    assert [line.code for line in found.lines] == ["EUR"], (
        "no money of this store: it stops the card"
    )


def test_a_class_that_is_not_known_and_a_line_without_a_code_are_never_dropped(path: Path) -> None:
    text = "symbol,asset class,description,qty\n1001,Aktien,A,5\n,Aktien,Beteiligung,3\n$cash,,,1\n"
    held = account(read(path, text))
    assert held.positions.shares == {"1001": 5.0}
    assert dict(held.missing) == {"Beteiligung": "nothing like it is known"}


def test_a_store_without_a_currency_takes_one_currency_for_its_cash(path: Path) -> None:
    assert read(path, "code,shares\nUSD,5\n1001,1\n", currency="").cash == 5.0
    with pytest.raises(UsageError, match=r"several currencies \(EUR, USD\)") as caught:
        read(path, "code,shares\nUSD,5\nEUR,1\n", currency="")
    assert "--cash" in caught.value.hint


def test_points_between_thousands_in_a_file_parted_by_semicolons(path: Path) -> None:
    found = read(path, "code;shares\n1001;1.000\n$cash;2.000.000\n")
    assert ([line.shares for line in found.lines], found.cash) == ([1000.0], 2e6)
    found = read(path, "code;shares;price\n1001;1.000;98.10\n$cash;2.000;\n")
    assert ([line.shares for line in found.lines], found.cash) == ([1.0], 2.0)
    assert [line.shares for line in read(path, "code,shares\n1001,1.000\n").lines] == [1.0]


def test_the_command_names_columns_and_cash(path: Path) -> None:
    text = "Wertpapier;Menge;Richtung\n1001;1;Long\n1002;3;Short\n"
    with pytest.raises(UsageError, match="its columns are Wertpapier, Menge, Richtung") as caught:
        read(path, text)
    assert "--position-columns" in caught.value.hint
    named = {"code": "Wertpapier", "shares": "Menge*100", "side": "Richtung"}
    found = read(path, text, **named)
    held = account(found, cash=9.0)
    assert held.positions == Positions(shares={"1001": 100.0, "1002": -300.0}, cash=9.0)
    with pytest.raises(UsageError, match="no row") as caught:
        account(found)
    assert "--cash AMOUNT" in caught.value.hint
    with pytest.raises(UsageError, match="colour is none of ours"):
        read(path, text, colour="Menge")
    with pytest.raises(UsageError, match="no column `Depot` for account; its"):
        read(path, text, account="Depot", **named)
    held = account(read(path, "code,shares\n$cash,1\n"), cash=2.0)
    assert (held.positions.cash, held.notes) == (
        2.0,
        ("cash is 2.00 as the command says, not 1.00",),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("code,shares\n$cash,1e308\nS0001,1e308\n", ":2: .*1e308.* more cash than there is"),
        ("code,shares\n1001,1e13\n$cash,1\n", ":2: 1001: shares '1e13' is more shares than"),
        ("code,shares\n1001,inf\n$cash,1\n", ":2: 1001: shares 'inf'"),
        ("code,shares\n1001,nan\n$cash,1\n", ":2: 1001: shares 'nan' is no number"),
        ("code,shares\n1001,\n$cash,1\n", ":2: 1001"),
        ("code,shares\n\n1001,one\n$cash,1\n", ":3: 1001: shares 'one'"),
        ("code,shares\n1001,1,200\n$cash,1\n", ":2: 3 fields, the names are 2"),
        ("code,qty,side\n1001,-5,long\n$cash,1,\n", ":2: 1001: qty '-5' is negative"),
        ("code,qty,side\n1001,5,flat\n$cash,1,\n", ":2: 1001: side 'flat' is neither"),
        ("code,qty,value\n1001,5,($10)\n$cash,1,\n", r":2: 1001: value '\(\$10\)' is negative"),
        ("code,qty\n,5\n$cash,1\n", ":2: .*code '' is empty"),
        ("", "its columns are none"),
        ("name,number\n", "its columns are name, number"),
        ("Trade Date,Symbol,Shares\n2024-01-02,1001,5\n", "and not in a list of trades"),
        ("code,shares\n1001,\x1b[2J\x9b5\n", ":2: 1001"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_with_its_place(
    text: str, words: str, path: Path
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read(path, text)
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 2


def test_no_file_and_no_text(path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        read_position_file(path, columns={}, currency="", known=())
    with pytest.raises(UsageError, match="workbook") as caught:
        read(path, b"PK\x03\x04....")
    assert "CSV" in caught.value.hint


SHARES = st.floats(-1e9, 1e9).map(lambda value: round(value, 3))


@given(st.dictionaries(st.sampled_from(KNOWN), SHARES, max_size=6), SHARES)
def test_sealed_positions_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, shares: dict[str, float], cash: float
) -> None:
    path = tmp_path_factory.mktemp("p") / "positions.csv"
    held = Positions(shares=dict(sorted(shares.items())), cash=cash)
    assert account(read(path, held.csv().decode())).positions == held


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("p") / "positions.csv"
    for content in (text, f"code,shares\n{text}", f"symbol;qty;side;kind\n{text}"):
        with contextlib.suppress(EngineError):
            found = read(path, content.encode("utf-8", "replace"))
            assert all(math.isfinite(line.shares) for line in found.lines)
