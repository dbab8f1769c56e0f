"""A checkpoint is the old one or the new one, whatever happens while it is written."""

import io
import pickle
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from engine.errors import EngineError, GateError, IntegrityError
from engine.files import write_manifest
from engine.records.train import PhaseResult
from engine.training import snapshots
from engine.training.progress import Progress
from engine.training.snapshots import Snapshots, _load_checkpoint, _save_checkpoint


class Killed(BaseException):
    """Stands for a power cut: nothing after it runs, and nothing handles it."""


def tensors(value: float) -> dict[str, torch.Tensor]:
    return {"weight": torch.full((3, 4), value), "step": torch.tensor(7)}


def value_of(root: Path) -> float:
    return float(_load_checkpoint(root, "best").tensors["weight"][0, 0])


def test_round_trip_with_nan_in_the_state(tmp_path: Path) -> None:
    _save_checkpoint(tmp_path, "best", tensors(1.5), {"epoch": 3, "loss": float("nan")})
    loaded = _load_checkpoint(tmp_path, "best")
    assert torch.equal(loaded.tensors["weight"], tensors(1.5)["weight"])
    assert loaded.state == {"epoch": 3, "loss": None}


@pytest.mark.parametrize(
    "step", ["save_file", "_sync", "write_json", "write_manifest", "write_text", "shutil.rmtree"]
)
def test_a_kill_at_any_step_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    _save_checkpoint(tmp_path, "best", tensors(1.0), {})

    def die(*args: object, **kwargs: object) -> None:
        if step == "shutil.rmtree" and kwargs.get("ignore_errors"):
            return
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"engine.training.snapshots.{step}", die)
        with pytest.raises(Killed):
            _save_checkpoint(tmp_path, "best", tensors(2.0), {})
    assert value_of(tmp_path) == (2.0 if step == "shutil.rmtree" else 1.0)

    _save_checkpoint(tmp_path, "best", tensors(3.0), {})
    assert value_of(tmp_path) == 3.0
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1, "nothing is left over"


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    _save_checkpoint(tmp_path, "best", tensors(1.0), {"epoch": 1})
    folder = next(path for path in tmp_path.iterdir() if path.is_dir())
    for name in (snapshots._TENSORS, snapshots._STATE):
        path = folder / name
        good = path.read_bytes()
        for position in range(0, len(good), max(1, len(good) // 40)):
            bad = bytearray(good)
            bad[position] ^= 0x10
            path.write_bytes(bytes(bad))
            with pytest.raises(IntegrityError, match=name):
                _load_checkpoint(tmp_path, "best")
        path.write_bytes(good)
    assert value_of(tmp_path) == 1.0


class Hostile:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("module", [torch, pickle])
def test_a_checkpoint_that_would_run_code_is_refused_and_runs_none(
    tmp_path: Path, module: ModuleType
) -> None:
    """The tensors' file is a pickle, in torch's zip or plain, and every hash around it is right."""
    ran, root, made = tmp_path / "ran", tmp_path / "checkpoints", io.BytesIO()
    _save_checkpoint(root, "best", tensors(1.0), {})
    folder = next(path for path in root.iterdir() if path.is_dir())
    (torch.save if module is torch else pickle.dump)({"weight": Hostile(ran)}, made)
    (folder / snapshots._TENSORS).write_bytes(made.getvalue())
    write_manifest(folder, {"name": "best"})
    with pytest.raises(IntegrityError, match="not readable"):
        _load_checkpoint(root, "best")
    assert not ran.exists()
    made.seek(0)
    module.load(made, **({"weights_only": False} if module is torch else {}))
    assert ran.exists(), "the file would have run it"


def test_cut_and_missing_files_are_named(tmp_path: Path) -> None:
    _save_checkpoint(tmp_path, "best", tensors(1.0), {})
    folder = next(path for path in tmp_path.iterdir() if path.is_dir())
    copy = folder / snapshots._TENSORS
    content = copy.read_bytes()
    copy.write_bytes(content[:20])
    with pytest.raises(IntegrityError, match=snapshots._TENSORS):
        _load_checkpoint(tmp_path, "best")
    copy.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        _load_checkpoint(tmp_path, "best")
    shutil.rmtree(folder)
    with pytest.raises(EngineError, match=r"manifest\.json"):
        _load_checkpoint(tmp_path, "best")


def test_weights_of_another_run_are_refused_and_the_difference_is_named() -> None:
    with pytest.raises(GateError) as caught:
        snapshots._require_same(
            {"data": "aaa", "window": 20, "model": {"hidden": 32}},
            {"data": "bbb", "window": 20, "model": {"hidden": 64}},
            "checkpoint best",
        )
    assert 'data: saved "aaa", now "bbb"' in caught.value.message
    assert "model.hidden: saved 32, now 64" in caught.value.message
    assert "window" not in caught.value.message


def test_long_values_are_told_whole_and_of_lists_what_differs() -> None:
    names, long = [f"feature_{n}" for n in range(50)], "x" * 200
    with pytest.raises(GateError) as caught:
        snapshots._require_same(
            {"features": names, "note": long, "order": [1, 2]},
            {"features": [*names[1:], "mine"], "note": long + "y", "order": [2, 1]},
            "checkpoint best",
        )
    message = caught.value.message
    assert 'features: saved with ["feature_0"], now with ["mine"]' in message
    assert f'note: saved "{long}", now "{long}y"' in message
    assert "order: saved [1, 2], now [2, 1]" in message


def test_an_optimiser_goes_on_exactly_where_it_was() -> None:
    def build() -> tuple[nn.Linear, torch.optim.AdamW]:
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        return model, torch.optim.AdamW(model.parameters(), lr=0.01)

    def step(model: nn.Linear, optimizer: torch.optim.AdamW, n: int) -> None:
        for i in range(n):
            optimizer.zero_grad()
            model(torch.full((3, 4), float(i))).square().sum().backward()
            optimizer.step()

    model, optimizer = build()
    step(model, optimizer, 5)
    packed, state = snapshots._pack_optimizer(optimizer)
    packed = {key: value.clone() for key, value in packed.items()}
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    step(model, optimizer, 4)

    other, fresh = build()
    other.load_state_dict(weights)
    snapshots._unpack_optimizer(fresh, packed, state)
    step(other, fresh, 4)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )


def test_random_states_come_back() -> None:
    states = {key: value.clone() for key, value in snapshots._pack_rng().items()}
    first = torch.rand(5)
    snapshots._restore_rng(states)
    assert torch.equal(torch.rand(5), first)


def test_progress_survives_json() -> None:
    progress = Progress()
    progress.step, progress.train_ics = 12, [0.1, float("nan")]
    progress.results.append(
        PhaseResult(
            name="baseline",
            epochs=2,
            best_epoch=1,
            rank_ic=0.02,
            rank_ic_se=0.01,
            null_band=float("nan"),
            ic=0.01,
            icir=0.1,
            smoothed=0.02,
            kept=True,
        )
    )
    from engine.files import strict

    again = Progress.from_state(strict(progress.to_state()))
    assert repr(again) == repr(progress)


def test_finished_weights_may_be_used_on_other_data_but_not_under_other_rules(
    tmp_path: Path,
) -> None:
    model = nn.Linear(2, 1)
    made = Snapshots(directory=tmp_path, identity={"data": "monday", "universe": 5})
    made.save_weights("kept", model, {"blocks": []})
    grown = Snapshots(directory=tmp_path, identity={"data": "tuesday", "universe": 5})
    with pytest.raises(GateError, match='data: saved "monday", now "tuesday"'):
        grown.load_weights("kept", model)
    assert grown.load_weights("kept", model, ignore=("data",))["blocks"] == []
    other = Snapshots(directory=tmp_path, identity={"data": "tuesday", "universe": 7})
    with pytest.raises(GateError, match="universe: saved 5, now 7"):
        other.load_weights("kept", model, ignore=("data",))
    with pytest.raises(GateError, match="universe"):
        other.files("kept", ignore=("data",))
    path, _ = grown.files("kept", ignore=("data",))
    assert path.is_file()
