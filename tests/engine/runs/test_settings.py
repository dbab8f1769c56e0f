"""What sets a configuration apart: exact, short, and the same from the manifest and from the file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import Config
from engine.config.file import PRESETS, override, resolve
from engine.records.run import RunManifest, RunSettings
from engine.runs.settings import _nearest, flat, settings_digest, settings_of
from engine.runs.store import RunStore


def of(config: Config) -> RunSettings:
    return _nearest(flat(config.model_dump(mode="json", exclude_none=True)))


def test_defaults_say_nothing() -> None:
    assert of(Config()) == RunSettings()
    assert RunSettings().short == ""


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "base"])
def test_a_preset_is_found_by_its_name(preset: str) -> None:
    assert of(resolve([], preset=preset).config) == RunSettings(preset)


def test_single_keys_are_said_as_on_the_command_line() -> None:
    config = resolve([], overrides=["training.seed=9", "graph.kind=none"]).config
    assert of(config).written == (("graph.kind", "none"), ("training.seed", "9"))
    assert of(config).short == "kind=none seed=9"


def test_epochs_alone_are_one_key_and_other_keys_of_a_phase_their_own() -> None:
    config = resolve([], overrides=["training.epochs=[1,2,3,4]"]).config
    assert of(config).written == (("training.epochs", "[1, 2, 3, 4]"),)
    name = Config().training.phases[0].name
    config = resolve([], overrides=[f"training.phases.{name}.patience=2"]).config
    assert [key for key, _ in of(config).written] == [f"training.phases.{name}.patience"]


OVERRIDES = st.lists(
    st.sampled_from(
        ["training.seed=3", "model.hidden=32", "graph.kind=sector", "graph.k=4", "model.dropout=0.2",
         "training.epochs=[1,1,1,1]", "loss.cs_ic=0.7", "split.window=9"]
    ),
    unique=True,
)  # fmt: skip


@given(st.sampled_from([None, *PRESETS]), OVERRIDES)
def test_preset_and_changes_give_the_configuration_again(
    preset: str | None, overrides: list[str]
) -> None:
    config = resolve([], preset=preset, overrides=overrides).config
    found = of(config)
    base = resolve([], preset=found.preset).config
    assert override(base, dict(found.changes), origin="test") == config


def test_the_manifest_keeps_them_and_old_runs_are_read_from_their_file(tmp_path: Path) -> None:
    config = resolve([], preset="demo", overrides=["training.seed=2", "graph.k=7"]).config
    run = RunStore(tmp_path).create("train", config)
    kept = settings_of(run.directory, run.manifest)
    assert kept == RunSettings("demo", {"graph.k": 7, "training.seed": 2})
    older = RunManifest(id=run.id, command="train")
    assert settings_of(run.directory, older) == kept
    run.path("config.toml").unlink()
    assert settings_of(run.directory, older) == RunSettings()


def test_the_digest_tells_what_is_found_and_not_who_does_the_work() -> None:
    two, ray, other = (
        settings_digest(resolve([], overrides=[given]).config)
        for given in ("executor.jobs=2", "executor.kind=ray", "training.seed=9")
    )
    assert settings_digest(Config()) == two == ray != other
