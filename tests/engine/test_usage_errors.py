"""A command line that cannot be meant: with --json an object on stdout, without it nothing there."""

import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.runs.lock import hold


@pytest.mark.parametrize(
    "words",
    [("ingest", "--sauce", "x"), ("ingest", "--source", "mars"), ("data", "export"), ("bogus",)],
)
def test_words_that_are_no_command(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 2
    assert told["error"]
    assert main(list(words)) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("mark", ["ab", '"', "\u3001"])
def test_a_separator_that_cannot_part_columns(
    mark: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.csv").write_text("date,symbol,open,high,low,close,volume\n")
    given = ["ingest", "--source", "files", "--prices", str(tmp_path / "p.csv")]
    assert main([*given, "--separator", mark, "--workspace", str(tmp_path), "--json"]) == 2
    assert "--separator" in json.loads(capsys.readouterr().out)["error"]


def test_one_ingest_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with hold(tmp_path / "data" / "ingest.lock"):
        assert main(["ingest", "--undo", "--workspace", str(tmp_path), "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["exit_code"] == 5
    assert main(["ingest", "--undo", "--append", "--workspace", str(tmp_path), "--json"]) == 2
