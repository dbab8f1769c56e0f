"""How a step's gradients are computed: all rows in one piece, in chunks for several threads, or in parts.

Nine tenths of the network treat every stock by itself, so the rows may be cut anywhere there. Three stages:
the chunks forward; from their states, cut off from their graphs, the scores, the loss and its gradient; the
chunks backward from the gradient of their states. So terms that couple stocks or days are what they are in
one piece, and the dropout masks, which depend on the row alone, too. With several ranks each reads its
share of the rows (`ranks.py`), cut in the same ways.
"""

# Shape suffixes: M rows, C channels, F features.
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import Batch
from engine.dataset.windows import windows
from engine.features.feature_set import FeatureSet
from engine.model.atft_gat_fan import ATFTGATFAN, RankerOutput, RowState
from engine.model.dropout import MaskStream, StepMasks, masks_from
from engine.training.device import Runtime, is_out_of_memory
from engine.training.losses import combined_loss
from engine.training.ranks import Back, End, Ranks, Read, shares

_CHUNK_ROWS = 512
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


_Judged = tuple[RankerOutput, Tensor, dict[str, Tensor]]
_ForwardAndLoss = Callable[[ATFTGATFAN, Batch, Config, bool], _Judged]


def forward_and_loss(model: ATFTGATFAN, batch: Batch, config: Config, half: bool) -> _Judged:
    """Output, loss and its terms of whole days in one piece."""
    return _judged(model(batch, half=half), batch, config)


def _judged(output: RankerOutput, batch: Batch, config: Config) -> _Judged:
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
    forward_and_loss: _ForwardAndLoss = forward_and_loss
    """What goes through in one piece; may be compiled."""

    @property
    def ranks(self) -> Ranks:
        """Who else reads rows of a step."""
        return self.runtime.ranks

    def __call__(
        self, model: ATFTGATFAN, batch: Batch, config: Config, *, seed: int, parts: int = 1
    ) -> PassResult:
        """``seed`` of the dropout masks. ``parts`` > 1: for a device whose memory does not hold the whole.

        Then the states of one part after another are computed, forgotten, and computed again for their
        gradient: the same gradient to the last bits of its sums, in the memory of one part and of the stage
        between. With several ranks each computes its share of the rows in so many parts.
        """
        n_rows, ranks = batch.day_ptr[-1], self.ranks
        order = Read(
            sessions=batch.sessions,
            seed=seed,
            half=self.runtime.autocast,
            parts=parts,
            blocks=tuple(model.blocks),
            trained=tuple(p.requires_grad for p in model.parameters()),
        )
        rows = self._rows(order, n_rows, batch.x_MTF, batch.mask_MT)
        if ranks.size == 1 and len(rows.chunks) == 1:
            with masks_from(MaskStream(rows.masks)):
                return _backward(*self.forward_and_loss(model, batch, config, order.half))
        ranks.begin_step(order, model)
        joined = _leaves(ranks.joined(self._forward(rows, model), n_rows), rows)
        torch.set_num_threads(self.runtime.threads)
        with masks_from(MaskStream(rows.masks, calls=rows.chunks[0].calls)):
            output = model.rank(joined, batch)
        result = _backward(*_judged(output, batch, config))
        gradients = _gradient(joined.h_MC), _gradient(joined.heard_MC)
        ranks.share_out(gradients)
        self._back(rows, model, gradients)
        return result

    def follow(self, model: ATFTGATFAN, features: FeatureSet, window: int) -> int:
        """On another rank than 0: read rows of its steps until it has ended; returns their number.

        ``features`` have the days that rank 0 trains on; of them only inputs and members are used.
        """
        steps, device = 0, self.runtime.device
        with ThreadPoolExecutor(1, "ahead") as executor:
            ahead = _Ahead(features, window, self.ranks, executor)
            while not isinstance(order := self.ranks.hear(), End):
                self.runtime.hold_threads()
                try:
                    if isinstance(order, Read):
                        _as_told(model, order)
                        self.ranks.hear_weights(model)
                        n_rows, x_MTF, mask_MT = ahead.take(order)
                        rows = self._rows(order, n_rows, x_MTF.to(device), mask_MT.to(device))
                        own = self.ranks.joined(self._forward(rows, model), n_rows)
                    elif isinstance(order, Back):
                        self._back(rows, model, self.ranks.gradients(own))
                        steps += 1
                except RuntimeError as error:
                    if not is_out_of_memory(error):
                        raise
                    self.runtime.release()
        return steps

    def _rows(self, order: Read, n_rows: int, x_MTF: Tensor, mask_MT: Tensor) -> "_Rows":
        """Of a step those of this rank, cut; ``x_MTF`` and ``mask_MT`` begin with the first of them."""
        share, masks = self.ranks.share(n_rows), StepMasks(order.seed, n_rows)
        count, again = share.stop - share.start, order.parts > 1
        chunks = [
            _Chunk(
                rows=slice(share.start + cut.start, share.start + cut.stop),
                x_MTF=x_MTF[cut],
                mask_MT=mask_MT[cut],
                masks=masks,
                half=order.half,
            )
            for cut in (_even(count, order.parts) if again else self._cut(count))
        ]
        return _Rows(chunks, masks, again=again)

    def _forward(self, rows: "_Rows", model: ATFTGATFAN) -> RowState:
        """The states of all chunks. MKL has one number for all threads: two chunks would use four."""
        torch.set_num_threads(1)
        with self._together(), torch.no_grad() if rows.again else nullcontext():
            self._each(rows, lambda chunk: chunk.forward(model))
            return _joined([chunk.state for chunk in rows.chunks])

    def _back(self, rows: "_Rows", model: ATFTGATFAN, gradients: tuple[Tensor, Tensor]) -> None:
        """From the states' gradients to the parameters'; on rank 0 they are added to those that are there."""
        torch.set_num_threads(1)
        parameters = [p for p in model.parameters() if p.requires_grad]
        first = rows.chunks[0].rows.start if self.ranks.rank else 0

        def backward(chunk: _Chunk) -> None:
            if rows.again:
                chunk.forward(model)
            mine = slice(chunk.rows.start - first, chunk.rows.stop - first)
            chunk.backward([gradient_MC[mine] for gradient_MC in gradients], parameters)

        with self._together():
            self._each(rows, backward)
        summed: list[Tensor | None] = [None] * len(parameters)
        for chunk in rows.chunks:
            summed = _sum(summed, chunk.gradients)
        found = self.ranks.summed(summed, parameters)
        if self.ranks.rank == 0:
            for parameter, gradient in zip(parameters, found, strict=True):
                [parameter.grad] = _sum([parameter.grad], [gradient])

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Out of memory on one rank is out of memory on all, so that they try again together."""
        try:
            yield
        except RuntimeError as error:
            if is_out_of_memory(error):
                self.ranks.anywhere(True)
            raise
        if self.ranks.anywhere(False):
            raise torch.OutOfMemoryError("out of memory on another rank")

    def _cut(self, n_rows: int) -> list[slice]:
        """Chunks of nearly equal size, as many for each thread that has enough to do; one on a device."""
        if self.runtime.device.type != "cpu":
            return [slice(0, n_rows)]
        threads = max(1, min(self.runtime.threads, n_rows // _MIN_ROWS))
        return _even(n_rows, threads * -(-n_rows // (threads * _CHUNK_ROWS)))

    def eager(self) -> "StepPass":
        """The same without compiled code."""
        return replace(self, forward_and_loss=forward_and_loss)

    def _each(self, rows: "_Rows", work: Callable[["_Chunk"], None]) -> None:
        """Do it to all; when the last one has ended, raise what the first that failed raised."""
        if self.executor is None or rows.again:
            for chunk in rows.chunks:
                work(chunk)
            return
        futures = [self.executor.submit(work, chunk) for chunk in rows.chunks]
        wait(futures)
        for future in futures:
            future.result()


@dataclass(slots=True, kw_only=True)
class _Chunk:
    rows: slice
    """Among all rows of the step."""
    x_MTF: Tensor
    mask_MT: Tensor
    masks: StepMasks
    half: bool
    state: RowState = field(init=False)
    calls: int = 0
    """Masks handed out so far."""
    gradients: tuple[Tensor | None, ...] = ()

    def forward(self, model: ATFTGATFAN) -> None:
        with masks_from(MaskStream(self.masks, self.rows)) as stream:
            self.state = model.read(self.x_MTF, self.mask_MT, half=self.half)
        self.calls = stream.calls

    def backward(self, given: Sequence[Tensor], parameters: Sequence[Tensor]) -> None:
        """Gradients of the parameters from those of the state; its graph is gone after that."""
        mine = [self.state.h_MC, self.state.heard_MC]
        if mine[0].requires_grad:
            self.gradients = torch.autograd.grad(mine, parameters, given, allow_unused=True)
        del self.state


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a rank reads of a step."""

    chunks: list[_Chunk]
    masks: StepMasks
    again: bool
    """The states are computed, forgotten, and computed again for their gradient."""


@dataclass(slots=True)
class _Ahead:
    """Inputs of a rank's rows, gathered in a thread while the step before is at work."""

    features: FeatureSet
    window: int
    ranks: Ranks
    executor: Executor
    _next: tuple[tuple[int, ...], Future[tuple[int, Tensor, Tensor]]] | None = None

    def take(self, order: Read) -> tuple[int, Tensor, Tensor]:
        """Rows of the whole step, and the inputs and members of this rank's."""
        ready = self._next[1] if self._next and self._next[0] == order.sessions else None
        found = ready.result() if ready else self._gather(order.sessions)
        if order.ahead:
            self._next = order.ahead, self.executor.submit(self._gather, order.ahead)
        return found

    def _gather(self, sessions: tuple[int, ...]) -> tuple[int, Tensor, Tensor]:
        n_rows = int(self.features.member_SN[list(sessions)].sum())
        share = self.ranks.share(n_rows)
        return n_rows, *windows(self.features, sessions, self.window, share)


def _as_told(model: ATFTGATFAN, order: Read) -> None:
    model.train()
    model.set_blocks(order.blocks)
    for parameter, trained in zip(model.parameters(), order.trained, strict=True):
        parameter.requires_grad_(trained)


def _even(n_rows: int, count: int) -> list[slice]:
    """``count`` pieces of nearly equal size, none of them empty."""
    return [piece for piece in shares(n_rows, count) if piece.start < piece.stop]


def _joined(states: Sequence[RowState]) -> RowState:
    """The chunks' states one after another, cut off from their graphs."""
    rows = torch.tensor([float(state.h_MC.shape[0]) for state in states])
    share_P = (rows / rows.sum()).to(states[0].selection_F.device, non_blocking=True)
    return RowState(
        h_MC=torch.cat([state.h_MC.detach() for state in states]),
        heard_MC=torch.cat([state.heard_MC.detach() for state in states]),
        gates={name: gate.detach() for name, gate in states[0].gates.items()},
        selection_F=share_P @ torch.stack([state.selection_F for state in states]),
    )


def _leaves(state: RowState, rows: _Rows) -> RowState:
    """To collect a gradient, where what was read wants one."""
    wanted = rows.again or rows.chunks[0].state.h_MC.requires_grad
    h_MC, heard_MC = (t.detach().requires_grad_(wanted) for t in (state.h_MC, state.heard_MC))
    return replace(state, h_MC=h_MC, heard_MC=heard_MC)


def _gradient(state_MC: Tensor) -> Tensor:
    return torch.zeros_like(state_MC) if state_MC.grad is None else state_MC.grad


def _sum(there: Sequence[Tensor | None], more: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Of gradients, where a missing one is none at all; into those that are there."""
    if not more:
        return list(there)
    return [
        b if a is None else a if b is None else a.add_(b) for a, b in zip(there, more, strict=True)
    ]


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
