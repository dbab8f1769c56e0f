"""What stands where, and what an empty screen says."""

TABS: dict[str, tuple[str, ...]] = {
    "equity": ("equity",),
    "sharpe": ("sharpe", "costs"),
    "months": ("months",),
    "scores": ("quantiles", "decay"),
    "holdings": ("equity", "holdings"),
    "exposures": ("exposures",),
    "rules": ("rules",),
    "years": ("years",),
    "sweep": ("sweep",),
    "all": ("summary",),
}
"""What a small screen shows together."""
SIDE = ("exposures", "rules", "years", "sweep", "summary")
"""Take turns in the same place where everything else has its own."""
ORDER = ("equity", "sharpe", "costs", "months", "quantiles", "decay", "holdings", *SIDE)
NOT_YET = """{run} has no backtest yet.

  b       make one: weights, simulation, costs, interval and verdict
  4       choose another run
"""
EMPTY = """No backtest in this workspace yet.

  b       backtest a run: weights, simulation, costs, interval and verdict
  4       the runs; enter opens one
  ctrl+p  every command

On a fresh workspace start with the demo (ctrl+p demo): it trains, backtests and writes a report.
"""
