"""Named sets of overrides (`--preset NAME`): dotted key -> value, on top of the defaults."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "cpu-small": {
        "features.breadth": "core",
        "model.hidden": 64,
        "split.window": 10,
        "loss.base": 0.1,
        "loss.rank_ic": 0.0,
        "loss.cs_ic": 1.0,
        "loss.sharpe": 0.0,
        "training.epochs": (6, 1, 1, 1),
    },
    "base": {"model.hidden": 64, "model.gat_heads": (4, 2)},
    "large": {"model.hidden": 256, "model.attention_heads": 8, "model.gat_heads": (8, 4)},
    "demo": {
        "data.market": "synthetic",
        "features.breadth": "core",
        "data.synthetic.n_sessions": 1400,
        "universe.min_history": 130,
        "universe.min_price": 0.0,
        "universe.min_turnover": 0.0,
        "graph.window": 120,
        "graph.half_life": 60.0,
        "split.window": 12,
        "split.validation_sessions": 160,
        "split.test_sessions": 252,
        "model.dropout": 0.4,
        "loss.base": 0.3,
        "loss.cs_ic": 1.0,
        "training.learning_rate": 1e-3,
        "training.epochs": (3, 1, 6, 1),
    },
}
PRESETS["planted"] = PRESETS["demo"] | {
    "data.synthetic.n_symbols": 1000,
    "data.synthetic.n_sessions": 2000,
    "features.columns": ("volume_level_10_250",),
    "universe.min_history": 252,
    "graph.window": 250,
    "graph.half_life": 250.0,
    "model.hidden": 64,
    "model.blocks": ("gat", "bypass"),
    "model.gat_heads": (4,),
    "model.dropout": 0.3,
    "loss.sharpe": 0.0,
    "training.learning_rate": 2e-3,
    "training.averaging": "ema",
    "training.epochs": (3, 0, 6, 0),
    "training.phases.gat.trained_scale": 0.5,
}
"""``training.epochs`` is short for the epochs of the phases, in order."""
