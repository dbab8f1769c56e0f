"""What a model is called where a person reads it; in files, commands and configurations it keeps its key."""

from engine.plain_text import clean

PLAIN = "-plain"
"""Ending of the key of a member that learns the label as it is, not made neutral to `loss.neutral_to`."""
MODEL_NAMES = {
    "network": "network",
    "network_without_graph": "network without graph",
    "blend": "blend",
    "mlp": "perceptron",
    "lightgbm": "LightGBM",
    "ridge": "ridge",
    "reversal_1": "1-day reversal",
    "reversal_5": "5-day reversal",
    "momentum_12_1": "momentum 12-1",
    "equal_weight": "equal weight",
    "index": "index",
    "random": "random scores",
    "oracle": "oracle",
}
"""Key -> name of every model and baseline that the program brings."""


def model_name(key: str) -> str:
    """``mlp-plain`` -> ``perceptron (plain label)``; a model of the user's own keeps its name, cleaned."""
    kind = key.removesuffix(PLAIN)
    name = MODEL_NAMES.get(kind) or clean(kind)
    return name if kind == key else f"{name} (plain label)"
