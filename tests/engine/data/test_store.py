import datetime as dt
import os
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from engine.config import Config
from engine.data.load import load_panel
from engine.data.months import require_months
from engine.data.store import PanelStore
from engine.data.tables import ACTION_SCHEMA, RawTables
from engine.errors import DataError, IntegrityError


@pytest.fixture(scope="module")
def raw(raw: RawTables) -> RawTables:
    """The first 100 sessions of the small market: a snapshot's cost grows with its sessions."""
    return raw.as_of(raw.bars["date"].unique().sort()[99])


def test_round_trip_and_same_data_same_id(raw: RawTables, tmp_path: Path) -> None:
    store = PanelStore(tmp_path)
    first = store.save(raw)
    assert store.save(raw) == first == store.current()
    back = store.snapshot().raw()
    assert back.bars.equals(raw.bars)
    assert back.source == raw.source
    assert len(list((tmp_path / "snapshots").iterdir())) == 1


def test_other_data_get_another_snapshot_and_the_old_one_stays(
    raw: RawTables, tmp_path: Path
) -> None:
    store = PanelStore(tmp_path)
    first = store.save(raw)
    changed = raw.bars.with_columns(
        pl.when(pl.int_range(pl.len()) == 17)
        .then(pl.col("close") + 0.01)
        .otherwise(pl.col("close"))
    )
    second = store.save(replace(raw, bars=changed))
    assert second != first
    assert store.snapshot(first).raw().bars.equals(raw.bars)


def test_what_a_killed_ingest_left_is_swept_and_what_is_being_built_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    snapshots = tmp_path / "snapshots"
    left, aside = (f".staging-abc-{ended.pid}{more}" for more in ("", "-aside"))
    live = f".staging-abc-{os.getpid()}"
    for name in (left, aside, live, "abc"):
        (snapshots / name).mkdir(parents=True)
        (snapshots / name / "bars-2024-01.parquet").write_bytes(b"half")
    assert PanelStore(tmp_path).sweep() == [left, aside]
    assert sorted(path.name for path in snapshots.iterdir()) == [live, "abc"]


def test_every_flipped_bit_is_found(raw: RawTables, tmp_path: Path) -> None:
    store = PanelStore(tmp_path)
    path = tmp_path / "snapshots" / store.save(raw) / "bars-2018-03.parquet"
    good = path.read_bytes()
    rng = random.Random(0)
    for _ in range(40):
        place = rng.randrange(len(good))
        bad = bytearray(good)
        bad[place] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(IntegrityError, match=r"bars-2018-03\.parquet"):
            store.snapshot().raw()


def test_a_manifest_must_name_the_bars_of_each_month_with_a_session(tmp_path: Path) -> None:
    """Sessions in January and March: files of both are enough, more do no harm, one less is found."""
    days = ("2024-01-30", "2024-01-31", "2024-03-01")
    files = ["bars-2024-01.parquet", "bars-2024-03.parquet", "index.parquet"]
    require_months(tmp_path, files, days)
    for name in files[:2]:
        with pytest.raises(IntegrityError, match=name):
            require_months(tmp_path, [other for other in files if other != name], days)


def test_without_data_the_error_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_panel(tmp_path, Config())
    assert "atft-tui ingest" in caught.value.hint


def test_an_unknown_index_symbol_is_refused(raw: RawTables, tmp_path: Path) -> None:
    PanelStore(tmp_path / "data").save(raw)
    config = Config.model_validate({"data": {"index_symbol": "QQQ"}})
    with pytest.raises(DataError, match="QQQ"):
        load_panel(tmp_path, config)


def test_undo_goes_back_a_snapshot_each_time(raw: RawTables, tmp_path: Path) -> None:
    store = PanelStore(tmp_path)
    day = raw.bars["date"].unique().sort()
    ids = [store.save(raw.as_of(day[n])) for n in (-3, -2, -1)]
    assert store.save(raw) == ids[2]  # the same again is no move
    assert [store.undo(), store.undo()] == [ids[1], ids[0]]
    assert store.current() == ids[0]
    with pytest.raises(DataError, match="there is no snapshot before"):
        store.undo()
    assert store.save(raw) == ids[2]
    assert store.undo() == ids[0]


def test_undo_refuses_a_snapshot_that_is_gone(raw: RawTables, tmp_path: Path) -> None:
    store = PanelStore(tmp_path)
    first = store.save(raw.as_of(raw.bars["date"].unique().sort()[-2]))
    second = store.save(raw)
    (tmp_path / "snapshots" / first / "manifest.json").unlink()
    with pytest.raises(IntegrityError, match="incomplete snapshot"):
        store.undo()
    assert store.current() == second


@pytest.mark.parametrize("name", ["CURRENT", "HISTORY"])
def test_an_id_that_is_no_text_names_no_snapshot(raw: RawTables, tmp_path: Path, name: str) -> None:
    store = PanelStore(tmp_path)
    store.save(raw.as_of(raw.bars["date"].unique().sort()[-2]))
    store.save(raw)
    (tmp_path / name).write_bytes(bytes(range(1, 256)))
    with pytest.raises(IntegrityError, match=f"{name}: not UTF-8 text"):
        store.snapshot() if name == "CURRENT" else store.undo()


def test_actions_that_are_told_late_give_the_snapshot_of_one_ingest(
    raw: RawTables, tmp_path: Path
) -> None:
    """The history comes without a table of actions; the last day brings two, one of them long ago."""
    day = raw.bars["date"].unique().sort()
    symbol = raw.bars["symbol"].min()
    rows = [
        {"date": day[40], "symbol": symbol, "kind": "split", "value": 7.0, "other": None},
        {"date": day[-1], "symbol": symbol, "kind": "dividend", "value": 0.5, "other": None},
    ]
    actions = pl.DataFrame(rows, schema=ACTION_SCHEMA)
    index = raw.index
    assert index is not None
    grown, whole = PanelStore(tmp_path / "grown"), PanelStore(tmp_path / "whole")
    grown.save(raw.as_of(day[-2]))
    last = replace(
        raw,
        bars=raw.bars.filter(pl.col("date") == day[-1]),
        index=index.filter(pl.col("date") >= day[-2]),
        actions=actions,
    )
    grown.append(last)
    whole.save(replace(raw, actions=actions))
    assert grown.current() == whole.current()
    ours, theirs = grown.snapshot().manifest, whole.snapshot().manifest
    assert ours.files == theirs.files
    assert ours.names == theirs.names
    known = grown.snapshot().raw().as_of(day[-2])
    assert known.actions is not None
    assert known.actions["kind"].to_list() == ["split"]
    assert grown.append(last) == whole.current()


def test_a_later_word_on_an_event_takes_the_place_of_the_first(
    raw: RawTables, tmp_path: Path
) -> None:
    """A dividend of 0.5 is corrected to 0.6, not paid twice; a split of the same day stays."""
    day = raw.bars["date"].unique().sort()
    symbol = raw.bars["symbol"].min()

    def table(*rows: tuple[str, float]) -> pl.DataFrame:
        told = [(day[40], symbol, kind, value, None) for kind, value in rows]
        return pl.DataFrame(told, schema=dict(ACTION_SCHEMA), orient="row")

    store = PanelStore(tmp_path)
    store.save(replace(raw, actions=table(("dividend", 0.5), ("split", 7.0))))
    store.append(replace(raw, actions=table(("dividend", 0.6))))
    known = store.snapshot().raw().actions
    assert known is not None
    assert sorted(known.select("kind", "value").rows()) == [("dividend", 0.6), ("split", 7.0)]


def test_an_action_after_the_last_session_is_kept_and_makes_another_snapshot(
    raw: RawTables, tmp_path: Path
) -> None:
    """A split that is announced for next week is in no entry of the chain yet. It comes with the last day or
    at once: one snapshot.
    """
    day = raw.bars["date"].unique().sort()
    symbol = raw.bars["symbol"].min()
    told = [
        (day[40], symbol, "split", 7.0, None),
        (day[-1] + dt.timedelta(days=7), symbol, "split", 2.0, None),
    ]
    actions = pl.DataFrame(told, schema=dict(ACTION_SCHEMA), orient="row")
    store, grown = PanelStore(tmp_path / "whole"), PanelStore(tmp_path / "grown")
    first = store.save(replace(raw, actions=actions.head(1)))
    second = store.save(replace(raw, actions=actions))
    known = store.snapshot().raw().actions
    assert first != second
    assert known is not None
    assert known["value"].to_list() == [7.0, 2.0]
    grown.save(replace(raw, actions=actions).as_of(day[-2]))
    assert grown.append(replace(raw, actions=actions)) == second


def test_a_rename_of_next_week_leaves_todays_code(raw: RawTables, tmp_path: Path) -> None:
    day = raw.bars["date"].unique().sort()
    symbol: str = raw.bars.item(0, "symbol")
    for when, there in ((day[-1] + dt.timedelta(days=7), symbol), (day[-1], "NEW")):
        told = [(when, symbol, "rename", None, "NEW")]
        actions = pl.DataFrame(told, schema=dict(ACTION_SCHEMA), orient="row")
        workspace = tmp_path / there
        PanelStore(workspace / "data").save(replace(raw, actions=actions))
        assert there in load_panel(workspace, Config())[0].frame["symbol"]
