"""Each rule by hand, and what must hold for any book and any set of rules."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.config import Config, ConstraintConfig, PortfolioConfig
from engine.errors import ConfigError
from engine.portfolio.book import build_book, exposures
from engine.portfolio.construction import balanced, fill, neutral, overlap
from engine.portfolio.contract import _example
from engine.portfolio.market_data import MarketData
from engine.portfolio.strategy import Strategy, load_strategy
from tests.engine.backtest.markets import decisions_of, panel_of, prediction_of, random_walks

QUANTILE = load_strategy("long_short_quantile")
Array = NDArray[np.float64]


def book(
    limits: ConstraintConfig,
    *,
    securities: pl.DataFrame | None = None,
    closes: dict[str, list[float | None]] | None = None,
    turnover: float = 1000.0,
    strategy: Strategy = QUANTILE,
    **changes: object,
) -> dict[str, float]:
    """Weights of the last day for names A .. H with falling scores."""
    portfolio = PortfolioConfig.model_validate(
        {"horizon": 1, "fraction": 0.25, "max_weight": 1.0, **changes}
    )
    names = "ABCDEFGH"
    bars = closes or {name: [10.0, 10.0, 10.0] for name in names}
    scores: dict[str, list[float | None]] = {name: [float(-i)] * 2 for i, name in enumerate(names)}
    panel = panel_of(bars, securities=securities, turnover=turnover)
    decisions = decisions_of(prediction_of(scores), panel, portfolio, limits)
    weight_N = build_book(strategy, decisions, portfolio, limits).weight_KN[-1]
    return {name: round(float(w), 12) for name, w in zip(names, weight_N, strict=True) if w}


def test_without_rules_the_quantiles_are_held() -> None:
    assert book(ConstraintConfig()) == {"A": 0.5, "B": 0.5, "G": -0.5, "H": -0.5}


def test_what_may_not_be_shorted_is_not_and_the_longs_shrink_with_it() -> None:
    assert book(ConstraintConfig(not_shortable=("H",))) == {"A": 0.25, "B": 0.25, "G": -0.5}
    marked = pl.DataFrame({"symbol": ["G", "A"], "shortable": [False, False]})
    assert book(ConstraintConfig(), securities=marked) == {"A": 0.25, "B": 0.25, "H": -0.5}


def test_price_and_liquidity_floors() -> None:
    closes: dict[str, list[float | None]] = {name: [10.0] * 3 for name in "BCDEFGH"}
    closes["A"] = [3.0] * 3
    assert book(ConstraintConfig(min_price=5.0), closes=closes) == {
        "B": 0.5, "G": -0.25, "H": -0.25,
    }  # fmt: skip
    assert book(ConstraintConfig(min_turnover=1001.0), turnover=1000.0) == {}
    assert len(book(ConstraintConfig(min_turnover=999.0), turnover=1000.0)) == 4


def test_a_demand_that_needs_sectors_is_refused_where_no_stock_has_one() -> None:
    """The eight names would count as one sector: a cap of 0.6 would then be one of the whole book."""
    empty = pl.DataFrame({"symbol": list("AB"), "sector": ["", None]})
    for securities in (None, empty):
        with pytest.raises(ConfigError, match=r"constraints\.max_sector needs the stocks' sectors"):
            book(ConstraintConfig(max_sector=0.6), securities=securities)
        with pytest.raises(ConfigError, match=r"portfolio\.neutral_to sector needs"):
            book(ConstraintConfig(), securities=securities, neutral_to=("sector",))
    with pytest.raises(ConfigError, match="the strategy sector_neutral needs") as error:
        book(ConstraintConfig(), strategy=load_strategy("sector_neutral"))
    assert "--securities FILE" in error.value.hint


def test_a_sector_holds_at_most_its_cap_on_each_side() -> None:
    tech = pl.DataFrame({"symbol": list("ABGH"), "sector": ["tech", "tech", "tech", "food"]})
    limits = ConstraintConfig(max_sector=0.6)
    assert book(limits, securities=tech) == pytest.approx(
        {"A": 0.3, "B": 0.3, "G": -0.3, "H": -0.3}
    )


def test_the_book_has_no_beta_when_told_so() -> None:
    """Betas from 252 sessions of returns built as beta x market + a little noise."""
    rng = np.random.default_rng(0)
    market = rng.normal(0, 0.01, 300)
    beta = dict(zip("ABCDEFGH", np.linspace(0.4, 1.8, 8), strict=True))
    closes: dict[str, list[float | None]] = {
        name: (10 * np.exp(np.cumsum(slope * market + rng.normal(0, 1e-3, 300)))).tolist()
        for name, slope in beta.items()
    }
    scores: dict[str, list[float | None]] = {
        name: [None] * 298 + [float(i)] for i, name in enumerate("CDAFBEHG")
    }
    portfolio = PortfolioConfig(horizon=1, fraction=0.5, max_weight=0.6)
    limits = ConstraintConfig(neutral_beta=True)
    decisions = decisions_of(prediction_of(scores), panel_of(closes), portfolio, limits)
    beta_KN = decisions.market.beta_DN[decisions.row_K]
    plain, flat = (
        build_book(QUANTILE, decisions, portfolio, rule).weight_KN[-1]
        for rule in (ConstraintConfig(), limits)
    )
    assert abs(plain @ beta_KN[-1]) > 0.3
    assert abs(flat @ beta_KN[-1]) < 1e-9
    assert abs(flat.sum()) < 1e-9
    assert np.all(flat * plain >= 0)
    assert np.abs(flat).sum() > 0.1


def test_beta_neutrality_cannot_be_asked_of_a_long_only_book() -> None:
    with pytest.raises(ValueError, match="needs shorts"):
        Config(
            portfolio=PortfolioConfig(long_only=True),
            constraints=ConstraintConfig(neutral_beta=True),
        )


@pytest.mark.parametrize(("calendar", "sessions"), [("", 252), ("24/7", 365), ("XLON", 253)])
def test_the_volatility_target_scales_by_the_books_own_past(calendar: str, sessions: int) -> None:
    closes = random_walks(8, 100, seed=2)
    closes = dict(zip("ABCDEFGH", closes.values(), strict=True))
    scores: dict[str, list[float | None]] = {
        name: [None] * 98 + [float(-i)] for i, name in enumerate("ABCDEFGH")
    }
    portfolio = PortfolioConfig(horizon=1, fraction=0.25, max_weight=1.0)
    limits = ConstraintConfig(volatility_target=0.1, volatility_sessions=60)
    panel = replace(panel_of(closes), calendar=calendar)
    decisions = decisions_of(prediction_of(scores), panel, portfolio, limits)
    plain, calm = (
        build_book(QUANTILE, decisions, portfolio, rule).weight_KN[-1]
        for rule in (ConstraintConfig(), limits)
    )
    close = np.array([closes[name] for name in "ABCDEFGH"], dtype=float).T[:99]
    past = (close[1:] / close[:-1] - 1.0)[-60:]
    swing = (past @ plain).std(ddof=1) * np.sqrt(sessions)
    assert swing > 0.1
    np.testing.assert_allclose(calm, plain * 0.1 / swing, rtol=1e-9)


@given(
    seed=st.integers(0, 9999),
    fraction=st.sampled_from([0.05, 0.2, 0.5]),
    cap=st.sampled_from([0.02, 0.1, 1.0]),
    sector=st.sampled_from([0.0, 0.1, 0.5]),
    beta=st.booleans(),
    volatility=st.sampled_from([0.0, 0.05]),
    horizon=st.sampled_from([1, 5]),
    name=st.sampled_from(["long_short_quantile", "score_weighted", "hysteresis_band"]),
)
def test_any_rules_leave_a_neutral_book_inside_every_limit(
    seed: int,
    fraction: float,
    cap: float,
    sector: float,
    beta: bool,
    volatility: float,
    horizon: int,
    name: str,
) -> None:
    portfolio = PortfolioConfig(horizon=horizon, fraction=fraction, max_weight=cap)
    limits = ConstraintConfig(
        max_sector=sector,
        neutral_beta=beta,
        volatility_target=volatility,
        not_shortable=("S001", "S002"),
        min_price=5.0,
    )
    decisions = _example(portfolio, seed)
    weight_KN = build_book(load_strategy(name), decisions, portfolio, limits).weight_KN
    gross_K, net_K, largest_K = exposures(weight_KN)
    assert gross_K.max() <= portfolio.gross + 1e-9
    assert np.abs(net_K).max() <= 1e-9
    assert largest_K.max() <= cap + 1e-9
    market, rows = decisions.market, decisions.row_K
    assert not weight_KN[~market.traded_DN[rows]].any()
    assert not weight_KN[market.close_raw_DN[rows] < 5.0].any()
    if sector:
        for g in range(len(market.sectors)):
            side_KN = weight_KN[:, market.sector_N == g]
            assert np.maximum(side_KN, 0).sum(axis=1).max() <= sector + 1e-9
            assert np.maximum(-side_KN, 0).sum(axis=1).max() <= sector + 1e-9


def naive_fill(raw: list[float], total: float, cap: float) -> list[float]:
    """The level at which min(level x raw, cap) adds up to the total, by bisection."""
    if sum(raw) == 0:
        return [0.0] * len(raw)
    low, high = 0.0, 1e9
    for _ in range(200):
        level = (low + high) / 2
        if sum(min(level * r, cap) for r in raw) < total:
            low = level
        else:
            high = level
    return [min(high * r, cap) for r in raw]


@given(
    raw=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0]), min_size=1, max_size=12),
    total=st.sampled_from([0.3, 1.0]),
    cap=st.sampled_from([0.05, 0.2, 1.0]),
)
def test_filling_equals_bisection(raw: list[float], total: float, cap: float) -> None:
    ours = fill(np.array([raw]), total, cap)[0]
    np.testing.assert_allclose(ours, naive_fill(raw, total, cap), atol=1e-9)


def test_tools_by_hand() -> None:
    tranches = np.array([[1.0, -1.0], [0.0, 0.0], [2.0, -2.0]])
    np.testing.assert_allclose(overlap(tranches, 2), [[0.5, -0.5], [0.5, -0.5], [1.0, -1.0]])
    assert overlap(tranches, 1) is tranches
    np.testing.assert_allclose(neutral(np.array([[0.6, 0.2, -0.4]])), [[0.3, 0.1, -0.4]])
    np.testing.assert_allclose(neutral(np.array([[0.6, 0.2, 0.0]])), [[0.0, 0.0, 0.0]])
    config = PortfolioConfig(gross=1.0, max_weight=0.3)
    np.testing.assert_allclose(balanced(np.array([[3.0, 1.0, -1.0]]), config), [[0.18, 0.12, -0.3]])


def test_each_step_says_what_it_left() -> None:
    portfolio = PortfolioConfig(horizon=1, fraction=0.2)
    decisions = _example(portfolio)
    limits = ConstraintConfig(max_sector=0.2)
    steps = build_book(QUANTILE, decisions, portfolio, limits, trace=True).steps
    names = [step.name for step in steps]
    assert names[0].startswith("long_short_quantile")
    assert names[1:] == ["name cap 0.1", "no bar today", "sector cap 0.2", "dollar neutral"]
    gross = [step.gross for step in steps]
    assert gross == sorted(gross, reverse=True)
    assert gross[-1] < gross[0]
    assert all(0 < step.transfer < 1 for step in steps)
    weighted = build_book(
        load_strategy("score_weighted"),
        decisions,
        portfolio.model_copy(update={"max_weight": 1.0}),
        ConstraintConfig(),
        trace=True,
    )
    assert weighted.steps[0].transfer == pytest.approx(1.0, abs=0.01)


def test_market_data_never_look_ahead_and_count_holes_as_no_turnover() -> None:
    closes = random_walks(3, 60, seed=4)
    closes["S00"][30] = None
    cut = 40

    def market(values: dict[str, list[float | None]]) -> MarketData:
        portfolio = PortfolioConfig(horizon=1)
        scores: dict[str, list[float | None]] = {name: [None] * 20 + [1.0] * 39 for name in values}
        return decisions_of(prediction_of(scores), panel_of(values), portfolio).market

    ours = market(closes)
    other = market(
        {
            name: [v if d <= cut or v is None else v * 3 for d, v in enumerate(row)]
            for name, row in closes.items()
        }
    )
    rows = cut - 20 + 1
    for name in ("traded_DN", "close_raw_DN", "adv_DN", "beta_DN"):
        np.testing.assert_array_equal(getattr(ours, name)[:rows], getattr(other, name)[:rows])
    assert ours.adv_DN[30 - 20, 0] == pytest.approx(1000.0 * 19 / 20)
    assert ours.returns_LDN[30, 0] == 0.0
    assert ours.returns_LDN[31, 0] == pytest.approx(closes["S00"][31] / closes["S00"][29] - 1)  # type: ignore[operator]
