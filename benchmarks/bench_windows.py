"""Windows of whole days from the panel tensor, against a torch DataLoader over the same samples."""

import sys
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.options import read_options
from benchmarks.pairs import compare
from engine.dataset.batch import make_batch
from engine.features.feature_set import FeatureSet

SESSIONS, WINDOW, FIRST = 200, 20, 60
"""Sessions of the market, length of a window, and the session of the first day that is asked for."""


def feature_set(stocks: int = 1000, features: int = 112) -> FeatureSet:
    """A random market ``[S, N, F]`` with an own member mask and one label."""
    rng = np.random.default_rng(0)
    shape = (SESSIONS, stocks)
    return FeatureSet(
        directory=None,
        dates_S=np.busday_offset("2020-01-01", np.arange(SESSIONS), roll="forward"),
        symbols=tuple(f"{n:04d}" for n in range(stocks)),
        features=tuple(f"f{i}" for i in range(features)),
        horizons=(5,),
        x_SNF=rng.normal(size=(*shape, features)).astype(np.float16),
        member_SN=rng.random(shape) < 0.95,
        forward_return_SNH=rng.normal(0, 0.02, (*shape, 1)).astype(np.float32),
        sector_N=np.zeros(stocks, dtype=np.int16),
        sectors=("all",),
        fingerprint="",
        market="us",
        source="generated",
    )


class Samples(Dataset[tuple[torch.Tensor, torch.Tensor, float]]):
    """One item a (day, stock), the usual form: window, mask, label."""

    def __init__(self, features: FeatureSet, days: list[int]) -> None:
        self.x: Any = features.x_SNF
        self.member = features.member_SN
        self.y = features.forward_return_SNH
        self.index = [(d, int(n)) for d in days for n in np.flatnonzero(self.member[d])]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor, float]:
        day, stock = self.index[item]
        window = slice(day - WINDOW + 1, day + 1)
        x = torch.from_numpy(self.x[window, stock].astype(np.float32))
        mask = torch.from_numpy(self.member[window, stock].astype(np.float32))
        return x, mask, float(self.y[day, stock, 0])


def main(arguments: list[str] | None = None) -> int:
    options = read_options(
        __doc__, arguments, stocks=(1000, 30), features=(112, 4), days=(8, 2), pairs=(5, 1)
    )
    features = feature_set(options.stocks, options.features)
    days = list(range(FIRST, FIRST + options.days))
    samples = Samples(features, days)

    def ours() -> int:
        return sum(make_batch(features, None, (day,), WINDOW).x_MTF.shape[0] for day in days)

    def loader(workers: int) -> int:
        batches = DataLoader(samples, batch_size=1000, num_workers=workers)
        return sum(x.shape[0] for x, _, _ in batches)

    assert ours() == loader(0) == len(samples)
    compare(
        f"{len(samples):,} windows of {WINDOW} x {options.features}",
        ours,
        {
            "DataLoader, 0 workers": lambda: loader(0),
            "DataLoader, 2 workers": lambda: loader(2),
        },
        pairs=options.pairs,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
