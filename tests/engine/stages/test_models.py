"""What stages make of models of the workspace: where they are named, carried, and told beside the oracle."""

import math
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from engine.config import BlendConfig, Config
from engine.config.file import override
from engine.errors import ConfigError
from engine.records.rank_ic import RankICSummary
from engine.records.train import Rival, TrainResult
from engine.runs.store import RunStore
from engine.stages.node import data_files
from engine.stages.rivals import known_horizons, plain_fits
from engine.stages.text import of_oracle
from engine.workspace_code import hashes_of


def put(workspace: Path, place: str, text: str = "A = 1\n") -> None:
    path = workspace / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_own_models_are_those_that_the_configuration_names_and_nobody_built() -> None:
    changes = {
        "training.own_models": ("first", "second"),
        "blend.members": ("network", "second-plain", "third", "ridge"),
    }
    config = override(Config(), changes, origin="test")
    assert config.own_models == ("first", "second", "third")
    assert Config().own_models == ()
    assert plain_fits(("network-plain", "second-plain", "mlp-plain", "ridge", "lightgbm-plain")) == [
        "second", "lightgbm",
    ]  # fmt: skip
    for name in ("../x", "a b", "x-raw", ""):
        with pytest.raises(ValidationError):
            BlendConfig(members=("network", name))
        with pytest.raises(ConfigError):
            override(Config(), {"training.own_models": (name,)}, origin="test")


def test_a_run_names_the_code_that_its_configuration_names(tmp_path: Path) -> None:
    put(tmp_path, "models/first.py")
    put(tmp_path, "models/idle.py")
    put(tmp_path, "strategies/mine.py", "B = 1\n")
    changes = {"training.own_models": ("first",), "portfolio.strategy": "mine"}
    run = RunStore(tmp_path / "runs").create("train", override(Config(), changes, origin="test"))
    assert run.manifest.code == {
        **hashes_of(tmp_path, "models", ["first"]),
        **hashes_of(tmp_path, "strategies", ["mine"]),
    }
    assert set(run.manifest.code) == {"models/first.py", "strategies/mine.py"}
    assert RunStore(tmp_path / "runs").create("train", Config()).manifest.code == {}


def test_the_models_of_the_workspace_are_carried_and_its_packages_are_not(tmp_path: Path) -> None:
    put(tmp_path, "models/mine.py")
    put(tmp_path, "models/0123abcd/mine.py")
    put(tmp_path, "data/CURRENT")
    assert set(data_files(tmp_path)) == {"models/mine.py", "data/CURRENT"}


def test_a_share_of_the_oracle_is_told_where_there_is_one() -> None:
    mine, best = RankICSummary(rank_ic=0.15), RankICSummary(rank_ic=0.2)
    with_it = TrainResult(baselines={"oracle": Rival(test=best)})
    assert of_oracle(with_it, mine) == "  75% of the oracle"
    assert of_oracle(with_it, best) == "  100% of the oracle"
    assert of_oracle(with_it, None) == of_oracle(TrainResult(), mine) == ""
    nothing = TrainResult(baselines={"oracle": Rival(test=RankICSummary(rank_ic=math.nan))})
    assert of_oracle(nothing, mine) == ""


def test_a_horizon_without_any_score_is_left_out() -> None:
    scores = pl.DataFrame(
        {"symbol": ["a", "b"], "score_1": [None, None], "score_5": [0.1, 0.2], "score_9": [1.0, math.nan]},
        schema_overrides={"score_1": pl.Float32},
    )  # fmt: skip
    assert known_horizons(scores).columns == ["symbol", "score_5"]
