"""The engine: everything the screen shows is computed here, headless.

    source -> panel -> features -> graph -> dataset -> model -> training run
                                                                    |
    report / signals <- backtest <- weights <- predictions <--------+

Each arrow is a typed value written to one file; each stage can be run again alone.
"""
