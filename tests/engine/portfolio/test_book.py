"""Scores without their styles: by hand, against a second calculation, and what may not change."""

from dataclasses import replace
from typing import cast, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import ConstraintConfig, PortfolioConfig, Style
from engine.features.normalise import normal_scores
from engine.portfolio.book import _NAMES_PER_STYLE, _neutralised, build_book
from engine.portfolio.market_data import LOOK_BACK, MarketData
from engine.portfolio.risk import STYLES
from engine.portfolio.strategy import Decisions, load_strategy

QUANTILE = load_strategy("long_short_quantile")
ALL = cast(tuple[Style, ...], get_args(Style))
D = 6


def world(n: int = 120, *, sectors: int = 4, seed: int = 0) -> Decisions:
    """Names of different betas and volatilities, scored on six days but for a tenth of them."""
    rng = np.random.default_rng(seed)
    index_LD = rng.normal(0.0, 0.01, LOOK_BACK + D)
    noise = rng.normal(size=(LOOK_BACK + D, n)) * rng.uniform(0.005, 0.03, n)
    score_DN = rng.normal(size=(D, n)).astype(np.float32).astype(np.float64)
    score_DN[rng.random((D, n)) < 0.1] = np.nan
    market = MarketData(
        dates_D=np.datetime64("2020-01-01") + np.arange(D),
        symbols=tuple(f"S{i:03d}" for i in range(n)),
        market="us",
        traded_DN=np.ones((D, n), dtype=bool),
        close_raw_DN=np.full((D, n), 10.0),
        adv_DN=np.exp(rng.normal(14.0, 1.0, (D, n))),
        returns_LDN=rng.uniform(0.2, 2.0, n) * index_LD[:, None] + noise,
        index_LD=index_LD,
        sector_N=rng.integers(0, sectors, n),
        sectors=tuple("ABCDEFGH"[:sectors]),
        shortable_N=np.ones(n, dtype=bool),
    )
    return Decisions.of(score_DN, market, PortfolioConfig(horizon=1))


def test_figures_of_the_styles_by_hand() -> None:
    market = world().market
    last = market.returns_LDN[: LOOK_BACK + 3]
    assert market.volatility_DN[2] == pytest.approx(last[-60:].std(axis=0, ddof=1))
    past = np.log1p(last[-252:-21]).sum(axis=0)
    assert market.momentum_DN[2] == pytest.approx(past)


def test_neutral_to_sectors_is_the_distance_from_the_sectors_mean() -> None:
    decisions = world(40, sectors=2)
    found_KN = _neutralised(decisions, ("sector",)).score_KN
    for k, n in np.argwhere(np.isfinite(decisions.score_KN)):
        same = decisions.market.sector_N == decisions.market.sector_N[n]
        mean = np.nanmean(decisions.normal_KN[k, same])
        assert found_KN[k, n] == pytest.approx(decisions.normal_KN[k, n] - mean)


@given(
    st.lists(st.sampled_from(ALL), min_size=1, max_size=5, unique=True),
    st.integers(0, 2**16),
    st.integers(110, 170),
)
@settings(max_examples=25, deadline=None)
def test_it_is_the_residual_of_one_regression_with_all_columns(
    styles: list[Style], seed: int, n: int
) -> None:
    decisions = world(n, seed=seed)
    found_KN = _neutralised(decisions, styles).score_KN
    for k, scored_N in enumerate(np.isfinite(decisions.score_KN)):
        columns = [np.ones(n)]
        for name in styles:
            if name == "sector":
                columns += [(decisions.market.sector_N == g) * 1.0 for g in range(4)]
            else:
                day_N = np.where(scored_N, STYLES[name](decisions.market)[k], np.nan)
                columns.append(normal_scores(day_N[None])[0])
        x = np.array(columns).T[scored_N]
        y = decisions.normal_KN[k, scored_N]
        expected = y - x @ (np.linalg.pinv(x) @ y)
        assert found_KN[k, scored_N] == pytest.approx(expected, abs=1e-9)
        assert np.abs(x.T @ found_KN[k, scored_N]).max() < 1e-8
    assert np.array_equal(np.isnan(found_KN), np.isnan(decisions.score_KN))


@given(share=st.floats(0.0, 1.0))
@settings(max_examples=10, deadline=None)
def test_a_share_takes_out_that_part_of_the_fit(share: float) -> None:
    """Score less share x fit: the exposure that is left is 1 - share of what it was."""
    decisions = world(60)
    all_of_it = _neutralised(decisions, ["beta"]).score_KN
    fit_KN = decisions.normal_KN - all_of_it
    part = _neutralised(decisions, ["beta"], share)
    assert part.normal_KN.shape == fit_KN.shape
    if share:
        wanted_KN = decisions.normal_KN - share * fit_KN
        assert np.allclose(part.score_KN, wanted_KN, atol=1e-12, equal_nan=True)
    else:
        assert part is decisions


def test_without_styles_nothing_is_touched() -> None:
    decisions = world()
    assert _neutralised(decisions, ()) is decisions


def test_what_comes_later_changes_nothing_before() -> None:
    decisions, other = world(), world(seed=1)
    cut = LOOK_BACK + 3
    returns_LDN = np.concatenate(
        [decisions.market.returns_LDN[:cut], other.market.returns_LDN[cut:]]
    )
    adv_DN = np.concatenate([decisions.market.adv_DN[:3], other.market.adv_DN[3:]])
    changed = replace(
        decisions, market=replace(decisions.market, returns_LDN=returns_LDN, adv_DN=adv_DN)
    )
    ours, theirs = (_neutralised(one, ALL).score_KN for one in (decisions, changed))
    assert np.array_equal(ours[:3], theirs[:3], equal_nan=True)
    assert not np.array_equal(ours[3:], theirs[3:], equal_nan=True)


def test_too_few_names_and_equal_scores_decide_nothing() -> None:
    few = world(2 * _NAMES_PER_STYLE - 1)
    assert not np.nan_to_num(_neutralised(few, ("beta",)).score_KN).any()
    flat = world()
    flat = flat.with_scores(np.where(np.isfinite(flat.score_KN), 3.0, np.nan))
    config = PortfolioConfig(horizon=1, neutral_to=ALL)
    assert not build_book(QUANTILE, flat, config, ConstraintConfig()).weight_KN.any()


def test_a_book_of_neutral_scores_leans_less_and_the_way_there_says_what_it_cost() -> None:
    """Scores that are the beta and a little else: the book is long of high betas, the neutral one is not."""
    decisions = world(160)
    beta_KN = normal_scores(
        np.where(np.isfinite(decisions.score_KN), decisions.market.beta_DN, np.nan)
    )
    leaning = decisions.with_scores(beta_KN + 0.5 * decisions.normal_KN)
    plain = PortfolioConfig(horizon=1, fraction=0.2)
    neutral = plain.model_copy(update={"neutral_to": ("beta",)})
    leans = {}
    for config in (plain, neutral):
        book = build_book(QUANTILE, leaning, config, ConstraintConfig(), trace=True)
        leans[config.neutral_to] = np.abs(
            (book.weight_KN * decisions.market.beta_DN).sum(axis=1)
        ).mean()
        names = [step.name for step in book.steps]
        assert ("neutral to beta" in names) == bool(config.neutral_to)
        transfer = [step.transfer for step in book.steps]
        assert not config.neutral_to or transfer[1] < 0.7 * transfer[0]
    assert leans["beta",] < 0.25 * leans[()]


def test_leans_of_a_book_by_hand() -> None:
    """Weights times the normal scores of the names that are scored; of the index, times the betas."""
    decisions = world()
    config = PortfolioConfig(horizon=1, fraction=0.2)
    book = build_book(QUANTILE, decisions, config, ConstraintConfig())
    leans = book.leans()
    assert leans["style"].unique(maintain_order=True).to_list() == ["index", *STYLES]
    size_N = np.where(np.isfinite(decisions.score_KN[3]), decisions.market.adv_DN[3], np.nan)
    wanted = np.nansum(book.weight_KN[3] * normal_scores(size_N[None])[0])
    found = leans.filter(pl.col("style") == "size")["lean"]
    assert found[3] == pytest.approx(wanted)
    betas = leans.filter(pl.col("style") == "index")["lean"]
    assert betas[0] == pytest.approx(book.weight_KN[0] @ decisions.market.beta_DN[0])
