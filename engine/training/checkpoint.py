"""Checkpoints that survive anything: versioned folders, and a pointer file that is swapped by a rename.

    root/resume-00001200/{tensors.safetensors, state.json, manifest.json}     root/resume   (names the folder)

The folder is complete before the pointer names it, so at any kill the old or the new checkpoint is
there. Tensors are safetensors and JSON, never pickles: reading one cannot run code.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

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

TENSORS, STATE = "tensors.safetensors", "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Tensors and state as they were saved."""

    tensors: dict[str, Tensor]
    state: Json


def save_checkpoint(
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
            save_file(tensors, staging / TENSORS)
            _sync(staging / TENSORS)
            write_json(staging / STATE, state)
            write_manifest(staging, {"name": name})
            hashes.note(target / MANIFEST, staging / MANIFEST)
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    write_text(root / name, target.name + "\n")
    for old in versions.values():
        shutil.rmtree(old)


def has_checkpoint(root: Path, name: str) -> bool:
    """Whether a checkpoint of this name is complete."""
    return (root / name).is_file()


def load_checkpoint(root: Path, name: str) -> Checkpoint:
    """The current version, after its hashes were checked. A damaged one is an IntegrityError."""
    directory = pointers.current(root, name)
    read_manifest(directory)
    try:
        tensors = load_file(directory / TENSORS)
    except (safetensors.SafetensorError, OSError) as error:
        raise IntegrityError(f"{directory / TENSORS}: not readable ({error})") from error
    return Checkpoint(tensors=tensors, state=read_json(directory / STATE))


def tensors_path(root: Path, name: str) -> Path:
    """File of the current version's tensors."""
    return pointers.current(root, name) / TENSORS


def pack_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, object]]:
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


def unpack_optimizer(
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


def pack_rng() -> dict[str, Tensor]:
    """Random states of torch on CPU and, where present, every CUDA device: byte tensors of shape ``[B]``."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda{i}": s for i, s in enumerate(torch.cuda.get_rng_state_all())}
    return states


def restore_rng(states: Mapping[str, Tensor]) -> None:
    """Put random states back: byte tensors of any shape, as `pack_rng` gave them."""
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            if f"cuda{i}" in states:
                torch.cuda.set_rng_state(states[f"cuda{i}"], i)


def require_same(saved: Mapping[str, Any], current: Mapping[str, Any], what: str) -> None:
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
