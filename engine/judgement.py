"""When a RankIC counts: one rule for the log, the tables, the report and the screen. Imports nothing."""

SURE = 1.96
"""Standard errors between a value and zero at 95 %."""


def is_noise(rank_ic: float, null_band: float) -> bool:
    """True unless |RankIC| lies outside the band of shuffled scores; an undefined value is noise."""
    return not abs(rank_ic) > null_band


def is_established(rank_ic: float, standard_error: float, null_band: float) -> bool:
    """Outside the null band, and `SURE` standard errors away from zero."""
    return not is_noise(rank_ic, null_band) and abs(rank_ic) > SURE * standard_error
