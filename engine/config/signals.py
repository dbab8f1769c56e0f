"""The daily signal: what a trade list has to fulfil, and when its card says HOLD."""

from pydantic import Field

from engine.config.base import Table


class SignalConfig(Table):
    """A figure beyond its limit makes its light HOLD, beyond twice the limit STOP."""

    limit_bps: float = Field(100.0, ge=0, le=5000)
    """Distance of an order's limit from the last close, rounded to the tick. Basis points."""
    decisions: int = Field(0, ge=0, le=250)
    """Past decisions that today's book is built from; 0 = as many as overlap, and yesterday's book."""
    explain_names: int = Field(40, ge=0, le=1000)
    """Largest positions whose rank is explained variable by variable, neighbour by neighbour. Stocks."""
    max_missing_sessions: int = Field(0, ge=0, le=20)
    """Exchange sessions without data among the 10 before the signal's. Sessions."""
    max_audit_age: int = Field(63, ge=0, le=2520)
    """Since the last session that `atft-tui audit` looked at. Sessions."""
    max_model_age: int = Field(126, ge=1, le=2520)
    """Since the last session that the champion's run had data of. Sessions."""
    psi_limit: float = Field(0.25, gt=0, le=10)
    """Population stability index above which a feature, or the scores, have drifted."""
    ks_limit: float = Field(0.2, gt=0, le=1)
    """Kolmogorov-Smirnov distance above which a feature, or the scores, have drifted."""
    max_drifted_share: float = Field(0.3, gt=0, le=1)
    """Share of the features that may have drifted. Fraction."""
    live_sessions: int = Field(60, ge=10, le=1000)
    """Newest sealed signals with a known outcome whose RankIC is watched. Sessions."""
    live_min_sessions: int = Field(20, ge=5, le=1000)
    """Fewer such signals tell nothing. Sessions."""
    live_sigmas: float = Field(2.0, gt=0, le=6)
    """Standard errors below its out-of-sample RankIC at which the live one counts as broken."""
    min_alpha: float = Field(0.02, ge=0, lt=0.5)
    """Share that either side of the residual bypass must keep. Fraction."""
    min_dispersion: float = Field(0.3, gt=0, lt=1)
    """Deviation of the scores over the reference's; below it, or above its inverse, HOLD."""
    max_turnover: float = Field(1.0, gt=0, le=10)
    """Bought plus sold by one day's orders. Fraction of equity."""
    max_cost_bps: float = Field(20.0, gt=0, le=1000)
    """Estimated commission and slippage of one day's orders, of the equity. Basis points."""
    max_refused_share: float = Field(0.25, gt=0, le=1)
    """Value of refused orders over the value of all that the book asks for. Fraction."""
    max_net: float = Field(0.1, gt=0, le=10)
    """Absolute net exposure after the orders beyond what the book asks for. Fraction of equity."""
