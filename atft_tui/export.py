"""What has the focus as text or as a file: tables as CSV, panels as SVG."""

from datetime import UTC, datetime
from pathlib import Path

from textual.screen import Screen
from textual.widget import Widget

from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.table import Grid
from engine.files import write_text


def focused_text(screen: Screen[object]) -> str | None:
    """CSV of the focused table or the focused panel's text; None if neither has the focus."""
    widget = screen.focused
    if isinstance(widget, Grid):
        return widget.table.csv()
    if isinstance(widget, PlacePanel):
        return widget.drawing(widget.size.width, widget.size.height).plain
    return None


def export_focused(screen: Screen[object], folder: Path) -> Path | None:
    """Write it under ``folder``; the path, or None if nothing that can be exported has the focus."""
    widget = screen.focused
    if isinstance(widget, Grid):
        return _write(folder, widget.table, ".csv", widget.table.csv())
    if isinstance(widget, PlacePanel):
        return _write(folder, widget, ".svg", widget.svg())
    return None


def _write(folder: Path, widget: Widget, suffix: str, text: str) -> Path:
    name = f"{widget.screen.id or getattr(widget.screen, 'place', 'screen')}-{widget.id}"
    path = folder / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}{suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path
