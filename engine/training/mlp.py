"""A multilayer perceptron on the day's features: the simple model that a network has to beat.

It sees no past sessions and no graph. One network serves every horizon; three, from different seeds, are
averaged. Draws come from generators of its own, so a run whose baselines are read from disk goes on with
the same random numbers as one that fits them.
"""

# Shape suffixes: M rows (stocks of the training days), N stocks of a day, F features, H horizons, C channels.
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.dataset.batch import targets
from engine.features.feature_set import FeatureSet
from engine.training.optimizer import one_cycle, set_learning_rate

_HIDDEN = (256, 128)
SEEDS = 3
_EPOCHS = 6
_DAYS_PER_STEP = 4
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 1e-2
_KEPT_BYTES = 179
"""Dropout 0.3: an activation is kept when its random byte is below this, of 256."""
_MAX_ROWS = 2_000_000
"""Training rows; more days are thinned evenly. Bounds the memory: 115 half floats make 0.5 GB of it."""
_MIN_NAMES = 10
_EPSILON = 1e-8

Scorer = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Features ``(N, F)`` of one day -> scores ``(N, H)``."""


class _Perceptron(nn.Module):
    """Linear, layer norm, GELU, dropout, twice; then one output per horizon.

    Shapes: ``x_NF`` -> ``(N, H)``. With a generator activations are dropped by its draws.
    """

    def __init__(self, n_features: int, n_horizons: int, generator: torch.Generator) -> None:
        super().__init__()
        first, second = _HIDDEN
        self.first = _linear(n_features, first, generator)
        self.first_norm = nn.LayerNorm(first)
        self.second = _linear(first, second, generator)
        self.second_norm = nn.LayerNorm(second)
        self.out = _linear(second, n_horizons, generator)

    def forward(self, x_NF: Tensor, rng: np.random.Generator | None = None) -> Tensor:
        h_NC = nn.functional.gelu(self.first_norm(self.first(x_NF)))
        h_NC = nn.functional.gelu(self.second_norm(self.second(_dropped(h_NC, rng))))
        score_NH: Tensor = self.out(_dropped(h_NC, rng))
        return score_NH


def _linear(n_in: int, n_out: int, generator: torch.Generator) -> nn.Linear:
    """torch's own start, drawn from ``generator``: made without memory first, as that draws nothing."""
    linear = nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu")
    bound = n_in**-0.5
    nn.init.uniform_(linear.weight, -bound, bound, generator=generator)
    nn.init.uniform_(linear.bias, -bound, bound, generator=generator)
    return linear


def _dropped(h_NC: Tensor, rng: np.random.Generator | None) -> Tensor:
    """Drop by random bytes: a fifth of the time of torch's dropout, which was half of a whole step."""
    if rng is None:
        return h_NC
    bytes_M = np.frombuffer(rng.bytes(h_NC.numel()), dtype=np.uint8)
    keep_NC = torch.from_numpy(bytes_M < _KEPT_BYTES).view(h_NC.shape)
    return h_NC * keep_NC * (256 / _KEPT_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Days:
    """The training days, stock after stock, day after day."""

    x_MF: Tensor
    """Features as they are stored: half floats stay half floats until their step."""
    target_MH: Tensor
    """Normal scores of the forward return within the day; NaN where unknown."""
    spans: tuple[tuple[int, int], ...]
    """First row and end of each day."""

    def step(self, days: Sequence[int]) -> tuple[Tensor, Tensor, list[int]]:
        """Features as float32, targets and the sizes of these days."""
        spans = [self.spans[day] for day in days]
        x_MF = torch.cat([self.x_MF[a:b] for a, b in spans]).float()
        target_MH = torch.cat([self.target_MH[a:b] for a, b in spans])
        return x_MF, target_MH, [b - a for a, b in spans]


def fit_mlp(
    features: FeatureSet,
    train: NDArray[np.int64],
    *,
    seed: int,
    done: Callable[[int], None] = lambda _: None,
) -> Scorer:
    """Fit `SEEDS` networks on whole training days and average their scores ``[N, H]``, standardised by day.

    ``done`` is told how many networks are fitted, from the calling thread. Each network has a thread of
    its own: the result does not depend on how many run at once.
    """
    days = _gather(features, train)
    networks: list[_Perceptron] = []
    with ThreadPoolExecutor(max_workers=SEEDS) as pool:
        for network in pool.map(lambda number: _fit_one(days, seed + number), range(SEEDS)):
            networks.append(network)
            done(len(networks))

    def score(x_NF: NDArray[np.float32]) -> NDArray[np.float64]:
        with torch.inference_mode():
            parts = [_standardise(network(torch.from_numpy(x_NF))) for network in networks]
            return np.asarray(torch.stack(parts).mean(dim=0).double().numpy())

    return score


def _gather(features: FeatureSet, train: NDArray[np.int64]) -> _Days:
    rows = int(features.member_SN[train].sum())
    sessions = train[:: max(1, -(-rows // _MAX_ROWS))]
    members = [np.flatnonzero(features.member_SN[session]) for session in sessions]
    pairs = list(zip(sessions, members, strict=True))
    x_MF = np.concatenate([features.x_SNF[session][member_N] for session, member_N in pairs])
    target_MH = np.concatenate(
        [
            targets(
                features.forward_return_SNH[session][member_N].astype(np.float64),
                np.empty((member_N.size, 0)),
            )
            for session, member_N in pairs
        ]
    )
    ends = np.cumsum([member_N.size for member_N in members]).tolist()
    return _Days(
        x_MF=torch.from_numpy(x_MF),
        target_MH=torch.from_numpy(target_MH),
        spans=tuple(zip([0, *ends], ends, strict=False)),
    )


def _fit_one(days: _Days, seed: int) -> _Perceptron:
    start = torch.Generator().manual_seed(seed)
    network = _Perceptron(days.x_MF.shape[1], days.target_MH.shape[1], start)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
    )
    rng = np.random.Generator(np.random.SFC64(seed))
    per_epoch = -(-len(days.spans) // _DAYS_PER_STEP)
    for epoch in range(_EPOCHS):
        order = rng.permutation(len(days.spans)).tolist()
        for number in range(per_epoch):
            first = number * _DAYS_PER_STEP
            x_MF, target_MH, sizes = days.step(order[first : first + _DAYS_PER_STEP])
            step = epoch * per_epoch + number
            set_learning_rate(optimizer, one_cycle(step, _EPOCHS * per_epoch, _LEARNING_RATE))
            optimizer.zero_grad(set_to_none=True)
            score_MH = network(x_MF, rng)
            parts = zip(torch.split(score_MH, sizes), torch.split(target_MH, sizes), strict=True)
            loss = torch.stack([_loss(score_NH, target_NH) for score_NH, target_NH in parts]).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network


def _loss(score_NH: Tensor, target_NH: Tensor) -> Tensor:
    """1 - Pearson correlation of one day, mean over horizons; one with fewer than `_MIN_NAMES` is 1."""
    known_NH = torch.isfinite(target_NH).to(score_NH.dtype)
    count_H = known_NH.sum(0)
    a_NH = _centred(score_NH, known_NH, count_H)
    b_NH = _centred(torch.nan_to_num(target_NH), known_NH, count_H)
    # Inside the root: at 0, where no label is known, its slope would be infinite.
    scale_H = (a_NH.square().sum(0) * b_NH.square().sum(0) + _EPSILON).sqrt()
    correlation_H = (a_NH * b_NH).sum(0) / scale_H * (count_H >= _MIN_NAMES)
    return 1.0 - correlation_H.mean()


def _centred(values_NH: Tensor, known_NH: Tensor, count_H: Tensor) -> Tensor:
    mean_H = (values_NH * known_NH).sum(0) / count_H.clamp_min(1.0)
    return (values_NH - mean_H) * known_NH


def _standardise(score_NH: Tensor) -> Tensor:
    """Each horizon's scores of one day with mean 0 and deviation 1 (0 where all are equal)."""
    deviation_H = score_NH.std(dim=0, correction=0)
    return (score_NH - score_NH.mean(dim=0)) / (deviation_H + _EPSILON)
