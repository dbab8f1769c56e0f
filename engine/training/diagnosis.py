"""Named diagnoses: what is wrong, by which figure, and what to do. Pure functions of monitor values."""

import itertools
from collections.abc import Mapping, Sequence

from engine.config import MonitorConfig
from engine.runs.events import EpochEvaluated, Warned

EXPLODING_NORM = 1e3
STUCK_MARGIN = 0.02
GAP_EPOCHS = 3


def of_step(
    norm: Mapping[str, float], alpha: Mapping[str, float], config: MonitorConfig
) -> list[Warned]:
    """Diagnoses of one monitored step: gradients before clipping, gate shares."""
    found = []
    if "gat" in norm and norm["gat"] < config.gradient_low:
        found.append(
            Warned(
                code="graph_starved",
                message=f"gradient of the graph block is {norm['gat']:.1e}, below {config.gradient_low:.0e}",
                hint="raise model.graph_scale or lower model.alpha_init; check that the graph has edges",
            )
        )
    total = sum(value * value for value in norm.values()) ** 0.5
    if total > EXPLODING_NORM:
        found.append(
            Warned(
                code="exploding",
                message=f"gradient norm {total:.1e} before clipping",
                hint="lower training.learning_rate",
            )
        )
    bypass = alpha.get("bypass")
    if bypass is not None and not STUCK_MARGIN < bypass < 1 - STUCK_MARGIN:
        side = "projected stream" if bypass > 0.5 else "graph"
        found.append(
            Warned(
                code="gate_stuck",
                message=f"bypass gate alpha is {bypass:.3f}: only the {side} is heard",
                hint="lower training.learning_rate or set model.alpha_init nearer to 0.5",
            )
        )
    return found


def of_epoch(history: Sequence[EpochEvaluated], config: MonitorConfig) -> list[Warned]:
    """Diagnoses of the newest validation, given all validations of the phase so far."""
    found = []
    last = history[-1]
    if not last.score_std_ratio >= config.min_score_std_ratio:
        found.append(
            Warned(
                code="scores_collapsed",
                message=f"eval-mode score deviation is {last.score_std_ratio:.4f} of the label's",
                hint="the network hardly tells stocks apart: check loss weights and dropout",
            )
        )
    recent = history[-GAP_EPOCHS - 1 :]
    gaps = [event.train_rank_ic - event.rank_ic for event in recent]
    grew = len(gaps) > GAP_EPOCHS and all(b > a for a, b in itertools.pairwise(gaps))
    if grew and last.rank_ic < recent[0].rank_ic:
        found.append(
            Warned(
                code="overfitting",
                message=f"training RankIC rose and validation RankIC fell for {GAP_EPOCHS} epochs",
                hint="raise model.dropout or training.weight_decay, or lower the phase's epochs",
            )
        )
    return found
