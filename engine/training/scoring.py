"""Scores of whole days, in eval mode; and how good they are."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from engine.dataset.batch import Batch, make_batch
from engine.evaluation.inference import Series
from engine.evaluation.rank_ic import rank_ic_series, summarise
from engine.features.feature_set import FeatureSet
from engine.graph.graph import GraphSeries
from engine.model.atft_gat_fan import ATFTGATFAN, RankerOutput
from engine.records.rank_ic import RankICSummary
from engine.training.device import Runtime

_DAYS_PER_BATCH = 4
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
) -> ScoredDays:
    """Score every session (positions on the axis S) in eval mode, float32, without gradient.

    ``window``: sessions. The rows are read once, and ranked anew for each of ``other_graphs``. The
    model's mode is put back.
    """
    days: list[tuple[NDArray[np.float32], ...]] = []
    others: list[list[NDArray[np.float32]]] = [[] for _ in other_graphs]
    symbols: list[NDArray[np.int64]] = []
    selections, entropies, edges, was_training = [], [], 0, model.training
    model.eval()
    try:
        with torch.inference_mode():
            for chunk in _chunks([int(s) for s in sessions], _DAYS_PER_BATCH):
                batch = make_batch(features, graphs, chunk, window)
                runtime.hold_threads()
                moved = batch.to(runtime.device)
                state = model.read(moved.x_MTF, moved.mask_MT)
                output = model.rank(state, moved)
                selections.append(output.selection_F.float().cpu().numpy())
                if output.attention is not None:
                    entropies.append(float(output.attention.entropy))
                days.extend(_split_days(batch, output))
                symbols.extend(np.split(batch.symbol_M.numpy(), batch.day_ptr[1:-1]))
                edges += batch.n_edges
                for other, scores in zip(other_graphs, others, strict=True):
                    ranked = _split_days(batch, model.rank(state, other(moved)))
                    scores.extend(day[0] for day in ranked)
    finally:
        model.train(was_training)
    return ScoredDays(
        sessions_D=np.asarray(sessions, dtype=np.int64),
        symbol_DN=tuple(symbols),
        score_DNH=tuple(day[0] for day in days),
        return_DNH=tuple(day[1] for day in days),
        target_DNH=tuple(day[2] for day in days),
        selection_F=np.mean(selections, axis=0),
        gat_entropy=float(np.mean(entropies)) if entropies else float("nan"),
        neighbours=edges / max(1, sum(symbol_N.size for symbol_N in symbols)),
        other_DNH=tuple(tuple(scores) for scores in others),
    )


def _split_days(batch: Batch, output: RankerOutput) -> Iterable[tuple[NDArray[np.float32], ...]]:
    arrays = (output.score_MH.float().cpu().numpy(), batch.y_MH.numpy(), batch.target_MH.numpy())
    return zip(*(np.split(a, batch.day_ptr[1:-1]) for a in arrays), strict=True)


def _chunks(items: list[int], size: int) -> Iterable[list[int]]:
    return (items[i : i + size] for i in range(0, len(items), size))
