"""The order of training days, and batches made one step ahead by a single thread."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

from engine.config import TrainingConfig
from engine.dataset.batch import Batch, make_batch
from engine.dataset.windows import DevicePanel
from engine.features.feature_set import FeatureSet
from engine.graph.graph import GraphSeries

_DEPTH = 2
"""Batches that wait; more would only hold memory."""
_POLL_S = 0.002
"""Between two looks whether the thread has ended, when a block is left early. Seconds."""


def _epoch_steps(
    train: NDArray[np.int64], *, stride: int, days_per_step: int, seed: int, epoch: int
) -> list[tuple[int, ...]]:
    """Sessions of each step of one epoch: every ``stride``-th training day from a random offset, shuffled.

    A pure function of its arguments, so a resumed run goes on with the same days. A short last step
    is kept unless it has a single day and others are longer.
    """
    rng = np.random.default_rng([seed, epoch])
    days = train[int(rng.integers(stride)) :: stride].copy()
    rng.shuffle(days)
    steps = [
        tuple(days[i : i + days_per_step].tolist()) for i in range(0, days.size, days_per_step)
    ]
    if len(steps) > 1 and len(steps[-1]) == 1 < days_per_step:
        steps.pop()
    return steps


def steps_of_epoch(
    training: TrainingConfig, train: NDArray[np.int64], epoch: int
) -> list[tuple[int, ...]]:
    """`_epoch_steps` as configured."""
    return _epoch_steps(
        train,
        stride=training.day_stride,
        days_per_step=training.days_per_step,
        seed=training.seed,
        epoch=epoch,
    )


@contextmanager
def prefetch(
    features: FeatureSet,
    graphs: GraphSeries | None,
    steps: Sequence[tuple[int, ...]],
    window: int,
    *,
    pin: bool = False,
    panel: DevicePanel | None = None,
) -> Iterator[Iterator[Batch]]:
    """Batches of the steps, in order, made ahead in one thread (numpy gathers release the GIL).

    ``pin``: in page-locked memory, so that the way to a GPU overlaps with its work. With a
    ``panel`` the inputs are left to it. An exception of the thread is raised where the batch would have come
    out. Leaving the block early ends the thread, after
    which the iterator is empty.
    """
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(_DEPTH)
    closed = threading.Event()

    def produce() -> None:
        last: BaseException | None = None
        try:
            for sessions in steps:
                if closed.is_set():
                    return
                batch = make_batch(features, graphs, sessions, window, with_windows=panel is None)
                ready.put(batch.pin() if pin else batch)
        except BaseException as error:  # noqa: BLE001 - handed over and raised in the consumer
            last = error
        ready.put(last)

    def consume() -> Iterator[Batch]:
        while not closed.is_set() and (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        closed.set()
        # Nobody takes any more: while the thread lives, what it still puts must not wait for room.
        while thread.is_alive():
            with suppress(queue.Empty):
                ready.get(timeout=_POLL_S)
            thread.join(0.0)
