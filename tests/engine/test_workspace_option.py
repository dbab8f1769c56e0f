"""`--workspace` means the same before the command and after it."""

import json
from pathlib import Path

import pytest

from engine.cli import main
from tests.engine.schedule.sealing import seal


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
    seal(workspace, "2026-11-25", "TRADE")
    option, words = ["--workspace", str(workspace)], ["verify", "--json", "--quiet"]
    main([*option, *words] if before else [*words, *option])
    told = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in told["signals"]] == ["2026-11-25"]
    assert list(elsewhere.iterdir()) == []


def test_the_one_nearer_to_the_command_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seal(tmp_path, "2026-11-25", "TRADE")
    main(
        [
            "--workspace",
            str(tmp_path / "other"),
            "verify",
            "--json",
            "--quiet",
            "--workspace",
            str(tmp_path),
        ]
    )
    assert len(json.loads(capsys.readouterr().out)["signals"]) == 1
