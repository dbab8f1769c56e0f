"""The drill leaves the live store alone, and finds what was planted."""

import datetime as dt
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.file import resolve
from engine.drill import child
from engine.drill.bench import Workbench, figures, flip, link_copy, opened
from engine.drill.case import Case, NotTriedError, Seen, failed, survived
from engine.drill.command import _chosen, _tried
from engine.drill.flips import _Flips, _kind_of, _kinds, _Reader, _Readings
from engine.drill.lab import Lab
from engine.drill.room import cases as room_cases
from engine.drill.room import synced
from engine.errors import Interrupted, UsageError
from engine.records.preflight import DrillOutcome, DrillResult
from engine.runs.labels import set_note
from engine.runs.sink import ListSink
from engine.runs.store import Run, RunStore
from engine.schedule.timetable import SystemClock
from engine.stages import context
from tests.engine.drill.planted import (
    MONTH_THAT_SWALLOWS,
    READER_WITHOUT_HASH,
    WRITER_THAT_SWALLOWS,
    WRITER_WITHOUT_SYNC,
    plant,
)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_happens_in_a_copy_does_not_reach_the_store(tmp_path: Path) -> None:
    """A damaged file gets its own bytes, and what is appended to was copied in the first place."""
    store, copy = tmp_path / "store", tmp_path / "copy"
    table = write(store / "data/bars.parquet", "bars")
    listed = write(store / "files.sha256", "")
    write(store / "data/.lock", "held")
    link_copy(store, copy)
    assert (copy / "data/bars.parquet").samefile(table)
    assert not (copy / "data/.lock").exists()
    flip(copy / "data/bars.parquet", 0)
    with (copy / "files.sha256").open("a") as file:
        file.write("line")
    assert (copy / "data/bars.parquet").read_text() == "cars"
    assert (table.read_text(), listed.read_text()) == ("bars", "")


def test_of_the_runs_the_newest_of_each_command_is_copied(tmp_path: Path) -> None:
    for name in ("20260101-000000-train-aaaa", "20260102-000000-train-bbbb",
                 "20260101-000000-tune-cccc"):  # fmt: skip
        write(tmp_path / "store/runs" / name / "manifest.json", "{}")
    write(tmp_path / "store/runs/looks.jsonl", "{}")
    link_copy(tmp_path / "store", tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy/runs").iterdir()) == [
        "20260101-000000-tune-cccc", "20260102-000000-train-bbbb", "looks.jsonl",
    ]  # fmt: skip


def test_the_folder_of_the_drill_is_removed_and_so_is_that_of_a_killed_one(tmp_path: Path) -> None:
    write(tmp_path / ".drill-1/001-lab/file", "left")
    with opened(tmp_path, lambda: False, 0) as bench:
        assert bench.folder("x").is_dir()
        assert not (tmp_path / ".drill-1").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_kind_is_a_name_without_ids_dates_and_numbers(tmp_path: Path) -> None:
    assert _kind_of("runs/20261129-204214-train-9d97/folds/mlp-fold-0.parquet") == (
        "runs/*-train-*/folds/mlp-fold-*.parquet"
    )
    for name in ("resume-000007/state.json", "mlp-fold-0-seed-1/kept-000001/state.json"):
        run = "runs/20261129-204214-train-9d97"
        assert _kind_of(f"{run}/checkpoints/{name}") == "runs/*-train-*/checkpoints/*/state.json"
    assert _kind_of("signals/2016-12-30-r1/card.json") == "signals/*/card.json"
    assert _kind_of("data/snapshots/08a83c302de532a9/bars-2018-01.parquet") == (
        "data/snapshots/*/bars-*.parquet"
    )
    for name in ("config.toml", "runs/20261129-204214-train-9d97/config.toml", "logs/a.log.1"):
        write(tmp_path / name, "x")
    assert list(_kinds(tmp_path)) == ["runs/*-train-*/config.toml"]  # no other is promised a hash


def test_figures_are_the_leaves_of_an_answer() -> None:
    answer = {"a": {"b": [1, "x"]}, "c": None}
    assert figures(answer) == {".a.b[0]": "1", ".a.b[1]": '"x"', ".c": "null"}


def outcome(verdict: str) -> DrillOutcome:
    words = {"case": "a-b", "kind": "a", "done": "", "seen": ""}
    return DrillOutcome(verdict=verdict, **words)  # type: ignore[arg-type]


def test_a_drill_is_passed_without_failed_and_silent() -> None:
    for verdict, passed in (("survived", True), ("not tried", True), ("failed", False),
                            ("silent", False)):  # fmt: skip
        found = DrillResult(at="", seconds=0, outcomes=(outcome("survived"), outcome(verdict)))
        assert found.passed == passed, verdict
    assert found.line == "survived 1, failed 0, silent 1, not tried 0"


def test_cases_are_chosen_by_name_or_kind_and_what_cannot_be_tried_says_why(tmp_path: Path) -> None:
    def cannot(_: Workbench) -> Seen:
        raise NotTriedError("no mount")

    every = [
        Case("kill-a", "", lambda _: survived("fine")),
        Case("kill-b", "", lambda _: failed("lost")),
        Case("room-a", "", cannot),
    ]
    assert [case.name for case in _chosen(every, "kill")] == ["kill-a", "kill-b"]
    assert [case.name for case in _chosen(every, "room-a")] == ["room-a"]
    with pytest.raises(UsageError, match="there is no case 'x'") as error:
        _chosen(every, "x")
    assert "kill, room" in error.value.hint
    with opened(tmp_path, lambda: False, 0) as bench:
        told = [(one.verdict, one.seen) for one in _tried(bench, every, lambda _: None)]
    assert told == [("survived", "fine"), ("failed", "lost"), ("not tried", "no mount")]


def test_a_stop_begins_no_further_case(tmp_path: Path) -> None:
    """Each of them would copy the workspace first."""
    begun = []

    def stopped(_: Workbench) -> Seen:
        raise Interrupted("stopped")

    def other(_: Workbench) -> Seen:
        begun.append(1)
        time.sleep(0.02)
        return survived("")

    cases = [Case("a-0", "", stopped), *(Case(f"a-{n}", "", other) for n in range(1, 200))]
    with opened(tmp_path, lambda: False, 0) as bench, pytest.raises(Interrupted):
        list(_tried(bench, cases, lambda _: None))
    assert len(begun) < len(cases) - 1


@pytest.fixture
def noted(tmp_path: Path) -> Run:
    """A run with a note, in a workspace of its own."""
    run = RunStore(tmp_path / "workspace" / "runs").create("train", resolve([]).config)
    set_note(run, "the note of a person " * 9)
    return run


def flip_of(run: Run, seed: int) -> Seen:
    """What the drill says of the note's file, read by `show`."""
    workspace = run.directory.parents[1]
    with opened(workspace, lambda: False, seed) as bench:
        readings = _Readings(bench, [_Reader(("show", run.id))])
        kind, name = "runs/*-train-*/labels.json", f"runs/{run.id}/labels.json"
        return _Flips(bench, readings, {kind: [name]}).seen(kind, bench)


def seed_of(run: Run) -> int:
    """A seed whose bit is in a letter of the note and leaves a letter."""
    content = run.path("labels.json").read_bytes()
    place = content.index(b"person") * 8
    kind = "runs/*-train-*/labels.json"
    inside = range(place, place + 8 * 100)
    fits = (s for s in range(10_000) if (b := bit(s, kind, len(content))) in inside and b % 8 == 0)
    return next(fits)


def bit(seed: int, kind: str, size: int) -> int:
    rng = random.Random(f"{seed} {kind}")
    rng.choice([0])
    return rng.randrange(size * 8)


def test_a_reader_that_does_not_ask_for_the_hash_is_found(
    noted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = noted.path("labels.json").read_bytes()
    with plant(READER_WITHOUT_HASH, tmp_path / "planted", monkeypatch):
        seen = flip_of(noted, seed_of(noted))
    assert seen.verdict == "silent", seen.text
    assert "show gives other figures without a word" in seen.text
    assert noted.path("labels.json").read_bytes() == before


@pytest.mark.slow
def test_an_artefact_that_its_writer_does_not_hash_is_found(
    noted: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted.path("files.sha256").write_text("")
    with monkeypatch.context() as patch:
        patch.setattr("engine.hashes.note", lambda *_: None)
        set_note(noted, "the note of a person " * 9)
    seen = flip_of(noted, seed_of(noted))
    assert seen.verdict == "silent", seen.text


@pytest.mark.slow
def test_the_same_flip_is_survived_by_a_reader_that_asks(noted: Run) -> None:
    seen = flip_of(noted, seed_of(noted))
    assert seen.verdict == "survived", seen.text
    assert "verify finds it" in seen.text


class Fed(Lab):
    """Its newest session comes without a training before it: a third of the time."""

    @property
    def trained(self) -> Path:
        return self.bare


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weakness", "verdicts"),
    [
        ("room-ingest", "", ("survived",)),
        ("room-ingest", MONTH_THAT_SWALLOWS, ("failed", "silent")),
        ("room-ingest-file", "", ("survived",)),
        ("room-ingest-file", WRITER_THAT_SWALLOWS, ("failed", "silent")),
    ],
    ids=("large", "large-swallowed", "small", "small-swallowed"),
)
def test_a_writer_that_swallows_a_full_disk_is_found(
    name: str,
    weakness: str,
    verdicts: tuple[str, ...],
    fed: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The large files of a snapshot are written by polars, the small ones by `atomic_path`."""
    case = next(case for case in room_cases(fed) if case.name == name)
    with plant(weakness, tmp_path / "planted", monkeypatch):
        seen = case.try_it(fed.bench)
    assert seen.verdict in verdicts, seen.text


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with opened(tmp_path_factory.mktemp("fed"), lambda: False, 0) as bench:
        lab = Fed(bench)
        assert lab.eve.is_dir()
        yield lab


def synced_by_a_note(run: Run) -> Seen:
    """What the drill says of a command that writes one file and lists its hash."""
    with opened(run.directory.parents[1], lambda: False, 0) as bench:
        listed = bench.folder("named") / "names"
        words, handicap = ("note", run.id, "another"), child.Handicap(named=str(listed))
        bench.undisturbed(bench.copy("noted"), *words, handicap=handicap)
        return synced(listed.read_text().splitlines())


def test_a_writer_without_fsync_is_found(
    noted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with plant(WRITER_WITHOUT_SYNC, tmp_path / "planted", monkeypatch):
        seen = synced_by_a_note(noted)
    assert seen.verdict == "failed"
    assert "1 files take their names unsynced" in seen.text
    assert "labels.json" in seen.text


@pytest.mark.slow
def test_one_with_fsync_survives(noted: Run) -> None:
    assert synced_by_a_note(noted) == survived("1 files, each synced before")


def test_no_child_of_the_drill_has_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to the user's own channels, and no other workspace is touched."""
    for name in ("ATFT_WEBHOOK_URL", "ATFT_SMTP_PASSWORD", "JQUANTS_API_KEY", "ATFT_WORKSPACE"):
        monkeypatch.setenv(name, "value")
    script = write(tmp_path / "engine.py", "import json, os; print(json.dumps(dict(os.environ)))")
    monkeypatch.setattr("engine.runs.launch.ENGINE", (sys.executable, str(script)))
    with opened(tmp_path / "w", lambda: False, 0) as bench:
        told = json.loads(bench.run(bench.folder("x"), "runs").out)
    assert not {"ATFT_WEBHOOK_URL", "ATFT_SMTP_PASSWORD", "JQUANTS_API_KEY", "ATFT_WORKSPACE"} & {
        *told
    }
    assert told["HOME"] == os.environ["HOME"]


def test_a_shifted_child_has_both_clocks_of_the_product_shifted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of commands, also after `replace`, and that of the scheduler."""
    monkeypatch.setattr(context, "StageContext", context.StageContext)  # put back at the end
    monkeypatch.setattr(SystemClock, "now", SystemClock.now)
    child._other_clock(-86_400.0)
    made = context.StageContext(
        workspace=tmp_path, config=resolve([]).config, sink=ListSink(), stop=context.StopFlag()
    )
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    for now in (made.now(), replace(made, run_id="x").now(), SystemClock().now()):
        assert abs((now - yesterday).total_seconds()) < 60
