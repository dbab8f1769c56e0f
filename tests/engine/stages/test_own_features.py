"""`features add` and `check`: what is accepted joins the catalog, what looks ahead is refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config.file import resolve, resolve_new
from engine.data.store import PanelStore
from engine.data.synthetic import generate
from engine.errors import ConfigError, GateError, UsageError
from engine.features.catalog import find, own_texts
from engine.features.families import aligned
from engine.records import record
from engine.records.features import (
    ACCEPTED,
    CATALOG,
    AcceptedFeatures,
    FeatureCatalog,
    accepted_texts,
    changed_since,
)
from engine.stages.context import StageContext
from engine.stages.features import features
from tests.conftest import SMALL
from tests.engine.stages.market_files import context as frame

SETTINGS = (
    "data.synthetic.n_symbols=24",
    "data.synthetic.n_sessions=500",
    "data.synthetic.optional_tables=true",
    *SMALL,
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stored")
    config = resolve([], preset="demo", overrides=SETTINGS).config
    PanelStore(root / "data").save(generate(config.data.synthetic).raw)
    return root


@pytest.fixture
def context(stored: Path, tmp_path: Path) -> StageContext:
    """A workspace of its own over the same data."""
    (tmp_path / "data").symlink_to(stored / "data")
    return as_begun(tmp_path)


def as_begun(workspace: Path) -> StageContext:
    """The frame that a new command gets."""
    return replace(
        frame(workspace), config=resolve_new(workspace, preset="demo", overrides=SETTINGS).config
    )


def test_a_clean_feature_is_accepted_and_joins_the_catalog(context: StageContext) -> None:
    root = context.workspace
    done = features(context, action="add", name="gap", text="open / Ref(close, 1) - 1")
    assert done.json == {"accepted": ["gap"], "files": ["gap"]}
    assert (root / "features/gap.toml").read_text() == 'expression = "open / Ref(close, 1) - 1"\n'
    kept = record.read(root / ACCEPTED, AcceptedFeatures).files["gap"]
    assert (kept.columns, kept.when[:10]) == (("gap",), "2024-02-01")
    begun = as_begun(root)
    shown = features(begun, action="show", name="gap")
    assert (shown.json["unit"], shown.json["lookback"], shown.json["family"]) == ("1", 1, "own")
    assert shown.json["off"] == "features.breadth is core"
    features(begun, action="list")
    assert record.read(root / CATALOG, FeatureCatalog).features[-1].name == "gap"
    named = begun.config.features.model_copy(update={"columns": ("gap",)})
    assert set(own_texts(named)) == {"gap"}
    assert own_texts(begun.config.features) == {}


def test_a_changed_file_is_not_accepted_until_it_is_checked_again(context: StageContext) -> None:
    features(context, action="add", name="gap", text="open / Ref(close, 1) - 1")
    path = context.workspace / "features/gap.toml"
    before = accepted_texts(context.workspace)["gap"]
    path.write_text('expression = "open / Ref(close, 2) - 1"\n')
    assert accepted_texts(context.workspace) == {"gap": ""}
    assert changed_since(context.workspace, {"gap": before, "gone": "x", "no": ""}) == (
        "gap",
        "gone",
    )
    begun = as_begun(context.workspace)
    listed = features(begun, action="list")
    assert listed.json["refused"] == ["gap"]
    assert "not accepted: gap" in listed.text
    with pytest.raises(UsageError, match="is there already"):
        features(begun, action="add", name="gap", text="close / open")
    assert features(begun, action="check").json["accepted"] == ["gap"]
    assert accepted_texts(context.workspace)["gap"] != before


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        (
            {"name": "gap", "text": "open / Rfe(close, 1)"},
            ConfigError,
            "no operator is named 'Rfe'",
        ),
        ({"name": "gap", "text": "Ref(close, -1) / close"}, ConfigError, "looks ahead"),
        ({"name": "a gap", "text": "open / close"}, UsageError, "needs a name"),
        ({"name": None}, UsageError, "needs a name"),
        ({"name": "gap"}, UsageError, "no file of"),
        ({"name": "return_1", "text": "open / close"}, ConfigError, "two features are named"),
        ({"name": "gap", "text": "nowhere.toml"}, ConfigError, "cannot be read"),
        ({"name": "old", "text": "close / Ref(close, 900)"}, GateError, "old has no value"),
    ],
)
def test_what_cannot_be_added_leaves_no_file(
    context: StageContext, given: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        features(context, action="add", **given)
    assert not list(context.workspace.glob("features/*.toml"))
    assert not (context.workspace / ACCEPTED).exists()


def test_a_table_read_before_its_publication_is_refused_by_name(
    context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = aligned.arrange

    def early(frame: Any, *rest: Any) -> Any:
        if "date" in frame.columns:
            frame = frame.with_columns(available=frame["date"])
        return honest(frame, *rest)

    features(context, action="add", name="owed", text="margin.long / margin.short")
    (context.workspace / "features/owed.toml").unlink()
    monkeypatch.setattr(aligned, "arrange", early)
    with pytest.raises(GateError, match="owed is refused: uses rows of its table before") as error:
        features(context, action="add", name="owed", text="margin.long / margin.short")
    first = error.value.details["leaks"][0]
    assert first["name"] == "owed"
    assert f"first on {first['day']}" in error.value.message
    assert not (context.workspace / "features/owed.toml").exists()


def test_a_set_comes_from_a_file(context: StageContext, tmp_path: Path) -> None:
    text = 'windows = [5, 10]\n[features]\n"up{w}" = "Mean(close > Ref(close, 1), {w})"\n'
    path = tmp_path / "mine.toml"
    path.write_text(text)
    done = features(context, action="add", name="ups", text=str(path))
    assert done.json["accepted"] == ["ups_up5", "ups_up10"]
    shown = features(as_begun(context.workspace), action="show", name="ups_up10")
    assert (shown.json["family"], shown.json["lookback"]) == ("ups", 11)


def test_a_configuration_does_not_bring_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="filled from the workspace"):
        resolve_new(tmp_path, overrides=['features.own={a="x"}'])


CODE = """\"\"\"How far the close is from its mean of {window} sessions.\"\"\"

import numpy as np

from engine.features import rolling

UNIT, LOOKBACK = "fraction", {lookback}


def feature(x):
    return {body}
"""


def written(tmp_path: Path, body: str, lookback: int = 20) -> str:
    path = tmp_path / "outside.py"
    path.write_text(CODE.format(window=20, body=body, lookback=lookback))
    return str(path)


def test_a_function_on_arrays_is_accepted_by_its_hash(
    context: StageContext, tmp_path: Path
) -> None:
    text = written(tmp_path, "x.close / rolling.mean(x.close, 20) - 1.0")
    features(context, action="add", name="far", text=text)
    begun = as_begun(context.workspace)
    own = begun.config.features.own["far"]
    assert own.startswith("sha256:")
    shown = features(begun, action="show", name="far")
    assert shown.json["formula"] == "How far the close is from its mean of 20 sessions."
    assert (shown.json["lookback"], shown.json["unit"]) == (20, "fraction")
    path = context.workspace / "features/far.py"
    path.write_text(path.read_text() + "# changed\n")
    assert accepted_texts(context.workspace) == {"far": ""}
    other = own[:-4] + "0000"  # a run that was made with code that is no more
    config = begun.config.features.model_copy(update={"own": {"far": other}})
    replace(begun, config=begun.config.model_copy(update={"features": config}))
    with pytest.raises(ConfigError, match=r"far\.py is not that code any more"):
        find("far", config)


@pytest.mark.parametrize(
    ("body", "lookback", "told"),
    [
        ("np.roll(x.close, -1, axis=1) / x.close", 1, "mine is refused: changes with what happens"),
        ("x.close - np.nanmean(x.close, axis=1)[:, None]", 1, "mine is refused: changes with"),
        ("x.close / rolling.mean(x.close, 250)", 2, "mine: its last value is another one"),
        ("x.close[:, 1:]", 1, "gives an array of"),
        ("x.close / nothing", 1, "feature.x. failed"),
        ("x.close * np.nan", 1, "mine has no value"),
    ],
)
def test_code_that_looks_ahead_or_is_wrong_is_refused_by_name(
    context: StageContext, tmp_path: Path, body: str, lookback: int, told: str
) -> None:
    with pytest.raises((GateError, UsageError), match=told):
        features(context, action="add", name="mine", text=written(tmp_path, body, lookback))
    assert not (context.workspace / "features/mine.py").exists()


def test_code_without_its_constants_is_told_what_it_lacks(
    context: StageContext, tmp_path: Path
) -> None:
    path = tmp_path / "bare.py"
    path.write_text("def feature(x):\n    return x.close\n")
    with pytest.raises(UsageError, match="LOOKBACK"):
        features(context, action="add", name="mine", text=str(path))
