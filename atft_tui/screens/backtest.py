"""What the scores would have earned after costs, how sure that is, and what it hangs on."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input, Static

from atft_tui import format as fmt
from atft_tui.keys import following
from atft_tui.readings.backtest import BacktestReader, BacktestValue, DayBook, overrides, read_day
from atft_tui.screens.base import CockpitScreen
from atft_tui.styles import DIM, Ink, ink_of
from atft_tui.widgets.backtest import panels as tables
from atft_tui.widgets.backtest import words as told
from atft_tui.widgets.backtest.days import MonthsValue
from atft_tui.widgets.backtest.equity import EquityPanel, EquityValue
from atft_tui.widgets.backtest.panels import EMPTY, NOT_YET, ORDER, SIDE, TABS, PicturePanel
from atft_tui.widgets.backtest.words import OLDER, SummaryValue
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.table import BrowseTable
from engine.errors import EngineError

_SETTLE_S = 0.08
"""A held cursor key reads the book of the day it stops at, not of every day on the way."""


class BacktestScreen(CockpitScreen[BacktestValue]):
    """The chosen run's backtest, else that of the newest run that has one."""

    place: ClassVar[str] = "backtest"

    def __init__(self) -> None:
        super().__init__()
        self.reader = BacktestReader()
        self.dates: tuple[dt.date, ...] = ()
        self.cursor = 0
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
            yield from map(PicturePanel, ("sharpe", "costs", "months"))
            yield BrowseTable(tables.HOLDINGS, key=lambda row: row.symbol, id="backtest-holdings")
            yield from map(PicturePanel, ("exposures", "rules"))
            yield BrowseTable(tables.YEARS, key=lambda row: str(row.year), id="backtest-years")
            yield BrowseTable(tables.CELLS, key=lambda row: row.words, id="backtest-sweep")
            yield from map(PicturePanel, ("summary", "quantiles", "decay"))
        yield Static(id="tabs")

    def on_mount(self) -> None:
        for number, name in enumerate(SIDE, 1):
            self.part(name).border_subtitle = f"{number} of {len(SIDE)}: i next"
        for name in ("years", "sweep"):
            self.part(name).border_title = name

    # ---- the value -------------------------------------------------------------------------------

    def read(self) -> BacktestValue:
        """The chosen run's files; the same value while none of them changed."""
        return self.reader.value(self.cockpit.workspace, self.cockpit.chosen_run)

    def show(self, value: BacktestValue) -> None:
        """Everything anew; the cursor stays on its day while the days are the same."""
        dates = value.curves.dates if value.curves else ()
        if dates != self.dates:
            # Other days: the newest; a new backtest of the same days keeps the cursor.
            self.dates, self.cursor = dates, max(0, len(dates) - 1)
        found = value.figures
        for name in ("sharpe", "costs", "quantiles", "decay", "rules"):
            self.panel(name).show_value(found)
        earlier = value.earlier.figures if value.earlier else None
        summary = found and SummaryValue(found, value.report, value.report_is_older, earlier)
        self.panel("summary").show_value(summary)
        self.table("years").set_rows(found.ranked_years[::-1] if found else ())
        self._show_sweep(value)
        self.draw_cursor()
        self.lay_out()

    def _show_sweep(self, value: BacktestValue) -> None:
        table, swept = self.table("sweep"), value.sweep
        table.set_rows(swept.ranked if swept else ())
        table.border_title = "sweep: none yet, s starts one"
        if swept is not None:
            table.border_title = f"sweep: the best of {len(swept.cells)} is flattered"
            trials = fmt.counted(swept.trials, "trial")
            table.border_subtitle = (
                f"best deflated {fmt.share(swept.best.sharpe_deflated)} ({trials}), "
                f"overfit {fmt.percent(swept.overfitting_probability)}"
            )

    def draw_cursor(self) -> None:
        """What shows the day under the cursor."""
        self.load_day()
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
        beta = value.figures.exposures.beta if value.figures else float("nan")
        view = EquityValue(curves=curves, cursor=self.cursor, before=before, beta=beta)
        self.panel("equity").show_value(view)
        self.panel("exposures").show_value(view)
        months = MonthsValue(tuple(curves.months.items()), (day.year, day.month))
        self.panel("months").show_value(months)

    @work(exclusive=True, group="day")
    async def load_day(self) -> None:
        """The book of the day under the cursor, once the cursor rests."""
        value, table = self.value, self.table("holdings")

        def none(why: str = "") -> None:
            table.set_rows(())
            table.border_title = fmt.clean(f"holdings{why}")

        if value is None or value.curves is None or not value.curves.dates:
            return none()
        if not value.has_holdings:
            return none(f": {OLDER}")
        await asyncio.sleep(_SETTLE_S)
        day = value.curves.dates[self.cursor]
        directory = self.cockpit.workspace / "runs" / value.run_id
        try:
            book = await asyncio.to_thread(read_day, directory, day)
        except (EngineError, OSError) as error:
            return none(f": cannot read: {error}")
        self.book = book
        table.set_rows(book.rows)
        if self.focused_part(ORDER) != "holdings":  # nobody chose a stock: the largest come first
            table.grid.move(0)
        table.border_title, table.border_subtitle = tables.holdings_titles(book)

    # ---- layout ----------------------------------------------------------------------------------

    @property
    def ink(self) -> Ink:
        """The colours of the theme."""
        return ink_of(self.app.current_theme)

    def table(self, name: str) -> BrowseTable[Any]:
        """A table by its short name."""
        return self.query_one(f"#backtest-{name}", BrowseTable)

    def panel(self, name: str) -> PlacePanel[Any]:
        """A panel by its short name."""
        return self.query_one(f"#backtest-{name}", PlacePanel)

    def lay_out(self) -> None:
        """Everything at once where there is room, else one tab."""
        value, wide = self.value, self.wide
        there = value is not None and value.figures is not None
        super().lay_out()
        empty = self.query_one("#empty", Static)
        empty.display = value is not None and not there
        empty.update(Text(NOT_YET.format(run=value.run_id) if value and value.run_id else EMPTY))
        grid = self.part("grid")
        grid.display = there
        main = [name for name in ORDER if name not in SIDE]
        self.show_parts(ORDER, [*main, self.side] if wide else TABS[self.tab])
        for name in TABS:
            grid.set_class(not wide and name == self.tab, f"tab-{name}")
        self.show_tabs(TABS, self.tab, seen=there and not wide)
        self.draw_headline()

    def headline(self, width: int) -> Text:
        """The answer in one line."""
        if self.value is None:
            return Text(" Backtest: reading the files", style=DIM)
        return told.headline(self.value, width, self.ink)

    def draw_headline(self) -> None:
        """The headline with the two lines below it."""
        super().draw_headline()
        value = self.value or BacktestValue()
        for name, words, seen in (
            ("conditions", told.conditions(value, self.ink), value.figures is not None),
            ("changes", told.changed(value, self.ink), bool(value.earlier and value.figures)),
        ):
            line = self.query_one(f"#backtest-{name}", Static)
            line.display = seen
            line.update(words)

    # ---- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a filter is typed, the cursor keys are the text's."""
        if action in ("day", "next_panel") and isinstance(self.focused, Input):
            return False
        return super().check_action(action, parameters)

    def action_day(self, step: int) -> None:
        """Move the cursor by sessions."""
        self.cursor += step
        self.draw_cursor()

    def action_scale(self) -> None:
        self.query_one(EquityPanel).action_log()

    def action_next_panel(self, step: int) -> None:
        """The next tab of a small screen; the focus of a large one, which may bring a side panel up."""
        if self.wide:
            self._bring(following(ORDER, self.focused_part(ORDER) or self.side, step))
        else:
            self.tab = following(tuple(TABS), self.tab, step)
            self.lay_out()
            self.part(TABS[self.tab][-1]).focus()

    def action_next_side(self) -> None:
        """The next of the panels that share a place."""
        if self.wide:
            self._bring(following(SIDE, self.side))
        else:
            self.action_next_panel(1)

    def _bring(self, name: str) -> None:
        if name in SIDE:
            self.side = name
            self.lay_out()
        self.part(name).focus()

    @on(EquityPanel.Picked)
    def pick(self, event: EquityPanel.Picked) -> None:
        """Move the cursor to the day that was clicked."""
        self.cursor = event.session
        self.draw_cursor()

    def _ask(self, command: str, **more: str) -> None:
        """The form of a command about this run, with this backtest's strategy if it takes one."""
        value = self.value or BacktestValue()
        if value.figures is not None and command != "report":
            more["strategy"] = value.figures.strategy
        run = value.run_id or self.cockpit.chosen_run or "last"
        self.cockpit.ask(command, {"run": run, **more})

    def action_backtest(self) -> None:
        """Also with what differs from the workspace's settings."""
        found = self.value.figures if self.value else None
        changed = overrides(found, self.cockpit.workspace) if found else []
        self._ask("backtest", **({"set": " ".join(changed)} if found else {}))

    def action_sweep(self) -> None:
        self._ask("sweep")

    def action_report(self) -> None:
        self._ask("report", format="html,json,md")
