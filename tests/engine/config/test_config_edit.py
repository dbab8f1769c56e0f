"""One key changed in a file: nothing else moves, and nothing is written that the resolver refuses."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import Config
from engine.config.edit import require_known, set_key, unset_key
from engine.config.file import resolve
from engine.config.keys import flatten, render_template, toml_text
from engine.errors import ConfigError, UsageError

WRITTEN = """\
# My settings.

[training]   # the network
# A lucky number.
seed = 3  # why not

mode = "safe"

# About the graph, below.
[graph]
k = 7
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a file, and a current directory without one."""
    monkeypatch.chdir(tmp_path)
    workspace = tmp_path / "ws"
    workspace.mkdir()
    (workspace / "config.toml").write_text(WRITTEN)
    return workspace


def text(workspace: Path) -> str:
    return (workspace / "config.toml").read_text()


def test_a_value_is_replaced_where_it_stands(workspace: Path) -> None:
    change = set_key(workspace, "training.seed", "12")
    assert text(workspace) == WRITTEN.replace("seed = 3", "seed = 12")
    assert (change.before, change.after) == ("3", "12")
    assert change.origin == f"{workspace / 'config.toml'}:5"


def test_a_new_key_comes_after_the_last_of_its_table(workspace: Path) -> None:
    set_key(workspace, "training.day_stride", "5")
    assert text(workspace) == WRITTEN.replace('"safe"\n', '"safe"\nday_stride = 5\n')


def test_a_new_table_comes_last_and_the_value_stays_as_typed(workspace: Path) -> None:
    set_key(workspace, "loss.rank_ic", "5e-1")
    assert text(workspace).startswith(WRITTEN)
    assert text(workspace).rstrip().endswith("[loss]\nrank_ic = 5e-1")


def test_a_workspace_without_a_file_gets_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    set_key(tmp_path / "new", "model.hidden", "64")
    assert text(tmp_path / "new") == "[model]\nhidden = 64\n"


@pytest.mark.parametrize(
    ("key", "typed", "value"),
    [
        ("data.index_symbol", "1306", "1306"),
        ("data.index_symbol", '"1306"', "1306"),
        ("data.jquants.first", "2020-01-06", "2020-01-06"),
        ("schedule.run_at", "18:30", "18:30"),
        ("training.warm_start", "true", True),
        ("labels.entry", "open", "open"),
        ("labels.horizons", "[1, 5, 10, 20]", (1, 5, 10, 20)),
        ("costs.borrow_classes", "{hard = 300.0}", {"hard": 300.0}),
    ],
)
def test_what_is_typed_has_the_kind_that_the_key_takes(
    workspace: Path, key: str, typed: str, value: object
) -> None:
    set_key(workspace, key, typed)
    assert flatten(resolve([workspace / "config.toml"]).config)[key] == value


@pytest.mark.parametrize(
    ("key", "typed", "said"),
    [
        ("training.sed", "1", "unknown key"),
        ("traning.seed", "1", "unknown key"),
        ("training", "1", "unknown key"),
        ("training.seed.x", "1", "unknown key"),
        ("", "1", "unknown key"),
        ("training.seed", "-1", "greater than or equal to 0"),
        ("training.seed", "x", "given: 'x'"),
        ("training.seed", "1\n[model]\nhidden = 3", "training.seed"),
        ("training.seed", "1 # a\nmode = 1", "training.seed"),
        ("model.hidden", "30", "multiple of"),
        ("split.embargo_sessions", "3", "at least 21"),
        ("training.phases.nope.epochs", "3", "no phase 'nope'"),
        ("training.phases.gat.epoch", "3", "gat.epochs"),
        ("training.epochs", "[1, 2]", "4 numbers"),
    ],
)
def test_what_the_resolver_refuses_is_not_written(
    workspace: Path, key: str, typed: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        set_key(workspace, key, typed)
    assert said in f"{caught.value.message} {caught.value.hint}"
    assert text(workspace) == WRITTEN
    assert [path.name for path in workspace.iterdir()] == ["config.toml"]


def test_the_nearest_names_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        require_known("training.sed")
    assert "training.seed" in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        require_known("hidden")
    assert "model.hidden" in caught.value.hint


def test_taking_a_key_back_leaves_the_rest(workspace: Path) -> None:
    change = unset_key(workspace, "training.mode")
    assert (change.before, change.after, change.origin) == ('"safe"', '"safe"', "default")
    set_key(workspace, "graph.k", "9")
    assert (unset_key(workspace, "graph.k").after, "k = " in text(workspace)) == ("10", False)
    assert "# A lucky number.\nseed = 3  # why not\n" in text(workspace)
    assert "# About the graph, below.\n[graph]\n" in text(workspace)


def test_what_is_not_set_cannot_be_taken_back(workspace: Path) -> None:
    with pytest.raises(UsageError, match="is not set") as caught:
        unset_key(workspace, "model.hidden")
    assert "default" in caught.value.hint
    with pytest.raises(ConfigError, match="unknown key"):
        unset_key(workspace, "model.hiden")
    with pytest.raises(UsageError, match="one list"):
        unset_key(workspace, "training.phases.gat.epochs")
    assert text(workspace) == WRITTEN


def test_the_template_s_comment_goes_with_its_key(workspace: Path) -> None:
    template = render_template()
    (workspace / "config.toml").write_text(template)
    unset_key(workspace, "training.seed")
    gone = "# Seed of weights, dropout, the order of days, null bands and baselines. [>= 0]\nseed = 1\n"
    assert gone in template
    assert text(workspace) == template.replace(gone, "")


def test_phases_are_one_list_and_one_of_their_keys_changes(workspace: Path) -> None:
    change = set_key(workspace, "training.phases.gat.epochs", "9")
    assert (change.before, change.after) == ("4", "9")
    found = resolve([workspace / "config.toml"]).config
    default = Config().training.phases
    assert [p.epochs for p in found.training.phases] == [6, 4, 9, 2]
    assert [p.blocks for p in found.training.phases] == [p.blocks for p in default]
    commented = text(workspace).replace("epochs = 9", "epochs = 9  # long")
    (workspace / "config.toml").write_text(commented)
    set_key(workspace, "training.epochs", "[1, 1, 8, 1]")
    assert "epochs = 8  # long" in text(workspace)
    assert unset_key(workspace, "training.phases").origin == "default"
    assert resolve([workspace / "config.toml"]).config.training.phases == default
    assert "# A lucky number." in text(workspace)


@pytest.mark.parametrize(
    "written",
    [
        "training.seed = 1 # dotted\n",
        "training = {seed = 1, mode = 'safe'} # inline\n",
        "[training]\nseed = 1\n[graph]\nk = 5\n[training.x]\n",
        "[data.synthetic]\nseed = 1\n\n[training]\nseed = 1\n\n[data]\nmarket = 'us' # apart\n",
    ],
    ids=["dotted", "inline", "unknown table", "apart"],
)
def test_other_ways_to_write_a_table(workspace: Path, written: str) -> None:
    """Changed right, or refused as a whole; never something else."""
    (workspace / "config.toml").write_text(written)
    try:
        set_key(workspace, "training.seed", "4")
        set_key(workspace, "data.index_symbol", "X")
    except ConfigError:
        assert "training.x" in written
        assert text(workspace) == written
        return
    found = tomllib.loads(text(workspace))
    assert found["training"]["seed"] == 4
    assert found["data"]["index_symbol"] == "X"
    for part in ("# dotted", "# inline", "# apart"):
        assert (part in text(workspace)) == (part in written)


def test_a_file_of_the_current_directory_is_the_layer_below(workspace: Path) -> None:
    Path("config.toml").write_text("[training]\nseed = 40\n")
    assert set_key(workspace, "training.seed", "5").before == "3"
    change = unset_key(workspace, "training.seed")
    assert (change.after, change.origin) == ("40", "config.toml:2")


def test_the_current_directory_may_be_the_workspace(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is then two layers; a change counts for both."""
    monkeypatch.chdir(workspace)
    assert set_key(workspace, "training.seed", "8").after == "8"
    assert unset_key(workspace, "training.seed").after == "1"


KEYS = [
    (key, value)
    for key, value in flatten(Config()).items()
    if isinstance(value, bool | int | float | str)
]


@settings(max_examples=8)
@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=2), st.booleans())
def test_setting_and_taking_back_keeps_every_comment_and_every_other_value(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[tuple[str, object]], whole: bool
) -> None:
    workspace = tmp_path_factory.mktemp("ws")
    before = render_template() if whole else WRITTEN
    (workspace / "config.toml").write_text(before)
    for key, value in chosen:
        set_key(workspace, key, toml_text(value))
    after = text(workspace)
    lines = [line for line in before.splitlines() if "#" in line]
    kept = iter(after.splitlines())
    changed = {key.rpartition(".")[2] for key, _ in chosen}
    for line in lines:
        if not line.startswith(tuple(changed)):
            assert line in kept
    for key, value in chosen:
        assert flatten(resolve([workspace / "config.toml"]).config)[key] == value
