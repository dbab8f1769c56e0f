"""The daily signal: what a trade list has to fulfil, and when its card says HOLD."""

from pydantic import Field

from engine.config.base import ConfigTable


class SignalConfig(ConfigTable):
    """A figure beyond its limit makes its light HOLD, beyond twice the limit STOP."""

    limit_bps: float = Field(100.0, ge=0, le=5000)
    """Distance of an order's limit from the last close, rounded to the tick. Basis points."""
    decisions: int = Field(0, ge=0, le=250)
    """Past decisions that today's book is built from; 0 = as many as overlap, and yesterday's book."""
    explain_names: int = Field(40, ge=0, le=1000)
    """Largest positions whose rank is explained variable by variable, neighbour by neighbour. Stocks."""
    max_missing_sessions: int = Field(0, ge=0, le=20)
    """How many of the 10 exchange sessions before the signal's may lack data. Sessions."""
    max_audit_age: int = Field(63, ge=0, le=2520)
    """How long ago the last session that `atft-tui audit` looked at may be. Sessions."""
    max_model_age: int = Field(126, ge=1, le=2520)
    """How long ago the last session that the champion was trained on may be. Sessions."""
    psi_limit: float = Field(0.25, gt=0, le=10)
    """Population stability index above which a feature, or the scores, have drifted."""
    ks_limit: float = Field(0.2, gt=0, le=1)
    """Kolmogorov-Smirnov distance above which a feature, or the scores, have drifted."""
    max_drifted_share: float = Field(0.3, gt=0, le=1)
    """Share of the features that may have drifted. Fraction."""
    live_sessions: int = Field(60, ge=10, le=1000)
    """Newest sealed signals with a known outcome whose RankIC is watched. Sessions."""
    live_min_sessions: int = Field(20, ge=5, le=1000)
    """With fewer such signals nothing is said of the live RankIC. Sessions."""
    live_sigmas: float = Field(2.0, gt=0, le=6)
    """Standard errors below its out-of-sample RankIC at which the live one counts as broken."""
    min_alpha: float = Field(0.02, ge=0, lt=0.5)
    """Share that either side of the residual bypass must keep. Fraction."""
    min_dispersion: float = Field(0.3, gt=0, lt=1)
    """Spread of the scores as a multiple of the reference's; below this or above its inverse: HOLD."""
    max_turnover: float = Field(1.0, gt=0, le=10)
    """Most that one day's orders may buy and sell together. Fraction of equity."""
    max_cost_bps: float = Field(20.0, gt=0, le=1000)
    """Most that one day's orders may cost, commission and slippage, of the equity. Basis points."""
    max_refused_share: float = Field(0.25, gt=0, le=1)
    """Share of the value of a day's orders that may be refused. Fraction."""
    max_net: float = Field(0.1, gt=0, le=10)
    """How far the net exposure after the orders may be from what the book asks for. Fraction of equity."""
