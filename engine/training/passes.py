"""How a step's gradients are computed: all rows in one piece, in chunks for several threads, or in parts.

Nine tenths of the network treat every stock by itself, so the rows may be cut anywhere there. Three stages:
the chunks forward; from their states, cut off from their graphs, the scores, the loss and its gradient; the
chunks backward from the gradient of their states. So terms that couple stocks or days are what they are in
one piece, and the dropout masks, which depend on the row alone, too.
"""

# Shape suffixes: M rows, C channels, F features.
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import Batch
from engine.model.atft_gat_fan import ATFTGATFAN, RankerOutput, RowState
from engine.model.dropout import MaskStream, StepMasks, masks_from
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


Judged = tuple[RankerOutput, Tensor, dict[str, Tensor]]
ForwardAndLoss = Callable[[ATFTGATFAN, Batch, Config, bool], Judged]


def forward_and_loss(model: ATFTGATFAN, batch: Batch, config: Config, half: bool) -> Judged:
    """Output, loss and its terms of whole days in one piece."""
    return _judged(model(batch, half=half), batch, config)


def _judged(output: RankerOutput, batch: Batch, config: Config) -> Judged:
    return output, *combined_loss(output, batch, config.loss, config.model.quantiles)


def _backward(output: RankerOutput, loss: Tensor, terms: dict[str, Tensor]) -> PassResult:
    """The loss's gradient goes as far back as the output's graph does."""
    loss.backward()  # type: ignore[no-untyped-call]
    return PassResult(loss=loss.detach(), terms=terms, output=output)


@dataclass(frozen=True, slots=True)
class StepPass:
    """Forward and backward of whole days; adds the loss's gradient to the parameters'.

    On an accelerator in one piece; on the CPU in chunks of rows, one thread to a chunk, since a second thread
    in every single operation waits at the end of each. Two runs are equal bit by bit: a chunk's operations
    run in one thread, and gradients are added in the order of the chunks.
    """

    runtime: Runtime
    executor: Executor | None = None
    """Its threads have told torch to use one thread each; without it the chunks go one after the other."""
    forward_and_loss: ForwardAndLoss = forward_and_loss
    """What goes through in one piece; may be compiled."""

    def __call__(
        self, model: ATFTGATFAN, batch: Batch, config: Config, *, seed: int, parts: int = 1
    ) -> PassResult:
        """``seed`` of the dropout masks. ``parts`` > 1: for a device whose memory does not hold the whole.

        Then the states of one part after another are computed, forgotten, and computed again for their
        gradient: the same gradient to the last bits of its sums, in the memory of one part and of the stage
        between.
        """
        n_rows, half = batch.day_ptr[-1], self.runtime.autocast
        masks, again = StepMasks(seed, n_rows), parts > 1
        cut = _even(n_rows, parts) if again else self._cut(n_rows)
        if len(cut) == 1:
            with masks_from(MaskStream(masks)):
                return _backward(*self.forward_and_loss(model, batch, config, half))
        # MKL has one number for all threads: two chunks would use four. The stage between has them all.
        torch.set_num_threads(1)
        chunks = [_Chunk(rows, masks, half=half) for rows in cut]
        with torch.no_grad() if again else nullcontext():
            self._each(chunks, lambda chunk: chunk.forward(model, batch), alone=again)
        joined = _joined([chunk.state for chunk in chunks], has_graph=not again)
        torch.set_num_threads(self.runtime.threads)
        with masks_from(MaskStream(masks, calls=chunks[0].calls)):
            output = model.rank(joined, batch)
        result = _backward(*_judged(output, batch, config))
        torch.set_num_threads(1)
        parameters = [p for p in model.parameters() if p.requires_grad]

        def backward(chunk: _Chunk) -> None:
            if again:
                chunk.forward(model, batch)
            chunk.backward(joined, parameters)

        self._each(chunks, backward, alone=again)
        for chunk in chunks:
            _add(parameters, chunk.gradients)
        return result

    def _cut(self, n_rows: int) -> list[slice]:
        """Chunks of nearly equal size, as many for each thread that has enough to do; one on a device."""
        if self.runtime.device.type != "cpu":
            return [slice(0, n_rows)]
        threads = max(1, min(self.runtime.threads, n_rows // _MIN_ROWS))
        return _even(n_rows, threads * -(-n_rows // (threads * CHUNK_ROWS)))

    def eager(self) -> "StepPass":
        """The same without compiled code."""
        return replace(self, forward_and_loss=forward_and_loss)

    def _each(
        self, chunks: Sequence["_Chunk"], work: Callable[["_Chunk"], None], *, alone: bool
    ) -> None:
        """Do it to all; when the last one has ended, raise what the first that failed raised."""
        if self.executor is None or alone:
            for chunk in chunks:
                work(chunk)
            return
        futures = [self.executor.submit(work, chunk) for chunk in chunks]
        wait(futures)
        for future in futures:
            future.result()


@dataclass(slots=True)
class _Chunk:
    rows: slice
    masks: StepMasks
    half: bool
    state: RowState = field(init=False)
    calls: int = 0
    """Masks handed out so far."""
    gradients: tuple[Tensor | None, ...] = ()

    def forward(self, model: ATFTGATFAN, batch: Batch) -> None:
        with masks_from(MaskStream(self.masks, self.rows)) as stream:
            self.state = model.read(
                batch.x_MTF[self.rows], batch.mask_MT[self.rows], half=self.half
            )
        self.calls = stream.calls

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
        del self.state


def _even(n_rows: int, count: int) -> list[slice]:
    """``count`` pieces of nearly equal size, none of them empty."""
    edges = [n_rows * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(edges) if pair[0] < pair[1]]


def _joined(states: Sequence[RowState], *, has_graph: bool) -> RowState:
    """The chunks' states one after another, as leaves that collect a gradient."""
    rows = torch.tensor([float(state.h_MC.shape[0]) for state in states])
    share_P = (rows / rows.sum()).to(states[0].selection_F.device, non_blocking=True)
    return RowState(
        h_MC=_leaf([state.h_MC for state in states], has_graph=has_graph),
        heard_MC=_leaf([state.heard_MC for state in states], has_graph=has_graph),
        gates={name: gate.detach() for name, gate in states[0].gates.items()},
        selection_F=share_P @ torch.stack([state.selection_F for state in states]),
    )


def _leaf(parts: Sequence[Tensor], *, has_graph: bool) -> Tensor:
    joined = torch.cat([part.detach() for part in parts])
    return joined.requires_grad_(not has_graph or any(part.requires_grad for part in parts))


def _add(parameters: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=bool(gradients)):
        if gradient is None:
            continue
        if parameter.grad is None:
            parameter.grad = gradient
        else:
            parameter.grad.add_(gradient)


@contextmanager
def open_pass(runtime: Runtime) -> Iterator[StepPass]:
    """With threads for the chunks where there are several; they end with the block."""
    if runtime.device.type != "cpu" or runtime.threads == 1:
        yield StepPass(runtime)
        return
    with ThreadPoolExecutor(
        runtime.threads, "rows", initializer=torch.set_num_threads, initargs=(1,)
    ) as executor:
        yield StepPass(runtime, executor)
