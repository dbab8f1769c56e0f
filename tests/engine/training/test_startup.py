"""The assertions pass a healthy network and refuse each fault of the system this product follows."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from engine.dataset.batch import Batch
from engine.errors import GateError
from engine.model.atft_gat_fan import ATFTGATFAN, RankerOutput, build_model
from engine.runs.events import AssertionChecked
from engine.runs.sink import ListSink
from engine.training.startup import _ASSERTIONS, check_startup
from tests.conftest import World


def build(world: World) -> ATFTGATFAN:
    torch.manual_seed(0)
    return build_model(world.config, len(world.features.features))


def check(world: World, model: ATFTGATFAN) -> list[AssertionChecked]:
    sink = ListSink()
    check_startup(
        model,
        world.features,
        world.graphs,
        session=int(world.split.train[-1]),
        window=world.config.split.window,
        device=torch.device("cpu"),
        sink=sink,
    )
    return [event for event in sink.events if isinstance(event, AssertionChecked)]


def test_the_real_network_passes_all_seven_and_is_left_as_it_was(world: World) -> None:
    model = build(world).train()
    state = torch.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    events = check(world, model)
    assert [event.name for event in events] == list(_ASSERTIONS)
    assert list(_ASSERTIONS) == [
        "output_varies",
        "input_sensitivity",
        "gradient_reaches_every_block",
        "permutation_equivariance",
        "unrelated_stocks",
        "determinism",
        "truncation",
    ], "the report, stored runs and docs/startup.md call them so"
    assert all(event.passed for event in events)
    assert model.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class ZeroPadded(nn.Module):
    """The original's normalisation: keeps the centre sample of each trailing window, pads the tail."""

    def __init__(self, inner: nn.Module, window: int) -> None:
        super().__init__()
        self.inner, self.window = inner, window

    def forward(self, x_MTF: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out_MTF, message_MC, share = self.inner(x_MTF)
        padded_MTF = torch.zeros_like(out_MTF)
        padded_MTF[:, : -(self.window // 2)] = out_MTF[:, self.window // 2 :]
        return padded_MTF, message_MC * 0.0, share


class ReadsLastStep(ATFTGATFAN):
    """The head reads the last step of the padded sequence and of nothing else."""

    def forward(self, batch: Batch, *, half: bool = False) -> RankerOutput:
        x_MTF, _, share = self.fan(batch.x_MTF)
        h_MC = self.embedding(torch.cat([x_MTF, torch.zeros_like(x_MTF[..., :1])], dim=-1))[:, -1]
        quantile_MHQ, _ = self.head(h_MC)
        return RankerOutput(
            score_MH=quantile_MHQ[..., self.head.median],
            quantile_MHQ=quantile_MHQ,
            student_MH2=None,
            gates={"fan": share},
            selection_F=torch.ones(self.n_features),
            attention=None,
        )


def test_zero_padded_tail_is_refused_with_the_blocks_that_have_no_gradient(world: World) -> None:
    model = build(world)
    model.__class__ = ReadsLastStep
    model.fan = ZeroPadded(model.fan, window=6)  # type: ignore[assignment]
    with pytest.raises(GateError) as caught:
        check(world, model)
    message = caught.value.message
    assert caught.value.exit_code == 6
    assert "output_varies" in message
    assert "input_sensitivity" in message
    for block in ("fan", "san", "selection", "temporal", "attention", "gat", "bypass"):
        assert block in message.split("no gradient from the rank loss in ")[1]


class Broken(ATFTGATFAN):
    """A network with one planted fault."""

    fault: Callable[[RankerOutput, Batch], Tensor]

    def forward(self, batch: Batch, *, half: bool = False) -> RankerOutput:
        output = super().forward(batch)
        return replace(output, score_MH=self.fault(output, batch))


FAULTS: dict[str, Callable[[RankerOutput, Batch], Tensor]] = {
    "output_varies": lambda out, batch: out.score_MH * 0 + out.score_MH.mean(),
    "permutation_equivariance": lambda out, batch: (
        out.score_MH + torch.linspace(0, 1, out.score_MH.shape[0])[:, None]
    ),
    "unrelated_stocks": lambda out, batch: (
        out.score_MH - 0.5 * out.score_MH.mean() * len(batch.sessions)
    ),
    "determinism": lambda out, batch: out.score_MH + 1e-3 * torch.randn_like(out.score_MH),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_named(world: World, name: str) -> None:
    model = build(world)
    model.__class__ = Broken
    model.fault = FAULTS[name]  # type: ignore[assignment]
    with pytest.raises(GateError, match=name):
        check(world, model)


def test_a_block_cut_off_from_the_loss_is_named_alone(world: World) -> None:
    model = build(world)
    model.attention.gate.linear.weight.requires_grad_(False)
    model.bypass.register_forward_hook(lambda module, args, out: (args[0], out[1]))
    with pytest.raises(GateError) as caught:
        check(world, model)
    assert "no gradient from the rank loss in gat, bypass" in caught.value.message
