import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from engine.config import Config
from engine.data.load import load_panel
from engine.data.store import PanelStore
from engine.data.tables import RawTables
from engine.errors import DataError, IntegrityError


def test_round_trip_and_same_data_same_id(raw: RawTables, tmp_path: Path) -> None:
    store = PanelStore(tmp_path)
    first = store.save(raw)
    assert store.save(raw) == first == store.current()
    back = store.load_raw()
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
    assert store.load_raw(first).bars.equals(raw.bars)


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
            store.load_raw()


def test_without_data_the_error_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_panel(tmp_path, Config())
    assert "atft-tui ingest" in caught.value.hint


def test_an_unknown_index_symbol_is_refused(raw: RawTables, tmp_path: Path) -> None:
    PanelStore(tmp_path / "data").save(raw)
    config = Config.model_validate({"data": {"index_symbol": "QQQ"}})
    with pytest.raises(DataError, match="QQQ"):
        load_panel(tmp_path, config)
