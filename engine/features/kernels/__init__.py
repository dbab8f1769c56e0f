"""Compiled rolling kernels, one stock's row at a time; `engine.features.rolling` is their front door."""
