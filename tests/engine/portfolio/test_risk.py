"""The factor model by hand, against loops, on a market whose covariance is known, and what it may not see."""

from dataclasses import replace

import numpy as np
import pytest

from engine.portfolio.market_data import LOOK_BACK
from engine.portfolio.risk import FactorRisk
from tests.engine.portfolio.test_book import world


def test_one_session_of_four_stocks_by_hand() -> None:
    """All move with one factor: it gained 2 %, and each stock 1 % less or more (squared 1e-4, x 4/3)."""
    risk = FactorRisk.estimated(np.ones((4, 1)), np.array([[0.01, 0.03, 0.01, 0.03]]))
    assert risk.covariance_FF == pytest.approx(np.array([[4e-4]]), rel=1e-4)
    assert risk.specific_M == pytest.approx(np.full(4, 4e-4 / 3), rel=1e-4)
    assert risk.variance(np.array([0.5, 0.5, 0.0, 0.0])) == pytest.approx(
        4e-4 + 0.5 * 4e-4 / 3, rel=1e-4
    )


def test_it_is_the_sum_over_sessions_stock_by_stock() -> None:
    rng = np.random.default_rng(0)
    exposure_MF = np.column_stack([np.ones(30), rng.normal(size=(30, 2))])
    past_TM = rng.normal(0.0, 0.02, (90, 30))
    past_TM[rng.random((90, 30)) < 0.2] = 0.0
    past_TM[5, 3] = 4.0  # a bad print counts as a quarter
    risk = FactorRisk.estimated(exposure_MF, past_TM)
    weight_T = [0.5 ** ((89 - t) / 63.0) for t in range(90)]
    weight_T = [w / sum(weight_T) for w in weight_T]
    effective = 1.0 / sum(w * w for w in weight_T)
    covariance, own = np.zeros((3, 3)), np.zeros((30, 2))
    for t in range(90):
        moved = np.clip(past_TM[t], -0.25, 0.25)
        gained = np.linalg.lstsq(exposure_MF, moved, rcond=None)[0]
        covariance += weight_T[t] * np.outer(gained, gained)
        left = moved - exposure_MF @ gained
        for m in range(30):
            if past_TM[t, m] != 0.0:
                own[m] += weight_T[t] * left[m] ** 2 * 30 / 27, weight_T[t]
    for f in range(3):
        for g in range(3):
            covariance[f, g] *= 1.0 if f == g else 1.0 - 3.0 / (3.0 + effective)
    usual = np.median(own[:, 0] / own[:, 1])
    days = effective * own[:, 1]
    mixed = (days * own[:, 0] / own[:, 1] + 20.0 * usual) / (days + 20.0)
    assert risk.covariance_FF == pytest.approx(covariance, rel=1e-3, abs=3e-8)
    assert risk.specific_M == pytest.approx(mixed, rel=1e-6)


def test_a_stock_without_a_bar_has_the_median_of_the_others() -> None:
    past_TM = np.random.default_rng(1).normal(0.0, 0.02, (60, 40))
    past_TM[:, 7] = 0.0
    risk = FactorRisk.estimated(np.ones((40, 1)), past_TM)
    others = FactorRisk.estimated(np.ones((39, 1)), np.delete(past_TM, 7, axis=1))
    assert risk.specific_M[7] == pytest.approx(np.median(others.specific_M), rel=0.1)


def test_it_finds_the_risk_of_a_market_that_is_made_of_factors() -> None:
    rng = np.random.default_rng(2)
    exposure_MF = np.column_stack([np.ones(200), rng.normal(size=(200, 3))])
    truth_FF = np.diag([1e-4, 4e-5, 2e-5, 1e-5])
    own_M = rng.uniform(0.01, 0.03, 200)
    factors_TF = rng.multivariate_normal(np.zeros(4), truth_FF, 252)
    past_TM = factors_TF @ exposure_MF.T + rng.normal(size=(252, 200)) * own_M
    risk = FactorRisk.estimated(exposure_MF, past_TM)
    for _ in range(5):
        weight_M = rng.normal(size=200)
        lean_F = weight_M @ exposure_MF
        true = lean_F @ truth_FF @ lean_F + own_M**2 @ weight_M**2
        assert risk.variance(weight_M) == pytest.approx(true, rel=0.35)


def test_sectors_and_styles_are_the_factors_and_tomorrow_is_not_seen() -> None:
    decisions = world(sectors=3)
    market, names = decisions.market, np.arange(0, 120, 2)
    risk = FactorRisk.at(market, 2, names)
    assert risk.exposure_MF.shape == (60, 3 + 4)
    assert np.array_equal(risk.exposure_MF[:, :3].argmax(axis=1), market.sector_N[names])
    assert np.abs(risk.exposure_MF[:, 3:].mean(axis=0)).max() < 1e-6
    returns_LDN = market.returns_LDN.copy()
    returns_LDN[LOOK_BACK + 3 :] = 9.0
    later = replace(market, returns_LDN=returns_LDN)
    again = FactorRisk.at(later, 2, names)
    assert np.array_equal(risk.covariance_FF, again.covariance_FF)
    assert np.array_equal(risk.specific_M, again.specific_M)
    assert not np.array_equal(risk.specific_M, FactorRisk.at(later, 3, names).specific_M)
