"""The common shape of a panel: told a state, draws it, knows nothing else."""

from rich.text import Text
from textual.reactive import reactive
from textual.widgets import Static

from engine.runs.state import RunState

EMPTY = RunState()


class StatePanel(Static):
    """A bordered panel that is a picture of a `RunState`; subclasses give title and picture."""

    title = ""
    state: reactive[RunState] = reactive(EMPTY, init=False)

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id, classes="panel")
        self.border_title = self.title
        self._drawn: tuple[object, ...] = ()

    def watch_state(self) -> None:
        self.draw()

    def on_resize(self) -> None:
        self.draw(force=True)

    def draw(self, *, force: bool = False) -> None:
        """Repaint if what the panel depends on has changed since it was painted last."""
        if not self.is_mounted or self.size.width < 4:
            return
        needed = (*self.depends(self.state), self.size)
        if force or needed != self._drawn:
            self._drawn = needed
            self.update(self.picture(self.state, self.size.width, self.size.height))

    def depends(self, state: RunState) -> tuple[object, ...]:
        """Parts of the state that the picture shows; compared by identity or value."""
        return (state,)

    def picture(self, state: RunState, width: int, height: int) -> Text:
        raise NotImplementedError
