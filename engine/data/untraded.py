"""Days on which a stock was listed and not traded: their rows go, factors and dividends stay."""

import polars as pl

_FACTOR = pl.col("adjustment_factor")
_DIVIDEND = pl.col("dividend")


def drop_untraded(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars without a close dropped; their adjustment factor is multiplied into the stock's next bar, their
    dividend added to its own, per share of that bar.

    Sorted by (date, symbol). Each row depends on itself and earlier rows only.
    """
    bars = bars.with_columns(_FACTOR.fill_null(1.0))
    traded = pl.col("close").is_not_null() & pl.col("close").is_not_nan()
    # A factor or dividend on an untraded day is rare; only those stocks are worth walking through.
    carrying = pl.col("symbol").is_in(
        bars.filter(~traded & ((_FACTOR != 1.0) | (_DIVIDEND != 0.0)))["symbol"].unique().to_list()
    )
    carried = (
        bars.filter(carrying)
        .sort("symbol", "date")
        .with_columns(traded.alias("_traded"))
        .with_columns(
            pl.col("_traded").shift(1, fill_value=False).cum_sum().over("symbol").alias("_bar")
        )
        .with_columns(
            _FACTOR.product().over("symbol", "_bar"),
            (_DIVIDEND * _FACTOR.product() / _FACTOR.cum_prod()).sum().over("symbol", "_bar"),
        )
        .drop("_traded", "_bar")
    )
    kept = pl.concat([bars.filter(~carrying), carried]).filter(traded)
    return kept.sort("date", "symbol")
