"""The same figures as the libraries the field trusts, where the definition is the same.

quantstats: Sharpe, Sortino, volatility, CAGR, drawdown, Calmar, win rate, tail ratio. empyrical (under
pyfolio): Sharpe, Sortino, volatility, annual return, drawdown, Calmar, tail ratio, expected shortfall.
pyfolio: the drawdown table. alphalens: rank IC, quantile returns, quantile turnover, rank autocorrelation.
scipy: skewness, kurtosis.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.backtest import performance
from engine.evaluation import factor
from engine.evaluation.ranks import quantiles, rank_correlation_rows

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import alphalens
    import empyrical
    import pyfolio
    import quantstats

pytestmark = pytest.mark.filterwarnings("ignore")
SPY = 252
DAYS, STOCKS = 60, 40


@pytest.fixture(params=range(3))
def returns(request: pytest.FixtureRequest) -> pd.Series:
    rng = np.random.default_rng(request.param)
    values = rng.standard_t(4, 500) * 0.008 + 0.0004
    values[0] = -0.01  # the fall starts before the first return: quantstats and we count it
    return pd.Series(values, index=pd.bdate_range("2015-01-01", periods=500))


def test_performance_equals_quantstats(returns: pd.Series) -> None:
    ours, theirs = returns.to_numpy(), quantstats.stats
    pairs = {
        "sharpe": (performance.sharpe(ours, SPY), theirs.sharpe(returns)),
        "sortino": (performance.sortino(ours, SPY), theirs.sortino(returns)),
        "volatility": (performance.annual_volatility(ours, SPY), theirs.volatility(returns)),
        "cagr": (performance.annual_return(ours, SPY), theirs.cagr(returns)),
        "drawdown": (performance.max_drawdown(ours).depth, theirs.max_drawdown(returns)),
        "calmar": (performance.calmar(ours, SPY), theirs.calmar(returns)),
        "win rate": (performance.hit_rate(ours), theirs.win_rate(returns)),
        "tail ratio": (performance.tails(ours)["tail_ratio"], theirs.tail_ratio(returns)),
    }
    for name, (mine, other) in pairs.items():
        assert mine == pytest.approx(float(other), rel=1e-9, abs=1e-12), name


def test_performance_equals_empyrical(returns: pd.Series) -> None:
    ours = returns.to_numpy()
    tails = performance.tails(ours)
    pairs = {
        "sharpe": (performance.sharpe(ours, SPY), empyrical.sharpe_ratio(returns)),
        "sortino": (performance.sortino(ours, SPY), empyrical.sortino_ratio(returns)),
        "volatility": (
            performance.annual_volatility(ours, SPY),
            empyrical.annual_volatility(returns),
        ),
        "return": (performance.annual_return(ours, SPY), empyrical.annual_return(returns)),
        "drawdown": (performance.max_drawdown(ours).depth, empyrical.max_drawdown(returns)),
        "calmar": (performance.calmar(ours, SPY), empyrical.calmar_ratio(returns)),
        "tail ratio": (tails["tail_ratio"], empyrical.tail_ratio(returns)),
        "quantile": (tails["value_at_risk"], empyrical.value_at_risk(returns)),
    }
    for name, (mine, other) in pairs.items():
        assert mine == pytest.approx(float(other), rel=1e-9, abs=1e-12), name
    market = returns.shift(1).fillna(0.002) * 0.5 + returns * 0.5
    mine = performance.beta(ours, market.to_numpy())
    assert mine == pytest.approx(float(empyrical.beta(returns, market)), rel=1e-9)


def test_shape_of_the_returns_equals_scipy(returns: pd.Series) -> None:
    tails = performance.tails(returns.to_numpy())
    assert tails["skewness"] == pytest.approx(float(stats.skew(returns)), rel=1e-9)
    assert tails["excess_kurtosis"] == pytest.approx(float(stats.kurtosis(returns)), rel=1e-9)


def test_the_drawdown_table_equals_pyfolio(returns: pd.Series) -> None:
    returns.iloc[0] = 0.01  # pyfolio sees no fall that starts before the first return
    table = pyfolio.timeseries.gen_drawdown_table(returns, top=5)
    table = table.dropna(subset=["Net drawdown in %"])
    ours = performance.worst_drawdowns(returns.to_numpy(), 5)
    dates = [None, *returns.index]
    for fall, (_, row) in zip(ours, table.iterrows(), strict=True):
        assert -fall.depth * 100 == pytest.approx(row["Net drawdown in %"], rel=1e-9)
        assert dates[fall.trough] == row["Valley date"]
        if fall.recovery is None:
            assert pd.isna(row["Recovery date"])
        else:
            assert dates[fall.recovery] == row["Recovery date"]


def test_factor_figures_equal_alphalens() -> None:
    rng = np.random.default_rng(4)
    days = pd.bdate_range("2015-01-01", periods=DAYS)
    names = [f"S{n:02d}" for n in range(STOCKS)]
    price_DN = 20.0 * np.exp(rng.normal(0, 0.02, (DAYS, STOCKS)).cumsum(axis=0))
    # Values that float32 holds exactly: ranks are taken of float32.
    score_DN = rng.normal(size=(DAYS, STOCKS)).astype(np.float32).astype(np.float64)
    prices = pd.DataFrame(price_DN, index=days, columns=names)
    signal = pd.DataFrame(score_DN, index=days, columns=names).stack()
    signal.index.names = ["date", "asset"]
    clean = alphalens.utils.get_clean_factor_and_forward_returns(
        signal, prices, quantiles=10, periods=(5,), max_loss=1.0
    )
    n = DAYS - 5
    return_DN = np.full((DAYS, STOCKS), np.nan)
    return_DN[:n] = price_DN[5:] / price_DN[:n] - 1.0

    ic = alphalens.performance.factor_information_coefficient(clean)["5D"].to_numpy()
    ours_D = rank_correlation_rows(score_DN, return_DN, 10)
    np.testing.assert_allclose(ours_D[:n], ic, rtol=1e-9, atol=1e-12)

    place_DN = quantiles(score_DN[:n])
    means, _ = factor._quantile_returns(place_DN, return_DN[:n], horizon=5)
    table, _ = alphalens.performance.mean_return_by_quantile(clean, demeaned=True)
    np.testing.assert_allclose(list(means.values()), table["5D"], rtol=1e-9)

    turnover = factor._quantile_turnover(place_DN)
    for q in range(1, 11):
        theirs = alphalens.performance.quantile_turnover(clean["factor_quantile"], q, 1)
        assert turnover[str(q)] == pytest.approx(float(theirs.mean()), rel=1e-9)

    stay_D = factor._rank_autocorrelation(score_DN[:n])
    theirs_D = alphalens.performance.factor_rank_autocorrelation(clean, 1).dropna().to_numpy()
    np.testing.assert_allclose(stay_D, theirs_D, rtol=1e-9)
