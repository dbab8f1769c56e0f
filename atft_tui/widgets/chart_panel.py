"""The panel of a chart: the same keys and the same mouse wherever curves are drawn."""

from dataclasses import replace
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import events
from textual.binding import BindingType

from atft_tui.keys import CHART
from atft_tui.styles import DIM
from atft_tui.widgets.curve_picture import picture
from atft_tui.widgets.curves import Chart, View
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import PlacePanel

_V = TypeVar("_V")
_STEPS = 100
"""Steps of the crosshair from end to end of what is in view, where there are more points."""
_KEYS = "+ - zoom  ←→ read  S smooth  G log  A-F hide  Z R 0"
_AXIS = 8
"""Columns left of the curves, about: where the mouse is does not have to be exact to a cell."""


class ChartPanel(PlacePanel[_V]):
    """Curves under a few lines of words; subclasses say what there is to see."""

    BINDINGS: ClassVar[list[BindingType]] = [*CHART]
    none: ClassVar[str] = "Nothing to draw yet."
    """Shown where no curve has a value."""
    view = View()
    _dragged: int | None = None

    def chart(self, value: _V) -> Chart:
        """What there is to see of the value."""
        raise NotImplementedError

    def head(self, value: _V, width: int) -> list[Text]:
        """Lines above the curves."""
        return []

    def picture(self, value: _V, width: int, height: int) -> Text:
        """Words, then the curves as a person looks at them."""
        head = self.head(value, width)[: max(0, height - 1)]
        drawn = picture(self.chart(value), width, height - len(head), self.view)
        lines = drawn.split("\n", allow_blank=True) if drawn else [Text(self.none, style=DIM)]
        return cut([*head, *lines], width, height)

    def points(self) -> int:
        """How many points lie between the ends of the whole."""
        chart = self.chart(self.value) if self.value is not None else Chart(curves=())
        return max((len(curve.x) for curve in chart.curves), default=0)

    def look(self, view: View) -> None:
        """Look at the chart in another way."""
        if view != self.view and self.value is not None:
            self.view = view
            self.draw(force=True)

    # ---- keys ----------------------------------------------------------------------------------

    def on_focus(self) -> None:
        self.border_subtitle = _KEYS

    def on_blur(self) -> None:
        self.border_subtitle = ""

    def action_zoom(self, factor: float) -> None:
        self.look(self.view.zoomed(factor))

    def action_pan(self, share: float) -> None:
        self.look(self.view.panned(share))

    def action_point(self, step: int) -> None:
        """Move the crosshair to the next point; it begins at the newest one in view."""
        if self.view.cursor is None:
            self.look(self.view.pointing(self.view.right))
            return
        span = self.view.right - self.view.left
        least = 1.0 / max(1, self.points() - 1)
        self.look(self.view.pointing(self.view.cursor + step * max(least, span / _STEPS)))

    def action_smooth(self) -> None:
        self.look(replace(self.view, smooth=(self.view.smooth + 1) % 4))

    def action_log(self) -> None:
        self.look(replace(self.view, log=not self.view.log))

    def action_band(self) -> None:
        self.look(replace(self.view, band=not self.view.band))

    def action_levels(self) -> None:
        self.look(replace(self.view, level=(self.view.level + 1) % 3))

    def action_hide(self, number: int) -> None:
        """Hide a curve or show it again; the last one that is seen stays."""
        count = len(self.chart(self.value).curves) if self.value is not None else 0
        hidden = self.view.hidden ^ {number}
        if number < count and len(hidden) < count:
            self.look(replace(self.view, hidden=hidden))

    def action_whole(self) -> None:
        self.look(type(self).view)

    # ---- mouse ---------------------------------------------------------------------------------

    def _share(self, x: int) -> float:
        """The share of the whole under a column of the panel."""
        place = min(1.0, max(0.0, (x - _AXIS) / max(1, self.size.width - _AXIS - 1)))
        return self.view.left + place * (self.view.right - self.view.left)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.look(self.view.zoomed(1.25, self._share(event.x)))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.look(self.view.zoomed(0.8, self._share(event.x)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._dragged = event.x
        self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragged is not None and event.x != self._dragged:
            share = (self._dragged - event.x) / max(1, self.size.width - _AXIS)
            self._dragged = event.x
            self.look(self.view.panned(share))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._dragged = None
        self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        inside = event.get_content_offset(self)
        if inside is not None:
            self.look(self.view.pointing(self._share(inside.x)))
