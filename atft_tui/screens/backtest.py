"""What the scores would have earned after costs, how sure that is, and what it hangs on."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.binding import BindingType
from textual.containers import Container
from textual.theme import Theme
from textual.widget import Widget
from textual.widgets import Input, Static

from atft_tui import format as fmt
from atft_tui.keys import SCREENS, bindings
from atft_tui.readings.backtest import BacktestReader, BacktestValue, overrides
from atft_tui.readings.holdings import DayBook, read_day
from atft_tui.screens.base import CockpitScreen
from atft_tui.styles import DIM
from atft_tui.widgets.backtest import headline as words
from atft_tui.widgets.backtest import tables
from atft_tui.widgets.backtest.equity import EquityPanel, EquityValue
from atft_tui.widgets.backtest.exposures import ExposuresValue
from atft_tui.widgets.backtest.months import MonthsValue
from atft_tui.widgets.backtest.names import OLDER
from atft_tui.widgets.backtest.panels import EMPTY, NOT_YET, ORDER, SIDE, TABS, PicturePanel
from atft_tui.widgets.backtest.summary import SummaryValue
from atft_tui.widgets.ink import Ink, ink_of
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.table import BrowseTable
from engine.errors import EngineError

_SETTLE_S = 0.08
"""A held cursor key reads the book of the day it stops at, not of every day on the way."""


class BacktestScreen(CockpitScreen[BacktestValue]):
    """The chosen run's backtest, else that of the newest run that has one."""

    place: ClassVar[str] = "backtest"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(SCREENS["backtest"])]

    def __init__(self) -> None:
        super().__init__()
        self.reader = BacktestReader()
        self.dates: tuple[dt.date, ...] = ()
        self.cursor = 0
        self.log_scale = False
        self.tab = "equity"
        self.side = SIDE[0]
        self.book: DayBook | None = None

    def body(self) -> Iterable[Widget]:
        """Conditions, the grid of panels and tables, and the tabs of a small screen."""
        yield Static(id="backtest-conditions")
        yield Static(id="backtest-changes")
        yield Static(id="empty")
        with Container(id="backtest-grid"):
            yield EquityPanel(id="backtest-equity")
            yield PicturePanel("sharpe")
            yield PicturePanel("costs")
            yield PicturePanel("months")
            yield BrowseTable(tables.HOLDINGS, key=lambda row: row.symbol, id="backtest-holdings")
            yield PicturePanel("exposures")
            yield PicturePanel("rules")
            yield BrowseTable(tables.YEARS, key=lambda row: str(row.year), id="backtest-years")
            yield BrowseTable(tables.CELLS, key=lambda row: row.words, id="backtest-sweep")
            yield PicturePanel("summary")
            yield PicturePanel("quantiles")
            yield PicturePanel("decay")
        yield Static(id="tabs")

    def on_mount(self) -> None:
        self.query_one("#backtest-years").border_title = "years"
        self.query_one("#backtest-sweep").border_title = "sweep"
        for name in SIDE:
            self.part(name).border_subtitle = f"{SIDE.index(name) + 1} of {len(SIDE)}: d next"
        self.app.theme_changed_signal.subscribe(self, self.repaint)

    # ---- the value -------------------------------------------------------------------------------

    def read(self) -> BacktestValue:
        """The chosen run's files; the same value while none of them changed."""
        return self.reader.value(self.cockpit.workspace, self.cockpit.chosen_run)

    def show(self, value: BacktestValue) -> None:
        """Everything anew; the cursor stays on its day while the days are the same."""
        dates = value.curves.dates if value.curves else ()
        if (
            dates != self.dates
        ):  # other days: the newest; a new backtest of the same days keeps the cursor
            self.dates, self.cursor = dates, max(0, len(dates) - 1)
        self.redraw()
        self.lay_out()

    def repaint(self, theme: Theme) -> None:
        """Draw everything in the colours of another theme."""
        self.redraw()
        self.draw_headline()

    def redraw(self) -> None:
        """Hand the value to every panel again; those that show the same do not repaint."""
        value = self.value
        if value is None:
            return
        for name in ("sharpe", "costs", "quantiles", "decay", "rules"):
            self.panel(name).show_value(value.figures)
        self.panel("summary").show_value(
            SummaryValue(
                value.figures,
                value.report,
                value.report_is_older,
                value.earlier.figures if value.earlier else None,
            )
            if value.figures
            else None
        )
        years = self.query_one("#backtest-years", BrowseTable)
        years.set_rows(value.figures.ranked_years[::-1] if value.figures else ())
        self._show_sweep(value)
        self.draw_cursor()
        self.load_day()

    def _show_sweep(self, value: BacktestValue) -> None:
        table, swept = self.query_one("#backtest-sweep", BrowseTable), value.sweep
        table.set_rows(swept.ranked if swept else ())
        if swept is None:
            table.border_title = "sweep: none yet, s starts one"
        else:
            table.border_title = f"sweep: the best of {len(swept.cells)} is flattered"
            table.border_subtitle = (
                f"best deflated {fmt.share(swept.best.sharpe_deflated)} ({swept.trials} trials), "
                f"overfit {fmt.percent(swept.overfitting_probability)}"
            )

    def draw_cursor(self) -> None:
        """What shows the day under the cursor."""
        value = self.value
        curves = value.curves if value else None
        if value is None or curves is None or not curves.dates:
            for name in ("equity", "months", "exposures"):
                self.panel(name).show_value(None)
            return
        self.cursor = max(0, min(self.cursor, len(curves.dates) - 1))
        day = curves.dates[self.cursor]
        earlier = value.earlier.curves if value.earlier else None
        before = earlier.equity if earlier and earlier.dates == curves.dates else None
        self.panel("equity").show_value(
            EquityValue(curves=curves, cursor=self.cursor, log=self.log_scale, before=before)
        )
        self.panel("months").show_value(
            MonthsValue(tuple(curves.months.items()), (day.year, day.month))
        )
        beta = value.figures.exposures.beta if value.figures else float("nan")
        self.panel("exposures").show_value(ExposuresValue(curves, self.cursor, beta))

    @work(exclusive=True, group="day")
    async def load_day(self) -> None:
        """The book of the day under the cursor, once the cursor rests."""
        value = self.value
        table = self.query_one("#backtest-holdings", BrowseTable)
        if value is None or value.curves is None or not value.curves.dates:
            table.set_rows(())
            table.border_title = "holdings"
            return
        day = value.curves.dates[self.cursor]
        if not value.has_holdings:
            table.set_rows(())
            table.border_title = f"holdings: {OLDER}"
            return
        await asyncio.sleep(_SETTLE_S)
        directory = self.cockpit.workspace / "runs" / value.run_id
        try:
            book = await asyncio.to_thread(read_day, directory, day)
        except (EngineError, OSError) as error:
            table.set_rows(())
            table.border_title = fmt.clean(f"holdings: cannot read: {error}")
            return
        self.book = book
        table.set_rows(book.rows)
        if self.focused_name != "holdings":  # where nobody chose a stock, the largest come first
            table.grid.move(0)
        table.border_title, table.border_subtitle = tables.holdings_titles(book)

    # ---- layout ----------------------------------------------------------------------------------

    @property
    def ink(self) -> Ink:
        """The colours of the theme."""
        return ink_of(self.app.current_theme)

    def part(self, name: str) -> Widget:
        """A panel or a table by its short name."""
        return self.query_one(f"#backtest-{name}")

    def panel(self, name: str) -> PlacePanel[Any]:
        """A panel by its short name."""
        return self.query_one(f"#backtest-{name}", PlacePanel)

    def lay_out(self) -> None:
        """Everything at once where there is room, else one tab."""
        value = self.value
        there = value is not None and value.figures is not None
        wide = self.wide
        super().lay_out()
        empty = self.query_one("#empty", Static)
        empty.display = value is not None and not there
        if value is not None and value.run_id:
            empty.update(Text(NOT_YET.format(run=value.run_id)))
        else:
            empty.update(Text(EMPTY))
        self.query_one("#backtest-grid").display = there
        for name in ORDER:
            shown = name not in SIDE or name == self.side if wide else name in TABS[self.tab]
            self.part(name).display = shown
        grid = self.query_one("#backtest-grid")
        for name in TABS:
            grid.set_class(not wide and name == self.tab, f"tab-{name}")
        self.show_tabs(TABS, self.tab, seen=there and not wide, lead="")
        self.draw_headline()

    def headline(self, width: int) -> Text:
        """The answer in one line."""
        if self.value is None:
            return Text(" Backtest: reading the files", style=DIM)
        return words.headline(self.value, width, self.ink)

    def draw_headline(self) -> None:
        """The headline with the two lines below it."""
        super().draw_headline()
        value = self.value or BacktestValue()
        conditions = self.query_one("#backtest-conditions", Static)
        conditions.display = value.figures is not None
        conditions.update(words.conditions(value, self.ink))
        changed = self.query_one("#backtest-changes", Static)
        changed.display = value.earlier is not None and value.figures is not None
        if value.earlier is not None and value.figures is not None:
            changed.update(words.changed(value.earlier.figures, value.figures, self.ink))

    # ---- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a filter is typed, the cursor keys are the text's."""
        if action in ("day", "next_panel") and isinstance(self.focused, Input):
            return False
        return super().check_action(action, parameters)

    def action_day(self, step: int) -> None:
        """Move the cursor by sessions."""
        if self.value is not None and self.value.curves is not None:
            self.cursor += step
            self.draw_cursor()
            self.load_day()

    def action_scale(self) -> None:
        self.log_scale = not self.log_scale
        self.draw_cursor()

    def action_next_panel(self, step: int) -> None:
        """The next tab of a small screen; the focus of a large one, which may bring a side panel up."""
        if self.wide:
            names, here = list(ORDER), self.focused_name or self.side
            self._bring(names[(names.index(here) + step) % len(names)])
        else:
            names = list(TABS)
            self.tab = names[(names.index(self.tab) + step) % len(names)]
            self.lay_out()
            self._focus(TABS[self.tab][-1])

    def action_next_side(self) -> None:
        """The next of the panels that share a place."""
        if self.wide:
            self._bring(SIDE[(SIDE.index(self.side) + 1) % len(SIDE)])
        else:
            self.action_next_panel(1)

    def _bring(self, name: str) -> None:
        if name in SIDE:
            self.side = name
            self.lay_out()
        self._focus(name)

    def _focus(self, name: str) -> None:
        self.part(name).focus()

    @property
    def focused_name(self) -> str | None:
        """Which part has the focus."""
        widget: Any = self.focused
        while widget is not None and widget is not self:
            name = str(widget.id or "").removeprefix("backtest-")
            if name in ORDER:
                return name
            widget = widget.parent
        return None

    @on(EquityPanel.Picked)
    def pick(self, event: EquityPanel.Picked) -> None:
        """Move the cursor to the day that was clicked."""
        self.cursor = event.session
        self.draw_cursor()
        self.load_day()

    def action_backtest(self) -> None:
        """The form with this backtest's strategy and with what differs from the workspace's settings."""
        value = self.value or BacktestValue()
        given = {"run": value.run_id or self.cockpit.chosen_run or "last"}
        if value.figures is not None:
            given["strategy"] = value.figures.strategy
            given["set"] = " ".join(overrides(value.figures, self.cockpit.workspace))
        self.cockpit.ask("backtest", given)

    def action_sweep(self) -> None:
        """The form of a sweep with this backtest's strategy."""
        value = self.value or BacktestValue()
        given = {"run": value.run_id or "last"}
        if value.figures is not None:
            given["strategy"] = value.figures.strategy
        self.cockpit.ask("sweep", given)

    def action_report(self) -> None:
        """The form of a report on this run."""
        value = self.value or BacktestValue()
        self.cockpit.ask("report", {"run": value.run_id or "last", "format": "html,json,md"})
