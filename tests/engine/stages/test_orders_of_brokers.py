"""`orders`: files of brokers by hand, and what is not written."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigError, GateError, IntegrityError, UsageError
from engine.records.orders import Order
from engine.signals.brokers import (
    Template,
    _broker_names,
    _parts_of,
    alpaca_orders,
    csv_orders,
    find_template,
)
from engine.stages.context import Outcome
from engine.stages.orders import orders
from tests.engine.stages.seals import context_of, model_of, seal_of
from tests.tui import signal_desk


def order(code: str, change: int, held: float, lot: int = 100, limit: float = 2850.5) -> Order:
    """A change of position of so many shares, negative = sold."""
    return Order(
        symbol=code, side="buy" if change > 0 else "sell", shares=abs(change),
        lots=abs(change) // lot, limit=limit, close=2880.0, notional=abs(change) * 2880.0,
        held=held, reason="r",
    )  # fmt: skip


TURN = order("7203", -1500, 1250.0)
"""12 lots of what is held are sold, 3 more are sold short; the odd 50 stay."""
COVER = order("6758", 300, -200.0)
GROW = order("130A0", 100, 0.0)


def rows(template: Template, *told: Order) -> list[list[str]]:
    """The lines of the file."""
    content = csv_orders(template, "my.toml", told, "2026-11-25-r0", "JPY")
    return list(csv.reader(io.StringIO(content.decode(template.encoding))))


def test_a_position_that_turns_is_closed_and_then_opened() -> None:
    found = [(p.kind, p.shares, p.lots) for p in _parts_of([TURN, COVER, GROW], split=True)]
    assert found == [
        ("sell", 1200, 12), ("short", 300, 3), ("cover", 200, 2), ("buy", 100, 1), ("buy", 100, 1),
    ]  # fmt: skip
    whole = [
        (p.kind, p.shares) for p in _parts_of([TURN, COVER, order("A", -100, 0.0)], split=False)
    ]
    assert whole == [("sell", 1500), ("buy", 300), ("short", 100)]
    single = list(_parts_of([order("A", -7, 7.5, lot=1)], split=True))
    assert [(p.kind, p.shares) for p in single] == [("sell", 7)], "half a share stays"


def test_a_basket_of_interactive_brokers(tmp_path: Path) -> None:
    template, path, made = find_template(tmp_path, "ibkr")
    assert made
    assert path == tmp_path / "brokers" / "ibkr.toml"
    assert rows(template, TURN, GROW) == [
        ["Action", "Quantity", "Symbol", "SecType", "Exchange", "Currency", "TimeInForce",
         "OrderType", "LmtPrice", "BasketTag"],
        ["SELL", "1500", "7203", "STK", "SMART", "JPY", "DAY", "LMT", "2850.5", "2026-11-25-r0"],
        ["BUY", "100", "130A0", "STK", "SMART", "JPY", "DAY", "LMT", "2850.5", "2026-11-25-r0"],
    ]  # fmt: skip
    assert not find_template(tmp_path, "ibkr")[2], "it is there now"
    with pytest.raises(ConfigError, match=r"\{currency\} is not known"):
        csv_orders(template, "x", [TURN], "2026-11-25-r0")


@pytest.mark.parametrize(
    ("name", "short", "cover"),
    [("sbi", "信用新規売", "信用返済買"), ("rakuten", "信用新規売建", "信用返済買埋")],
)
def test_japanese_files_have_their_words_codes_and_encoding(
    tmp_path: Path, name: str, short: str, cover: str
) -> None:
    template, _, _ = find_template(tmp_path, name)
    header, *found = rows(template, TURN, COVER, GROW)
    assert template.encoding == "cp932"
    assert header[0] == "銘柄コード"
    assert [row[0] for row in found] == ["7203", "7203", "6758", "6758", "130A"]
    assert [row[2] for row in found][1:3] == [short, cover]
    assert [row[3] for row in found] == ["1200", "300", "200", "100", "100"]
    with pytest.raises(UsageError, match=r"7203: 150 shares are no multiple of 100"):
        rows(template, order("7203", -150, 150.0, lot=1))


def test_bodies_for_alpaca() -> None:
    found = json.loads(
        alpaca_orders([order("BRK.B", -3, 2.0, lot=1, limit=14.82)], "2016-12-30-r1")
    )
    common = {"symbol": "BRK.B", "side": "sell", "type": "limit", "time_in_force": "day",
              "limit_price": "14.82"}  # fmt: skip
    assert found == [
        {**common, "qty": "2", "client_order_id": "2016-12-30-r1-1"},
        {**common, "qty": "1", "client_order_id": "2016-12-30-r1-2"},
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"columns": [["a", "{price}"]]}, "{price} is not known"),
        ({"encoding": "cp99999"}, "unknown encoding"),
        ({"encoding": "ascii", "buy": "買"}, "ascii"),
        ({"separator": "::"}, "delimiter"),
        ({"code_from": "("}, "code_from"),
    ],
)
def test_a_template_that_cannot_be_is_named(change: dict[str, Any], problem: str) -> None:
    columns = (("code", "{code}"), ("side", "{side}"))
    template = Template(**{"columns": columns, **change})
    with pytest.raises(ConfigError, match=problem):
        csv_orders(template, "my.toml", [COVER], "2026-11-25-r0")


def test_templates_are_found_and_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "brokers"
    folder.mkdir()
    (folder / "mine.toml").write_text('columns = [["c", "{code}"]]\nheader = false\n')
    assert _broker_names(tmp_path) == ["alpaca", "ibkr", "mine", "rakuten", "sbi"]
    template, _, made = find_template(tmp_path, "mine")
    assert not made
    assert csv_orders(template, "x", [TURN], "t") == b"7203\r\n"
    for name in ("nobody", "../mine", "Mine", ""):
        with pytest.raises(UsageError):
            find_template(tmp_path, name)
    (folder / "mine.toml").write_text('columns = [["c", "{code}"]]\ncolour = 1\n')
    with pytest.raises(ConfigError, match="colour"):
        find_template(tmp_path, "mine")


@pytest.mark.parametrize("code", ["=A1", "-AB", "@x", 'A"B', "A,B", ""])
def test_a_code_that_is_none_is_refused(code: str) -> None:
    with pytest.raises(UsageError, match="no code that a broker knows"):
        alpaca_orders([order(code, 100, 0.0)], "t")


def told(workspace: Path, session: str, to: str = "ibkr", **more: Any) -> Outcome:
    """`orders` into o.csv of the workspace."""
    return orders(
        context_of(workspace), session=session, to=to, output=str(workspace / "o.csv"), **more
    )


def test_orders_of_a_seal_and_what_should_be_known(tmp_path: Path) -> None:
    signal_desk.seal(tmp_path, signal_desk.DAYS[0], verdict="HOLD")
    signal_desk.seal(tmp_path, signal_desk.DAYS[1])
    found = told(tmp_path, signal_desk.DAYS[0])
    assert found.json["counts"] == {"orders": 2}
    assert found.json["verdict"] == "HOLD"
    notes = " ".join(found.json["notes"])
    assert "the card says HOLD" in notes
    assert f"{signal_desk.DAYS[1]} was sealed after it" in notes
    lines = (tmp_path / "o.csv").read_text().splitlines()
    assert len(lines) == 3
    assert {line.split(",")[5] for line in lines[1:]} == {"JPY"}
    assert told(tmp_path, signal_desk.DAYS[1], "alpaca").json["notes"] == ()


def test_a_stop_is_written_by_force_alone(tmp_path: Path) -> None:
    signal_desk.seal(tmp_path, signal_desk.DAYS[0], verdict="STOP")
    with pytest.raises(GateError, match="its card says STOP"):
        told(tmp_path, signal_desk.DAYS[0])
    assert not (tmp_path / "o.csv").exists()
    assert told(tmp_path, signal_desk.DAYS[0], force=True).json["counts"] == {"orders": 2}


def test_nothing_is_written_of_a_damaged_seal(tmp_path: Path) -> None:
    seal = seal_of(tmp_path, "2026-11-25", model_of(tmp_path).id)
    path = seal.directory / "orders.csv"
    path.write_bytes(path.read_bytes().replace(b"1200", b"1300", 1))
    with pytest.raises(IntegrityError, match=r"orders\.csv"):
        told(tmp_path, "2026-11-25")
    assert not (tmp_path / "o.csv").exists()
