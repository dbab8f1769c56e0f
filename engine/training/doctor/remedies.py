"""What helps against each diagnosis: in words, and as overrides that `--set` takes."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.config import Config
from engine.training.doctor.findings import Code

_Patch = dict[str, float | str]
_MAX_DROPOUT, _MAX_DECAY = 0.6, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remedy:
    """What to try against a diagnosis."""

    text: str
    patch: _Patch
    """Dotted key of config.toml -> value to try."""

    @property
    def hint(self) -> str:
        """Text and patch in one line."""
        words = " ".join(f"--set {key}={value}" for key, value in self.patch.items())
        return f"{self.text}; try {words}"


def remedy(code: Code, config: Config) -> _Remedy:
    """The remedy for a run of this configuration."""
    text, patch = _REMEDIES[code]
    return _Remedy(text=text, patch=patch(config))


def _scaled(value: float, factor: float) -> float:
    """Three significant digits: a suggestion, not a measurement."""
    return float(f"{value * factor:.3g}")


def _starved(config: Config) -> _Patch:
    model = config.model
    return {
        "model.alpha_init": min(model.alpha_init, 0.3),
        "model.graph_scale": _scaled(model.graph_scale, 2.0),
    }


def _stuck(config: Config) -> _Patch:
    rate = _scaled(config.training.learning_rate, 0.5)
    return {"model.alpha_init": 0.5, "training.learning_rate": rate}


def _collapsed(config: Config) -> _Patch:
    return {
        "loss.cs_ic": max(0.5, _scaled(config.loss.cs_ic, 2.0)),
        "training.weight_decay": _scaled(config.training.weight_decay, 0.5),
        "model.dropout": _scaled(config.model.dropout, 0.5),
    }


def _exploding(config: Config) -> _Patch:
    training = config.training
    return {
        "training.learning_rate": _scaled(training.learning_rate, 0.5),
        "training.gradient_clip": _scaled(training.gradient_clip, 0.5),
    }


def _non_finite(config: Config) -> _Patch:
    rate = _scaled(config.training.learning_rate, 0.25)
    return {"training.learning_rate": rate, "training.mode": "safe"}


def _overfitting(config: Config) -> _Patch:
    dropout, decay = config.model.dropout, config.training.weight_decay
    return {
        "model.dropout": max(dropout, min(_MAX_DROPOUT, _scaled(dropout + 0.1, 1.0))),
        "training.weight_decay": max(decay, min(_MAX_DECAY, _scaled(decay, 3.0))),
    }


_REMEDIES: dict[Code, tuple[str, Callable[[Config], _Patch]]] = {
    "graph_starved": (
        "check that the graph has edges; give the graph stream more weight at the start, or go without it",
        _starved,
    ),
    "gate_stuck": (
        "start the gate in the middle and lower the learning rate; see that no phase freezes it",
        _stuck,
    ),
    "scores_collapsed": (
        "the network hardly tells stocks apart: more weight for the correlation loss, less shrinkage",
        _collapsed,
    ),
    "exploding": ("lower the learning rate and clip earlier", _exploding),
    "non_finite": (
        "lower the learning rate; in safe mode no half precision is used",
        _non_finite,
    ),
    "overfitting": ("more dropout and weight decay, or fewer epochs", _overfitting),
}
