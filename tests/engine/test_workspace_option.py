"""`--workspace` means the same before the command and after it."""

import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.config import Config
from engine.runs.store import RunStore

WORDS = ("runs", "--json", "--quiet")


@pytest.mark.parametrize("before", [True, False])
def test_it_is_taken_on_both_sides_of_the_command(
    before: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace, elsewhere = tmp_path / "there", tmp_path / "here"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run = RunStore(workspace / "runs").create("train", Config())
    option = ["--workspace", str(workspace)]
    assert main([*option, *WORDS] if before else [*WORDS, *option]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)["runs"]] == [run.id]
    assert list(elsewhere.iterdir()) == []


def test_the_one_nearer_to_the_command_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunStore(tmp_path / "runs").create("train", Config())
    assert main(["--workspace", str(tmp_path / "other"), *WORDS, "--workspace", str(tmp_path)]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)["runs"]] == [run.id]
