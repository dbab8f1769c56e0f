"""The manifest of a snapshot: old files read, a damaged one names its field, changes are told in words."""

from pathlib import Path

import pytest

from engine.files import write_json
from engine.records import record
from engine.records.features import Built, newest
from engine.records.record import RecordError
from engine.records.snapshot import FileEntry, SnapshotManifest


def made(days: str, chain: str, *tables: str, securities: str = "s") -> SnapshotManifest:
    return SnapshotManifest(
        source="x",
        market="us",
        days=tuple(days),
        chain=tuple(chain),
        tables=("bars", *tables),
        files={"securities.parquet": FileEntry(sha256=securities, bytes=1)},
    )


@pytest.mark.parametrize(
    ("one", "before", "said"),
    [
        (made("12", "ab"), None, "the first"),
        (made("123", "abc"), made("12", "ab"), "+1 session"),
        (made("12", "ab"), made("1234", "abcd"), "-2 sessions"),
        (made("123", "axc"), made("12", "ab"), "revised from 2, +1 session"),
        (made("1", "xb"), made("1", "xc"), "revised"),
        (made("12", "ab", securities="t"), made("12", "ab"), "securities"),
        (made("12", "ab", "flow"), made("12", "ab"), "+flow"),
        (made("12", "ab"), made("12", "ab"), "the same values"),
    ],
)
def test_what_changed_in_words(
    one: SnapshotManifest, before: SnapshotManifest | None, said: str
) -> None:
    assert one.change(before) == said


def test_a_manifest_of_an_older_version_reads_with_its_gaps(tmp_path: Path) -> None:
    """Neither names, rows, plans nor evidence were written then."""
    path = tmp_path / "manifest.json"
    files = {"bars-2024-01.parquet": {"sha256": "a", "bytes": 70}}
    write_json(path, {"market": "jp", "source": "files(a)", "notes": [], "tables": ["bars"],
                      "days": ["2024-01-04"], "chain": ["c"], "files": files})  # fmt: skip
    old = record.read(path, SnapshotManifest)
    assert (old.bars, old.names, old.evidence, old.size) == (None, None, None, 70)
    assert old.reading_verdict == ""


def test_a_snapshot_without_a_session_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_json(path, {"market": "us", "days": [], "files": {}})
    with pytest.raises(RecordError, match=r"length >= 1 - at `\$\.days`"):
        record.read(path, SnapshotManifest)


def test_a_damaged_manifest_names_its_field(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_json(path, {"market": "us", "days": "2024", "files": {}})
    with pytest.raises(RecordError, match=r"manifest\.json: Expected `array`.*`\$\.days`"):
        record.read(path, SnapshotManifest)


def test_the_result_of_the_snapshot_goes_before_a_newer_one(tmp_path: Path) -> None:
    for name, n, end in (("a", 2, "y"), ("b", 3, "z")):
        write_json(tmp_path / name / "manifest.json", {"raw_sessions": n, "chain_end": end})
    found = newest(tmp_path, Built, ("x", "y"))
    assert found is not None
    assert (found[0].name, found[2]) == ("a", True)
    other = newest(tmp_path, Built, ("x",))
    assert other is not None
    assert other[2] is False
    assert newest(tmp_path / "none", Built, None) is None
