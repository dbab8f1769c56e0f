"""One run, live: what it learns, whether it is healthy, how long it will take; and its controls."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from atft_tui.keys import following
from atft_tui.readings.feed import (
    TRAININGS,
    RunFeed,
    RunNews,
    named_run,
    run_at_work,
    run_that_matters,
)
from atft_tui.readings.files import attempted
from atft_tui.readings.seals import read_champion
from atft_tui.screens.base import CockpitScreen
from atft_tui.screens.run_columns import SEARCH_COLUMNS, Tried, tried
from atft_tui.styles import STRONG
from atft_tui.widgets import panels
from atft_tui.widgets.bars import KeyBar
from atft_tui.widgets.run_lines import headline, possible, timeline, way_on
from atft_tui.widgets.run_panels import TABS, RunPanels
from atft_tui.widgets.table import BrowseTable
from engine.errors import EngineError, UsageError
from engine.runs import launch
from engine.runs.state import RunState
from engine.runs.store import Run

_TICK_S = 0.25
"""At most one redraw of a panel in this time, however many events came."""
_SEARCHES = ("tune", "compare")
"""Commands whose runs are made of other runs."""
_SHOWN = (*TRAININGS, *_SEARCHES)
"""Commands whose newest run is shown if none was chosen."""
_UNTRIED = (
    "No trial or variant has ended yet. Each is a run of its own: 4 lists them, enter opens one."
)
_EMPTY = """No run to watch yet.

  n       start one: what it changes, takes, and needs
  ctrl+p  every command; `demo` makes a market of its own
  4       all runs, also of other commands
"""


class TrainScreen(CockpitScreen[RunNews]):
    """The chosen run, else the newest that trains; without any, how to start one."""

    place: ClassVar[str] = "train"
    poll_s: ClassVar[float] = _TICK_S

    def __init__(self) -> None:
        super().__init__()
        self.feed: RunFeed | None = None
        self.tab = TABS[0]
        self.networks: bool | None = None
        """Whether the networks have the place of the log; None until a person chose."""
        self.seen = ""
        """The task whose network the panels show, if a person chose one of several at work."""
        self._drawn_at = 0.0
        self._panels = RunPanels(id="grid")
        self._table: BrowseTable[Tried] = BrowseTable(
            SEARCH_COLUMNS, key=lambda row: row.run_id, id="tried"
        )
        self._untried = Static(_UNTRIED, id="untried", markup=False)
        self._search_log = panels.LogPanel(id="search-log")

    @property
    def state(self) -> RunState:
        return self.value.state if self.value else RunState()

    @property
    def news(self) -> RunNews:
        return self.value or RunNews()

    @property
    def run_value(self) -> Run | None:
        return self.feed.run if self.feed else None

    @property
    def _shows_networks(self) -> bool:
        return bool(self.state.networks) if self.networks is None else self.networks

    @property
    def _is_search(self) -> bool:
        return self.news.command in _SEARCHES

    def body(self) -> Iterable[Widget]:
        yield Static(id="timeline")
        yield Static(Text(_EMPTY), id="empty")
        yield self._panels
        yield Vertical(self._untried, self._table, self._search_log, id="search")
        yield Static(id="tabs")

    def read(self) -> RunNews:
        run = self._run_to_show(self.cockpit.workspace)
        if run is None:
            self.feed = None
            return RunNews()
        if self.feed is None or self.feed.run != run:
            self.feed = RunFeed(run)
        return self.feed.news()

    def _run_to_show(self, workspace: Path) -> Run | None:
        """The chosen run, else the one at work, else the one shown already, the champion's, the newest."""

        def fits(run: Run) -> bool:
            return run.command in _SHOWN

        def there(run_id: str | None) -> Run | None:
            return named_run(workspace, run_id) if run_id else None

        champion = attempted(lambda: read_champion(workspace)).value
        made = champion.history.promotion if champion else None
        seen = self.feed.run.id if self.feed else None
        return (
            there(self.cockpit.chosen_run)
            or run_at_work(workspace, fits)
            or there(seen)
            or there(made.run if made else None)
            or run_that_matters(workspace, fits)
        )

    def show(self, value: RunNews) -> None:
        """While a backlog is read the picture grows, one redraw a tick; the reading goes on at once."""
        self._tell(value)
        if value.behind:
            self.reread()
            if time.monotonic() - self._drawn_at < _TICK_S:
                return
        self._drawn_at = time.monotonic()
        if self._is_search:
            rows = tried(value.state)
            self._table.set_rows(rows)
            self._untried.display = not rows
            self._search_log.state = value.state
        else:
            self._panels.show_state(value.state.of_task(self.seen))
        self.lay_out()

    def _tell(self, value: RunNews) -> None:
        """A toast for what became of a wish, if it was seen coming."""
        before, answer = self._before, value.state.answer
        self._before = value
        if before is None or before.run_id != value.run_id or before.behind:
            return
        if answer is not None and answer is not before.state.answer:
            done = "information" if answer.done else "error"
            title = answer.action if answer.done else f"{answer.action} refused"
            self.notify(answer.detail, title=title, severity=done, markup=False)  # type: ignore[arg-type]
        if before.status != value.status and value.status == "done":
            self.cockpit.look_ahead()
        if before.status != value.status and "paused" in (before.status, value.status):
            self.notify(f"{value.run_id}: {value.status}", markup=False)

    _before: RunNews | None = None

    # ---- layout ----------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """All panels at once where there is room, else the chosen one under RankIC and verdict."""
        there = self.run_value is not None
        wide = self.wide
        super().lay_out()
        self._panels.display = there and not self._is_search
        self.query_one("#search").display = there and self._is_search
        told = not self._is_search or self.news.status == "crashed"
        self.query_one("#timeline").display = there and told
        self.query_one("#empty").display = not there
        self._panels.lay_out(self.tab, wide=wide, networks=self._shows_networks)
        self.show_tabs(TABS, self.tab, seen=there and not wide and not self._is_search)
        self.draw_headline()

    def draw_headline(self) -> None:
        super().draw_headline()
        news, width = self.news, self.size.width
        died = news.status == "crashed"
        line = way_on(news) if died else timeline(news.state, width, live=news.is_live)
        self.query_one("#timeline", Static).update(line)
        self.query_one(KeyBar).offer(possible(news))

    def headline(self, width: int) -> Text:
        if self.run_value is None:
            return Text(" Train: no run yet", style=STRONG)
        return headline(self.news, width)

    # ---- looking ---------------------------------------------------------------------------------

    def action_next_tab(self, step: int) -> None:
        """The next panel on a small screen; on a large one the focus goes on."""
        if not self.query_one("#tabs").display:
            (self.focus_next if step > 0 else self.focus_previous)()
            return
        self.tab = following(TABS, self.tab, step)
        self.lay_out()

    def action_networks(self) -> None:
        if not self.state.networks:
            self.notify("one network: `walkforward` trains one per fold and seed", markup=False)
            return
        self.networks = not self._shows_networks
        self.tab = "networks" if self.networks else "log"
        self.lay_out()

    def action_next_network(self) -> None:
        """Show the next one of the networks that are at work beside each other."""
        names = tuple(task.name for task in self.state.training)
        if len(names) < 2:
            self.notify("no other network is at work", markup=False)
            return
        now = self.state.of_task(self.seen).seen
        self.seen = following(names, now, 1)
        self._panels.show_state(self.state.of_task(self.seen))

    def action_doctor(self) -> None:
        from atft_tui.screens.dialogs import TextDialog
        from atft_tui.widgets.doctor_panel import details

        title = f"Doctor  {self.news.run_id}  (esc closes)"
        self.app.push_screen(TextDialog(details(self.state), title))

    def action_detach(self) -> None:
        if self.news.is_live:
            self.notify(f"{self.news.run_id} goes on; 3 shows it again", markup=False)
        self.cockpit.go("runs")

    @on(BrowseTable.Selected, "#tried")
    def _open_tried(self, message: BrowseTable.Selected) -> None:
        self.cockpit.open_run(message.key)

    # ---- controls --------------------------------------------------------------------------------

    def action_new_run(self) -> None:
        self.cockpit.ask("train")

    def action_stop(self) -> None:
        if self.run_value is not None:
            self.cockpit.stop_run(self.run_value.id)

    def action_resume(self) -> None:
        if self.run_value is not None:
            self.cockpit.resume_run(self.run_value.id)

    def action_checkpoint(self) -> None:
        self._ask_for("checkpoint")

    def action_pause(self) -> None:
        """Pause, or go on; a wish to pause that is not answered yet is taken back."""
        if "pause" in self.news.asked:
            self._control(launch.go_on)
        else:
            self._ask_for("pause")

    def action_rollback(self) -> None:
        if not self.news.is_live:
            self._ask_for("rollback")
            return
        self.cockpit.confirm(
            f"Roll {self.news.run_id} back to its last healthy checkpoint?\n"
            "It goes on from there with a lower learning rate; the best epoch so far is kept.",
            lambda: self._ask_for("rollback"),
        )

    def _ask_for(self, wish: launch.Wish) -> None:
        self._control(lambda run: launch.request(run, wish))

    def _control(self, ask: Callable[[Run], None]) -> None:
        """Leave a wish with the run; the screen tells what becomes of it."""
        try:
            self.cockpit.require_writable()
            if self.run_value is None:
                raise UsageError("no run here", hint="n starts one")
            ask(self.run_value)
        except (EngineError, OSError) as error:
            self.cockpit.refuse(error)
            return
        self.reread()
