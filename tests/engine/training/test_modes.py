"""Safe and optimized mode learn the same: whole trainings on the small synthetic market."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from engine.model.atft_gat_fan import build_model
from engine.records.train import PhaseResult
from engine.runs.sink import NullSink
from engine.training import passes
from engine.training.device import Runtime, apply_mode
from engine.training.machine import MachineProbe
from engine.training.progress import Progress
from engine.training.scoring import ScoredDays
from engine.training.snapshots import Snapshots
from engine.training.trainer import Trainer
from tests.conftest import World


@dataclass(frozen=True)
class Never:
    requested: bool = False


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(mode=False)
    torch.set_num_threads(threads)


def trained(
    world: World, mode: Literal["safe", "optimized"], root: Path
) -> tuple[list[PhaseResult], ScoredDays]:
    """Results of the phases, and the test days scored by the weights that were kept."""
    runtime = apply_mode(mode, torch.device("cpu"), world.config.training.seed)
    trainer = Trainer(
        config=world.config,
        features=world.features,
        graphs=world.graphs,
        split=world.split,
        model=build_model(world.config, len(world.features.features)),
        runtime=runtime,
        sink=NullSink(),
        stop=Never(),
        snapshots=Snapshots(directory=root / mode, identity={}),
        machine=MachineProbe(root),
        progress=Progress(),
    )
    return trainer.run(), trainer.score(world.split.test)


@pytest.mark.slow
def test_optimized_mode_learns_what_safe_mode_learns(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step of optimized mode goes through in chunks, as those of a large market do."""
    monkeypatch.setattr(passes, "_MIN_ROWS", 1)
    (safe, safe_days), (fast, fast_days) = (
        trained(world, mode, tmp_path) for mode in ("safe", "optimized")
    )
    assert [result.kept for result in safe] == [result.kept for result in fast]
    for a, b in zip(safe, fast, strict=True):
        assert b.rank_ic == pytest.approx(a.rank_ic, abs=0.002)
    for mine_NH, theirs_NH in zip(safe_days.score_DNH, fast_days.score_DNH, strict=True):
        assert np.corrcoef(mine_NH[:, 1], theirs_NH[:, 1])[0, 1] > 0.999


@pytest.mark.slow
def test_data_in_the_memory_of_the_device_train_the_same_network_bit_by_bit(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, host_days = trained(world, "safe", tmp_path / "host")
    monkeypatch.setattr(Runtime, "room", 2**30)
    there, days = trained(world, "safe", tmp_path / "device")
    assert [result.rank_ic for result in there] == [result.rank_ic for result in host]
    for mine_NH, theirs_NH in zip(days.score_DNH, host_days.score_DNH, strict=True):
        np.testing.assert_array_equal(mine_NH, theirs_NH)
