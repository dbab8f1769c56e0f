"""Tags and notes: what is kept, what is refused, and what comes out of a file by another hand."""

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import Config
from engine.errors import IntegrityError, UsageError
from engine.records.run import Labels
from engine.runs.labels import (
    _MAX_NOTE,
    _MAX_TAGS,
    add_tags,
    printable,
    read_labels,
    remove_tags,
    set_note,
)
from engine.runs.store import Run, RunStore


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore(tmp_path / "runs").create("train", Config())


def test_tags_are_a_sorted_set_beside_the_note(run: Run) -> None:
    assert read_labels(run) == Labels()
    assert add_tags(run, ["lr/2e-3", "baseline"]) == Labels(("baseline", "lr/2e-3"))
    assert set_note(run, "  the one\n\tto beat ") == Labels(
        ("baseline", "lr/2e-3"), "the one to beat"
    )
    assert add_tags(run, ["baseline", "日本株"]).tags == ("baseline", "lr/2e-3", "日本株")
    assert remove_tags(run, ["lr/2e-3"]) == Labels(("baseline", "日本株"), "the one to beat")
    assert set_note(run, "") == Labels(("baseline", "日本株"))
    assert read_labels(run) == Labels(("baseline", "日本株"))


def test_the_manifest_stays_as_it_was(run: Run) -> None:
    before = run.path("manifest.json").read_bytes()
    add_tags(run, ["kept"])
    set_note(run, "kept")
    assert run.path("manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    "tag", ["", "two words", "a" * 33, "-x", "a\x1b[31m", "a\u202eb", "[/]", "a\nb"]
)
def test_what_is_no_tag_is_refused_and_nothing_changes(run: Run, tag: str) -> None:
    add_tags(run, ["kept"])
    with pytest.raises(UsageError, match="cannot be a tag") as refused:
        add_tags(run, ["fine", tag])
    assert printable(refused.value.message) == refused.value.message
    assert read_labels(run).tags == ("kept",)


def test_limits_are_said(run: Run) -> None:
    add_tags(run, [f"t{n}" for n in range(_MAX_TAGS)])
    with pytest.raises(UsageError, match=f"{_MAX_TAGS + 1} tags"):
        add_tags(run, ["one-more"])
    set_note(run, "x" * _MAX_NOTE)
    with pytest.raises(UsageError, match="1,001 characters"):
        set_note(run, "x" * (_MAX_NOTE + 1))
    with pytest.raises(UsageError, match=r"U\+001B"):
        set_note(run, "red \x1b[31m")
    with pytest.raises(UsageError, match=r"U\+202E"):
        set_note(run, "abc\u202edef")
    assert read_labels(run).note == "x" * _MAX_NOTE


def test_a_tag_that_is_not_there_is_not_removed(run: Run) -> None:
    add_tags(run, ["kept"])
    with pytest.raises(UsageError, match="has no tag gone") as refused:
        remove_tags(run, ["kept", "gone"])
    assert "kept" in refused.value.hint
    assert read_labels(run).tags == ("kept",)


@given(st.text(max_size=300), st.lists(st.text(max_size=50), max_size=40))
def test_a_file_by_another_hand_gives_harmless_labels(
    tmp_path_factory: pytest.TempPathFactory, note: str, tags: list[str]
) -> None:
    run = Run(tmp_path_factory.mktemp("run"))
    values = {"note": note * 5, "tags": [*tags, 3, None, "fine"], "more": 1}
    run.path("labels.json").write_text(json.dumps(values), encoding="utf-8")
    labels = read_labels(run)
    assert len(labels.tags) <= _MAX_TAGS
    assert len(labels.note) <= _MAX_NOTE
    for text in (*labels.tags, labels.note):
        assert printable(text) == text
        text.encode("utf-8")


@pytest.mark.parametrize("content", ["{ not json", "[1]", "\udcff"])
def test_a_damaged_file_is_named(run: Run, content: str) -> None:
    run.path("labels.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(IntegrityError, match=r"labels\.json"):
        read_labels(run)


def test_writers_at_the_same_moment_lose_nothing(run: Run) -> None:
    threads = [threading.Thread(target=add_tags, args=(run, [f"t{n}"])) for n in range(_MAX_TAGS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_labels(run).tags) == _MAX_TAGS


def test_a_run_that_was_deleted_meanwhile_gets_no_labels(run: Run) -> None:
    run.path("manifest.json").unlink()
    with pytest.raises(IntegrityError, match="deleted meanwhile"):
        add_tags(run, ["late"])
    assert not run.path("labels.json").exists()
