"""One network on several processes, as `torchrun` starts them: rank 0 trains, the others read rows for it.

The rows of a step are shared out; what couples stocks or days, scores and losses, is done by rank 0 on the
states of all rows (`passes.py`), and so is everything that is written. For a step

    rank 0                                   the others
    says which days and cut, the weights ->  read their rows
    states of all rows                    <- their states
    loss; gradient of the states          -> backward through their rows
    sum of the parameters' gradients      <- theirs

So rank 0 is the trainer that it is alone, and a run can go on with any number of ranks. What is said goes
through gloo; tensors of a CUDA device go through NCCL.
"""

# Shape suffixes: M rows, C channels, F features.
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

import msgspec
import torch
import torch.distributed as dist
from msgspec import Struct
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from engine.errors import EngineError, EnvironmentProblem, UsageError
from engine.model.atft_gat_fan import RowState
from engine.runs.launch import world_size

_START = dt.timedelta(minutes=10)
"""All ranks must have come by then."""
_PATIENCE = dt.timedelta(days=14)
"""The others wait while rank 0 fits baselines or judges; one that has ended is noticed at once."""


class Begin(Struct, frozen=True, kw_only=True, tag=True):
    """The data and the settings that every rank must have."""

    features: str
    """Fingerprint."""
    settings: str
    """Digest of the configuration."""


class Read(Struct, frozen=True, kw_only=True, tag=True):
    """Read your rows of these days; the weights follow."""

    sessions: tuple[int, ...]
    ahead: tuple[int, ...] = ()
    """Days of the step after it."""
    seed: int
    """Of the dropout masks."""
    half: bool
    parts: int
    blocks: tuple[str, ...]
    """That are on."""
    trained: tuple[bool, ...]
    """Which parameters want a gradient."""


class Back(Struct, frozen=True, tag=True):
    """Go back through the rows that were read; the gradient of their states follows."""


class End(Struct, frozen=True, tag=True):
    """Rank 0 has done what it was asked for."""


_Order = Begin | Read | Back | End
_DECODER: msgspec.msgpack.Decoder[_Order] = msgspec.msgpack.Decoder(_Order)


class RankLost(EnvironmentProblem):
    """Another process of the training has ended."""


def shares(n_rows: int, count: int) -> list[slice]:
    """``count`` pieces of nearly equal size."""
    edges = [n_rows * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(edges)]


@dataclass(slots=True)
class Ranks:
    """One process and the others; alone without a group, where nothing is said and nothing waited for."""

    group: dist.ProcessGroup | None = None
    _after: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        """0: the one that trains."""
        return 0 if self.group is None else self.group.rank()

    @property
    def size(self) -> int:
        """Number of processes."""
        return 1 if self.group is None else self.group.size()

    def share(self, n_rows: int) -> slice:
        """Rows of a step that are this rank's; UsageError where there is not one for each."""
        if n_rows < self.size:
            raise UsageError(
                f"a step of {n_rows} rows for {self.size} ranks",
                hint="start fewer processes, or raise training.days_per_step",
            )
        return shares(n_rows, self.size)[self.rank]

    def expect(self, steps: Sequence[tuple[int, ...]]) -> None:
        """What comes after what, so that the others have the next step's rows ready."""
        self._after = dict(pairwise(steps))

    # ---- said by rank 0, heard by the others ------------------------------------------------------

    def tell(self, order: _Order) -> None:
        """To all others."""
        if self.size == 1:
            return
        text = bytearray(msgspec.msgpack.encode(order))
        self._broadcast(torch.tensor([len(text)]))
        self._broadcast(torch.frombuffer(text, dtype=torch.uint8))

    def hear(self) -> _Order:
        """The next thing that rank 0 says; it may take long."""
        length = self._broadcast(torch.zeros(1, dtype=torch.int64))
        text = self._broadcast(torch.empty(int(length), dtype=torch.uint8))
        return _DECODER.decode(text.numpy().tobytes())

    def begin_step(self, order: Read, model: nn.Module) -> None:
        """Say what is to be read, and with which weights."""
        if self.size > 1:
            ahead = self._after.get(order.sessions, ())
            self.tell(msgspec.structs.replace(order, ahead=ahead))
            self._broadcast(parameters_to_vector(model.parameters()).detach())

    def hear_weights(self, model: nn.Module) -> None:
        """Those that rank 0 said with the order."""
        parameters = list(model.parameters())
        flat = self._broadcast(parameters_to_vector(parameters).detach())
        with torch.no_grad():
            for mine, part in zip(
                parameters, torch.split(flat, [p.numel() for p in parameters]), strict=True
            ):
                mine.copy_(part.view_as(mine))

    # ---- all take part ------------------------------------------------------------------------------

    def anywhere(self, here: bool) -> bool:
        """Whether it is so on any rank."""
        if self.group is None:
            return here
        flag = torch.tensor([int(here)])
        with _peers():
            self.group.allreduce(flag, dist.ReduceOp.MAX).wait()
        return bool(flag)

    def joined(self, own: RowState, n_rows: int) -> RowState:
        """On rank 0 the states of all rows; on the others their own."""
        if self.group is None:
            return own
        packed_MC = torch.cat([own.h_MC, own.heard_MC], dim=1)
        cut, (rows, width) = shares(n_rows, self.size), packed_MC.shape
        selection_F = own.selection_F * (rows / n_rows)
        self._sum(selection_F)
        if self.rank:
            self._send(packed_MC, to=0)
            return own
        others = [
            self._receive(packed_MC.new_empty(part.stop - part.start, width), source=rank)
            for rank, part in enumerate(cut)
            if rank
        ]
        h_MC, heard_MC = torch.cat([packed_MC, *others]).chunk(2, dim=1)
        return replace(own, h_MC=h_MC, heard_MC=heard_MC, selection_F=selection_F)

    def share_out(self, gradients: tuple[Tensor, Tensor]) -> None:
        """Rank 0: to each other rank the gradients ``[M, C]`` of its rows' states."""
        if self.group is None:
            return
        self.tell(Back())
        packed_MC = torch.cat(gradients, dim=1)
        for rank, part in enumerate(shares(packed_MC.shape[0], self.size)):
            if rank:
                self._send(packed_MC[part], to=rank)

    def gradients(self, state: RowState) -> tuple[Tensor, Tensor]:
        """The others: what rank 0 shares out."""
        like_MC = torch.cat([state.h_MC, state.heard_MC], dim=1)
        h_MC, heard_MC = self._receive(like_MC, source=0).chunk(2, dim=1)
        return h_MC, heard_MC

    def summed(
        self, gradients: Sequence[Tensor | None], parameters: Sequence[Tensor]
    ) -> list[Tensor | None]:
        """On rank 0 the sum over ranks where it has a gradient itself; on the others nothing of use."""
        own = list(gradients)
        if self.group is None or not parameters:
            return own
        filled = [
            torch.zeros_like(p) if g is None else g for g, p in zip(own, parameters, strict=True)
        ]
        flat = torch.cat([tensor.flatten() for tensor in filled])
        self._sum(flat)
        parts = torch.split(flat, [p.numel() for p in parameters])
        return [
            None if gradient is None else part.view_as(gradient)
            for gradient, part in zip(own, parts, strict=True)
        ]

    def end(self) -> None:
        """Rank 0: let the others go."""
        if self.rank == 0:
            self.tell(End())

    # ---- one way for each kind of message -------------------------------------------------------------

    def _broadcast(self, tensor: Tensor) -> Tensor:
        with _peers(0 if self.rank else None):
            self._group.broadcast(tensor, 0).wait()
        return tensor

    def _sum(self, tensor: Tensor) -> None:
        """Onto rank 0; the other ranks' tensors are of no use after it."""
        with _peers(0 if self.rank else None):
            self._group.reduce(tensor, 0).wait()

    def _send(self, tensor: Tensor, *, to: int) -> None:
        with _peers(to):
            self._group.send([tensor.contiguous()], to, 0).wait()

    def _receive(self, tensor: Tensor, *, source: int) -> Tensor:
        with _peers(source):
            self._group.recv([tensor], source, 0).wait()
        return tensor

    @property
    def _group(self) -> dist.ProcessGroup:
        if self.group is None:
            raise ValueError("a process that is alone has nobody to talk to")
        return self.group


@contextmanager
def _peers(rank: int | None = None) -> Iterator[None]:
    """RankLost for what torch raises when a connection breaks."""
    try:
        yield
    except RuntimeError as error:
        who = "another rank" if rank is None else f"rank {rank}"
        # Gloo begins with the line of its source and ends with advice to its own developers.
        reason = re.sub(r"^\[\S*\] ", "", str(error).strip()).partition(". ")[0]
        raise RankLost(
            f"{who} of this training has ended: {reason}",
            hint="its own output says why; `train --resume RUN` goes on, with any number of ranks",
        ) from error


@contextmanager
def joined_ranks(device: str) -> Iterator[Ranks]:
    """All processes of this training, once they have come; alone where only one was started.

    When rank 0 leaves the block, the others hear that it has ended. EnvironmentProblem if they do not come.
    ``device``: `training.device`.
    """
    if world_size() == 1:
        yield Ranks()
        return
    backend = "cpu:gloo,cuda:nccl" if device != "cpu" and torch.cuda.is_available() else "gloo"
    try:
        dist.init_process_group(backend, timeout=_START)
        group = dist.new_group(timeout=_PATIENCE, backend=backend)
    except (RuntimeError, ValueError) as error:
        raise EnvironmentProblem(
            f"the {world_size()} ranks of this training did not find each other: {error}",
            hint="MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE must be set for each; torchrun does",
        ) from error
    ranks = Ranks(group)
    try:
        yield ranks
    except RankLost:
        raise
    except EngineError:
        ranks.end()
        raise
    ranks.end()
    dist.destroy_process_group()
