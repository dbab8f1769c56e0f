"""The command line's own words, in process."""

import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.config import Config
from engine.runs.store import RunStore


@pytest.mark.parametrize("place", ["before", "after", "both"])
def test_the_workspace_may_stand_before_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """Given twice, the one after the command counts, as it is nearer to it."""
    run = RunStore(tmp_path / "here" / "runs").create("train", Config())
    here = ["--workspace", str(tmp_path / "here")]
    words = {
        "before": [*here, "runs", "--json"],
        "after": ["runs", "--json", *here],
        "both": ["--workspace", str(tmp_path / "there"), "runs", "--json", *here],
    }
    assert main(words[place]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)["runs"]] == [run.id]
