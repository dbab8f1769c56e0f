"""What the checks of a run have said, whole."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from atft_tui.widgets.doctor_panel import details
from engine.runs.state import RunState


class DoctorDialog(ModalScreen[None]):
    """Everything that the checks of a run have said, to scroll through."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,d", "dismiss(None)", "close"),
    ]

    def __init__(self, run_id: str, state: RunState) -> None:
        super().__init__()
        self.run_id = run_id
        self.state = state

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Label(f"Doctor  {self.run_id}  (esc closes)", classes="title", markup=False)
            with VerticalScroll():
                yield Static(details(self.state), id="doctor-details")
