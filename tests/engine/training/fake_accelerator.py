"""A training step on a make-believe accelerator: `python -m tests.engine.training.fake_accelerator FAULT`.

The device has no memory and computes nothing; shapes, types and devices are propagated as on a real one,
so a tensor that stayed on the CPU is an error here as it would be on CUDA. Registering the device changes
torch for the whole process, hence a process of its own.
"""

import sys
import types

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from engine.config import Config
from engine.dataset.batch import TENSORS, Batch
from engine.model.build import build_model
from engine.training.losses import combined_loss
from engine.training.optimizer import build_optimizer

DEVICE = "fakegpu"
N_FEATURES, ROWS, EDGES = 6, 24, 40


def register() -> None:
    module = types.ModuleType(f"torch.{DEVICE}")
    values = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "is_initialized": lambda: True,
        "_is_in_bad_fork": lambda: False,
        "manual_seed_all": lambda seed: None,
        "get_amp_supported_dtype": lambda: [torch.bfloat16, torch.float16],
    }
    for name, value in values.items():
        setattr(module, name, value)
    _setup_privateuseone_for_python_backend(DEVICE, module)


def make_batch(config: Config) -> Batch:
    T, H = config.split.window, len(config.labels.horizons)
    half = ROWS // 2
    source = torch.randint(0, half, (EDGES,))
    return Batch(
        dates=(),
        sessions=(0, 1),
        day_ptr=(0, half, ROWS),
        symbol_M=torch.arange(ROWS),
        x_MTF=torch.randn(ROWS, T, N_FEATURES),
        mask_MT=torch.ones(ROWS, T),
        y_MH=torch.randn(ROWS, H),
        target_MH=torch.randn(ROWS, H),
        edge_index_2E=torch.stack([source, source.roll(1)]),
        edge_attr_EK=torch.rand(EDGES, 3),
    )


def move(model: nn.Module, mode: FakeTensorMode) -> None:
    """What ``model.to(device)`` does: parameters and buffers, and nothing else."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                moved = mode.from_tensor(parameter.detach()).to(DEVICE)
                module._parameters[name] = nn.Parameter(moved)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = mode.from_tensor(buffer).to(DEVICE)


def step(fault: str) -> None:
    config = Config()
    model = build_model(config, N_FEATURES)
    batch = make_batch(config)
    if fault == "attribute":
        offset = torch.zeros(config.model.hidden)
        model.embedding.register_forward_hook(lambda module, args, out: out + offset)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        move(model, mode)
        moved = {name: mode.from_tensor(getattr(batch, name)).to(DEVICE) for name in TENSORS}
        if fault == "edges":
            moved["edge_index_2E"] = mode.from_tensor(batch.edge_index_2E)
        there = type(batch)(
            dates=batch.dates, sessions=batch.sessions, day_ptr=batch.day_ptr, **moved
        )
        optimizer = build_optimizer(model, learning_rate=1e-3, weight_decay=0.01)
        output = model(there)
        loss, _ = combined_loss(output, there, config.loss, config.model.quantiles)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=False)
        for group in optimizer.param_groups:
            group["foreach"] = False
        optimizer.step()
        away: list[Tensor] = [p.grad for p in model.parameters() if p.grad is not None]
        assert away
        assert all(gradient.device.type == DEVICE for gradient in away)
        assert output.score_MH.device.type == DEVICE
        assert output.score_MH.shape == (ROWS, len(config.labels.horizons))


if __name__ == "__main__":
    register()
    step(sys.argv[1])
