"""A market as large as wanted: random walks with listings, delistings and gaps."""

import numpy as np
import polars as pl

from engine.data.tables import BAR_SCHEMA, SECURITY_SCHEMA, RawTables, complete

SECTORS = tuple(f"Sector {i:02d}" for i in range(33))


def large_market(stocks: int, sessions: int, seed: int = 0) -> RawTables:
    """Bars of about ``stocks * sessions`` rows, sorted by date and symbol, with 33 sectors."""
    rng = np.random.default_rng(seed)
    days = np.busday_offset("2010-01-04", np.arange(sessions), roll="forward")
    factor_SK = rng.normal(0, 0.008, (sessions, 12))
    load_KN = rng.normal(0, 1, (12, stocks))
    return_SN = 0.0002 + factor_SK @ load_KN / 3 + rng.normal(0, 0.015, (sessions, stocks))
    close_SN = 30.0 * np.exp(return_SN.cumsum(axis=0) - 0.5 * np.abs(return_SN).cumsum(axis=0) / 9)
    close_SN = np.clip(close_SN, 0.5, 9e4)
    open_SN = close_SN * np.exp(rng.normal(0, 0.004, close_SN.shape))
    high_SN = np.maximum(open_SN, close_SN) * 1.006
    low_SN = np.minimum(open_SN, close_SN) * 0.994
    volume_SN = np.exp(rng.normal(12.5, 0.5, close_SN.shape))
    first_N = np.where(rng.random(stocks) < 0.1, rng.integers(0, sessions // 2, stocks), 0)
    session = np.arange(sessions)[:, None]
    alive_SN = (session >= first_N) & (rng.random(close_SN.shape) > 0.002)
    at_S, at_N = np.nonzero(alive_SN)
    symbols = pl.Series("symbol", [f"{i:05d}" for i in range(stocks)])
    bars = pl.DataFrame(
        {
            "date": pl.Series(days[at_S]).cast(pl.Date),
            "symbol": symbols.gather(at_N),
            "open": open_SN[at_S, at_N],
            "high": high_SN[at_S, at_N],
            "low": low_SN[at_S, at_N],
            "close": close_SN[at_S, at_N],
            "volume": volume_SN[at_S, at_N],
        }
    ).with_columns((pl.col("close") * pl.col("volume")).alias("turnover"))
    sector = [SECTORS[i % len(SECTORS)] for i in range(stocks)]
    securities = pl.DataFrame({"symbol": symbols, "sector": sector})
    return RawTables(
        bars=complete(bars, BAR_SCHEMA),
        securities=complete(securities, SECURITY_SCHEMA),
        index=None,
        market="us",
        source=f"generated({stocks} x {sessions})",
    )
