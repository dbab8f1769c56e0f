"""The training step that is timed: sizes, a random batch of whole days, and a stepper on it.

The step is the trainer's own (`Stepper`): forward, all loss terms, backward, clipping, AdamW.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields, replace
from typing import Any, Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.config import Config
from engine.config.file import resolve
from engine.dataset.batch import Batch, neighbour_table
from engine.model.atft_gat_fan import build_model
from engine.training.device import apply_mode
from engine.training.optimizer import build_optimizer
from engine.training.passes import open_pass
from engine.training.step import Stepper, compiled

RATE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    stocks: int = 1000
    days: int = 1
    """Whole days in one optimiser step."""
    window: int = 20
    features: int = 110
    hidden: int = 64
    degree: int = 10

    @property
    def samples(self) -> int:
        return self.stocks * self.days

    def arguments(self) -> list[str]:
        return [str(value) for value in astuple(self)]

    @classmethod
    def parse(cls, words: Sequence[str]) -> "Case":
        names = [field.name for field in fields(cls)]
        return cls(**dict(zip(names, map(int, words), strict=True)))

    def config(self) -> Config:
        """The `base` preset, every block on, at this case's window and width."""
        overrides = [f"split.window={self.window}", f"model.hidden={self.hidden}"]
        return resolve([], preset="base", overrides=overrides).config


SMOKE = Case(stocks=8, window=5, features=3, hidden=8, degree=2)


def random_batch(case: Case, config: Config) -> Batch:
    """Normal features and labels; each stock listens to ``degree`` others of its day."""
    torch.manual_seed(0)
    rows, H = case.samples, len(config.labels.horizons)
    target_E = torch.arange(rows).repeat_interleave(case.degree)
    step_E = torch.arange(1, case.degree + 1).repeat(rows) * 7 % max(case.stocks - 1, 1) + 1
    source_E = target_E // case.stocks * case.stocks + (target_E + step_E) % case.stocks
    edges_2E = torch.stack([source_E, target_E]).numpy()
    return Batch.of_rows(
        dates=(),
        sessions=tuple(range(case.days)),
        day_ptr=tuple(case.stocks * d for d in range(case.days + 1)),
        neighbours=neighbour_table(edges_2E, torch.rand(target_E.numel(), 3).numpy(), rows),
        symbol_M=torch.arange(rows) % case.stocks,
        x_MTF=torch.randn(rows, case.window, case.features),
        mask_MT=torch.ones(rows, case.window),
        y_MH=torch.randn(rows, H) * 0.02,
        target_MH=torch.randn(rows, H),
    )


@dataclass(slots=True)
class TimedNetwork:
    """The whole network in one mode on one batch."""

    stepper: Stepper
    batch: Batch

    def step(self) -> None:
        self.stepper(self.batch, RATE, monitor=False)
        self.stepper.settle()

    def score(self) -> None:
        """Inference of the batch, as validation and `predict` do it."""
        self.stepper.runtime.hold_threads()
        self.stepper.model.eval()
        with torch.inference_mode():
            self.stepper.model(self.batch)


@contextmanager
def timed_network(
    case: Case,
    mode: Literal["safe", "optimized"],
    *,
    threads: int | None = None,
    device: str = "cpu",
    through_compiler: bool = False,
) -> Iterator[TimedNetwork]:
    """``threads``: other than the mode's own number, for comparisons at equal threads."""
    config = case.config()
    runtime = apply_mode(mode, torch.device(device), 0)
    if threads is not None:
        runtime = replace(runtime, threads=threads)
        torch.set_num_threads(threads)
    model = build_model(config, case.features).to(device)
    with open_pass(runtime) as forward_backward:
        if through_compiler:
            forward_backward = compiled(forward_backward)
        stepper = Stepper(
            config=config,
            model=model,
            runtime=runtime,
            forward_backward=forward_backward,
            optimizer=build_optimizer(model, learning_rate=RATE, weight_decay=1e-2),
        )
        yield TimedNetwork(stepper, random_batch(case, config).to(device))


def wait(device: str) -> None:
    """Until the device has done what was sent to it."""
    if device == "cuda":
        torch.cuda.synchronize()


def gemm_gflops(
    size: int = 2048,
    repeats: int = 5,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> float:
    """Best throughput of a square matrix product with the threads and modes set now, GFLOP/s."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats + 1):
        start = time.perf_counter()
        torch.mm(a, b)
        wait(device)
        best = min(best, time.perf_counter() - start)
    return 2.0 * size**3 / best / 1e9


def step_gflop(case: Case) -> float:
    """Floating-point operations of the matrix products of one training step, 1e9.

    Counted on the eager network by `FlopCounterMode`, and the LSTM, which it does not know, by its formula:
    activations, norms, softmax, dropout, gathers, losses and the optimiser count as 0.
    """
    layer, backward = torch.ops.aten.mkldnn_rnn_layer, torch.ops.aten.mkldnn_rnn_layer_backward
    formulas = {layer: _lstm_flop, backward: lambda *shapes, **_: 2 * _lstm_flop(*shapes)}
    with (
        timed_network(case, "safe") as network,
        FlopCounterMode(display=False, custom_mapping=formulas) as counter,
    ):
        network.step()
    return float(counter.get_total_flops()) / 1e9


def _lstm_flop(
    x_TMC: Sequence[int], w_GC: Sequence[int], u_GH: Sequence[int], *_: Any, **__: Any
) -> int:
    """Multiplications and additions of ``W x + U h`` over all sessions and rows."""
    T, M, C = x_TMC
    return 2 * T * M * w_GC[0] * (C + u_GH[1])


SIZES = {field.name: (field.default, getattr(SMOKE, field.name)) for field in fields(Case)}
"""The case as options: its size, and that of a smoke run."""


def case_of(options: argparse.Namespace) -> Case:
    """The case of options that were read with `SIZES`."""
    return Case(**{name: getattr(options, name) for name in SIZES})
