"""Seals and cards: what was sealed is read, what was changed is said and never shown as valid."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from atft_tui.readings.seals import ShownCard, read_attempt, read_card, seals
from atft_tui.widgets.card import card_line
from engine.errors import IntegrityError
from engine.files import write_json
from engine.records import record
from engine.records.record import RecordError
from engine.records.seal import ATTEMPT, SEAL, read_seal
from tests.tui import signal_desk
from tests.tui.signal_desk import DAYS


def sealed(workspace: Path) -> Path:
    return signal_desk.seal(workspace, DAYS[2]).directory


def newest_card(workspace: Path) -> ShownCard | None:
    found = seals(workspace, 1)
    return read_card(found[0]) if found else None


def changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_card_is_what_the_engine_sealed(tmp_path: Path) -> None:
    signal_desk.seal(tmp_path, DAYS[2])
    card = newest_card(tmp_path)
    assert card is not None
    made = signal_desk.card(DAYS[2])
    assert card.card is not None
    assert (card.session, card.card.exchange, card.word) == (DAYS[2], "XTKS", made.verdict)
    assert card.card.lights == made.lights
    assert card.digest == (tmp_path / "signals" / DAYS[2] / SEAL).read_text().strip()
    assert card_line(card).plain.split()[:4] == [DAYS[2], "XTKS", "✓", "TRADE"]
    assert "model ok (12 sessions old)" in card_line(card).plain


def test_unchanged_files_give_the_same_values(tmp_path: Path) -> None:
    directory = sealed(tmp_path)
    first = read_seal(directory)
    assert read_seal(directory) is first
    assert read_card(first) is read_card(first)
    changed(directory / "orders.csv")
    assert read_seal(directory) is not first


@pytest.mark.parametrize(
    ("damage", "standing", "word"),
    [
        (lambda d: (d / SEAL).unlink(), "torn", "has no SEAL"),
        (lambda d: (d / "manifest.json").unlink(), "torn", "has no manifest.json"),
        (lambda d: (d / "orders.csv").unlink(), "torn", "orders.csv is missing"),
        (lambda d: changed(d / "manifest.json"), "broken", "manifest.json is not what SEAL"),
        (lambda d: (d / SEAL).write_text("0" * 64 + "\n"), "broken", "manifest.json is not"),
        (lambda d: (d / SEAL).write_bytes(b"\xff\xfe"), "torn", "cannot be read"),
        (
            lambda d: (d / "orders.csv").write_text(""),
            "broken",
            "orders.csv is not what was sealed",
        ),
        (lambda d: (d / "note.txt").write_text("me too"), "broken", "note.txt was not sealed"),
    ],
)
def test_damage_is_named_and_has_no_verdict(
    tmp_path: Path, damage: Callable[[Path], object], standing: str, word: str
) -> None:
    directory = sealed(tmp_path)
    damage(directory)
    card = newest_card(tmp_path)
    assert card is not None
    assert (card.standing, card.card, card.word) == (standing, None, "NOT VALID")
    assert word in card.trouble
    line = card_line(card).plain
    assert "NOT VALID" in line
    assert "TRADE" not in line


def test_a_byte_changed_in_place_is_found_when_the_file_is_read(tmp_path: Path) -> None:
    """Size and time of the file stay what they were: only the hash can tell."""
    directory = sealed(tmp_path)
    path = directory / "card.json"
    changed(path)
    with pytest.raises(IntegrityError, match=r"card\.json: is not what was sealed"):
        read_seal(directory).read("card.json")
    card = read_card(read_seal(directory))
    assert (card.standing, card.card) == ("broken", None)


def test_a_whole_seal_under_another_name_is_not_valid(tmp_path: Path) -> None:
    directory = sealed(tmp_path)
    shutil.copytree(directory, directory.with_name("2026-11-26"))
    card = newest_card(tmp_path)
    assert card is not None
    assert (card.standing, card.trouble) == ("broken", f"card.json is of {DAYS[2]}")


def test_sessions_and_revisions_are_in_order_and_staging_is_none_of_them(tmp_path: Path) -> None:
    for day, revision in ((DAYS[1], 0), (DAYS[2], 10), (DAYS[2], 2), (DAYS[0], 0), (DAYS[2], 0)):
        signal_desk.seal(tmp_path, day, revision=revision, reason="late prices")
    (tmp_path / "signals" / f".staging-{DAYS[2]}-ab12").mkdir()
    names = [one.name for one in seals(tmp_path, 100)]
    assert names == [DAYS[0], DAYS[1], DAYS[2], f"{DAYS[2]}-r2", f"{DAYS[2]}-r10"]
    assert [one.name for one in seals(tmp_path, 2)] == names[-2:]
    last = seals(tmp_path, 1)[0]
    assert (last.word, last.revision) == (f"{DAYS[2]}-r10", 10)
    assert last.manifest.reason == "late prices"


def test_an_attempt_that_sealed_nothing(tmp_path: Path) -> None:
    assert read_attempt(tmp_path) is None
    (tmp_path / "signals").mkdir()
    record.write(tmp_path / ATTEMPT, signal_desk.card(DAYS[2], "HOLD"))
    shown = read_attempt(tmp_path)
    assert shown is not None
    assert (shown.standing, shown.word) == ("unsealed", "HOLD")
    line = card_line(shown).plain
    assert "! HOLD   data incomplete 2,812/3,950  nothing is sealed yet" in line


def test_what_an_older_or_newer_version_wrote(tmp_path: Path) -> None:
    """Unknown fields are left out; an unknown verdict is not taken for any other."""
    value = {**record.as_json(signal_desk.card(DAYS[2])), "mood": "fine"}
    value["lights"][0]["colour"] = "green"
    write_json(tmp_path / ATTEMPT, value)
    shown = read_attempt(tmp_path)
    assert shown is not None
    assert shown.card is not None
    assert shown.card.orders is None
    write_json(tmp_path / ATTEMPT, {**value, "verdict": "MAYBE"})
    with pytest.raises(RecordError, match=r"'MAYBE' - at `\$\.verdict`"):
        read_attempt(tmp_path)
    (tmp_path / ATTEMPT).write_text(json.dumps(value)[:40])
    with pytest.raises(RecordError, match=r"attempt\.json"):
        read_attempt(tmp_path)
