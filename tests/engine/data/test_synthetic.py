import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from engine.config import SyntheticConfig
from engine.data.synthetic import _CLUSTER_SIZE, SyntheticMarket, generate
from engine.evaluation.rank_ic import rank_ic_series

SMALL = SyntheticConfig(n_symbols=160, n_sessions=500, seed=3)


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return generate(SMALL)


def wide(frame: pl.DataFrame, column: str) -> tuple[list[str], NDArray[np.float64]]:
    table = frame.pivot(on="symbol", index="date", values=column).sort("date")
    names = sorted(name for name in table.columns if name != "date")
    return names, table.select(names).to_numpy()


def oracle_rank_ic(market: SyntheticMarket, horizon: int) -> NDArray[np.float64]:
    """Oracle against close t+1 -> close t+1+h, computed here the plain way."""
    _, close = wide(market.raw.bars, "close")
    rows = market.oracle.filter(pl.col("horizon") == horizon)
    _, expected = wide(rows, "expected")
    last = close.shape[0] - horizon - 1
    future = close[1 + horizon :] / close[1 : last + 1] - 1
    return rank_ic_series(list(expected[:last]), list(future))


def test_same_seed_same_bytes_and_another_seed_differs(market: SyntheticMarket) -> None:
    again = generate(SMALL)
    assert again.raw.bars.equals(market.raw.bars)
    assert again.oracle.equals(market.oracle)
    assert not generate(SMALL.model_copy(update={"seed": 4})).raw.bars.equals(market.raw.bars)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_oracle_ranks_future_returns(market: SyntheticMarket, horizon: int) -> None:
    daily = oracle_rank_ic(market, horizon)
    assert np.nanmean(daily) > 0.08
    assert np.nanmean(daily) > 5 * np.nanstd(daily) / np.sqrt(daily.size / horizon)


def test_without_signal_the_oracle_is_constant() -> None:
    silent = generate(SMALL.model_copy(update={"signal": 0.0, "network_signal": 0.0}))
    assert silent.oracle["expected"].abs().max() == 0.0


def test_the_network_carries_part_of_the_signal() -> None:
    own = oracle_rank_ic(generate(SMALL.model_copy(update={"network_signal": 0.0})), 5)
    net = oracle_rank_ic(generate(SMALL.model_copy(update={"signal": 0.0})), 5)
    assert np.nanmean(own) > 0.06
    assert np.nanmean(net) > 0.06


def test_clusters_show_in_correlations_and_cross_sectors(market: SyntheticMarket) -> None:
    names, close = wide(market.raw.bars, "close")
    alive = np.isfinite(close).all(axis=0)
    returns = np.diff(np.log(close[:, alive]), axis=0)
    returns -= returns.mean(axis=1, keepdims=True)
    rho = np.corrcoef(returns.T)
    order = np.array([market.symbols.index(name) for name in names])[alive]
    same = market.cluster_N[order][:, None] == market.cluster_N[order][None, :]
    np.fill_diagonal(same, val=False)
    other = ~same & ~np.eye(same.shape[0], dtype=bool)
    assert rho[same].mean() > 0.25
    assert abs(rho[other].mean()) < 0.05
    sector = dict(market.raw.securities.select("symbol", "sector").iter_rows())
    cluster = {name: market.cluster_N[market.symbols.index(name)] for name in names}
    members = [sector[n] for n in names if cluster[n] == 0]
    assert len(members) >= _CLUSTER_SIZE - 1
    assert len(set(members)) > 2


def test_bars_are_valid_and_some_stocks_come_and_go(market: SyntheticMarket) -> None:
    bars = market.raw.bars
    assert bars.select((pl.col("low") > 0).all()).item()
    inside = pl.col("low") <= pl.min_horizontal("open", "close")
    above = pl.col("high") >= pl.max_horizontal("open", "close")
    assert bars.select((inside & above).all()).item()
    span = bars.group_by("symbol").agg(
        pl.col("date").min().alias("a"), pl.col("date").max().alias("b")
    )
    first, last = bars["date"].min(), bars["date"].max()
    assert (span["a"] > first).sum() > 0
    assert (span["b"] < last).sum() > 0
    assert bars["date"].n_unique() == SMALL.n_sessions
