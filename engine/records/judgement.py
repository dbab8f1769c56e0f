"""When a figure counts: one rule for the log, the tables, the report and the screen. Imports nothing."""

SURE = 1.96
"""Standard errors between a value and zero at 95 %."""
GRADIENT_LOW, GRADIENT_HEALTHY = 1e-8, 1e-6
"""L2 norm of the GAT block's gradient: below the first it is starved, above the second healthy."""
GRAPH_SHARE = 1e-3
"""Share of the score variance that goes with the graph's edges below which the graph is not heard."""
COLLAPSED_RATIO = 0.02
"""Eval-mode score deviation over label deviation below which scores count as collapsed."""
RANK_IC_GOAL, IC_GOAL = 0.020, 0.015
"""Validation RankIC and IC that the founding document asks for."""


def is_noise(rank_ic: float, null_band: float) -> bool:
    """True unless |RankIC| lies outside the band of shuffled scores; an undefined value is noise."""
    return not abs(rank_ic) > null_band


def is_established(rank_ic: float, standard_error: float, null_band: float) -> bool:
    """Outside the null band, and `SURE` standard errors away from zero."""
    return not is_noise(rank_ic, null_band) and abs(rank_ic) > SURE * standard_error
