"""Own expressions: values by hand and against pandas, what is derived from the text, what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import FeatureConfig
from engine.errors import ConfigError
from engine.features.catalog import asked_for, catalog_of, find, select
from engine.features.columns import COLUMNS, ONE
from engine.features.compute import _reach
from engine.features.context import Array, Context
from engine.features.expression import parse
from engine.features.operators import OPERATORS
from engine.features.own import of_file
from engine.features.plan import Plan
from engine.features.rolling import BLOCK, needed
from engine.features.sets import SETS
from tests.engine.data.test_universe import dense
from tests.engine.features.families import market

NAN = float("nan")


def value(text: str, x: Context) -> Array:
    root = parse(text)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Plan((root,)).value(root, x)


def small(close: list[list[float]], volume: list[list[float]] | None = None) -> Context:
    prices = np.array(close, dtype=float)
    traded = np.ones_like(prices) if volume is None else np.array(volume, dtype=float)
    return market.context(dense(prices, traded * prices), {})


def ragged(seed: int, sessions: int = 90) -> Context:
    """Three stocks with a tenth of the bars missing and with ties."""
    rng = np.random.default_rng(seed)
    close = np.round(50.0 * np.exp(rng.normal(0, 0.03, (3, sessions)).cumsum(axis=1)), 1)
    close[rng.random(close.shape) < 0.1] = np.nan
    return small(close.tolist(), np.exp(rng.normal(5, 1, close.shape)).tolist())


def test_a_line_by_hand() -> None:
    x = small([[10.0, 11.0, 12.0, 9.0, NAN, 12.0]])
    assert value("close / Ref(close, 1) - 1", x)[0] == pytest.approx(
        [NAN, 0.1, 1 / 11, -0.25, NAN, NAN], nan_ok=True
    )
    assert value("Delta(close, 2)", x)[0] == pytest.approx([NAN, NAN, 2, -2, NAN, 3], nan_ok=True)
    assert value("Mean(close, 3)", x)[0] == pytest.approx(
        [NAN, NAN, 11, 32 / 3, 10.5, 10.5], nan_ok=True
    )
    assert value("IdxMax(close, 3)", x)[0] == pytest.approx([NAN, NAN, 3, 2, 1, 3], nan_ok=True)
    flat = small([[2.0, 2.0, 1.0, 2.0, 1.0]])
    assert value("IdxMax(close, 3)", flat)[0] == pytest.approx([NAN, NAN, 1, 1, 2], nan_ok=True)
    assert value("IdxMin(close, 3)", flat)[0] == pytest.approx([NAN, NAN, 3, 2, 1], nan_ok=True)
    assert value("Count(close, 3)", x)[0] == pytest.approx([NAN, NAN, 3, 3, 2, 2], nan_ok=True)
    assert value("WMA(close, 2)", x)[0][1] == pytest.approx((10 + 2 * 11) / 3)
    assert value("-close", x)[0][0] == -10.0
    assert value("SinceMax(close, 3)", flat)[0] == pytest.approx([NAN, NAN, 1, 0, 1], nan_ok=True)
    assert value("SinceMin(close, 3)", flat)[0] == pytest.approx([NAN, NAN, 0, 1, 0], nan_ok=True)
    assert value("Log1p(close / 10 - 2)", x)[0][0] == float("-inf")  # NaN once it is a feature
    assert value("Log1p(close - 9)", x)[0][:2] == pytest.approx([np.log(2), np.log(3)])


def test_truth_and_choice_by_hand() -> None:
    x = small([[10.0, 11.0, 12.0, 9.0, NAN, 12.0]])
    assert value("close > 10 and close < 12", x)[0] == pytest.approx(
        [0, 1, 0, 0, NAN, 0], nan_ok=True
    )
    assert value("not close > 10 or close == 12", x)[0] == pytest.approx(
        [1, 0, 1, 1, NAN, 1], nan_ok=True
    )
    assert value("If(close >= 11, close, 0)", x)[0] == pytest.approx(
        [0, 11, 12, 0, NAN, 12], nan_ok=True
    )
    assert value("When(close >= 11, close)", x)[0] == pytest.approx(
        [NAN, 11, 12, NAN, NAN, 12], nan_ok=True
    )
    assert value("Known(Ref(close, 1))", x)[0].tolist() == [0, 1, 1, 1, 1, 0]
    assert value("Fill(close, 7)", x)[0].tolist() == [10, 11, 12, 9, 7, 12]
    assert value("close / (close - 10)", x)[0][:2] == pytest.approx([NAN, 11], nan_ok=True)
    assert value("Log(close - 10)", x)[0][:2] == pytest.approx([NAN, 0], nan_ok=True)


def test_across_the_day_by_hand() -> None:
    """Ranks are among members; a sector's mean leaves the stock itself out, of the members of before."""
    x = small([[1.0, 4.0], [2.0, 2.0], [3.0, 2.0], [9.0, NAN]])
    rank = value("CSRank(close)", x)
    assert rank[:, 0] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rank[:, 1] == pytest.approx([1.0, 0.5, 0.5, NAN], nan_ok=True)
    sectors = replace(x.dense, sector_N=np.array([0, 0, 1, -1], dtype=np.int16), sectors=("a", "b"))
    neutral = value("Neutral(close)", market.context(sectors, {}))
    assert neutral[:, 1] == pytest.approx([2.0, -2.0, NAN, NAN], nan_ok=True)
    others = value("SectorMean(close)", market.context(sectors, {}))
    assert others[:, 1] == pytest.approx([2.0, 4.0, NAN, NAN], nan_ok=True)


def rolled(statistic: Callable[[pd.Series], float], fewest: int = 1) -> Callable[..., Array]:
    """A statistic of the valid entries of each whole window, one Python call a window."""

    def run(x_NS: Array, window: int) -> Array:
        out = np.full_like(x_NS, np.nan)
        for i, t in np.ndindex(x_NS.shape):
            part = x_NS[i, t - window + 1 : t + 1] if t >= window - 1 else x_NS[i, :0]
            if np.isfinite(part).sum() >= max(fewest, needed(window)):
                out[i, t] = statistic(pd.Series(part))
        return out

    return run


def line(part: pd.Series) -> tuple[float, float, float]:
    known = part.dropna()
    slope, level = np.polyfit(known.index, known, 1)
    return slope, level, float(np.corrcoef(known.index, known)[0, 1] ** 2)


PLAIN: dict[str, tuple[str, Callable[..., Array]]] = {
    "Mean": ("Mean(close, {w})", rolled(lambda s: s.mean())),
    "Sum": ("Sum(close, {w})", rolled(lambda s: s.sum())),
    "Std": ("Std(close, {w})", rolled(lambda s: s.std(ddof=1), 2)),
    "Var": ("Var(close, {w})", rolled(lambda s: s.var(ddof=1), 2)),
    "Skew": ("Skew(close, {w})", rolled(
        lambda s: ((s - s.mean()) ** 3).mean() / s.std(ddof=0) ** 3, 3)),
    "Kurt": ("Kurt(close, {w})", rolled(
        lambda s: ((s - s.mean()) ** 4).mean() / s.std(ddof=0) ** 4 - 3, 4)),
    "Slope": ("Slope(close, {w})", rolled(lambda s: line(s)[0], 3)),
    "Rsquare": ("Rsquare(close, {w})", rolled(lambda s: line(s)[2], 3)),
    "Resi": ("Resi(close, {w})", rolled(
        lambda s: s.iloc[-1] - line(s)[1] - line(s)[0] * s.index[-1], 3)),
    "Rank": ("Rank(close, {w})", rolled(lambda s: s.rank(pct=True).iloc[-1])),
    "Quantile": ("Quantile(close, {w}, 0.8)", rolled(lambda s: s.quantile(0.8))),
    "Med": ("Med(close, {w})", rolled(lambda s: s.median())),
    "Mad": ("Mad(close, {w})", rolled(lambda s: (s - s.mean()).abs().mean())),
    "Max": ("Max(close, {w})", rolled(lambda s: s.max())),
    "Min": ("Min(close, {w})", rolled(lambda s: s.min())),
    "IdxMax": ("IdxMax(close, {w})", rolled(lambda s: 1.0 + s[s == s.max()].index[0])),
    "IdxMin": ("IdxMin(close, {w})", rolled(lambda s: 1.0 + s[s == s.min()].index[0])),
    "Count": ("Count(close, {w})", lambda x, w: pd.DataFrame(
        np.isfinite(x).T).rolling(w).sum().to_numpy().T),
    "WMA": ("WMA(close, {w})", rolled(
        lambda s: (s * (s.index + 1)).sum() / (s.notna() * (s.index + 1)).sum())),
    "EMA": ("EMA(close, {w})", lambda x, w: pd.DataFrame(x.T).ewm(
        span=w, adjust=False, ignore_na=True).mean().where(np.isfinite(x.T)).to_numpy().T),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_each_window_equals_its_plain_definition(name: str) -> None:
    text, plain = PLAIN[name]
    x = ragged(5, sessions=70)
    got, wanted = value(text.format(w=7), x), plain(x.close, 7)
    if name == "EMA":  # what is forgotten weighs less than e^-12
        np.testing.assert_allclose(got[:, -1], wanted[:, -1], rtol=1e-5)
    else:
        np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-9)


def test_pairs_equal_their_plain_definition() -> None:
    x = ragged(3)
    for text, plain in (
        ("Corr(close, Log(volume), 12)", pd.Series.corr),
        ("Cov(close, Log(volume), 12)", pd.Series.cov),
    ):
        got, whole = value(text, x), 0
        for i, t in np.ndindex(got.shape):
            part = slice(max(0, t - 11), t + 1)
            pair = pd.Series(x.close[i, part]), pd.Series(np.log(x.volume[i, part]))
            known = int((pair[0].notna() & pair[1].notna()).sum())
            assert np.isfinite(got[i, t]) == (t >= 11 and known >= needed(12))
            if np.isfinite(got[i, t]):
                assert got[i, t] == pytest.approx(plain(*pair), rel=1e-9)
                whole += 1
        assert whole > 100


def test_a_slope_on_another_series_by_hand() -> None:
    """Closes 1, 2, 4 on volumes 1, 2, 3: slope 1.5; on twice the volume half of it."""
    x = small([[1.0, 2.0, 4.0]], [[1.0, 2.0, 3.0]])
    assert value("Beta(close, volume, 3)", x)[0] == pytest.approx([NAN, NAN, 1.5], nan_ok=True)
    assert value("Beta(close, 2 * volume, 3)", x)[0][2] == pytest.approx(0.75)
    root = parse("Beta(close, volume, 3)")
    assert root.unit is not None
    assert root.unit.text() == "currency shares^-2"


def test_every_operator_is_described_and_tried() -> None:
    elsewhere = {"Ref", "Delta", "Corr", "Cov", "Beta", "CSRank", "SectorMean", "Neutral", "Abs", "Sign",
                 "Log", "Log1p", "Power", "Greater", "Less", "If", "When", "Known", "Fill", "SinceMax",
                 "SinceMin"}  # fmt: skip
    named = {name for name in OPERATORS if name[0].isupper()}
    assert named == set(PLAIN) | elsewhere
    page = (Path(__file__).parents[3] / "docs/features.md").read_text(encoding="utf-8")
    for name in named:
        assert f"`{name}(" in page
        assert f"| {OPERATORS[name].about} |" in page
    x = small([[4.0, 9.0]])
    assert value("Sign(close - 5) * Power(close, 0.5)", x)[0].tolist() == [-2.0, 3.0]
    assert value("Greater(close, 6) - Less(close, 6) + Abs(close - 5)", x)[0].tolist() == [3.0, 7.0]


def test_every_column_can_be_read() -> None:
    """Tables by their publication: what `at_close` gives; flow and market series are one row."""
    bars, tables = market.world()
    x = market.context(bars, tables)
    for name, column in COLUMNS.items():
        if column.source in ("valuation", "disclosures", "holdings"):
            continue  # the synthetic market has none
        found = value(name, x)
        assert found.shape == (1 if column.market else len(bars.symbols), bars.dates_S.size), name
        seldom = name == "earnings.days_to"  # a date is published a month before it
        assert np.isfinite(found[:, 400:]).mean() > (0.25 if seldom else 0.5), name
    paid = bars.turnover_NS / bars.volume_NS
    np.testing.assert_allclose(value("vwap", x), paid, rtol=1e-12)


def test_a_valuation_counts_from_its_publication_on() -> None:
    """The rows of session 0 and of session 1 are published one session later; B has none."""
    bars = dense(np.full((2, 4), 10.0), np.full((2, 4), 1000.0))
    days = pl.Series(bars.dates_S).cast(pl.Date)
    rows = {"date": days[:2], "available": days[1:3], "symbol": [bars.symbols[0]] * 2}
    tables = {
        "valuation": pl.DataFrame({**rows, "per": [12.0, 15.0], "market_cap": [5e6, 6e6]}),
        "holdings": pl.DataFrame({**rows, "held": [1e4, 3e4], "outstanding": [5e5, 5e5]}),
    }
    x = market.context(bars, tables)
    assert value("valuation.per", x)[0] == pytest.approx([NAN, 12, 15, 15], nan_ok=True)
    assert np.isnan(value("valuation.per", x)[1]).all()
    owned = parse("close * holdings.held / valuation.market_cap")
    assert owned.sources == {"valuation", "holdings"}
    assert owned.unit == ONE
    assert Plan((owned,)).value(owned, x)[0] == pytest.approx([NAN, 0.02, 0.05, 0.05], nan_ok=True)
    assert np.isnan(value("disclosures.documents", x)).all()


def test_what_is_derived_from_the_text() -> None:
    unit = {"close": "price", "Corr(close, volume, 5)": "1", "Var(close, 5)": "price^2",
            "close * volume": "currency", "turnover / close": "shares", "Slope(close, 5)":
            "currency shares^-1 sessions^-1", "IdxMax(high, 5)": "sessions", "Power(close, 2) / close":
            "price", "Log(close)": "1", "Delta(market_turnover, 1)": "currency"}  # fmt: skip
    for text, wanted in unit.items():
        root = parse(text)
        assert root.unit is not None
        assert root.unit.text() == wanted, text
    chained = parse("Std(Mean(Ref(close, 3), 10), 20) / Max(high, 60)")
    assert (chained.lookback, chained.depth) == (60, 2)
    assert parse("Neutral(margin.long / volume)").sources == {"sectors", "margin"}
    assert parse("CSRank(market_return * close)").own is False
    assert parse("close > $open").truth


REFUSED = {
    "Ref(close, -1) / close": ("column 12", "looks ahead", "sessions back"),
    "Delta(close, -5)": ("column 14", "looks ahead", ""),
    "Meen(close, 5)": ("column 1", "Meen", "did you mean Mean"),
    "close / clsoe": ("column 9", "clsoe", "did you mean close"),
    "margn.long": ("column 1", "margn.long", "did you mean margin.long"),
    "close + volume": ("column 1", "price and shares", "divide"),
    "close > volume": ("column 1", "price and shares", "divide"),
    "If(close, open, high)": ("column 4", "not true or false", "compare"),
    "close and open": ("column 1", "not true or false", ""),
    "1 < close < 3": ("column 1", "more than two", "and"),
    "Mean(close)": ("column 1", "takes 2", ""),
    "Mean(close, 0)": ("column 13", "number of sessions", ""),
    "Mean(close, 2.5)": ("column 13", "number of sessions", ""),
    "Mean(close, volume)": ("column 13", "is no number", ""),
    "Mean(3, 5)": ("column 1", "has no column", ""),
    "Quantile(close, 5, 80)": ("column 20", "share between", ""),
    "Power(close, volume)": ("column 1", "power", ""),
    "close ** 2": ("column 1", "Pow", "Power"),
    "(close > 1) & (open > 1)": ("column 1", "BitAnd", "and"),
    "close if close > 1 else open": ("column 1", "no part", "If("),
    "__import__('os').system('x')": ("column 1", "no part", "docs/features.md"),
    "close.__class__": ("column 1", "close.__class__", ""),
    "[close]": ("column 1", "no part", ""),
    "True": ("column 1", "no part", ""),
    "Mean(close, w=5)": ("column 1", "no part", ""),
    "1 + 2": ("column 1", "is a number", "name a column"),
    "close +": ("column", "invalid syntax", ""),
    "(close": ("column 1", "never closed", ""),
    "": ("column", "", ""),
    "(" * 60 + "close" + ")" * 60 + " + " + "-" * 60 + "close": ("nested", "", ""),
    "c" * 5000: ("longer than", "", ""),
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_what_is_wrong_is_named_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, "features/mine.toml")
    place, what, hint = REFUSED[text]
    assert error.value.message.startswith("features/mine.toml: ")
    assert place in error.value.message
    assert what in error.value.message
    assert hint in error.value.hint


@settings(max_examples=100, deadline=None)
@given(
    st.text(
        st.sampled_from("closeMan(),.0123456789+-*/<>=&|~[]{}:'\"$ \n\\andornotRef"), max_size=60
    )
)
def test_any_text_is_an_expression_or_a_named_error(text: str) -> None:
    try:
        found = parse(text)
    except ConfigError:
        return
    assert found.lookback >= 0
    assert found.unit is not None


def own(name: str, text: str) -> FeatureConfig:
    return FeatureConfig(own={name: text}, breadth="core")


DEEP = """
windows = [5, 20]
[features]
"chain{w}" = "Std(EMA(close, 5) / Mean(Ref(close, 3), {w}), 7)"
"ranked{w}" = "CSRank(Neutral(Slope(Log(volume), {w})))"
"pair{w}" = "Cov(close, Rank(volume, 9), {w}) / close"
"owed{w}" = "Delta(margin.long / margin.short, {w})"
"""


def test_a_bounded_past_decides_every_bit_and_a_changed_future_none() -> None:
    """Computed from the look-back on, as an append does, the newest sessions keep their bits."""
    bars, tables = market.world()
    features = of_file("deep", DEEP)
    whole = market.values(market.context(bars, tables), features)
    noisy = replace(bars, close_NS=bars.close_NS.copy(), volume_NS=bars.volume_NS.copy())
    noisy.close_NS[:, 500:] *= 1.7
    noisy.volume_NS[:, 500:] *= 0.3
    other = market.values(market.context(noisy, tables), features)
    for feature in features:
        assert np.isfinite(whole[feature.name][:, 300:]).mean() > 0.4, feature.name
        assert market.same(whole[feature.name][:, :500], other[feature.name][:, :500]), feature.name
        start = max(0, (599 - _reach(feature)) // BLOCK * BLOCK)
        late = market.tail(bars, 600 - start)
        part = market.values(market.context(late, tables), (feature,))[feature.name]
        assert start >= BLOCK
        assert market.same(part[:, -1:], whole[feature.name][:, -1:]), feature.name


def test_a_file_gives_its_features_to_the_catalog() -> None:
    config = own("gap", 'expression = "open / Ref(close, 1) - 1"')
    feature = find("gap", config)
    assert catalog_of(config)[-1] is feature
    assert (feature.family, feature.unit, feature.lookback, feature.own) == ("own", "1", 1, True)
    assert feature not in asked_for(config)  # the core columns are the catalog's
    assert feature in select(config.model_copy(update={"columns": ("gap",)}))
    assert feature in select(config.model_copy(update={"breadth": "full"}))
    market_wide = 'expression = "Mean(market_return, 5)"\nscope = "market"'
    assert find("up", own("up", market_wide)).lookback == 5 + 252


def test_parts_stand_for_their_text() -> None:
    text = """
    [parts]
    r = "close / Ref(close, 1) - 1"
    up = "r > 0.05"
    [features]
    share = "Mean(up, 2)"
    """
    feature = of_file("mine", text)[0]
    assert feature.lookback == 3
    assert feature.formula == "Mean(up, 2); up = r > 0.05, r = close / Ref(close, 1) - 1"
    rises = feature.compute(small([[10.0, 11.0, 11.2, 13.0]]))[0]
    assert rises == pytest.approx([NAN, NAN, 0.5, 0.5], nan_ok=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("expression = 3", "expression"),
        ("", "either `expression` or"),
        ('expression = "close"\n[features]\na = "open"', "either `expression` or"),
        ('expresion = "close"', "expresion"),
        ('expression = "close', "not valid TOML"),
        ('[features]\n"a{w}" = "Mean(close, {w})"', "windows"),
        ('windows = "5-9"\n[features]\n"a{w}" = "Mean(close, {w})"', "windows"),
        ('[features]\n"a b" = "close"', "no name"),
        (
            'expression = "two"\n[parts]\none = "two"\ntwo = "close"',
            "one: column 1: no column .*'two'",
        ),
        ('expression = "market_return"', "same for all stocks"),
        ('expression = "close"\nscope = "market"', "differs from stock to stock"),
    ],
)
def test_a_file_that_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        of_file("mine", text)
    assert "features/mine.toml" in error.value.message


def test_a_name_of_the_catalog_and_a_file_that_is_not_accepted_are_refused() -> None:
    with pytest.raises(ConfigError, match="two features are named return_1"):
        catalog_of(own("return_1", 'expression = "close / open"'))
    unaccepted = own("mine", "").model_copy(update={"breadth": "full"})
    with pytest.raises(ConfigError, match="mine of the workspace is not accepted") as error:
        select(unaccepted)
    assert "features check mine" in error.value.hint
    with pytest.raises(ConfigError, match="no feature") as error:
        select(FeatureConfig(own={"mine": ""}, breadth="core", columns=("mine",)))
    assert "features check mine" in error.value.hint


def test_the_sets_have_the_columns_of_their_names() -> None:
    alpha158, alpha360 = (of_file(name, SETS[name]) for name in ("alpha158", "alpha360"))
    assert (len(alpha158), len(alpha360)) == (158, 360)
    assert {f.unit for f in (*alpha158, *alpha360)} == {"1", "sessions", "sessions^-1"}
    assert max(f.lookback for f in alpha158) == 61
