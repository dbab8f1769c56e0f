"""Own features as they are computed: whole files in one pass, several files in one context, each table."""

from dataclasses import replace

import numpy as np
import pytest

from engine.features.catalog import find
from engine.features.own import of_file
from tests.engine.features.families import market
from tests.engine.features.test_expression import small, value

PASSED = """
[features]
moved = "Delta(close, 3) / Ref(close, 3) + Abs(close - open) / Ref(close, 200)"
joined = "Less(close / open, high / low) - Greater(open, close) * 2 / (close - 50)"
over = "(close > open) + 2 * (close >= open) + 4 * (close < open) + 8 * (close <= open)"
equal = "(close == open) - (close != open)"
first = "Mean(close, 5) / Mean(close, 20) + Sum(volume, 5) / Sum(volume, 20)"
second = "Std(close, 9) / Var(close, 7) * Cov(close, volume, 9) / Std(volume, 20)"
line = "Slope(close, 9) * Resi(close, 12) * Rsquare(close, 9)"
pairs = "Corr(close, Log(volume), 12) + Corr(market_return, close, 20) + Mean(market_return, 5)"
most = "Max(high, 9) / Min(low, 9) * IdxMax(high, 9)"
inner = "Std(Mean(Ref(close, 3), 10), 20) / Max(EMA(Quantile(close, 9, 0.3), 5), 6)"
across = "Neutral(Std(close, 9) / close) * CSRank(Sum(volume, 5)) + margin.long / Mean(volume, 20)"
chosen = "If(not close > open and volume > 3, Sign(close - open), WMA(close, 5) / close)"
bare = "open"
"""


def test_one_pass_gives_the_bits_of_the_operators_one_by_one() -> None:
    """Every step, with gaps and ties, beside a row that no feature may touch."""
    bars, tables = market.world()
    rng = np.random.default_rng(2)
    close = np.where(rng.random(bars.close_NS.shape) < 0.1, np.nan, np.round(bars.close_NS, 1))
    close[:, 150:190] = 50.0
    x = market.context(replace(bars, close_NS=close, open_NS=np.round(bars.open_NS, 1)), tables)
    features = of_file("passed", PASSED)
    together = features[0].together
    assert together is not None
    N, S = close.shape
    out_FNT = np.full((len(features) + 2, N + 1, S - 30), 9.0, dtype=np.float32)
    with np.errstate(all="ignore"):
        together([feature.name for feature in features], x, out_FNT, 1, 1)
        wanted = [feature.compute(x)[:, 30:].astype(np.float32) for feature in features]
    assert (out_FNT[[0, -1]] == 9.0).all()
    assert (out_FNT[:, 0] == 9.0).all()
    for feature, got, want in zip(features, out_FNT[1:-1, 1:], wanted, strict=True):
        assert np.isfinite(want).mean() > 0.3, feature.name
        np.testing.assert_array_equal(got, want, feature.name)


def test_files_with_other_windows_over_one_series_do_not_share_them() -> None:
    """In one context each has the values that it has alone."""
    x = small([[10.0, 11.0, 12.0, 9.0, 8.0, 12.0]])
    texts = {
        "two": "Mean(close, 2)",
        "four": "Mean(close, 4)",
        "both": "Mean(close, 4) - Mean(close, 2)",
    }
    last = {
        name: of_file(name, f'expression = "{text}"')[0].compute(x)[0, -1]
        for name, text in texts.items()
    }
    assert last == pytest.approx({"two": 10.0, "four": 10.25, "both": 0.25})


def test_options_and_earnings_are_as_the_built_in_features_see_them() -> None:
    bars, tables = market.world()
    x = market.context(bars, tables)
    for text, name in (("options.near", "option_iv_near"), ("earnings.days_to", "earnings_days_to"),
                       ("earnings.days_since", "earnings_days_since")):  # fmt: skip
        wanted = np.broadcast_to(find(name).compute(x), value(text, x).shape)
        np.testing.assert_array_equal(value(text, x), wanted, name)
    feature = of_file("near", 'expression = "earnings.days_to / (1 + options.iv_30)"')[0]
    assert (feature.source, feature.own, feature.scope) == ("earnings+options", False, "stock")
