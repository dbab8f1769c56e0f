"""`ingest --help` says what is required, in which unit, what is guessed, and fits 80 columns."""

import pytest

from engine.cli import main
from engine.commands import BY_NAME


def test_the_help_names_columns_units_and_guesses_in_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["ingest", "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    about = " ".join(text.split("Options:")[0].split())
    required = about.split("Required of prices:")[1].split(";")[0]
    assert set(required.replace(" and ", ", ").replace(" ", "").split(",")) == {
        "date", "open", "high", "low", "close", "volume",
    }  # fmt: skip
    assert "Volume is in shares and turnover, the traded value, in currency" in about
    options = {f"--{p.name.replace('_', '-')}" for p in BY_NAME["ingest"].parameters}
    for said in ("--columns", "--date-format", "--dry-run"):
        assert said in about
        assert said in options


def test_the_list_of_commands_keeps_to_the_short_help(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    assert "Required of prices" not in capsys.readouterr().out
