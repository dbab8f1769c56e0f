"""`verify` on seals that share their pins and their model."""

import os
from collections import Counter
from pathlib import Path

import pytest

from engine.records.seal import read_seal
from engine.signals.models import ModelStore
from engine.signals.seal import PinStore
from engine.stages.verify import verify
from tests.engine.stages.seals import NOON, context_of, model_of, seal_of

DAYS = ("2026-11-20", "2026-11-24", "2026-11-25")


def test_everything_is_checked_and_each_pin_and_model_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(tmp_path)
    made = [seal_of(tmp_path, day, model.id) for day in DAYS]
    read: Counter[str] = Counter()
    get, opened = PinStore.get, ModelStore.open

    def counted(self: PinStore, name: str) -> bytes:
        read[name] += 1
        return get(self, name)

    def counted_model(self: ModelStore, name: str) -> object:
        read[name] += 1
        return opened(self, name)

    monkeypatch.setattr(PinStore, "get", counted)
    monkeypatch.setattr(ModelStore, "open", counted_model)
    done = verify(context_of(tmp_path), name=None)
    assert done.exit_code == 0, done.text
    assert [row["name"] for row in done.json["signals"]] == list(DAYS)
    # six files; the window, the bars and the master data
    assert [row["checked"] for row in done.json["signals"]] == [9, 9, 9]
    assert [row["seal"] for row in done.json["signals"]] == [seal.digest for seal in made]
    assert set(read.values()) == {1}
    assert len(read) == 2 + len(DAYS) + 1


def test_a_damaged_pin_is_the_fault_of_every_seal_that_rests_on_it(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    made = [seal_of(tmp_path, day, model.id) for day in DAYS]
    shared, own = made[0].inputs().window[0][1], made[1].inputs().bars[0][1]
    path = tmp_path / "signals" / "pins" / f"{own}.bin"
    path.write_bytes(path.read_bytes()[:-1])
    done = verify(context_of(tmp_path), name=None)
    assert (done.exit_code, done.json["damaged"]) == (4, 1)
    assert [bool(row["error"]) for row in done.json["signals"]] == [False, True, False]
    assert own in done.json["signals"][1]["error"]
    (tmp_path / "signals" / "pins" / f"{shared}.bin").unlink()
    assert verify(context_of(tmp_path), name=None).json["damaged"] == 3
    assert verify(context_of(tmp_path), name=DAYS[2]).json["damaged"] == 1


def test_old_pins_that_no_signal_rests_on_are_removed_on_request(tmp_path: Path) -> None:
    """Not one that a seal names, however old, nor a young one, nor any beside a signal that is damaged."""
    model = model_of(tmp_path)
    for day in DAYS:
        seal_of(tmp_path, day, model.id)
    pins = PinStore(tmp_path / "signals" / "pins")
    named = {path.stem for path in pins.root.glob("*.bin")}
    old, again, young = (pins.put(content) for content in (b"old", b"again", b"young"))
    for path in pins.root.glob("*.bin"):
        if path.stem != young:
            os.utime(path, (0, 0))
    os.utime(pins.root / f"{young}.bin", (NOON.timestamp(), NOON.timestamp()))
    pins.put(b"again")  # an attempt that is not sealed yet wants it
    card = tmp_path / "signals" / DAYS[0] / "card.json"
    whole = card.read_bytes()
    card.write_bytes(b"{}")
    damaged = verify(context_of(tmp_path), name=None, prune=True)
    assert (damaged.exit_code, damaged.json["pruned"]) == (4, 0)
    card.write_bytes(whole)
    assert verify(context_of(tmp_path), name=None).json["pruned"] == 0
    done = verify(context_of(tmp_path), name=None, prune=True)
    assert (done.exit_code, done.json["pruned"]) == (0, 1)
    assert {path.stem for path in pins.root.glob("*.bin")} == named | {again, young}
    assert old not in named


def test_a_damaged_model_is_the_fault_of_its_signals_only(tmp_path: Path) -> None:
    good, bad = model_of(tmp_path), model_of(tmp_path, b"other weights")
    assert good.id != bad.id
    for day, model in zip(DAYS, (good, bad, good), strict=True):
        seal_of(tmp_path, day, model.id)
    bad.members()[0].paths[0].write_bytes(b"other weight!")
    done = verify(context_of(tmp_path), name=None)
    assert [bool(row["error"]) for row in done.json["signals"]] == [False, True, False]
    assert "seed-1" in done.json["signals"][1]["error"]


def test_a_seal_that_was_read_before_it_was_changed_is_read_again(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    seal = seal_of(tmp_path, DAYS[0], model.id)
    assert read_seal(seal.directory).standing == "sealed"
    path = seal.directory / "card.json"
    path.write_bytes(path.read_bytes().replace(b"TRADE", b"trade"))
    row = verify(context_of(tmp_path), name=None).json["signals"][0]
    assert "card.json: is not what was sealed" in row["error"]
    path.unlink()
    row = verify(context_of(tmp_path), name=None).json["signals"][0]
    assert row["error"].endswith("card.json is missing")
    assert (
        verify(context_of(tmp_path / "none"), name=None).text
        == "nothing is sealed yet, and there is no run"
    )
