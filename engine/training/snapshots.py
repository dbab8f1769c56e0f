"""The four checkpoints of a run, and how a trainer goes into one and comes out of it bit by bit.

`resume` holds everything (weights, their average, optimiser, random states, progress) and is replaced
every few steps; `healthy` the same at the phase's start or its last validation without a finding; `best`
the weights of the current phase's best epoch; `kept` those of the best phase so far, which is the run's
model.
"""

import json
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine import disk, hashes
from engine.errors import GateError, IntegrityError
from engine.files import (
    MANIFEST,
    Json,
    read_json,
    read_manifest,
    write_json,
    write_manifest,
    write_text,
)
from engine.training import pointers
from engine.training.optimizer import WeightAverage
from engine.training.progress import Progress

_TENSORS, _STATE = "tensors.safetensors", "state.json"

State = Literal["resume", "healthy"]
_Name = Literal["resume", "healthy", "best", "kept"]
MODEL, _AVERAGE, _OPTIMIZER, _RNG = "model.", "average.", "optimizer.", "rng."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    """Tensors and state as they were saved."""

    tensors: dict[str, Tensor]
    state: Json


def _save_checkpoint(
    root: Path, name: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]
) -> None:
    """Write a new version and make it the current one; older versions are removed afterwards.

    Tensors may have any shape; they are written in their own type, NaN included.
    """
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    disk.again(lambda: _save(root, name, contiguous, state))


def _save(root: Path, name: str, tensors: dict[str, Tensor], state: Mapping[str, Any]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    versions = pointers.versions(root, name)
    number = max(versions, default=0) + 1
    staging = root / f".{name}-{number:06d}.tmp"
    target = root / f"{name}-{number:06d}"
    with disk.named(target, needs=sum(tensor.nbytes for tensor in tensors.values())):
        shutil.rmtree(staging, ignore_errors=True)
        try:
            staging.mkdir()
            save_file(tensors, staging / _TENSORS)
            _sync(staging / _TENSORS)
            write_json(staging / _STATE, state)
            write_manifest(staging, {"name": name})
            hashes.note(target / MANIFEST, staging / MANIFEST)
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    write_text(root / name, target.name + "\n")
    for old in versions.values():
        shutil.rmtree(old)


def _has_checkpoint(root: Path, name: str) -> bool:
    """Whether a checkpoint of this name is complete."""
    return (root / name).is_file()


def _load_checkpoint(root: Path, name: str) -> _Checkpoint:
    """The current version, after its hashes were checked. A damaged one is an IntegrityError."""
    directory = pointers.current(root, name)
    read_manifest(directory)
    try:
        tensors = load_file(directory / _TENSORS)
    except (safetensors.SafetensorError, OSError) as error:
        raise IntegrityError(f"{directory / _TENSORS}: not readable ({error})") from error
    return _Checkpoint(tensors=tensors, state=read_json(directory / _STATE))


def _tensors_path(root: Path, name: str) -> Path:
    """File of the current version's tensors."""
    return pointers.current(root, name) / _TENSORS


def _pack_optimizer(
    optimizer: torch.optim.Optimizer,
) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Moments as tensors ``<parameter>.<moment>`` in the parameter's shape, hyper-parameters as JSON."""
    saved = optimizer.state_dict()
    tensors = {
        f"{index}.{key}": torch.as_tensor(value)
        for index, moments in saved["state"].items()
        for key, value in moments.items()
    }
    groups = [
        {key: value for key, value in group.items() if not callable(value)}
        for group in saved["param_groups"]
    ]
    return tensors, {"param_groups": groups}


def _unpack_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], state: Mapping[str, Any]
) -> None:
    """Put the moments back; the optimiser must have the same parameters, in shape and order."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, moment = key.partition(".")
        moments.setdefault(int(index), {})[moment] = value
    groups = [
        {**group, "betas": tuple(group["betas"])} if "betas" in group else dict(group)
        for group in state["param_groups"]
    ]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})


def _pack_rng() -> dict[str, Tensor]:
    """Random states of torch on CPU and, where present, every CUDA device: byte tensors of shape ``[B]``."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda{i}": s for i, s in enumerate(torch.cuda.get_rng_state_all())}
    return states


def _restore_rng(states: Mapping[str, Tensor]) -> None:
    """Put random states back: byte tensors of any shape, as `_pack_rng` gave them."""
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            if f"cuda{i}" in states:
                torch.cuda.set_rng_state(states[f"cuda{i}"], i)


def _require_same(saved: Mapping[str, Any], current: Mapping[str, Any], what: str) -> None:
    """Refuse weights that belong to another model, data set or configuration, and say what differs."""
    a, b = (_leaves(json.loads(json.dumps(value))) for value in (saved, current))
    differences = [
        f"{key}: {_change(a.get(key), b.get(key))}"
        for key in sorted(a.keys() | b.keys())
        if a.get(key) != b.get(key)
    ]
    if differences:
        raise GateError(
            f"{what} belongs to another run: " + "; ".join(differences),
            hint="use the configuration and data that it was trained with, or train anew",
        )


def _leaves(value: Mapping[str, Any], table: str = "") -> dict[str, Any]:
    """Dotted key -> value of all tables in a table."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= _leaves(item, f"{table}{key}.") if isinstance(item, dict) else {table + key: item}
    return found


def _change(saved: Any, now: Any) -> str:
    """Both values whole; of two lists only what one of them lacks, if that is the difference."""
    if isinstance(saved, list) and isinstance(now, list):
        gone, new = ([x for x in a if x not in b] for a, b in ((saved, now), (now, saved)))
        if gone or new:
            return f"saved with {json.dumps(gone)}, now with {json.dumps(new)}"
    return f"saved {json.dumps(saved)}, now {json.dumps(now)}"


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@dataclass(slots=True, kw_only=True)
class Snapshots:
    """The checkpoints of one training."""

    directory: Path
    identity: Mapping[str, Any]
    """What the weights belong to: config, feature names, fingerprints. Compared when loading."""

    def can_resume(self) -> bool:
        """Whether there is a `resume` checkpoint."""
        return _has_checkpoint(self.directory, "resume")

    def healthy_step(self) -> int:
        """Step of the `healthy` checkpoint; EngineError if there is none or it is damaged."""
        return Progress.from_state(self._load("healthy").state["progress"]).step

    def save_weights(self, name: _Name, model: nn.Module, state: Mapping[str, Any]) -> None:
        """Save the weights, and ``state`` with them."""
        tensors = {MODEL + key: value for key, value in model.state_dict().items()}
        self._save(name, tensors, state)

    def load_weights(self, name: _Name, model: nn.Module, *, ignore: Collection[str] = ()) -> Json:
        """Put the weights into the model; returns the state saved with them.

        ``ignore``: entries of the identity that may differ.
        """
        saved = self._load(name, ignore)
        model.load_state_dict(_with_prefix(saved.tensors, MODEL))
        return saved.state

    def files(self, name: _Name, *, ignore: Collection[str] = ()) -> tuple[Path, Json]:
        """The tensors' file, whose hash was checked, and the state saved with it."""
        saved = self._load(name, ignore)
        return _tensors_path(self.directory, name), saved.state

    def save_state(
        self,
        name: State,
        model: nn.Module,
        optimizer: torch.optim.AdamW | None,
        average: WeightAverage | None,
        progress: Progress,
    ) -> None:
        """Save everything that the next step depends on; without an optimiser: between two phases."""
        tensors = {MODEL + key: value for key, value in model.state_dict().items()}
        state: dict[str, object] = {
            "progress": progress.to_state(),
            "optimizer": None,
            "averaged": 0,
        }
        if optimizer is not None:
            packed, state["optimizer"] = _pack_optimizer(optimizer)
            tensors |= {_OPTIMIZER + key: value for key, value in packed.items()}
        if average is not None:
            state["averaged"] = average.count
            tensors |= {_AVERAGE + key: value for key, value in average.mean.items()}
        tensors |= {_RNG + key: value for key, value in _pack_rng().items()}
        self._save(name, tensors, state)

    def load_state(self, name: State, model: nn.Module) -> "_Saved":
        """Weights go into the model now; the rest when the caller is ready."""
        saved = self._load(name)
        model.load_state_dict(_with_prefix(saved.tensors, MODEL))
        return _Saved(
            progress=Progress.from_state(saved.state["progress"]),
            optimizer_state=saved.state["optimizer"],
            optimizer_tensors=_with_prefix(saved.tensors, _OPTIMIZER),
            averaged=saved.state["averaged"],
            average=_with_prefix(saved.tensors, _AVERAGE),
            rng=_with_prefix(saved.tensors, _RNG),
        )

    def _save(self, name: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        _save_checkpoint(self.directory, name, tensors, {**state, "identity": dict(self.identity)})

    def _load(self, name: str, ignore: Collection[str] = ()) -> _Checkpoint:
        if not _has_checkpoint(self.directory, name):
            raise IntegrityError(
                f"{self.directory}: no checkpoint `{name}`", hint="start the training again"
            )
        saved = _load_checkpoint(self.directory, name)
        theirs, ours = (
            {key: value for key, value in identity.items() if key not in ignore}
            for identity in (saved.state["identity"], self.identity)
        )
        _require_same(theirs, ours, f"checkpoint {name}")
        return saved


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saved:
    """What a checkpoint holds beside the weights."""

    progress: Progress
    optimizer_state: Any
    optimizer_tensors: Mapping[str, Tensor]
    averaged: int
    average: Mapping[str, Tensor]
    rng: Mapping[str, Tensor]

    def restore_phase(
        self, model: nn.Module, optimizer: torch.optim.AdamW, average: WeightAverage
    ) -> None:
        """Put the optimiser's moments and the average back."""
        _unpack_optimizer(optimizer, self.optimizer_tensors, self.optimizer_state)
        average.restore(self.averaged, self.average, model)

    def restore_rng(self) -> None:
        """Put the random states back, as the last act before going on."""
        _restore_rng(self.rng)


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
