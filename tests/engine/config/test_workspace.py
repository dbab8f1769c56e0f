"""Which directory is the workspace, and that a broken file is told like any other."""

from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.workspace import config_files, resolve_workspace


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATFT_WORKSPACE", raising=False)
    return tmp_path


def test_option_before_environment_before_file_before_default(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve_workspace(None) == here / "workspace"
    (here / "config.toml").write_text("[workspace]\npath = 'elsewhere'\n")
    assert resolve_workspace(None) == here / "elsewhere"
    monkeypatch.setenv("ATFT_WORKSPACE", "/from/environment")
    assert resolve_workspace(None) == Path("/from/environment")
    assert resolve_workspace("option") == here / "option"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[workspace\n", r"config\.toml:1: not valid TOML"),
        ("a = " + "[" * 5000 + "]" * 5000, r"config\.toml"),
        ("[workspace]\npath = 3\n", r"workspace\.path is not a text"),
    ],
)
def test_a_broken_file_is_named(here: Path, text: str, words: str) -> None:
    (here / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        resolve_workspace(None)


def test_the_workspace_lies_over_the_current_directory() -> None:
    assert config_files(Path("/w")) == (Path("config.toml"), Path("/w/config.toml"))
