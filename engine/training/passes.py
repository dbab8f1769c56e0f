"""How a step's gradients are computed: all rows in one piece, or cut into chunks for several threads."""

# Shape suffixes: M rows, C channels, F features.
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import Batch
from engine.model.atft_gat_fan import ATFTGATFAN, RankerOutput, RowState
from engine.model.dropout import MaskStream, masks_from, new_seed
from engine.training.device import Runtime
from engine.training.losses import combined_loss

CHUNK_ROWS = 512
"""Most rows that go through the network together; more would leave the cache between two operations."""
_MIN_ROWS = 64
"""Fewest rows of a chunk: below, its time is that of the interpreter, of which there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """Loss and output of whole days, cut off from their graph where the loss is."""

    loss: Tensor
    terms: dict[str, Tensor]
    """Unweighted values of the loss terms."""
    output: RankerOutput


class Pass(Protocol):
    """Forward and backward of whole days; adds ``share`` times the loss's gradient to the parameters'."""

    def __call__(
        self, model: ATFTGATFAN, batch: Batch, config: Config, share: float
    ) -> PassResult: ...


@dataclass(frozen=True, slots=True)
class WholePass:
    """All rows in one piece, every operation with the threads that torch has."""

    runtime: Runtime

    def __call__(self, model: ATFTGATFAN, batch: Batch, config: Config, share: float) -> PassResult:
        with self.runtime.autocast_context(), masks_from(MaskStream(new_seed())):
            output = model(batch)
        return _judged(output, batch, config, share)


@dataclass(frozen=True, slots=True)
class RowPass:
    """The rows in chunks, one thread to a chunk; graph, heads and losses see all of them together.

    Nine tenths of the network treat every stock by itself, so there is nothing to wait for inside a chunk,
    while a second thread in every single operation waits at the end of each. Three stages: the chunks
    forward; from their states, cut off from their graphs, the scores, the loss and its gradient; the chunks
    backward from the gradient of their states. So terms that couple stocks or days are what they are in
    one piece.

    Two runs are equal bit by bit: a chunk's operations run in one thread, its dropout masks depend on the
    rows alone and are those of one piece, and gradients are added in the order of the chunks.
    """

    executor: Executor
    """Its threads have told torch to use one thread each."""
    runtime: Runtime

    def __call__(self, model: ATFTGATFAN, batch: Batch, config: Config, share: float) -> PassResult:
        if batch.day_ptr[-1] < 2 * _MIN_ROWS:
            return WholePass(replace(self.runtime, autocast=False))(model, batch, config, share)
        # MKL has one number for all threads: two chunks would use four. And what is left here and in the
        # update is small: with two threads it took 26 ms instead of 20, for waking the second.
        torch.set_num_threads(1)
        masks, half = MaskStream(new_seed()), self.runtime.autocast
        chunks = [_Chunk(rows) for rows in _cut(batch.day_ptr[-1], self.runtime.threads)]
        self._each(chunks, lambda chunk: chunk.forward(model, batch, masks.seed, half=half))
        state = _joined([chunk.state for chunk in chunks])
        masks.calls = chunks[0].calls
        with masks_from(masks):
            output = model.rank(state, batch)
        result = _judged(output, batch, config, share)
        parameters = [p for p in model.parameters() if p.requires_grad]
        self._each(chunks, lambda chunk: chunk.backward(state, parameters))
        for chunk in chunks:
            _add(parameters, chunk.gradients)
        return result

    def _each(self, chunks: Sequence["_Chunk"], work: Callable[["_Chunk"], None]) -> None:
        """Do it to all; when the last one has ended, raise what the first that failed raised."""
        futures = [self.executor.submit(work, chunk) for chunk in chunks]
        wait(futures)
        for future in futures:
            future.result()


@dataclass(slots=True)
class _Chunk:
    rows: slice
    state: RowState = field(init=False)
    calls: int = 0
    """Masks made so far."""
    gradients: tuple[Tensor | None, ...] = ()

    def forward(self, model: ATFTGATFAN, batch: Batch, seed: int, *, half: bool) -> None:
        with masks_from(MaskStream(seed, first_row=self.rows.start)) as masks:
            self.state = model.read(batch.x_MTF[self.rows], batch.mask_MT[self.rows], half=half)
        self.calls = masks.calls

    def backward(self, joined: RowState, parameters: Sequence[Tensor]) -> None:
        """Gradients of the parameters from those of the state; its graph is gone after that."""
        outputs, gradients = [], []
        for mine_MC, all_MC in (
            (self.state.h_MC, joined.h_MC),
            (self.state.heard_MC, joined.heard_MC),
        ):
            if mine_MC.requires_grad and all_MC.grad is not None:
                outputs.append(mine_MC)
                gradients.append(all_MC.grad[self.rows])
        if outputs:
            self.gradients = torch.autograd.grad(outputs, parameters, gradients, allow_unused=True)


def _cut(n_rows: int, threads: int) -> list[slice]:
    """Chunks of nearly equal size, as many for each thread that has enough to do."""
    threads = max(1, min(threads, n_rows // _MIN_ROWS))
    count = threads * -(-n_rows // (threads * CHUNK_ROWS))
    edges = [n_rows * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(edges)]


def _joined(states: Sequence[RowState]) -> RowState:
    """The chunks' states one after another, as leaves that collect a gradient."""
    rows = torch.tensor([state.h_MC.shape[0] for state in states], dtype=torch.float32)
    selection_PF = torch.stack([state.selection_F for state in states])
    return RowState(
        h_MC=_leaf([state.h_MC for state in states]),
        heard_MC=_leaf([state.heard_MC for state in states]),
        gates={name: gate.detach() for name, gate in states[0].gates.items()},
        selection_F=(rows / rows.sum()) @ selection_PF,
    )


def _leaf(parts: Sequence[Tensor]) -> Tensor:
    joined = torch.cat([part.detach() for part in parts])
    return joined.requires_grad_(any(part.requires_grad for part in parts))


def _add(parameters: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=bool(gradients)):
        if gradient is None:
            continue
        if parameter.grad is None:
            parameter.grad = gradient
        else:
            parameter.grad.add_(gradient)


def _judged(output: RankerOutput, batch: Batch, config: Config, share: float) -> PassResult:
    """The loss; its gradient goes as far back as the output's graph does."""
    loss, terms = combined_loss(output, batch, config.loss, config.model.quantiles)
    (loss * share).backward()  # type: ignore[no-untyped-call]
    return PassResult(loss=loss.detach(), terms=terms, output=output)


@contextmanager
def open_pass(runtime: Runtime) -> Iterator[Pass]:
    """Chunks in optimized mode on the CPU, else one piece. The threads end with the block."""
    if not runtime.fast or runtime.device.type != "cpu":
        yield WholePass(runtime)
        return
    with ThreadPoolExecutor(
        runtime.threads, "rows", initializer=torch.set_num_threads, initargs=(1,)
    ) as executor:
        yield RowPass(executor, runtime)
