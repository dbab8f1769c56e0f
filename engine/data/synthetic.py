"""A market whose predictable part is known: the embedded demo and the ground truth of the tests.

Daily log return of stock i::

    r_i,t = beta_i m_t + f_s(i),t + load_i g_c(i),t + e_i,t + drift_i,t
    drift_i,t+1 = - a R_i,t + b V_i,t + kappa_i (1 - lambda) D_c(i),t

``m`` is the market (fat tails, volatility clusters), ``f`` the sector, ``g`` the *cluster* (suppliers and
customers: about ten stocks from different sectors), ``e`` the stock's own shock (Student t, 5 degrees
of freedom). The drift is what can be known at the close of ``t``:

- ``R`` fades the stock's own recent shocks (reversal) and ``V`` is an abnormal-volume state (the
  high-volume premium, Gervais, Kaniel & Mingelgrin 2001). Both can be read off the stock's own bars.
- ``D`` fades the cluster's recent news. One stock in four is a *leader* and prices its cluster's news at
  once; the followers price 60 % at once and the rest over the next days (Lo & MacKinlay 1990; Hong &
  Stein 1999). A follower's own return shows ``g`` through its own noise only; the mean of its cluster
  shows it clearly. The cluster is written nowhere, it can only be found from correlations. So this part
  belongs to the graph.

All three states decay geometrically, so the expected return from entry (close t+1) to close t+1+h is a
closed sum: the oracle score.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import SyntheticConfig
from engine.data.calendar import weekdays
from engine.data.synthetic_tables import optional_tables
from engine.data.tables import BAR_SCHEMA, SECURITY_SCHEMA, RawTables, complete

_FIRST_DAY = "2018-01-02"
_ORACLE_HORIZONS = (1, 5, 10, 20)
_CLUSTER_SIZE = 10
_SECTORS = (
    "Energy", "Materials", "Industrials", "Discretionary", "Staples",
    "Health", "Financials", "Technology", "Telecom", "Utilities",
)  # fmt: skip
_DAILY_SD = 0.018
_SHARE_CLUSTER, _SHARE_SECTOR = 0.60, 0.10
"""Of the variance of a stock's return that is not the market's."""
_REVERSAL, _REVERSAL_DECAY = 0.06, 0.80
_VOLUME_PREMIUM, _VOLUME_DECAY = 1e-3, 0.90
_DIFFUSION, _DIFFUSION_DECAY = 0.6, 0.87
_LEADER_SHARE = 0.25
_LISTING_RATE, _DELISTING_RATE = 0.04, 0.04
"""New and vanishing stocks a year, as a share of the stocks alive at the start."""
_CRASH_ON_DELISTING = -0.3
"""Log return of the last session of every second stock that vanishes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticMarket:
    """A market as a source would deliver it, beside what only its maker knows."""

    raw: RawTables
    """Bars, securities, index and the oracle table, as a source would deliver them."""
    cluster_N: NDArray[np.int64]
    """Hidden cluster of each stock, in the order of ``symbols``; known to tests only."""
    symbols: tuple[str, ...]

    @property
    def oracle(self) -> pl.DataFrame:
        """``date, symbol, horizon, expected``: expected log return from close t+1 to close t+1+horizon."""
        assert self.raw.oracle is not None
        return self.raw.oracle


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stocks:
    """Fixed traits, one entry per stock (N)."""

    sector: NDArray[np.int64]
    cluster: NDArray[np.int64]
    beta: NDArray[np.float64]
    load: NDArray[np.float64]
    kappa: NDArray[np.float64]
    log_shares: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def generate(config: SyntheticConfig) -> SyntheticMarket:
    """The whole market of one seed. Same config, same bytes."""
    rng = np.random.default_rng(config.seed)
    stocks = _draw_stocks(rng, config)
    returns_SN, volume_state_SN, market_S, expected_HSN = _simulate(rng, config, stocks)
    dates_S = weekdays(_FIRST_DAY, config.n_sessions)
    symbols = tuple(f"S{i:04d}" for i in range(stocks.beta.size))
    session_S = np.arange(config.n_sessions)[:, None]
    alive_SN = (session_S >= stocks.first) & (session_S <= stocks.last)
    bars = _bars(rng, dates_S, symbols, stocks, returns_SN, volume_state_SN, alive_SN)
    securities = pl.DataFrame(
        {
            "symbol": symbols,
            "name": [f"Synthetic {symbol[1:]}" for symbol in symbols],
            "sector": [_SECTORS[s] for s in stocks.sector],
            "industry": pl.Series([None] * len(symbols), dtype=pl.String),
        }
    )
    index = pl.DataFrame({"date": dates_S, "close": 1000 * np.exp(market_S.cumsum())})
    oracle = pl.concat(
        _long(dates_S, symbols, alive_SN, {"expected": expected_SN}).with_columns(
            pl.lit(horizon, pl.Int64).alias("horizon")
        )
        for horizon, expected_SN in zip(_ORACLE_HORIZONS, expected_HSN, strict=True)
    ).select("date", "symbol", "horizon", "expected")
    raw = RawTables(
        bars=complete(bars, BAR_SCHEMA),
        securities=complete(securities, SECURITY_SCHEMA),
        index=index,
        market="synthetic",
        source=f"synthetic(seed={config.seed})",
        oracle=oracle,
    )
    if config.optional_tables:
        raw = replace(raw, optional=optional_tables(raw, config.seed))
    return SyntheticMarket(raw=raw, cluster_N=stocks.cluster, symbols=symbols)


def _draw_stocks(rng: np.random.Generator, config: SyntheticConfig) -> _Stocks:
    years = config.n_sessions / 252
    n_new = round(config.n_symbols * _LISTING_RATE * years)
    n = config.n_symbols + n_new
    n_gone = round(config.n_symbols * _DELISTING_RATE * years)
    clusters = max(1, n // _CLUSTER_SIZE)
    is_leader = rng.random(n) < _LEADER_SHARE
    spread = rng.uniform(0.5, 1.5, n)
    first = np.zeros(n, dtype=np.int64)
    first[config.n_symbols :] = rng.integers(20, config.n_sessions - 60, n_new)
    last = np.full(n, config.n_sessions - 1)
    gone = rng.choice(config.n_symbols, n_gone, replace=False)
    last[gone] = rng.integers(60, config.n_sessions - 5, n_gone)
    size = rng.normal(0, 1, n) + 1.2 * is_leader
    return _Stocks(
        sector=rng.integers(0, len(_SECTORS), n),
        cluster=rng.permutation(np.arange(n) % clusters),
        beta=rng.uniform(0.6, 1.4, n),
        load=np.where(is_leader, 1.0, 1.0 - 0.4 * min(1.0, config.network_signal)),
        kappa=np.where(is_leader, 0.0, _DIFFUSION * config.network_signal * spread),
        log_shares=13.5 + size,
        first=first,
        last=last,
    )


def _simulate(
    rng: np.random.Generator, config: SyntheticConfig, stocks: _Stocks
) -> tuple[NDArray[np.float64], ...]:
    """Log returns and volume states ``[S, N]``, market ``[S]``, oracle ``[H, S, N]``."""
    S, N = config.n_sessions, stocks.beta.size
    own = config.signal
    share_own = 1.0 - _SHARE_CLUSTER - _SHARE_SECTOR
    sd_cluster, sd_sector, sd_own = _DAILY_SD * np.sqrt([_SHARE_CLUSTER, _SHARE_SECTOR, share_own])
    n_clusters = int(stocks.cluster.max()) + 1
    news_C, fade_N, volume_N = np.zeros(n_clusters), np.zeros(N), rng.normal(size=N)
    returns_SN, volume_SN, market_S = np.empty((S, N)), np.empty((S, N)), np.empty(S)
    expected_HSN = np.empty((len(_ORACLE_HORIZONS), S, N))
    market_variance = 0.009**2
    for t in range(S):
        pull_N = -_REVERSAL * own * fade_N
        premium_N = _VOLUME_PREMIUM * own * volume_N
        diffusion_N = stocks.kappa * (1 - _DIFFUSION_DECAY) * news_C[stocks.cluster]
        market = np.sqrt(market_variance) * _student_t(rng, 1)[0] + 2e-4
        market_variance = 8e-6 + 0.08 * market**2 + 0.82 * market_variance
        cluster_C = sd_cluster * _student_t(rng, n_clusters)
        sector = sd_sector * rng.normal(size=len(_SECTORS))
        shock_N = sd_own * _student_t(rng, N)
        market_S[t] = market
        returns_SN[t] = (
            stocks.beta * market
            + sector[stocks.sector]
            + stocks.load * cluster_C[stocks.cluster]
            + shock_N
            + pull_N
            + premium_N
            + diffusion_N
        )
        news_C = _DIFFUSION_DECAY * news_C + cluster_C
        fade_N = _REVERSAL_DECAY * fade_N + shock_N
        volume_N = _VOLUME_DECAY * volume_N + np.sqrt(1 - _VOLUME_DECAY**2) * rng.normal(size=N)
        volume_SN[t] = volume_N
        for i, horizon in enumerate(_ORACLE_HORIZONS):
            expected_HSN[i, t] = (
                -_REVERSAL * own * fade_N * _decay_sum(_REVERSAL_DECAY, horizon)
                + _VOLUME_PREMIUM * own * volume_N * _decay_sum(_VOLUME_DECAY, horizon)
                + stocks.kappa
                * (1 - _DIFFUSION_DECAY)
                * news_C[stocks.cluster]
                * _decay_sum(_DIFFUSION_DECAY, horizon)
            )
    return returns_SN, volume_SN, market_S, expected_HSN


def _decay_sum(decay: float, horizon: int) -> float:
    """Sum of decay^(k-1) over k = 2 .. horizon + 1: the sessions between entry and exit."""
    return float(sum(decay ** (k - 1) for k in range(2, horizon + 2)))


def _student_t(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Student t with 5 degrees of freedom, scaled to variance 1."""
    return np.asarray(rng.standard_t(5, n) / np.sqrt(5 / 3))


def _bars(
    rng: np.random.Generator,
    dates_S: NDArray[np.datetime64],
    symbols: tuple[str, ...],
    stocks: _Stocks,
    returns_SN: NDArray[np.float64],
    volume_state_SN: NDArray[np.float64],
    alive_SN: NDArray[np.bool_],
) -> pl.DataFrame:
    S, N = returns_SN.shape
    returns_SN = returns_SN.copy()
    vanishing = np.flatnonzero(stocks.last < S - 1)[::2]
    returns_SN[stocks.last[vanishing], vanishing] = _CRASH_ON_DELISTING
    start_N = np.exp(rng.normal(3.6, 0.6, N))
    close_SN = start_N * np.exp(np.where(alive_SN, returns_SN, 0.0).cumsum(axis=0))
    previous_SN = np.vstack([start_N, close_SN[:-1]])
    overnight_SN = rng.normal(0.35, 0.2, (S, N)) * returns_SN
    open_SN = previous_SN * np.exp(overnight_SN)
    stretch_SN = _DAILY_SD * np.abs(rng.normal(0, 0.5, (2, S, N)))
    high_SN = np.maximum(open_SN, close_SN) * np.exp(stretch_SN[0])
    low_SN = np.minimum(open_SN, close_SN) * np.exp(-stretch_SN[1])
    log_volume_SN = (
        stocks.log_shares
        + 0.35 * volume_state_SN
        + 4.0 * np.abs(returns_SN)
        + rng.normal(0, 0.12, (S, N))
    )
    volume_SN = np.round(np.exp(log_volume_SN - 3.0))
    prices = {"open": open_SN, "high": high_SN, "low": low_SN, "close": close_SN}
    rounded = {name: np.maximum(np.round(value, 4), 1e-4) for name, value in prices.items()}
    rounded["volume"] = volume_SN
    rounded["turnover"] = volume_SN * rounded["close"]
    return _long(dates_S, symbols, alive_SN, rounded)


def _long(
    dates_S: NDArray[np.datetime64],
    symbols: tuple[str, ...],
    alive_SN: NDArray[np.bool_],
    columns: dict[str, NDArray[np.float64]],
) -> pl.DataFrame:
    """Rows sorted by (date, symbol) for the stocks alive on each session."""
    session, stock = np.nonzero(alive_SN)
    names = pl.Series("symbol", symbols)
    return pl.DataFrame(
        {"date": dates_S[session], "symbol": names.gather(stock)}
        | {name: value[session, stock] for name, value in columns.items()}
    ).with_columns(pl.col("date").cast(pl.Date))
