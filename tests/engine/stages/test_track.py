"""The signed track record: what a forger may try, and what the file says of it."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, EnvironmentProblem, IntegrityError, UsageError
from engine.files import write_parquet
from engine.records import record
from engine.records.protocol import CountedLook
from engine.records.record import RecordError
from engine.records.shadow import ShadowLedger, ShadowRow
from engine.records.track import TrackEntry, TrackFile, _link_hash, decode, file_bytes, item_bytes
from engine.runs.trials import add_looks
from engine.signals.models import ModelStore
from engine.signals.shadow import to_frame, totals
from engine.signals.track import _KEY, faults
from engine.stages.context import Outcome
from engine.stages.track import track
from tests.engine.stages.seals import NOON, context_of, model_of, seal_of

DAYS = ("2026-11-20", "2026-11-24", "2026-11-25")
ROW = ShadowRow(
    session=DAYS[0], verdict="TRADE", entry="open", filled=DAYS[1], until=DAYS[2], orders=1,
    unfilled=0, unfilled_names="", backtest=0.01, revision=0.0, sizing=0.0, rounding=0.0,
    missed=0.0, cost=-0.001, realised=0.009,
)  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sealed sessions, a champion, a look and a row of the ledger."""
    root = tmp_path_factory.mktemp("track")
    model = model_of(root).id
    for day in DAYS:
        seal_of(root, day, model)
    ModelStore(root / "models").record("promoted", model, at=NOON, run="r")
    (root / "runs").mkdir()
    look = CountedLook(run="r", market="jpx", first=DAYS[0], last=DAYS[1], command="train")
    add_looks(root / "runs", [look])
    book(root, ROW)
    return root


def book(root: Path, *rows: ShadowRow) -> None:
    """What `ledger` leaves."""
    write_parquet(root / "signals" / "ledger.parquet", to_frame(rows))
    told = ShadowLedger(signals=3, pending=DAYS[1:], all=totals(rows, lag=1), live={})
    record.write(root / "signals" / "ledger.json", told)


@pytest.fixture(scope="module")
def made(workspace: Path) -> bytes:
    """The bytes of an export."""
    path = workspace / "record.json"
    track(context_of(workspace), action="export", output=str(path))
    return path.read_bytes()


def read(content: bytes) -> TrackFile:
    return decode(content, TrackFile, "file")


def verify(path: Path, content: bytes | None = None, **more: str) -> Outcome:
    """`track verify` where there is no workspace."""
    if content is not None:
        path.write_bytes(content)
    return track(context_of(path.parent / "nowhere"), action="verify", file=str(path), **more)


def changed(found: TrackFile, n: int, before: str, after: str) -> TrackFile:
    """The file with a text of one item put in the place of another."""
    entry = found.entries[n]
    item = bytes(entry.item).replace(before.encode(), after.encode())
    assert item != bytes(entry.item)
    altered = msgspec.structs.replace(entry, item=msgspec.Raw(item))
    entries = (*found.entries[:n], altered, *found.entries[n + 1 :])
    return msgspec.structs.replace(found, entries=entries)


def test_what_is_exported_is_found_whole_by_anybody(made: bytes, tmp_path: Path) -> None:
    told = verify(tmp_path / "f.json", made)
    assert told.exit_code == 0
    assert told.json["faults"] == []
    assert "3 sealed signals (3 TRADE), 2026-11-20 to 2026-11-25" in told.text
    assert "1 promotions and refusals, 1 looks" in told.text
    assert "1 rows of the shadow ledger" in told.text
    assert "not proven" in told.text
    assert not (tmp_path / "nowhere").exists()
    kinds = [entry.read().__struct_config__.tag for entry in read(made).entries]
    assert kinds == ["champion", "signal", "signal", "signal", "look", "fill", "standing"]


def test_a_link_is_the_sum_of_what_sha256sum_would_be_given() -> None:
    r"""``printf '\n{}' | sha256sum``, ``printf 'ab\n{}' | sha256sum``."""
    assert _link_hash("", b"{}") == (
        "a062dd4952b935e430d409c4a5e5cd760e8781e3200d5c7e12a232dddba8a528"
    )
    assert _link_hash("ab", b"{}") == (
        "f5203fa52d783ed2d8a7ace62b0bcf46725d912d451783eec9b9e462e5de58a9"
    )


def test_an_altered_item_is_named(made: bytes, tmp_path: Path) -> None:
    forged = changed(read(made), 2, '"TRADE"', '"STOP"')
    told = verify(tmp_path / "f.json", file_bytes(forged))
    assert told.exit_code == 4
    assert told.json["faults"] == ["entry 2 (signal 2026-11-24-r0) was altered"]


def test_a_forger_who_makes_the_chain_anew_lacks_the_key(made: bytes) -> None:
    forged = changed(read(made), 2, '"TRADE"', '"STOP"')
    entries: list[TrackEntry] = []
    for entry in forged.entries:
        before = entries[-1].hash if entries else ""
        new = _link_hash(before, bytes(entry.item))
        entries.append(msgspec.structs.replace(entry, before=before, hash=new))
    forged = msgspec.structs.replace(forged, entries=tuple(entries))
    told = faults(forged, file_bytes(forged))
    assert told[0] == "entry 2 (signal 2026-11-24-r0) is not signed by this key"
    assert told[-1] == "the header is of 7 entries, 7 are here"
    assert len(told) == 6, "all that follow it, and the head"


def test_nothing_can_be_taken_out_moved_or_added(made: bytes) -> None:
    found = read(made)
    e = found.entries

    def told(*entries: TrackEntry) -> list[str]:
        other = msgspec.structs.replace(found, entries=entries)
        return faults(other, file_bytes(other))

    assert told(*e[:2], *e[3:])[0] == (
        "entry 3 (signal 2026-11-25-r0): something was taken out, put in or moved after entry 1 "
        "(signal 2026-11-20-r0)"
    )
    assert told(*e[:-1]) == ["the header is of 7 entries, 6 are here"]
    assert told(*e[1:])[0].endswith("moved before the first entry")
    assert len(told(e[0], e[2], e[1], *e[3:])) == 3
    assert told(*e, e[-1])
    header = msgspec.structs.replace(found.header, made="2020-01-01T00:00:00+00:00")
    other = msgspec.structs.replace(found, header=header)
    assert faults(other, file_bytes(other)) == [
        "the header was altered, or is signed by another key"
    ]
    extra = made.replace(b'"signature":', b'"note":"best fund",\n"signature":', 1)
    assert faults(read(extra), extra) == ["the file holds something besides what was signed"]


@given(st.data())
def test_no_byte_can_be_changed_unseen(made: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(made) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != made[place]))
    other = made[:place] + bytes([byte]) + made[place + 1 :]
    try:
        found = read(other)
    except RecordError:
        return
    assert faults(found, other)


def test_a_later_file_continues_the_earlier_one(
    workspace: Path, made: bytes, tmp_path: Path
) -> None:
    early, late = tmp_path / "early.json", tmp_path / "late.json"
    early.write_bytes(made)
    book(workspace, msgspec.structs.replace(ROW, realised=0.008))
    context = context_of(workspace)
    track(context, action="export", output=str(late))
    track(context, action="export", output=str(late))
    kinds = [type(entry.read()).__name__ for entry in read(late.read_bytes()).entries[7:]]
    assert kinds == ["Fill", "Standing"], "the corrected row and what it changes; the rest is known"
    assert verify(late, earlier=str(early)).exit_code == 0
    told = verify(early, earlier=str(late))
    assert [fault for fault in told.json["faults"] if "entry 7 (fill" in fault]


def test_a_signal_that_was_deleted_stays_in_the_record(tmp_path: Path) -> None:
    model = model_of(tmp_path).id
    seal_of(tmp_path, DAYS[0], model)
    seal = seal_of(tmp_path, DAYS[1], model)
    path = tmp_path / "f.json"
    track(context_of(tmp_path), action="export", output=str(path))
    seal.directory.rename(tmp_path / "elsewhere")
    told = track(context_of(tmp_path), action="export", output=str(path))
    assert told.json["gone"] == ["2026-11-24-r0"]
    assert "2026-11-24-r0 was sealed and is no longer here" in told.text
    assert "2 sealed signals" in verify(path).text


def test_a_damaged_signal_is_named_and_hides_nothing_else(tmp_path: Path) -> None:
    model = model_of(tmp_path).id
    seal_of(tmp_path, DAYS[0], model)
    torn = seal_of(tmp_path, DAYS[1], model)
    (torn.directory / "card.json").unlink()
    told = track(context_of(tmp_path), action="export", output=str(tmp_path / "f.json"))
    assert (told.json["signals"], told.json["damaged"], told.json["gone"]) == (1, [DAYS[1]], [])
    assert "2026-11-24 is damaged (card.json is missing): not added" in told.text


def test_a_workspace_without_signals_has_a_record_all_the_same(tmp_path: Path) -> None:
    told = track(context_of(tmp_path / "new"), action="export", output=str(tmp_path / "f.json"))
    assert (told.json["entries"], told.json["signals"]) == (1, 0)
    assert verify(tmp_path / "f.json").exit_code == 0


def test_the_key_is_made_once_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "signals").mkdir()
    path, key = tmp_path / "f.json", tmp_path / "track" / "track.key"
    context = context_of(tmp_path)
    first = track(context, action="export", output=str(path))
    secret = key.read_text().strip()
    assert key.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert secret not in first.text + path.read_text() + (key.parent / "chain.jsonl").read_text()
    again = track(context, action="export", output=str(path))
    assert again.json["public_key"] == first.json["public_key"]
    assert verify(path, key=first.json["public_key"].upper()).exit_code == 0
    assert verify(path, key="00" * 32).exit_code == 4
    key.chmod(0o640)
    with pytest.raises(EnvironmentProblem, match="others may read it"):
        track(context, action="export", output=str(path))
    monkeypatch.setenv(_KEY, "7f" * 32)
    other = track(context, action="export", output=str(path))
    assert other.json["public_key"] != first.json["public_key"]
    assert verify(path).exit_code == 0, "all of it is signed anew"
    monkeypatch.setenv(_KEY, "not-a-key-at-all")
    with pytest.raises(ConfigError) as caught:
        track(context, action="export", output=str(path))
    assert "not-a-key" not in caught.value.message
    monkeypatch.delenv(_KEY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / _KEY).write_text(secret + "\n")
    credited = track(context, action="export", output=str(path))
    assert credited.json["public_key"] == first.json["public_key"]


def test_a_chain_that_was_edited_is_not_signed(tmp_path: Path) -> None:
    seal_of(tmp_path, DAYS[0], model_of(tmp_path).id)
    context, path = context_of(tmp_path), tmp_path / "f.json"
    track(context, action="export", output=str(path))
    chain = tmp_path / "track" / "chain.jsonl"
    chain.write_text(chain.read_text().replace("TRADE", "HOLD!", 1))
    with pytest.raises(IntegrityError, match="line 1 is not what was written"):
        track(context, action="export", output=str(path))


def test_what_is_no_record_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        verify(tmp_path / "none.json")
    with pytest.raises(RecordError, match="malformed"):
        verify(tmp_path / "f.json", b"no json")
    with pytest.raises(UsageError, match="where to"):
        track(context_of(tmp_path), action="export")
    with pytest.raises(UsageError, match="which file"):
        track(context_of(tmp_path), action="verify")


def test_a_file_of_a_later_format_is_not_judged(made: bytes, tmp_path: Path) -> None:
    later = made.replace(b'"format":1', b'"format":2', 1)
    with pytest.raises(IntegrityError, match="later version"):
        verify(tmp_path / "f.json", later)


def test_items_have_one_way_to_be_written() -> None:
    assert item_bytes(ROW).startswith(b'{"backtest":0.01,"cost":-0.001,"entry":"open",')
