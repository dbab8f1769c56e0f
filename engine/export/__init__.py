"""A run for other programs: MLflow, TensorBoard, alphalens, quantstats, Qlib, spreadsheets.

One module a target. Each reads records and events of the run, and gives an `Exported`. What a target needs
besides is loaded when it is asked for, so nobody has to install what he does not use.
"""
