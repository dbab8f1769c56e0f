"""`fills`, and what the ledger of a workspace of before then shows."""

import tarfile
from pathlib import Path

import pytest

from engine import hashes
from engine.errors import IntegrityError, UsageError
from engine.records import record
from engine.records.orders import Order, rows_of
from engine.records.seal import read_seal
from engine.records.shadow import ShadowLedger, fills_path, read_fills
from engine.stages.orders import fills
from tests.engine.stages.seals import context_of
from tests.engine.stages.test_export import BEFORE
from tests.journeys.command import atft_here
from tests.tui import signal_desk


def test_fills_are_kept_and_replaced(tmp_path: Path) -> None:
    """Orders of the first session, decided at the close of a Friday, are filled on the Tuesday after: Monday
    is a holiday in Tokyo.
    """
    seal = signal_desk.seal(tmp_path, signal_desk.DAYS[0])
    orders = rows_of(seal.read("orders.csv"), Order, "orders.csv")
    rows = [f"2026-11-24,{o.symbol},{o.side},{o.shares},{o.close * 1.01}" for o in orders]
    path = tmp_path / "f.csv"
    path.write_text("\n".join(["date,code,side,qty,price", *rows, "2026-11-25,6758,buy,1,1"]))
    told = fills(context_of(tmp_path), file=str(path), session=signal_desk.DAYS[0])
    by_side = {o["side"]: o for o in told.json["orders"]}
    assert [o["filled"] for o in told.json["orders"]] == [o.shares for o in orders]
    assert told.json["missed"] == []
    assert "1 rows are not of 2026-11-24" in told.text
    assert set(by_side) == {"buy", "sell"}
    path.write_text(f"code,side,qty,price\n{orders[0].symbol},{orders[0].side},1,{orders[0].close}")
    told = fills(context_of(tmp_path), file=str(path), session=signal_desk.DAYS[0])
    assert told.json["missed"] == [orders[1].symbol]
    assert "1 of 2 orders missed" in told.text
    path.write_text("code,side,qty,price\nnothing\n,,,\n6758,,x,y")
    with pytest.raises(UsageError, match=r"line 2: .*line 4: "):
        fills(context_of(tmp_path), file=str(path), session=signal_desk.DAYS[0])


def test_damaged_fills_are_said_with_the_way_to_read_them_back(tmp_path: Path) -> None:
    hashes.begin(tmp_path)
    seal = signal_desk.seal(tmp_path, signal_desk.DAYS[0])
    path = tmp_path / "f.csv"
    path.write_text("code,qty,price\n6758,0,1")
    fills(context_of(tmp_path), file=str(path), session=signal_desk.DAYS[0])
    kept = fills_path(tmp_path / "signals", seal)
    kept.write_text(kept.read_text().replace("6758", "7203"))
    with pytest.raises(IntegrityError, match="damaged") as caught:
        read_fills(tmp_path / "signals", seal, seal.digest)
    assert caught.value.hint == "read the fills back again with `atft-tui fills`"


@pytest.mark.slow
def test_the_ledger_shows_fills_beside_the_simulated_ones(tmp_path: Path) -> None:
    """Each order of a session filled at its sealed close: the row of the fills is there and adds up."""
    with tarfile.open(BEFORE) as archive:
        archive.extractall(tmp_path, filter="data")
    seal = read_seal(tmp_path / "signals" / "2019-12-16")
    orders = rows_of(seal.read("orders.csv"), Order, "orders.csv")
    assert orders
    rows = [f"{o.symbol},{o.side},{o.shares},{o.close}" for o in orders]
    (tmp_path / "f.csv").write_text("\n".join(["code,side,qty,price", *rows]))
    done = atft_here(tmp_path, "fills", "f.csv", "--session", "2019-12-16", "--json")
    assert done.code == 0, done.err
    assert done.json["slippage_bps"] == pytest.approx(0.0, abs=1e-6)
    done = atft_here(tmp_path, "ledger", "--json")
    assert done.code == 0, done.err
    told = record.read(tmp_path / "signals" / "ledger.json", ShadowLedger)
    assert told.all["fills"].sessions == 1
    assert told.all["close"].sessions > 1
    mine = {row["entry"]: row for row in done.json["rows"] if row["session"] == "2019-12-16"}
    for part in ("backtest", "revision", "sizing", "rounding"):
        assert mine["fills"][part] == mine["close"][part]
    assert mine["fills"]["orders"] == len(orders)
    assert mine["fills"]["unfilled"] == 0
