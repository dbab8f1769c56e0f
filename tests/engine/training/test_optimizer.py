import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from engine.training.optimizer import _START_DIVISOR, build_optimizer, one_cycle, set_learning_rate


def test_one_cycle_by_hand() -> None:
    """100 steps: warm-up is steps 0..29, so its middle is 14.5 and the peak is step 29."""
    assert one_cycle(0, 100, 1.0) == pytest.approx(1 / _START_DIVISOR)
    assert one_cycle(29, 100, 1.0) == pytest.approx(1.0)
    middle = (one_cycle(14, 100, 1.0) + one_cycle(15, 100, 1.0)) / 2
    assert middle == pytest.approx((1 + 1 / _START_DIVISOR) / 2, rel=1e-3)
    assert one_cycle(99, 100, 1.0) < 1e-5


@given(st.integers(1, 500), st.floats(1e-5, 1e-1))
def test_one_cycle_stays_positive_and_peaks_once(total: int, peak: float) -> None:
    rates = [one_cycle(step, total, peak) for step in range(total)]
    assert all(0 < rate <= peak * (1 + 1e-12) for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


class TwoBlocks(nn.Module):
    """The part of a network that the optimiser looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.gat, self.heads = nn.Linear(3, 3), nn.Linear(3, 3)

    def module_groups(self) -> dict[str, nn.Module]:
        return {"gat": self.gat, "heads": self.heads}


def test_vectors_and_frozen_parameters_do_not_decay() -> None:
    model = TwoBlocks()
    model.heads.requires_grad_(requires_grad=False)
    optimizer = build_optimizer(model, learning_rate=0.1, weight_decay=0.5)
    before = [p.detach().clone() for p in model.parameters()]
    for parameter in model.gat.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    weight, bias, frozen_weight, frozen_bias = model.parameters()
    torch.testing.assert_close(weight, before[0] * (1 - 0.1 * 0.5))
    assert torch.equal(bias, before[1])
    assert torch.equal(frozen_weight, before[2])
    assert torch.equal(frozen_bias, before[3])


def test_trained_blocks_move_at_their_share_of_the_rate() -> None:
    """Adam's first step is rate x sign(gradient), so a tenth of the rate is a tenth of the step."""
    model = TwoBlocks()
    optimizer = build_optimizer(
        model, learning_rate=1.0, weight_decay=0.0, trained=["heads"], trained_scale=0.1
    )
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    set_learning_rate(optimizer, 0.01)
    optimizer.step()
    for name, parameter in model.named_parameters():
        step = 0.001 if name.startswith("heads") else 0.01
        torch.testing.assert_close(before[name] - parameter, torch.full_like(parameter, step))
