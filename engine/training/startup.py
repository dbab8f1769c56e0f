"""Seven assertions on one real day. A network that fails one does not train.

The system this product follows reported figures of a network whose evaluated output did not depend on
its input: the normalisation padded the end of each window with zeros and the head read the last step.
Each assertion would have caught that, or one of its other faults, in seconds.
"""

# Shape suffixes: M rows, H horizons.
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from engine.dataset.batch import Batch, make_batch
from engine.errors import GateError
from engine.features.feature_set import FeatureSet
from engine.graph.graph import GraphSeries
from engine.model.atft_gat_fan import RankerOutput
from engine.runs.events import AssertionChecked
from engine.runs.sink import EventSink
from engine.training.losses import known, soft_spearman
from engine.training.step import gradient_norms

_MIN_STD = 1e-6
_MIN_GRADIENT = 1e-8
_TOLERANCE = 1e-4
"""Change allowed in scores while rows are added or reordered, in their own deviations: the same
sums in another order differ in the last bits of float32."""


class _AssertedNetwork(Protocol):
    """What the assertions need of a network; also met by the test doubles."""

    blocks: frozenset[str]

    def __call__(self, batch: Batch) -> RankerOutput: ...
    def module_groups(self) -> dict[str, nn.Module]:
        """Name of each block, and its modules."""

    def eval(self) -> nn.Module:
        """Does what torch's method does."""

    def train(self, mode: bool = True) -> nn.Module:
        """Does what torch's method does."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Does what torch's method does."""

    training: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneDay:
    """One real day and a network in eval mode."""

    model: _AssertedNetwork
    features: FeatureSet
    graphs: GraphSeries | None
    session: int
    window: int
    device: torch.device

    def batch(self, sessions: Sequence[int] = ()) -> Batch:
        """A batch of these sessions; of the day itself unless some are named."""
        chosen = sessions or (self.session,)
        return make_batch(self.features, self.graphs, chosen, self.window).to(self.device)

    @torch.no_grad()
    def scores(self, batch: Batch) -> Tensor:
        """Scores ``[M, H]`` in float32, without gradient."""
        return self.model(batch).score_MH.float()


def check_startup(
    model: _AssertedNetwork,
    features: FeatureSet,
    graphs: GraphSeries | None,
    *,
    session: int,
    window: int,
    device: torch.device,
    sink: EventSink,
) -> None:
    """Run all seven, tell each as an event, and raise one GateError that names what failed.

    The network's mode and gradients and the random state are as before afterwards.
    """
    day = _OneDay(
        model=model, features=features, graphs=graphs, session=session, window=window, device=device
    )
    failed: list[str] = []
    with _untouched(model):
        for name, assertion in _ASSERTIONS.items():
            problem = assertion(day)
            sink.emit(AssertionChecked(name=name, passed=not problem, detail=problem or "ok"))
            if problem:
                failed.append(f"{name}: {problem}")
    if failed:
        raise GateError(
            "start-up assertions failed on " + f"{day.batch().dates[0]}; " + "; ".join(failed),
            hint="the network would not learn from its input; see docs/startup.md for each assertion",
        )


def _output_varies(day: _OneDay) -> str:
    """(a) Eval-mode scores differ between the stocks of a day, for every horizon."""
    std_H = day.scores(day.batch()).std(dim=0)
    return (
        f"score deviation over stocks is {float(std_H.min()):.1e}" if std_H.min() < _MIN_STD else ""
    )


def _input_sensitivity(day: _OneDay) -> str:
    """(b) Another stock's features give a stock another score."""
    batch = day.batch()
    rolled = replace(batch, x_MTF=batch.x_MTF.roll(1, dims=0))
    change = (day.scores(rolled) - day.scores(batch)).abs().max()
    return (
        f"scores move by {float(change):.1e} when inputs are exchanged" if change < _MIN_STD else ""
    )


def _gradient_reaches_every_block(day: _OneDay) -> str:
    """(c) The rank loss gives every block that is on a gradient above 1e-8."""
    batch = day.batch()
    day.model.zero_grad(set_to_none=True)
    output = day.model(batch)
    loss = 1.0 - soft_spearman(output.score_MH.float(), known(batch.target_MH)).mean()
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    norms = gradient_norms(day.model.module_groups())
    expected = [n for n in day.model.module_groups() if n == "heads" or n in day.model.blocks]
    dead = [name for name in expected if not norms.get(name, 0.0) > _MIN_GRADIENT]
    return f"no gradient from the rank loss in {', '.join(dead)}" if dead else ""


def _permutation_equivariance(day: _OneDay) -> str:
    """(d) Reordering the stocks of a day reorders the scores and changes none."""
    batch = day.batch()
    order = torch.randperm(batch.symbol_M.numel(), generator=torch.Generator().manual_seed(0)).to(
        day.device
    )
    place = torch.argsort(order)
    shuffled = replace(
        batch,
        symbol_M=batch.symbol_M[order],
        x_MTF=batch.x_MTF[order],
        mask_MT=batch.mask_MT[order],
        y_MH=batch.y_MH[order],
        target_MH=batch.target_MH[order],
        neighbour_MK=place[batch.neighbour_MK][order],
        edge_attr_MKP=batch.edge_attr_MKP[order],
        heard_MK=batch.heard_MK[order],
    )
    return _differ(day.scores(shuffled), day.scores(batch)[order], "the order of stocks matters")


def _unrelated_stocks(day: _OneDay) -> str:
    """(e) Rows of another day, to which no edge leads, change no score."""
    alone = day.scores(day.batch())
    other = _neighbour_session(day)
    if other is None:
        return ""
    together = day.scores(day.batch(sessions=(day.session, other)))[: alone.shape[0]]
    return _differ(together, alone, "stocks without an edge change the score")


def _determinism(day: _OneDay) -> str:
    """(f) The same day gives the same scores, bit for bit."""
    first, second = day.scores(day.batch()), day.scores(day.batch())
    return "" if torch.equal(first, second) else "two evaluations of one day differ"


def _truncation(day: _OneDay) -> str:
    """(g) Without anything that comes after the day, its scores are the same, bit for bit."""
    stop = day.session + 1
    features, graphs = day.features, day.graphs
    past = features.until(stop)
    if graphs is not None:
        kept = graphs.sessions_R < stop
        graphs = GraphSeries(
            sessions_R=graphs.sessions_R[kept],
            graphs=graphs.graphs[: int(kept.sum())],
            fingerprint=graphs.fingerprint,
        )
    cut = make_batch(past, graphs, (day.session,), day.window).to(day.device)
    same = torch.equal(day.scores(cut), day.scores(day.batch()))
    return "" if same else "data after the day change its scores"


_ASSERTIONS: dict[str, Callable[[_OneDay], str]] = {
    assertion.__name__.removeprefix("_"): assertion
    for assertion in (
        _output_varies,
        _input_sensitivity,
        _gradient_reaches_every_block,
        _permutation_equivariance,
        _unrelated_stocks,
        _determinism,
        _truncation,
    )
}
"""Name -> check; an empty answer means that it passed, any other says what is wrong."""


def _differ(ours: Tensor, expected: Tensor, text: str) -> str:
    scale = expected.std(dim=0).clamp_min(_MIN_STD)
    worst = float(((ours - expected).abs() / scale).max())
    return f"{text} (by {worst:.1e} deviations)" if not worst <= _TOLERANCE else ""


def _neighbour_session(day: _OneDay) -> int | None:
    """The session before, if it has a full window and members."""
    before = day.session - 1
    enough = before >= day.window - 1 and day.features.member_SN[before].any()
    return before if enough else None


@contextmanager
def _untouched(model: _AssertedNetwork) -> Iterator[None]:
    """Eval mode inside; training mode, gradients and random state are put back."""
    was_training, state = model.training, torch.get_rng_state()
    model.eval()
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)
        model.train(was_training)
        torch.set_rng_state(state)
