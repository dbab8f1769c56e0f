"""Not built yet."""

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual.widget import Widget
from textual.widgets import Static

from atft_tui.screens.base import CockpitScreen


class ReplayScreen(CockpitScreen[str]):
    place: ClassVar[str] = "replay"

    def body(self) -> Iterable[Widget]:
        yield Static("not built yet", id="empty")

    def read(self) -> str:
        return ""

    def show(self, value: str) -> None:
        return

    def headline(self, width: int) -> Text:
        return Text(" replay")
