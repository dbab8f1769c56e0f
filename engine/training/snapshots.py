"""The four checkpoints of a run, and how a trainer goes into one and comes out of it bit by bit.

`resume` holds everything (weights, their average, optimiser, random states, progress) and is replaced
every few steps; `healthy` the same at the phase's start or its last validation without a finding; `best`
the weights of the current phase's best epoch; `kept` those of the best phase so far, which is the run's
model.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.errors import IntegrityError
from engine.files import Json
from engine.training import checkpoint
from engine.training.ema import WeightAverage
from engine.training.progress import Progress

State = Literal["resume", "healthy"]
_Name = Literal["resume", "healthy", "best", "kept"]
MODEL, _AVERAGE, _OPTIMIZER, _RNG = "model.", "average.", "optimizer.", "rng."


@dataclass(slots=True, kw_only=True)
class Snapshots:
    """The checkpoints of one training."""

    directory: Path
    identity: Mapping[str, Any]
    """What the weights belong to: config, feature names, fingerprints. Compared when loading."""

    def can_resume(self) -> bool:
        """Whether there is a `resume` checkpoint."""
        return checkpoint.has_checkpoint(self.directory, "resume")

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
        return checkpoint.tensors_path(self.directory, name), saved.state

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
            packed, state["optimizer"] = checkpoint.pack_optimizer(optimizer)
            tensors |= {_OPTIMIZER + key: value for key, value in packed.items()}
        if average is not None:
            state["averaged"] = average.count
            tensors |= {_AVERAGE + key: value for key, value in average.mean.items()}
        tensors |= {_RNG + key: value for key, value in checkpoint.pack_rng().items()}
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
        checkpoint.save_checkpoint(
            self.directory, name, tensors, {**state, "identity": dict(self.identity)}
        )

    def _load(self, name: str, ignore: Collection[str] = ()) -> checkpoint.Checkpoint:
        if not checkpoint.has_checkpoint(self.directory, name):
            raise IntegrityError(
                f"{self.directory}: no checkpoint `{name}`", hint="start the training again"
            )
        saved = checkpoint.load_checkpoint(self.directory, name)
        theirs, ours = (
            {key: value for key, value in identity.items() if key not in ignore}
            for identity in (saved.state["identity"], self.identity)
        )
        checkpoint.require_same(theirs, ours, f"checkpoint {name}")
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
        checkpoint.unpack_optimizer(optimizer, self.optimizer_tensors, self.optimizer_state)
        average.restore(self.averaged, self.average, model)

    def restore_rng(self) -> None:
        """Put the random states back, as the last act before going on."""
        checkpoint.restore_rng(self.rng)


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
