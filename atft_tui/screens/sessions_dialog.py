"""Every sealed signal in a list: choose the one to look at."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label

from atft_tui.readings.seals import ShownCard
from atft_tui.screens.signal_columns import SESSIONS
from atft_tui.widgets.table import BrowseTable


class SessionsDialog(ModalScreen[str | None]):
    """Answers with the name of a sealed directory."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "close")]

    def __init__(self, cards: Sequence[ShownCard], current: str) -> None:
        super().__init__()
        self.cards, self.current = cards, current

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Label("Sealed signals, newest first: enter shows one, / filters", classes="title")
            yield BrowseTable(SESSIONS, key=lambda card: card.name, id="sessions")

    def on_mount(self) -> None:
        table: BrowseTable[ShownCard] = self.query_one(BrowseTable)
        table.set_rows(self.cards)
        table.move_to(self.current)
        table.focus()

    @on(BrowseTable.Selected)
    def choose(self, event: BrowseTable.Selected) -> None:
        self.dismiss(event.key)
