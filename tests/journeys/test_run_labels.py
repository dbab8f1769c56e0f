"""Tags, notes, filters and deletion over the real command line, on runs that the store made."""

import datetime as dt
import json
import subprocess
from pathlib import Path

import pytest

from engine.config import Config
from engine.config.file import resolve
from engine.runs import launch
from engine.runs.events import RunFinished
from engine.runs.sink import encode
from engine.runs.store import Run, RunStore
from tests.journeys.command import atft_here

FIGURES = {"rank_ic": 0.03, "rank_ic_se": 0.01, "null_band": 0.02, "n_dates": 250}


def at(second: int) -> dt.datetime:
    return dt.datetime(2026, 1, 5, 9, 0, second, tzinfo=dt.UTC)


def made(workspace: Path, second: int, command: str, config: Config | None = None) -> Run:
    run = RunStore(workspace / "runs", lambda: at(second)).create(command, config or Config())
    finished = RunFinished(at=at(second + 40).isoformat(), status="done")
    run.events_path.write_text(encode(finished) + "\n")
    return run


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    demo = resolve([], preset="demo", overrides=["training.seed=4"]).config
    first, second = made(tmp_path, 0, "train"), made(tmp_path, 1, "train", demo)
    summary = {
        "best": FIGURES,
        "test": {**FIGURES, "rank_ic": 0.01},
        "baselines": {},
        "seconds": 90,
    }
    second.path("train.json").write_text(json.dumps(summary))
    backtest = {"sharpe": 0.7, "sharpe_low": -0.1, "sharpe_high": 1.5, "sharpe_deflated": 0.4,
                "verdict": "undecided", "trials": 3}  # fmt: skip
    second.path("backtest.json").write_text(json.dumps(backtest))
    return [first, second, made(tmp_path, 2, "tune")]


def test_labels_and_filters(tmp_path: Path, runs: list[Run]) -> None:
    first, second, _ = runs
    tagged = atft_here(tmp_path, "tag", second.id, "baseline", "lr/2e-3", "--json")
    assert tagged.json == {"run_id": second.id, "tags": ["baseline", "lr/2e-3"], "note": ""}
    noted = atft_here(tmp_path, "note", second.id, "the one\nto beat [/]", "--json")
    assert noted.json["note"] == "the one to beat [/]"
    as_the_screen_does = launch.argv(tmp_path, ["note", "--", second.id, "- was worse"])
    subprocess.run(as_the_screen_does, check=True, capture_output=True, cwd=tmp_path)
    taken = atft_here(tmp_path, "tag", second.id, "lr/2e-3", "--remove", "--json")
    assert taken.json == {"run_id": second.id, "tags": ["baseline"], "note": "- was worse"}

    listed = atft_here(tmp_path, "runs")
    line = next(line for line in listed.out.splitlines() if second.id in line)
    for words in ("+0.0300 ± 0.0100", "~+0.0100 ± 0.0100", "+0.70 [-0.10, +1.50] undecided", "0.40",
                  "90 s", "demo seed=4", "baseline", "- was worse"):  # fmt: skip
        assert words in line
    found = atft_here(tmp_path, "runs", "--tag", "baseline", "--command", "train", "--json").json[
        "runs"
    ]
    assert [row["id"] for row in found] == [second.id]
    assert (found[0]["preset"], found[0]["changes"]) == ("demo", {"training.seed": "4"})
    assert found[0]["test"]["rank_ic"] == 0.01
    newest = atft_here(tmp_path, "runs", "--status", "done", "--limit", "2", "--json").json["runs"]
    assert [row["id"] for row in newest] == [runs[2].id, second.id]
    assert first.id not in atft_here(tmp_path, "runs", "--command", "tune").out
    shown = atft_here(tmp_path, "show", second.id).out
    assert "tags: baseline" in shown
    assert "note: - was worse" in shown


def test_mistakes_are_named(tmp_path: Path, runs: list[Run]) -> None:
    first = runs[0]
    for words, said in (
        (["tag", first.id, "two words"], "cannot be a tag"),
        (["tag", first.id], "TAGS"),
        (["tag", first.id, "gone", "--remove"], "has no tag gone"),
        (["note", first.id, "x" * 1001], "1,001 characters"),
        (["note", first.id, "a\x1b[31m"], "U+001B"),
        (["note", first.id, "text", "--clear"], "contradict"),
        (["runs", "--limit", "0"], "--limit"),
    ):
        done = atft_here(tmp_path, *words)
        assert (done.code, done.out) == (2, ""), words
        assert said in done.err
        assert "\x1b" not in done.err
    assert not first.path("labels.json").exists()


def test_deleting_asks_refuses_and_deletes(tmp_path: Path, runs: list[Run]) -> None:
    first, second, search = runs
    unasked = atft_here(tmp_path, "delete", first.id)
    assert (unasked.code, unasked.out) == (2, "")
    assert "nobody was asked" in unasked.err
    assert "--yes" in unasked.err
    with first.lock():
        assert atft_here(tmp_path, "delete", first.id, search.id, "--yes").code == 5
    champion = tmp_path / "models" / "champion.json"
    champion.parent.mkdir()
    history = [{"action": "promoted", "model": "m", "run": second.id}]
    champion.write_text(json.dumps({"history": history}))
    refused = atft_here(tmp_path, "delete", search.id, second.id, "--yes", "--json")
    assert refused.code == 6
    assert refused.json["exit_code"] == 6
    assert len(list(RunStore(tmp_path / "runs"))) == 3
    sealed = tmp_path / "signals" / "2026-01-05" / "manifest.json"
    sealed.parent.mkdir(parents=True)
    sealed.write_text(json.dumps({"model": "m0"}))
    history.insert(0, {"action": "promoted", "model": "m0", "run": first.id})
    champion.write_text(json.dumps({"history": history}))
    done = atft_here(tmp_path, "delete", first.id, search.id, "--yes", "--json")
    assert done.code == 0
    assert [row["run_id"] for row in done.json["deleted"]] == [first.id, search.id]
    assert done.json["named_by"] == {first.id: ["2026-01-05"], search.id: []}
    assert "2026-01-05" in done.err
    assert [run.id for run in RunStore(tmp_path / "runs")] == [second.id]


def test_a_killed_deletion_is_swept_by_the_next_command(tmp_path: Path, runs: list[Run]) -> None:
    first = runs[0]
    left = first.directory.rename(first.directory.with_name(f".deleting-{first.id}"))
    assert first.id not in atft_here(tmp_path, "runs").out
    assert not left.exists()
