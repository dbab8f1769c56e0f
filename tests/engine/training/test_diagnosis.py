import numpy as np
import pytest
import torch
from torch import nn

from engine.config import MonitorConfig
from engine.runs.events import EpochEvaluated, Warned
from engine.training import diagnosis, probes

CONFIG = MonitorConfig()


def epoch(rank_ic: float, train: float, ratio: float = 0.3) -> EpochEvaluated:
    return EpochEvaluated(
        epoch=0,
        phase=0,
        split="validation",
        horizon=5,
        rank_ic=rank_ic,
        rank_ic_se=0.01,
        null_band=0.02,
        ic=rank_ic,
        n_dates=100,
        score_std_ratio=ratio,
        is_best=False,
        train_rank_ic=train,
    )


def codes(found: list[Warned]) -> list[str]:
    return [warning.code for warning in found]


def test_healthy_step_has_no_finding() -> None:
    assert diagnosis.of_step({"gat": 1e-3, "heads": 1.0}, {"bypass": 0.5}, CONFIG) == []


@pytest.mark.parametrize(
    ("norm", "alpha", "code"),
    [
        ({"gat": 9e-9}, {}, "graph_starved"),
        ({"gat": 0.0}, {}, "graph_starved"),
        ({"heads": 2e3}, {}, "exploding"),
        ({"gat": 1.0}, {"bypass": 0.99}, "gate_stuck"),
        ({"gat": 1.0}, {"bypass": 0.01}, "gate_stuck"),
    ],
)
def test_step_diagnoses(norm: dict[str, float], alpha: dict[str, float], code: str) -> None:
    found = diagnosis.of_step(norm, alpha, CONFIG)
    assert codes(found) == [code]
    assert found[0].hint


def test_collapsed_scores_also_when_undefined() -> None:
    assert codes(diagnosis.of_epoch([epoch(0.0, 0.0, 0.001)], CONFIG)) == ["scores_collapsed"]
    assert codes(diagnosis.of_epoch([epoch(0.0, 0.0, np.nan)], CONFIG)) == ["scores_collapsed"]


def test_overfitting_needs_three_growing_gaps_and_a_falling_validation() -> None:
    worse = [epoch(0.05 - 0.01 * i, 0.05 + 0.01 * i) for i in range(4)]
    assert codes(diagnosis.of_epoch(worse, CONFIG)) == ["overfitting"]
    assert diagnosis.of_epoch(worse[:3], CONFIG) == []
    better = [epoch(0.05 + 0.001 * i, 0.05 + 0.01 * i) for i in range(4)]
    assert diagnosis.of_epoch(better, CONFIG) == []


def test_gradient_norm_by_hand_and_absent_blocks() -> None:
    a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    a.weight.grad, a.bias.grad = torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])
    assert probes.gradient_norms({"a": a, "b": b}) == {"a": 5.0}


def test_top_features_are_sorted_and_stable() -> None:
    weights = np.array([0.1, 0.4, 0.1, 0.4], dtype=np.float32)
    assert list(probes.top_features(weights, ("a", "b", "c", "d"), 3)) == ["b", "d", "a"]
