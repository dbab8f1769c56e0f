"""The settings of a backtest as overrides of the workspace's configuration."""

from pathlib import Path
from typing import Any

from atft_tui.readings.backtest_figures import SETTINGS, Figures


def overrides(found: Figures, workspace: Path) -> list[str]:
    """``costs.commission_bps=2.0`` for each simple setting that the workspace has otherwise.

    Tables and lists are left out: they are edited in config.toml.
    """
    from engine.config.file import resolve
    from engine.workspace import config_files

    config = resolve(config_files(workspace)).config
    now: dict[str, Any] = {
        f"{table}.{key}": value
        for table in SETTINGS
        for key, value in getattr(config, table).model_dump(mode="json").items()
    }
    out = []
    for key, value in found.settings.items():
        if key in now and isinstance(value, bool | int | float | str) and value != now[key]:
            word = str(value).lower() if isinstance(value, bool) else str(value)
            out.append(f"{key}={word}")
    return out
