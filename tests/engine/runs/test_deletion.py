"""Deleting: whole or not at all, never what is at work, and what was tried stays counted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.config import Config
from engine.errors import EnvironmentProblem, GateError, IntegrityError, LockedError
from engine.records.run import TRIALS
from engine.runs import deletion
from engine.runs.deletion import _mentions
from engine.runs.store import Run, RunStore
from engine.runs.trials import count_trials

CUT = """
import os, sys
from pathlib import Path
from engine.runs import deletion
from engine.runs.store import Run
deletion.shutil.rmtree = lambda path, **more: os._exit(9)
deletion.delete(Run(Path(sys.argv[1])))
"""


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def made(store: RunStore, command: str = "train") -> Run:
    run = store.create(command, Config())
    run.path("checkpoints").mkdir()
    run.path("checkpoints/best.safetensors").write_bytes(b"x" * 1000)
    return run


def test_a_run_is_gone_with_all_its_files(store: RunStore) -> None:
    kept, gone = made(store), made(store)
    with gone.lock():
        pass  # whoever worked on it has left a lock file
    size = deletion._used_bytes(gone)
    assert size > 1000
    assert deletion.delete(gone) == size
    assert list(store) == [kept]
    assert sorted(os.listdir(store.root)) == sorted([kept.id, "deleted.json", ".deleted.json.lock"])


def test_a_link_is_removed_and_what_it_points_to_stays(store: RunStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    run = made(store)
    run.path("link").symlink_to(outside)
    deletion.delete(run)
    assert (outside / "precious").exists()


def test_a_run_at_work_stays(store: RunStore, tmp_path: Path) -> None:
    run = made(store)
    with run.lock():
        with pytest.raises(LockedError, match=f"process {os.getpid()} works on it"):
            deletion.delete(run)
        with pytest.raises(LockedError):
            deletion.plan(tmp_path, [run])
    assert list(store) == [run]
    assert not (store.root / "deleted.json").exists()


def test_a_killed_deletion_is_finished_by_the_next_command(store: RunStore) -> None:
    run, kept = made(store), made(store)
    words = [sys.executable, "-c", CUT, str(run.directory)]
    assert subprocess.run(words, check=False).returncode == 9
    left = store.root / f".deleting-{run.id}"
    assert left.is_dir()
    assert list(store) == [kept]
    store.sweep()
    assert not left.exists()
    assert list(store) == [kept]


def test_files_that_cannot_be_removed_are_named(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(13, "Permission denied", str(path))

    run = made(store)
    monkeypatch.setattr("engine.runs.deletion.shutil.rmtree", refuse)
    with pytest.raises(EnvironmentProblem, match=r"\.deleting-.*Permission denied"):
        deletion.delete(run)
    assert list(store) == []


def test_what_was_tried_stays_counted(store: RunStore) -> None:
    train, swept, report = made(store), made(store, "demo"), made(store, "report")
    swept.path(TRIALS).write_text(json.dumps({"a": {}, "b": {}, "c": {}}))
    assert count_trials(store) == 4
    for run in (train, swept, report):
        deletion.delete(run)
        assert count_trials(store) == 4
    made(store)
    assert count_trials(store) == 5


def test_a_deletion_that_was_counted_but_not_done_counts_once(store: RunStore) -> None:
    run = made(store)
    (store.root / "deleted.json").write_text(json.dumps({run.id: 1}))
    assert count_trials(store) == 1


def write(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def crown(workspace: Path, *entries: tuple[str, str, str]) -> None:
    history = [{"action": a, "model": model, "run": run} for a, model, run in entries]
    write(workspace / "models" / "champion.json", {"history": history})


def test_the_source_of_the_champion_stays_until_another_reigns(
    store: RunStore, tmp_path: Path
) -> None:
    first, second = made(store), made(store)
    crown(tmp_path, ("promoted", "m1", first.id), ("refused", "m2", second.id))
    with pytest.raises(GateError, match="source of the champion"):
        deletion.plan(tmp_path, [second, first])
    assert deletion.plan(tmp_path, [second]).named[second.id].champion is False
    crown(tmp_path, ("promoted", "m1", first.id), ("promoted", "m2", second.id))
    deletion.plan(tmp_path, [first])
    crown(
        tmp_path,
        ("promoted", "m1", first.id),
        ("promoted", "m2", second.id),
        ("rolled back", "m1", ""),
    )
    with pytest.raises(GateError):
        deletion.plan(tmp_path, [first])
    deletion.plan(tmp_path, [second])


def test_seals_comparisons_and_searches_that_name_a_run_are_said(
    store: RunStore, tmp_path: Path
) -> None:
    run, other = made(store), made(store)
    crown(tmp_path, ("promoted", "m1", run.id), ("promoted", "m2", other.id))
    for day in ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"):
        write(tmp_path / "signals" / day / "manifest.json", {"model": "m1"})
    write(tmp_path / "signals" / "2026-01-09" / "manifest.json", {"model": "m2"})
    write(tmp_path / "compare" / "runs-1.json", {"runs": [{"run_id": run.id}]})
    write(
        tmp_path / "compare" / "sizes-2.json",
        {"run_id": "c", "variants": [{"runs": {"1": run.id}}, {"runs": {"1": other.id}}]},
    )
    write(tmp_path / "tune" / "lr" / "study.json", {"run_id": "t", "trials": [{"run_id": run.id}]})
    named = _mentions(tmp_path, [run.id])[run.id]
    assert named.seals == ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08")
    assert named.others == ("comparison runs-1", "comparison sizes-2", "search lr")
    question = deletion.plan(tmp_path, [run]).question
    assert "2026-01-05, 2026-01-06, 2026-01-07 and 1 more" in question
    assert "can be replayed" in question
    assert "comparison sizes-2" in question


def test_nothing_is_deleted_on_a_guess(store: RunStore, tmp_path: Path) -> None:
    run = made(store)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "champion.json").write_text("{ torn")
    with pytest.raises(IntegrityError, match="champion"):
        deletion.plan(tmp_path, [run])
