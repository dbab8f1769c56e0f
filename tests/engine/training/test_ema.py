"""Averages of weights by hand, and that the model gets its own weights back."""

import pytest
import torch
from torch import nn

from engine.training.optimizer import WeightAverage


def walk(average: WeightAverage, values: list[float]) -> nn.Linear:
    """A one-weight model that has each value in turn, equally spaced over the phase."""
    model = nn.Linear(1, 1, bias=False)
    for number, value in enumerate(values, start=1):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update(model, number / len(values))
    return model


def averaged(average: WeightAverage, model: nn.Linear) -> float:
    with average.applied(model):
        return model.weight.item()


def test_none_is_the_newest_weight() -> None:
    average = WeightAverage(kind="none", decay=0.9, start=0.0)
    model = walk(average, [1.0, 2.0, 5.0])
    assert averaged(average, model) == 5.0
    assert average.mean == {}


def test_swa_is_the_mean_from_its_start() -> None:
    average = WeightAverage(kind="swa", decay=0.9, start=0.5)
    model = walk(average, [1.0, 2.0, 5.0, 9.0])
    assert averaged(average, model) == pytest.approx((2 + 5 + 9) / 3)
    early = WeightAverage(kind="swa", decay=0.9, start=0.9)
    before = nn.Linear(1, 1, bias=False)
    early.update(before, 0.5)
    assert averaged(early, before) == before.weight.item(), "nothing averaged yet"


def test_ema_by_hand() -> None:
    average = WeightAverage(kind="ema", decay=0.25, start=0.0)
    model = walk(average, [1.0, 2.0, 5.0])
    # Shares kept: n = 2 min(.25, 3/12) = .25, n = 3 min(.25, 4/13) = .25.
    expected = 0.25 * (0.25 * 1.0 + 0.75 * 2.0) + 0.75 * 5.0
    assert averaged(average, model) == pytest.approx(expected)
    slow = WeightAverage(kind="ema", decay=0.999, start=0.0)
    model = walk(slow, [1.0, 2.0])
    assert averaged(slow, model) == pytest.approx(3 / 12 * 1.0 + 9 / 12 * 2.0)


def test_the_model_keeps_its_own_weights_also_after_an_error() -> None:
    average = WeightAverage(kind="swa", decay=0.9, start=0.0)
    model = walk(average, [1.0, 3.0])
    with pytest.raises(RuntimeError), average.applied(model):
        raise RuntimeError
    assert model.weight.item() == 3.0
    other = WeightAverage(kind="swa", decay=0.9, start=0.0)
    other.restore(average.count, average.mean, model)
    assert averaged(other, model) == 2.0
