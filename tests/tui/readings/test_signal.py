"""One session's rows and what changed, by hand; reasons of one stock; broken files are no rows."""

import math
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from atft_tui.readings.seals import read_champion, seals
from atft_tui.readings.signal import COLUMNS, Explanations, Neighbour, Signal, earlier, read_signal
from engine.signals.compose import _table_bytes
from engine.signals.models import ModelStore
from engine.signals.window import _SCHEMA
from tests.tui import signal_desk
from tests.tui.signal_desk import DAYS, MODEL, NOW


def read(workspace: Path, name: str) -> Signal:
    found = seals(workspace, 100)
    one = next(seal for seal in found if seal.name == name)
    return read_signal(one, earlier(found, one))


def test_rows_by_hand(tmp_path: Path) -> None:
    for day in DAYS:
        signal_desk.seal(tmp_path, day)
    signal = read(tmp_path, DAYS[2])
    assert [line.code for line in signal.lines] == ["130A", "7203", "6758", "0050", "9984"]
    assert [line.move for line in signal.lines] == [2, -1, -1, 1, -1]
    assert (signal.scored, signal.horizon) == (5, 5)
    first, _, refused, flipped, short = signal.lines
    assert (first.name, first.sector) == ("ベリタス・イン・シリコ", "医薬品")
    assert first.order is not None
    assert (first.order.side, first.order.shares, first.order.lots, first.order.limit) == (
        "buy",
        1000,
        10,
        2850.5,
    )
    assert (first.weight, first.weight_before, first.book) == (0.2, 0.0, "long")
    assert (flipped.weight, flipped.weight_before) == (0.1, -0.15)
    assert short.order is not None
    assert (short.book, short.order.side) == ("short", "sell")
    assert [one.rule for one in refused.refused] == ["adv"]
    assert math.isnan(refused.refused[0].notional)
    assert refused.is_in_book


def test_what_changed_by_hand(tmp_path: Path) -> None:
    for day in DAYS:
        signal_desk.seal(tmp_path, day)
    change = read(tmp_path, DAYS[2]).change
    assert change is not None
    assert (change.since, change.same_model) == (DAYS[1], True)
    assert [line.code for line in change.entered] == ["130A"]
    assert [line.code for line in change.left] == []
    assert [line.code for line in change.flipped] == ["0050"]
    assert [line.code for line in change.moves] == ["130A", "0050", "6758", "7203", "9984"]
    change = read(tmp_path, DAYS[1]).change
    assert change is not None
    assert [line.code for line in change.left] == ["6758"]
    first = read(tmp_path, DAYS[0]).change
    assert first is not None
    assert (first.since, first.moves) == ("", ())


def test_a_revision_is_compared_with_the_session_before_not_with_itself(tmp_path: Path) -> None:
    signal_desk.seal(tmp_path, DAYS[1])
    for revision in (0, 1):
        signal_desk.seal(tmp_path, DAYS[2], revision=revision)
    change = read(tmp_path, f"{DAYS[2]}-r1").change
    assert change is not None
    assert change.since == DAYS[1]


def test_unchanged_seals_give_the_same_value(tmp_path: Path) -> None:
    for day in DAYS[1:]:
        signal_desk.seal(tmp_path, day)
    assert read(tmp_path, DAYS[2]) is read(tmp_path, DAYS[2])


def test_a_file_that_was_changed_in_place_gives_no_rows_and_no_verdict(tmp_path: Path) -> None:
    path = signal_desk.seal(tmp_path, DAYS[2]).directory / "orders.csv"
    path.write_bytes(path.read_bytes().replace(b"buy", b"bUy"))
    signal = read(tmp_path, DAYS[2])
    assert signal.lines == ()
    assert (signal.card.standing, signal.card.card) == ("broken", None)
    assert "orders.csv: is not what was sealed" in signal.card.trouble


def test_a_broken_session_before_is_not_compared_with(tmp_path: Path) -> None:
    path = signal_desk.seal(tmp_path, DAYS[1]).directory / "scores.parquet"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    signal_desk.seal(tmp_path, DAYS[2])
    signal = read(tmp_path, DAYS[2])
    assert signal.change is not None
    assert signal.change.since == ""
    assert [line.move for line in signal.lines] == [None] * 5
    assert signal.card.word == "TRADE"


def test_lost_names_leave_the_rest(tmp_path: Path) -> None:
    signal_desk.seal(tmp_path, DAYS[2])
    for pin in (tmp_path / "signals" / "pins").iterdir():
        pin.write_bytes(b"[]")
    signal = read(tmp_path, DAYS[2])
    assert [line.name for line in signal.lines] == [""] * 5
    assert signal.card.word == "TRADE"


def test_a_code_that_a_spreadsheet_would_run_keeps_its_name(tmp_path: Path) -> None:
    """`-AB` stands as `'-AB` in the CSV; it is one stock in every file."""
    frame = pl.DataFrame([("-AB", "self", "-AB", 0.5, 1)], schema=_SCHEMA, orient="row")
    assert Explanations.read(_table_bytes(frame, {})).of("-AB").own == 0.5


def test_reasons_by_hand(tmp_path: Path) -> None:
    signal_desk.seal(tmp_path, DAYS[2])
    explain = read(tmp_path, DAYS[2]).explain
    why = explain.of("130A")
    assert why.is_explained
    assert why.variables == (("reversal_5", 0.41), ("volume_ratio_5_60", -0.17))
    assert why.neighbours == (
        Neighbour(code="6758", attention=0.5, rank_without=1),
        Neighbour(code="7203", attention=0.2, rank_without=3),
    )
    assert (why.own, why.past) == (0.3, (("2026-11-18", 4), ("2026-11-19", 2)))
    plain = explain.of("7203")
    assert not plain.is_explained
    assert plain.neighbours == (Neighbour(code="130A", attention=None, rank_without=None),)
    assert explain.of("XXXX").past == ()


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 9)), max_size=20))
def test_each_stock_gets_its_own_rows(rows: list[tuple[str, int]]) -> None:
    """Against a filter of the whole frame."""
    table = [(code, "past", f"2026-01-{n:02}", float(n), None) for code, n in sorted(rows)]
    frame = pl.DataFrame(table, schema=_SCHEMA, orient="row")
    explain = Explanations.read(_table_bytes(frame, {}))
    for code in "ABC":
        mine = frame.filter(symbol=code).select(COLUMNS)
        assert explain.of(code).past == tuple(
            (name, int(value)) for name, value in mine.select("name", "value").iter_rows()
        )


def test_the_champion_and_where_a_rollback_goes_are_the_engines(tmp_path: Path) -> None:
    assert read_champion(tmp_path) is None
    signal_desk.champion(tmp_path)
    store = ModelStore(tmp_path / "models")
    found = read_champion(tmp_path)
    assert found is not None
    assert read_champion(tmp_path) is found
    assert (found.history.champion, found.history.before) == (MODEL, store.predecessor())
    assert found.facts is not None
    assert (len(found.facts.blocks), found.facts.test.rank_ic) == (3, 0.0205)
    assert found.facts.test.n_dates == 252
    assert [entry.action for entry in found.history.history] == ["promoted", "promoted", "refused"]
    assert found.history.history[0].gate[0].passed
    for model in ("dddd", "eeee"):
        store.record("promoted", model, at=NOW)
    store.record("rolled back", "dddd", at=NOW)
    found = read_champion(tmp_path)
    assert found is not None
    assert (found.history.champion, found.history.before) == ("dddd", store.predecessor())
    assert found.history.succession == ["aaaa000011112222", MODEL, "dddd"]
    assert found.facts is None
