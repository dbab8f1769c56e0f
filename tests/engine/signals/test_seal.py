"""Seal directories are whole or absent, and every changed byte is found."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.config import Market
from engine.data.store import PanelStore
from engine.data.tables import BAR_SCHEMA, SECURITY_SCHEMA, RawTables, complete
from engine.errors import EnvironmentProblem, IntegrityError, UsageError
from engine.records import record
from engine.records.orders import Positions
from engine.records.seal import Seal, SealKey, SealManifest, SignalInputs
from engine.signals.seal import (
    PinStore,
    SealStore,
    pack,
    same_inputs,
    text_array,
    text_of,
    unpack,
    verify_seal,
)
from engine.stages.signal_inputs import seal_exchange
from tests.full_disk import full_disk

KEY = SealKey(exchange="XNYS", session="2016-12-30", model="m" * 16, data="d" * 16)


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs, and nothing handles it."""


def inputs(pin: str) -> SignalInputs:
    return SignalInputs(
        key=KEY,
        decided=True,
        trading={"initial_cash": 1.0},
        positions=None,
        window=(("2016-12-30", pin),),
        edges=None,
        history=(),
        bars=(),
        index=None,
        securities=pin,
        evidence={},
    )


def seal(store: SealStore, revision: int = 0, card: bytes = b"{}") -> Seal:
    made = inputs(store.pins.put(b"slice"))
    files = {"inputs.json": record.to_bytes(made, indent=1), "card.json": card}
    same = same_inputs(made.key, made.trading, made.positions)
    manifest = SealManifest(same=same, revision=revision, files={})
    return store.publish("2016-12-30", revision, files, manifest)


@pytest.mark.parametrize(
    ("market", "calendar", "exchange"),
    [("us", "", "XNYS"), ("jp", "", "XTKS"), ("synthetic", "", "synthetic"),
     ("us", "XLON", "XLON"), ("us", "24/7", "24/7")],
)  # fmt: skip
def test_the_exchange_in_a_key(
    tmp_path: Path,
    make_bars: Callable[..., pl.DataFrame],
    market: Market,
    calendar: str,
    exchange: str,
) -> None:
    """Keys of markets without a named calendar are what they always were."""
    raw = RawTables(
        bars=complete(make_bars({"A": [1.0, 2.0]}), BAR_SCHEMA),
        securities=pl.DataFrame(schema=SECURITY_SCHEMA),
        index=None, market=market, calendar=calendar, source="x",
    )  # fmt: skip
    store = PanelStore(tmp_path)
    assert seal_exchange(store.snapshot(store.save(raw))) == exchange


def test_inputs_survive_their_bytes() -> None:
    made = inputs("abc")
    assert record.parse(record.to_bytes(made, indent=1), SignalInputs, "") == made
    assert made.pins() == ["abc"]


def test_the_same_files_give_the_same_seal(tmp_path: Path) -> None:
    a, b = (seal(SealStore(tmp_path / name)) for name in "ab")
    assert a.digest == b.digest
    assert a.digest != seal(SealStore(tmp_path / "c"), card=b"{ }").digest


def test_two_accounts_and_two_strategies_of_one_day_never_pass_for_one_another(
    tmp_path: Path,
) -> None:
    """Session, model and data are the same; rules and positions tell them apart, and each its own store."""
    accounts = [Positions(cash=0.0, shares={"7203": n}) for n in (100.0, 200.0)]
    rules = [{"strategy": name} for name in ("long_short_quantile", "score_weighted")]
    keys = {same_inputs(KEY, rule, account) for rule in rules for account in (None, *accounts)}
    assert len(keys) == 6
    one, other = (SealStore(tmp_path / name) for name in "ab")
    first, second = seal(one), seal(other, card=b'{"account": "b"}')
    assert first.digest != second.digest
    assert (one.open(first.name), other.open(second.name)) == (first, second)


def test_what_is_there_stays(tmp_path: Path) -> None:
    store = SealStore(tmp_path)
    first = seal(store)
    second = seal(store, card=b'{"other": 1}')
    assert second == first
    assert second.read("card.json") == b"{}"
    assert [one.name for one in store] == ["2016-12-30"]
    revised = seal(store, revision=1, card=b'{"other": 1}')
    assert (revised.name, revised.revision) == ("2016-12-30-r1", 1)
    assert store.open("2016-12-30") == revised
    assert store.open("2016-12-30-r0") == first
    assert [place.name for place in store.newest()] == [revised.name]
    with pytest.raises(UsageError, match="no sealed signal '2016-12-29'"):
        store.open("2016-12-29")


@pytest.mark.parametrize("step", ["_write", "sync_directory", "Path.rename"])
def test_a_kill_at_any_step_leaves_nothing_or_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = SealStore(tmp_path)

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", die)  # a dead process does not tidy up
        patch.setattr(f"engine.signals.seal.{step}", die)
        with pytest.raises(Killed):
            seal(store)
    assert list(store) == []
    assert store.sweep()
    assert not list(tmp_path.glob(".staging*"))
    verify_seal(seal(store), store.pins)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    store = SealStore(tmp_path)
    with full_disk(500), pytest.raises(EnvironmentProblem, match="2016-12-30"):
        seal(store, card=bytes(1000))
    assert list(store) == []
    verify_seal(seal(store), store.pins)


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    store = SealStore(tmp_path)
    sealed = seal(store)
    assert verify_seal(sealed, store.pins) == 3
    pin = next((tmp_path / "pins").iterdir())
    for path in [*sealed.directory.iterdir(), pin]:
        good = path.read_bytes()
        for position in range(0, len(good), max(1, len(good) // 25)):
            bad = bytearray(good)
            bad[position] ^= 0x10
            path.write_bytes(bytes(bad))
            with pytest.raises(IntegrityError):
                verify_seal(sealed, store.pins)
        path.write_bytes(good)
        verify_seal(sealed, store.pins)
    (sealed.directory / "extra.csv").write_text("late")
    with pytest.raises(IntegrityError, match=r"extra\.csv was not sealed"):
        verify_seal(sealed, store.pins)


def test_missing_parts_are_named(tmp_path: Path) -> None:
    store = SealStore(tmp_path)
    sealed = seal(store)
    (sealed.directory / "card.json").unlink()
    with pytest.raises(IntegrityError, match=r"card\.json.*missing"):
        verify_seal(sealed, store.pins)
    (sealed.directory / "SEAL").unlink()
    with pytest.raises(IntegrityError, match="has no SEAL"):
        verify_seal(sealed, store.pins)


def test_pins_are_named_by_what_they_hold(tmp_path: Path) -> None:
    pins = PinStore(tmp_path)
    name = pins.put(b"bars of a day")
    assert pins.put(b"bars of a day") == name
    assert pins.get(name) == b"bars of a day"
    (tmp_path / f"{name}.bin").write_bytes(b"cut")
    with pytest.raises(IntegrityError, match="contents differ"):
        pins.get(name)
    for damaged in (b"cut", b"bars of a dax"):
        (tmp_path / f"{name}.bin").write_bytes(damaged)
        assert pins.put(b"bars of a day") == name, "the right bytes are at hand"
        assert pins.get(name) == b"bars of a day"
    with pytest.raises(IntegrityError, match="missing"):
        pins.get("0" * 40)


def test_packed_arrays_are_the_same_bytes_every_time() -> None:
    words = text_array(["0050", "7203", "TRUE", "日本"])
    assert text_of(words) == ("0050", "7203", "TRUE", "日本")
    assert text_of(text_array([])) == ()
    packed = pack({"symbols": words})
    assert packed == pack({"symbols": words.copy()})
    assert text_of(unpack(packed)["symbols"])[3] == "日本"
