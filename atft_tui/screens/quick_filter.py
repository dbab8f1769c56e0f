"""One choice that narrows the list of runs: a state, a command or a tag, each with its count."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from atft_tui.styles import DIM
from atft_tui.widgets.lines import start
from engine.records.run import RunSummary


@dataclass(frozen=True, slots=True)
class QuickFilter:
    """`kind` is empty, status, command, tag or marked."""

    kind: str = ""
    value: str = ""

    def fits(self, about: RunSummary) -> bool:
        match self.kind:
            case "status":
                return about.status == self.value
            case "command":
                return about.command == self.value
            case "tag":
                return self.value in about.labels.tags
            case _:
                return True

    @property
    def words(self) -> str:
        return f"{self.kind} {self.value}".strip()


def choices(runs: Sequence[RunSummary]) -> list[tuple[QuickFilter, int]]:
    """All, then states, commands and tags that occur, the most frequent first."""
    found: list[tuple[QuickFilter, int]] = [(QuickFilter(), len(runs))]
    for kind, values in (
        ("status", Counter(run.status for run in runs if run.status)),
        ("command", Counter(run.command for run in runs)),
        ("tag", Counter(tag for run in runs for tag in run.labels.tags)),
    ):
        ranked = sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))
        found += [(QuickFilter(kind, value), count) for value, count in ranked]
    return found


class QuickFilterDialog(ModalScreen[QuickFilter | None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f", "dismiss(None)", "cancel")]

    def __init__(self, runs: Sequence[RunSummary], current: QuickFilter) -> None:
        super().__init__()
        self.choices = choices(runs)
        self.current = current

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label("Show only", classes="title")
            yield OptionList(*(self._option(*choice) for choice in self.choices), id="quick")

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        chosen = [quick for quick, _ in self.choices]
        options.highlighted = chosen.index(self.current) if self.current in chosen else 0
        options.focus()

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[event.option_index][0])

    @staticmethod
    def _option(quick: QuickFilter, count: int) -> Option:
        text = start(f"{quick.kind or 'all runs':<9}", DIM)
        text.append(quick.value)
        text.append(f"  {count:,}", style=DIM)
        return Option(text)
