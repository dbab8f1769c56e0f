"""Configuration: layers in order, every mistake named by file, line and key, and one set of defaults."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import Config
from engine.config.file import PRESETS, read_resolved, resolve, write_resolved
from engine.config.keys import describe, flatten, render_template
from engine.errors import ConfigError

ROOT = Path(__file__).parents[3]


def file(tmp_path: Path, text: str, name: str = "config.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_file_is_the_template_and_equals_the_defaults() -> None:
    shipped = ROOT / "config.toml"
    assert shipped.read_text(encoding="utf-8") == render_template()
    assert resolve([shipped]).config == Config()


def test_every_key_is_documented() -> None:
    assert [key for key in flatten(Config()) if not describe(key)[0]] == []


def test_later_layers_win_and_each_value_knows_where_it_comes_from(tmp_path: Path) -> None:
    first = file(tmp_path, "[training]\nseed = 2\nday_stride = 3\n\n[graph]\nk = 7\n", "a.toml")
    second = file(tmp_path, "[training]\nseed = 5\n", "b.toml")
    found = resolve(
        [first, tmp_path / "absent.toml", second],
        preset="cpu-small",
        overrides=["graph.k=9", "training.mode=optimized"],
    )
    assert found.config.training.seed == 5
    assert found.config.training.day_stride == 3
    assert found.config.model.hidden == PRESETS["cpu-small"]["model.hidden"]
    assert found.config.graph.k == 9
    assert found.config.training.mode == "optimized"
    assert found.origins["training.seed"] == f"{second}:2"
    assert found.origins["training.day_stride"] == f"{first}:3"
    assert found.origins["graph.k"] == "--set"
    assert found.origins["model.hidden"] == "preset cpu-small"
    assert "quality.max_bad_share" not in found.origins


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[training]\nsed = 3\n", ["config.toml:2", "training.sed", "did you mean seed"]),
        ("[training]\nseed = 'x'\n", ["config.toml:2", "training.seed", "given: 'x'"]),
        ("\n[model]\nhidden = -4\n", ["config.toml:3", "model.hidden", "given: -4"]),
        ("[nonsense]\na = 1\n", ["nonsense", "unknown key"]),
        ("[training\nseed = 1\n", ["config.toml:1", "not valid TOML"]),
        ("[training]\nseed = 1\nseed = 2\n", ["config.toml:3", "not valid TOML"]),
        ("[graph]\nk = nan\n", ["config.toml:2", "graph.k"]),
        ("training = 5\n", ["config.toml:1", "training", "should be a table"]),
        ("[labels]\nhorizons = 5\n", ["config.toml:2", "labels.horizons", "should be a list"]),
        ("[training]\nseed = true\n", ["config.toml:2", "training.seed", "no truth value"]),
        ("[labels]\nhorizons = [true]\n", ["config.toml:2", "labels.horizons", "no truth value"]),
    ],
)
def test_a_mistake_names_file_line_and_key(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve([file(tmp_path, text)])
    for word in words:
        assert word in caught.value.message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve([file(tmp_path, "[training]\nsed = 1\n[model]\nhidden = -1\n")])
    assert len(caught.value.message.splitlines()) == 2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.seed", "expected key=value"),
        ("=3", "expected key=value"),
        ("training.seed.deep=3", "seed is not a table"),
        ("training.epochs=[1,2]", "needs 4 numbers"),
        ("model.hidden=17", "model.hidden"),
    ],
)
def test_bad_overrides_are_refused(override: str, words: str, tmp_path: Path) -> None:
    path = file(tmp_path, "[training]\nseed = 1\n")
    with pytest.raises(ConfigError, match=words):
        resolve([path], overrides=[override, "model.attention_heads=4"])


def test_the_mark_that_some_editors_put_before_a_text_is_no_mistake(tmp_path: Path) -> None:
    marked = tmp_path / "config.toml"
    marked.write_bytes(b"\xef\xbb\xbf[training]\nseed = 3\n")
    found = resolve([marked])
    assert (found.config.training.seed, found.origins["training.seed"]) == (3, f"{marked}:2")


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00[training]")
    with pytest.raises(ConfigError, match="not UTF-8"):
        resolve([binary])
    huge = file(tmp_path, "# " + "x" * 1_000_001, "huge.toml")
    with pytest.raises(ConfigError, match="no configuration file"):
        resolve([huge])
    deep = file(tmp_path, "a = " + "[" * 5000 + "]" * 5000, "deep.toml")
    with pytest.raises(ConfigError, match=r"deep\.toml"):
        resolve([deep])


def test_a_preset_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve([], preset="huge")
    assert "cpu-small" in caught.value.hint


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_is_valid_and_survives_the_run_directory(preset: str, tmp_path: Path) -> None:
    config = resolve([], preset=preset).config
    write_resolved(tmp_path / "config.toml", config)
    assert read_resolved(tmp_path / "config.toml") == config


def test_a_run_of_an_older_version_is_read_and_a_users_file_with_its_keys_is_refused(
    tmp_path: Path,
) -> None:
    config = resolve([], overrides=["quality.max_move=0.4"]).config
    path = tmp_path / "config.toml"
    write_resolved(path, config)
    old = "[quality]\nmax_price = 100000.0\nsplit_tolerance = 0.02\n"
    path.write_text(path.read_text().replace("[quality]\n", old))
    assert read_resolved(path) == config
    with pytest.raises(ConfigError, match=r"quality\.max_price: unknown key"):
        resolve([path])
    path.write_text(path.read_text().replace("max_price", "max_prise"))
    with pytest.raises(ConfigError, match=r"quality\.max_prise: unknown key"):
        read_resolved(path)


@given(st.text(max_size=80))
@settings(max_examples=60)
def test_any_override_is_taken_or_refused_never_a_crash(text: str) -> None:
    try:
        resolve([], overrides=[text, f"workspace.path={text}"])
    except ConfigError:
        return
