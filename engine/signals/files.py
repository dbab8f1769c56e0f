"""The files of a signal as bytes: equal values give equal bytes."""

# Shape suffixes: M stocks.
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.portfolio.prediction import Prediction, score_column
from engine.portfolio.strategy import Strategy
from engine.portfolio.weights import Weights
from engine.records.seal import SealKey
from engine.signals.book import Books, Scores
from engine.signals.inputs import TradingRules


def scores_file(
    key: SealKey,
    today: Scores,
    rank_M: NDArray[np.int64],
    horizons: Sequence[int],
    metadata: Mapping[str, str],
) -> bytes:
    """``scores.parquet``: a row a stock with its score at each horizon and its rank, 1 = best."""
    frame = pl.DataFrame(
        {
            "symbol": pl.Series(today.symbols, dtype=pl.String),
            **{score_column(h): today.score_MH[:, i] for i, h in enumerate(horizons)},
            "rank": rank_M,
        }
    ).select(
        pl.lit(key.session).str.to_date().alias("date"),
        "symbol",
        pl.lit(0, pl.Int16).alias("fold"),
        pl.lit("test").alias("split"),
        *(score_column(h) for h in horizons),
        "rank",
    )
    frame = frame.sort("symbol")
    checked = Prediction(
        frame=frame,
        run_id=metadata["run_id"],
        horizons=tuple(horizons),
        market=metadata["market"],  # type: ignore[arg-type]
        data_fingerprint=key.data,
    )
    return table_bytes(
        checked.frame, {**metadata, "config_digest": "", "data_fingerprint": key.data}
    )


def weights_file(key: SealKey, books: Books, rules: TradingRules, strategy: Strategy) -> bytes:
    """``weights.parquet``: a row a stock of today's book or the one before it, fractions of equity."""
    held_N = np.flatnonzero((books.today_N != 0) | (books.before_N != 0))
    frame = pl.DataFrame(
        {
            "symbol": pl.Series([books.symbols[n] for n in held_N], dtype=pl.String),
            "weight": books.today_N[held_N],
            "weight_before": books.before_N[held_N],
        }
    ).select(pl.lit(key.session).str.to_date().alias("date"), pl.all())
    checked = Weights(
        frame=frame,
        strategy=strategy.name,
        run_id=key.model,
        max_gross=rules.portfolio.investable,
        max_net=rules.portfolio.max_net,
        max_weight=rules.portfolio.max_weight,
    )
    limits = {name: repr(getattr(checked, name)) for name in ("max_gross", "max_net", "max_weight")}
    return table_bytes(
        checked.frame, {"run_id": checked.run_id, "strategy": strategy.name, **limits}
    )


def table_bytes(frame: pl.DataFrame, metadata: Mapping[str, str]) -> bytes:
    """Parquet with text metadata; equal rows give equal bytes."""
    table = frame.rechunk().to_arrow().replace_schema_metadata(dict(metadata))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content
