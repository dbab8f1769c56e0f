"""What a stock's bars and the market's series say, each column as one expression of `docs/features.md`.

A column may name one above it, and the parts. ``{w}`` in a name stands for each of the windows, in sessions.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """A column, or one for each window."""

    name: str
    unit: str
    text: str
    windows: tuple[int, ...] = ()
    about: str = ""
    """Where it comes from."""


PARTS = {
    "r": "close / Ref(close, 1) - 1",
    "overnight": "open / Ref(close, 1) - 1",
    "intraday": "close / open - 1",
    "typical": "(high + low + close) / 3",
    "range_square": "Log(high / low) * Log(high / low)",
    "body": "Log(close / open)",
    "rogers_satchell": "Log(high / close) * Log(high / open) + Log(low / close) * Log(low / open)",
    "top": "Fill(Greater(high, Ref(close, 1)), high)",
    "bottom": "Fill(Less(low, Ref(close, 1)), low)",
    "flow_up": "Mean(If(Delta(typical, 1) > 0, typical * volume, 0), 14)",
    "flow_down": "Mean(If(Delta(typical, 1) < 0, typical * volume, 0), 14)",
    "rise": "Delta(high, 1)",
    "fall": "Ref(low, 1) - low",
    "paid_range": "Mean((top - bottom) / close * close, 14)",
    "plus": "Mean(If(rise > fall and rise > 0, rise, 0), 14) / paid_range",
    "minus": "Mean(If(fall > rise and fall > 0, fall, 0), 14) / paid_range",
    "direction": "(plus - minus) / (plus + minus)",
    "m": "market_return",
    "m_fell": "When(m < 0, m)",
    "m_apart": "m - Mean(m, 60)",
    "sector_r": "SectorMean(r)",
}
"""Expressions that several columns name."""
_K = "0.34 / (1.34 + 21 / 19)"
"""Share of the day's variance in that of Yang & Zhang, over 20 sessions."""

_PRICE = (
    Row("return_{w}", "fraction", "close / Ref(close, {w}) - 1", (1, 2, 3, 5, 10, 20, 40, 60, 120, 240)),
    Row("momentum_12_1", "fraction", "Ref(close, 21) / Ref(close, 252) - 1", (), "Jegadeesh & Titman 1993"),
    Row("momentum_6_1", "fraction", "Ref(close, 21) / Ref(close, 126) - 1"),
    Row("momentum_12_7", "fraction", "Ref(close, 126) / Ref(close, 252) - 1"),
    Row("high_52w", "fraction", "close / Max(high, 252)", (), "George & Hwang 2004"),
    Row("low_52w", "fraction", "close / Min(low, 252)"),
    Row("drawdown_60", "fraction", "close / Max(high, 60)"),
    Row("overnight_gap", "fraction", "overnight"),
    Row("overnight_20", "fraction", "Mean(overnight, 20)"),
    Row("intraday_1", "fraction", "intraday"),
    Row("intraday_20", "fraction", "Mean(intraday, 20)"),
    Row("night_less_day_20", "fraction", "Mean(overnight - intraday, 20)", (), "Lou, Polk & Skouras 2019"),
    Row("acceleration_20", "fraction", "Delta(return_20, 20)"),
    Row("close_position_1", "0..1", "(close - low) / (high - low)"),
    Row("body_1", "-1..1", "(close - open) / (high - low)"),
    Row("up_share_{w}", "0..1", "Mean(r > 0, {w})", (10, 20, 60)),
    Row("trend_{w}", "ln a session", "Slope(Log(close), {w})", (20, 60)),
    Row("trend_r2_{w}", "0..1", "Rsquare(Log(close), {w})", (20, 60)),
    Row("trend_residual_20", "ln", "Resi(Log(close), 20)"),
)  # fmt: skip
_VOLATILITY = (
    Row("volatility_{w}", "fraction a day", "Std(r, {w})", (5, 10, 20, 60, 120)),
    Row("parkinson_{w}", "fraction^2 a day", "Mean(range_square, {w})", (20, 60), "Parkinson 1980"),
    Row("garman_klass_20", "fraction^2 a day",
        "Mean(0.5 * range_square - 0.3862943611198906 * (body * body), 20)", (),
        "Garman & Klass 1980; 0.386 = 2 ln 2 - 1"),
    Row("rogers_satchell_20", "fraction^2 a day", "Mean(rogers_satchell, 20)", (),
        "Rogers & Satchell 1991"),
    Row("yang_zhang_20", "fraction^2 a day",
        f"Var(Log1p(overnight), 20) + {_K} * Var(Log1p(intraday), 20)"
        f" + (1 - {_K}) * Mean(rogers_satchell, 20)", (), "Yang & Zhang 2000"),
    Row("downside_{w}", "fraction a day", "Power(Mean(Less(r, 0) * Less(r, 0), {w}), 0.5)", (20, 60)),
    Row("max_return_20", "fraction", "Max(r, 20)", (), "Bali, Cakici & Whitelaw 2011"),
    Row("min_return_20", "fraction", "Min(r, 20)"),
    Row("skew_{w}", "1", "Skew(r, {w})", (20, 60)),
    Row("kurtosis_60", "1", "Kurt(r, 60)"),
    Row("range_5", "fraction^2 a day", "Mean(range_square, 5)"),
    Row("true_range_1", "fraction", "(top - bottom) / close"),
    Row("volatility_ratio_5_60", "1", "volatility_5 / volatility_60"),
    Row("volatility_ratio_20_120", "1", "volatility_20 / volatility_120"),
    Row("volatility_of_volatility_60", "1", "Std(volatility_20, 60) / Mean(volatility_20, 60)"),
    Row("autocorrelation_{w}", "-1..1", "Corr(r, Ref(r, 1), {w})", (20, 60)),
)  # fmt: skip
_VOLUME = (
    Row("log_turnover_{w}", "ln currency", "Log(Mean(turnover, {w}))", (5, 20, 60)),
    Row("volume_ratio_5_60", "1", "Mean(volume, 5) / Mean(volume, 60)"),
    Row("volume_ratio_1_20", "1", "volume / Mean(volume, 20)"),
    Row("volume_ratio_20_120", "1", "Mean(volume, 20) / Mean(volume, 120)"),
    Row("volume_shock", "ln", "Log(volume) - Mean(Log(volume), 20)"),
    Row("volume_level_10_120", "ln", "Mean(Log(volume), 10) - Mean(Log(volume), 120)"),
    Row("volume_level_10_250", "ln", "Mean(Log(volume), 10) - Mean(Log(volume), 250)"),
    Row("amihud_{w}", "1 / currency", "Mean(Abs(r) / turnover, {w})", (5, 20, 60), "Amihud 2002"),
    Row("signed_volume_{w}", "1", "Mean(Sign(r) * volume, {w}) / Mean(volume, {w})", (20, 60)),
    Row("volume_volatility_{w}", "ln", "Std(Log(volume), {w})", (20, 60)),
    Row("volume_trend_20", "ln a session", "Slope(Log(volume), 20)"),
    Row("zero_return_share_60", "0..1", "Mean(r == 0, 60)", (), "Lesmond, Ogden & Trzcinka 1999"),
    Row("price_volume_correlation_{w}", "-1..1", "Corr(Log(close), Log(volume), {w})", (10, 20, 60)),
    Row("return_volume_correlation_20", "-1..1", "Corr(r, Delta(Log(volume), 1), 20)"),
    Row("average_price_gap_{w}", "fraction",
        "close / (Mean(close * volume, {w}) / Mean(volume, {w})) - 1", (5, 20)),
    Row("money_flow_14", "0..1", "flow_up / (flow_up + flow_down)"),
)  # fmt: skip
_TECHNICAL = (
    Row("rsi_{w}", "0..1",
        "Mean(Greater(r, 0), {w}) / (Mean(Greater(r, 0), {w}) + Mean(Greater(-r, 0), {w}))", (14, 2, 28),
        "Wilder 1978"),
    Row("rsi_change_5", "-1..1", "Delta(rsi_14, 5)"),
    Row("macd_line", "fraction", "(EMA(close, 12) - EMA(close, 26)) / close", (), "Appel"),
    Row("macd_histogram", "fraction", "macd_line - EMA(macd_line, 9)", (), "Appel"),
    Row("ema_gap_20", "fraction", "close / EMA(close, 20) - 1"),
    Row("ema_slope_20", "fraction", "EMA(close, 20) / Ref(EMA(close, 20), 5) - 1"),
    Row("bollinger_20", "sd", "(close - Mean(close, 20)) / Std(close, 20)", (), "Bollinger"),
    Row("bollinger_width_20", "fraction", "Std(close, 20) / Mean(close, 20)"),
    Row("atr_14", "fraction", "Mean(true_range_1, 14)"),
    Row("atr_ratio_5_60", "1", "Mean(true_range_1, 5) / Mean(true_range_1, 60)"),
    Row("adx_14", "0..1", "Mean(Abs(direction), 14)", (), "Wilder 1978"),
    Row("direction_14", "-1..1", "direction"),
    Row("stochastic_14", "0..1", "(close - Min(low, 14)) / (Max(high, 14) - Min(low, 14))", (), "Lane"),
    Row("stochastic_14_3", "0..1", "Mean(stochastic_14, 3)"),
    Row("donchian_{w}", "0..1", "(close - Min(low, {w})) / (Max(high, {w}) - Min(low, {w}))", (20, 60)),
    Row("channel_index_20", "1", "(typical - Mean(typical, 20)) / Mean(Abs(typical - Mean(typical, 20)), 20)",
        (), "Lambert"),
    Row("aroon_25", "-1..1", "(SinceMin(low, 25) - SinceMax(high, 25)) / 25", (), "Chande"),
    Row("since_high_252", "sessions", "SinceMax(high, 252)"),
    Row("close_rank_{w}", "0..1", "Rank(close, {w})", (60, 252)),
    Row("upper_quantile_gap_60", "fraction", "Quantile(close, 60, 0.8) / close - 1"),
    Row("lower_quantile_gap_60", "fraction", "Quantile(close, 60, 0.2) / close - 1"),
    Row("ma_gap_5_20", "fraction", "Mean(close, 5) / Mean(close, 20) - 1"),
    Row("ma_gap_20_60", "fraction", "Mean(close, 20) / Mean(close, 60) - 1"),
    Row("ma_gap_60_240", "fraction", "Mean(close, 60) / Mean(close, 240) - 1"),
    Row("price_gap_{w}", "fraction", "close / Mean(close, {w}) - 1", (5, 20, 60, 120, 200)),
)  # fmt: skip
_CROSS_SECTION = (
    Row("residual_1", "fraction", "r - Fill(Ref(Beta(r, m, 60), 1), 1) * m"),
    Row("residual_{w}", "fraction", "Mean(residual_1, {w}) * {w}", (5, 20, 60, 120)),
    Row("residual_momentum_12_1", "1", "Ref(Mean(residual_1, 231) / Std(residual_1, 231), 21)", (),
        "Blitz, Huij & Martens 2011"),
    Row("idio_volatility_{w}", "fraction a day", "Std(residual_1, {w})", (60, 20),
        "Ang, Hodrick, Xing & Zhang 2006"),
    Row("idio_share_60", "1", "idio_volatility_60 / volatility_60"),
    Row("idio_skew_60", "1", "Skew(residual_1, 60)"),
    Row("idio_max_20", "fraction", "Max(residual_1, 20)"),
    Row("beta_{w}", "1", "Beta(r, m, {w})", (60, 20, 120)),
    Row("beta_change_60", "1", "Delta(beta_60, 20)"),
    Row("beta_stability_60", "1", "Std(beta_20, 60)"),
    Row("down_beta_120", "1",
        "When(Mean(Known(r), 120) >= 0.6,"
        " Mean(Fill(r * m_fell, 0), 120) / Mean(Fill(m_fell * m_fell, 0), 120))", (),
        "Ang, Chen & Xing 2006"),
    Row("market_correlation_{w}", "-1..1", "Corr(r, m, {w})", (60, 20)),
    Row("coskewness_60", "1", "Mean(residual_1 * (m_apart * m_apart), 60)"
        " / (idio_volatility_60 * Mean(m_apart * m_apart, 60))", (), "Harvey & Siddique 2000"),
    Row("price_delay_20", "-1..1", "Corr(r, Ref(m, 1), 20)", (), "Hou & Moskowitz 2005"),
)  # fmt: skip
_SECTOR = (
    Row("sector_return_{w}", "fraction", "Mean(sector_r, {w}) * {w}", (1, 5, 20, 60, 120)),
    Row("sector_relative_1", "fraction", "r - sector_r"),
    Row("sector_relative_{w}", "fraction", "Mean(sector_relative_1, {w}) * {w}", (5, 20, 60, 120)),
    Row("sector_volatility_20", "fraction a day", "Std(sector_r, 20)"),
    Row("volatility_to_sector_20", "1", "volatility_20 / SectorMean(volatility_20)"),
    Row("volume_shock_to_sector", "ln", "volume_shock - SectorMean(volume_shock)"),
    Row("sector_volume_shock", "ln", "SectorMean(volume_shock)"),
    Row("sector_correlation_60", "-1..1", "Corr(r, sector_r, 60)"),
    Row("sector_gap", "fraction", "SectorMean(overnight)"),
    Row("sector_breadth_20", "0..1", "Mean(SectorMean(r > 0), 20)"),
    Row("sector_momentum_12_1", "fraction", "Ref(Mean(sector_r, 231) * 231, 21)"),
)  # fmt: skip
_Z = "z against its last 252 sessions"
_MARKET = (
    Row("market_return_1", _Z, "m"),
    Row("market_return_{w}", _Z, "Mean(m, {w}) * {w}", (5, 20, 60)),
    Row("market_volatility_{w}", _Z, "Std(m, {w})", (5, 20, 60)),
    Row("market_volatility_ratio", _Z, "market_volatility_5 / market_volatility_60"),
    Row("market_drawdown", _Z, "market_level / Max(market_level, 252) - 1"),
    Row("market_gap_{w}", _Z, "market_level / Mean(market_level, {w}) - 1", (20, 200)),
    Row("market_skew_60", _Z, "Skew(m, 60)"),
    Row("market_up_share_20", _Z, "Mean(m > 0, 20)"),
    Row("breadth_1", _Z, "market_breadth"),
    Row("breadth_20", _Z, "Mean(market_breadth, 20)"),
    Row("above_average_60", _Z, "market_above_average"),
    Row("dispersion_1", _Z, "market_dispersion"),
    Row("dispersion_20", _Z, "Mean(market_dispersion, 20)"),
    Row("market_turnover", _Z, "Log(market_turnover) - Mean(Log(market_turnover), 60)"),
)  # fmt: skip
_INTERACTION = (
    Row("return_to_volatility_{w}", "1", "return_{w} / volatility_{w}", (20, 60)),
    Row("return_1_volume", "ln", "return_1 * volume_shock"),
    Row("return_5_volume", "ln", "return_5 * volume_shock"),
    Row("gap_volume", "ln", "overnight_gap * volume_shock"),
    Row("reversal_illiquid", "ln", "residual_5 * -log_turnover_20"),
    Row("beta_market_20", "fraction", "beta_60 * market_return_20"),
    Row("momentum_market_20", "fraction", "return_120 * Sign(market_return_20)"),
    Row("relative_sector_20", "fraction^2", "sector_relative_20 * sector_return_20"),
    Row("volatility_direction_20", "fraction a day", "volatility_20 * Sign(return_20)"),
    Row("high_momentum", "fraction", "high_52w * return_120"),
)  # fmt: skip
_VALIDITY = (
    Row("bar_share_{w}", "0..1", "Mean(Known(close), {w})", (20, 60, 252)),
    Row("open_share_20", "0..1", "Mean(Known(open), 20)"),
    Row("traded_share_20", "0..1", "Mean(Fill(volume > 0, 0), 20)"),
    Row("age", "ln sessions", "Log(Greater(bars_so_far, 1))"),
    Row("sector_known", "0 or 1", "sector_known"),
)  # fmt: skip
FAMILIES = {
    "price": _PRICE, "volatility": _VOLATILITY, "volume": _VOLUME, "technical": _TECHNICAL,
    "cross_section": _CROSS_SECTION, "sector": _SECTOR, "market": _MARKET, "interaction": _INTERACTION,
    "validity": _VALIDITY,
}  # fmt: skip
_CORE = """
    return_1 return_2 return_5 return_10 return_20 return_60 return_120 momentum_12_1 high_52w
    overnight_gap intraday_20
    volatility_5 volatility_20 volatility_60 parkinson_20 max_return_20 skew_60
    log_turnover_20 volume_ratio_5_60 volume_shock volume_level_10_120 amihud_20 signed_volume_20
    rsi_14 rsi_2 macd_histogram bollinger_20 atr_14 stochastic_14 ma_gap_20_60
    residual_1 residual_5 residual_20 idio_volatility_60 beta_60 market_correlation_60
    sector_return_5 sector_return_20 sector_relative_1 sector_relative_5 sector_relative_20
    market_return_5 market_return_20 market_volatility_20 market_drawdown
"""
CORE = frozenset(_CORE.split())
"""The columns of ``features.breadth = core``."""
