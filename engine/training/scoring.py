"""Scores of whole days, in eval mode; and how good they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.dataset.batch import Batch
from engine.dataset.loader import prefetch
from engine.dataset.windows import DevicePanel, sent
from engine.evaluation.inference import Series
from engine.evaluation.rank_ic import rank_ic_series, summarise
from engine.features.feature_set import FeatureSet
from engine.graph.graph import GraphSeries
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.records.rank_ic import RankICSummary
from engine.training.device import Runtime

_DAYS_PER_BATCH = 4
"""P parts of so many days are scored at a time."""
OtherGraph = Callable[[Batch], Batch]
"""The same days with other edges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredDays:
    """Scores of several sessions; the stocks of a day are those of its universe."""

    sessions_D: NDArray[np.int64]
    symbol_DN: tuple[NDArray[np.int64], ...]
    """Positions on the feature set's symbol axis, one array a day."""
    score_DNH: tuple[NDArray[np.float32], ...]
    return_DNH: tuple[NDArray[np.float32], ...]
    """Forward returns; NaN where unknown."""
    target_DNH: tuple[NDArray[np.float32], ...]
    selection_F: NDArray[np.float32]
    """Mean variable-selection weight of each feature."""
    gat_entropy: float
    """Mean relative entropy of the graph's attention, 0..1; NaN while the graph is off."""
    neighbours: float
    """Mean number of neighbours of a stock in the graph given, whether or not the network hears it."""
    other_DNH: tuple[tuple[NDArray[np.float32], ...], ...] = ()
    """For each other graph that was asked for: the scores of the same days with it."""

    def daily_rank_ic(self, h: int) -> Series:
        """RankIC ``[D]`` of each day at horizon column ``h``; NaN where it is undefined."""
        return rank_ic_series(
            [score_NH[:, h] for score_NH in self.score_DNH],
            [return_NH[:, h] for return_NH in self.return_DNH],
        )

    def summary(self, h: int, *, horizon: int, null_draws: int, seed: int) -> RankICSummary:
        """Evaluation of horizon column ``h``, whose length is ``horizon`` sessions."""
        scores = [score_NH[:, h] for score_NH in self.score_DNH]
        returns = [return_NH[:, h] for return_NH in self.return_DNH]
        return summarise(scores, returns, horizon=horizon, null_draws=null_draws, seed=seed)

    def std_ratio(self, h: int) -> float:
        """Mean over days of std(score) / std(target): 0 means that all stocks look the same."""
        ratios = [
            score_NH[:, h].std() / np.nanstd(target_NH[:, h])
            for score_NH, target_NH in zip(self.score_DNH, self.target_DNH, strict=True)
            if np.isfinite(target_NH[:, h]).sum() > 1
        ]
        return float(np.mean(ratios)) if ratios else float("nan")

    def to_frame(self, features: FeatureSet, *, split: str, fold: int) -> pl.DataFrame:
        """Rows of ``predictions.parquet``: date, symbol, fold, split, score_<h> per horizon."""
        day = np.repeat(self.sessions_D, [symbol_N.size for symbol_N in self.symbol_DN])
        score_MH = np.concatenate(self.score_DNH)
        names = pl.Series("symbol", features.symbols)
        return pl.DataFrame(
            {"date": features.dates_S[day], "symbol": names.gather(np.concatenate(self.symbol_DN))}
        ).with_columns(
            pl.col("date").cast(pl.Date),
            pl.lit(fold, pl.Int16).alias("fold"),
            pl.lit(split).alias("split"),
            *(
                pl.Series(f"score_{horizon}", score_MH[:, h], dtype=pl.Float32)
                for h, horizon in enumerate(features.horizons)
            ),
        )


def score_days(
    model: ATFTGATFAN,
    features: FeatureSet,
    graphs: GraphSeries | None,
    sessions: Sequence[int] | NDArray[np.int64],
    *,
    window: int,
    runtime: Runtime,
    other_graphs: Sequence[OtherGraph] = (),
    panel: DevicePanel | None = None,
) -> ScoredDays:
    """Score every session (positions on the axis S) in eval mode, float32, without gradient.

    ``window``: sessions. ``panel``: gathers the inputs on the device; without it the host does. The rows are
    read once, and ranked anew for each of ``other_graphs``. Batches are made ahead, and scores stay on the
    device until the last day is done. The model's mode is put back.
    """
    days = [int(s) for s in sessions]
    steps = [tuple(days[i : i + _DAYS_PER_BATCH]) for i in range(0, len(days), _DAYS_PER_BATCH)]
    symbol_PM, return_PMH, target_PMH = list[Tensor](), list[Tensor](), list[Tensor]()
    sizes, edges = list[int](), 0
    score_PMH, selection_PF, entropy_P = list[Tensor](), list[Tensor](), list[Tensor]()
    others: list[list[Tensor]] = [[] for _ in other_graphs]
    was_training = model.training
    model.eval()
    try:
        with (
            torch.inference_mode(),
            prefetch(features, graphs, steps, window, pin=runtime.pin, panel=panel) as batches,
        ):
            for batch in batches:
                runtime.hold_threads()
                moved = sent(batch, runtime.device, panel)
                state = model.read(moved.x_MTF, moved.mask_MT)
                output = model.rank(state, moved)
                score_PMH.append(output.score_MH)
                selection_PF.append(output.selection_F)
                if output.attention is not None:
                    entropy_P.append(output.attention.entropy)
                for other, scores in zip(other_graphs, others, strict=True):
                    scores.append(model.rank(state, other(moved)).score_MH)
                symbol_PM.append(batch.symbol_M)
                return_PMH.append(batch.y_MH)
                target_PMH.append(batch.target_MH)
                sizes += np.diff(batch.day_ptr).tolist()
                edges += batch.n_edges
    finally:
        model.train(was_training)
    cuts = np.cumsum(sizes, dtype=np.int64)[:-1]

    def by_day(parts: Sequence[Tensor]) -> tuple[NDArray[np.float32], ...]:
        return tuple(np.split(torch.cat(list(parts)).float().cpu().numpy(), cuts))

    symbol_M = torch.cat(symbol_PM).numpy()
    return ScoredDays(
        sessions_D=np.asarray(sessions, dtype=np.int64),
        symbol_DN=tuple(np.split(symbol_M, cuts)),
        score_DNH=by_day(score_PMH),
        return_DNH=by_day(return_PMH),
        target_DNH=by_day(target_PMH),
        selection_F=torch.stack(selection_PF).mean(dim=0).cpu().numpy(),
        gat_entropy=float(torch.stack(entropy_P).mean()) if entropy_P else float("nan"),
        neighbours=edges / max(1, symbol_M.size),
        other_DNH=tuple(by_day(scores) for scores in others),
    )
