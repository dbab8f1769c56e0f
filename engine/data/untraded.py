"""Days on which a stock was listed and not traded: their rows go, their factors stay."""

import polars as pl


def drop_untraded(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars without a close dropped; their adjustment factor is multiplied into the stock's next bar.

    Sorted by (date, symbol). Each row depends on itself and earlier rows only.
    """
    traded = pl.col("close").is_not_null() & pl.col("close").is_not_nan()
    return (
        bars.sort("symbol", "date")
        .with_columns(traded.alias("_traded"))
        .with_columns(
            pl.col("_traded").shift(1, fill_value=False).cum_sum().over("symbol").alias("_bar")
        )
        .with_columns(pl.col("adjustment_factor").fill_null(1.0).product().over("symbol", "_bar"))
        .filter("_traded")
        .drop("_traded", "_bar")
        .sort("date", "symbol")
    )
