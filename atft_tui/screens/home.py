"""Home: what a person wants to know with the first coffee, and on an empty workspace how to begin."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.containers import Container
from textual.events import Click
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.keys import SCREENS
from atft_tui.readings.home import HomeMore, HomeNews, MoreReader, read_home
from atft_tui.readings.runs import figure_words, sharpe_words
from atft_tui.readings.steps import parts, upcoming
from atft_tui.screens.base import CockpitScreen, utc_now
from atft_tui.styles import figure_text, status, status_text
from atft_tui.widgets.backtest.equity import EquityPanel, EquityValue
from atft_tui.widgets.bars import KeyBar
from atft_tui.widgets.column import TableColumn
from atft_tui.widgets.home_panels import HomePanel, countdown, freshness
from atft_tui.widgets.lines import line
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.table import BrowseTable
from engine.records.preflight import DrillOutcome
from engine.records.run import RunSummary

DOORS = {
    "home-card": "signals",
    "home-trades": "signals",
    "home-data": "data",
    "home-schedule": "signals",
    "home-alerts": "signals",
}
"""A panel and the place that knows more."""
_MORE = ("home-machine", "home-work")
"""Panels that show `HomeMore`."""


_COLUMNS: tuple[TableColumn[RunSummary], ...] = (
    TableColumn("last runs", lambda row: row.id, 26),
    TableColumn("status", lambda row: status_text(row.status), 10),
    TableColumn("validation RankIC", lambda row: figure_text(figure_words(row.validation)), 17),
    TableColumn("test RankIC", lambda row: figure_text(figure_words(row.test)), 17, wide_only=True),
    TableColumn("net Sharpe", lambda row: sharpe_words(row.sharpe, verdict=False)),
)


_DRILLED: tuple[TableColumn[DrillOutcome], ...] = (
    TableColumn("case", lambda row: row.case, 24),
    TableColumn("verdict", lambda row: status_text(row.verdict), 12),
    TableColumn("what was done", lambda row: row.done, 40),
    TableColumn("what was seen", lambda row: row.seen),
)


@dataclass(frozen=True, slots=True)
class _Now:
    """Everything that Home shows."""

    news: HomeNews
    more: HomeMore | None
    """None in the first reading, which it would slow down."""


class _HomeEquity(EquityPanel):
    """The curve of the backtest that counts."""

    title = "equity after costs"
    empty = "No backtest yet: > leads there; 4, enter on a run and b make one."


class HomeScreen(CockpitScreen[_Now]):
    """The first place: panels that lead to the others, or the first steps where there is nothing yet."""

    place: ClassVar[str] = "home"
    poll_s: ClassVar[float] = 2.0

    def __init__(self) -> None:
        super().__init__()
        self.reader: MoreReader | None = None
        self.guiding = False
        """The first steps are shown although the workspace is not empty."""

    def body(self) -> Iterable[Widget]:
        """The first steps, and the grid of panels."""
        yield OptionList(id="home-steps")
        with Container(id="home-grid"):
            yield from map(HomePanel, ("card", "champion", "trades"))
            yield _HomeEquity(id="home-equity")
            yield from map(HomePanel, ("work", "data", "schedule", "machine"))
            yield BrowseTable(_COLUMNS, key=lambda row: row.id, id="home-runs")
            yield HomePanel("alerts")

    def on_mount(self) -> None:
        self.query_one("#home-steps").display = False

    # ---- reading and showing ---------------------------------------------------------------------

    def read(self) -> _Now:
        """Read the workspace; what takes longer is left out the first time."""
        workspace, first = self.cockpit.workspace, self.value is None
        news = read_home(workspace, utc_now())
        if first:
            return _Now(news, None)
        if self.reader is None:
            self.reader = MoreReader()
        return _Now(news, self.reader.read(workspace, news))

    def show(self, value: _Now) -> None:
        """Hand the value to the panels."""
        news = value.news
        self.cockpit.foresee(news)
        for panel in self.query(HomePanel):
            panel.show_value(value.more if panel.id in _MORE else news)
        self.query_one("#home-runs", BrowseTable).set_rows(news.runs)
        self.show_steps(news)
        keys = {key.action: key.description for key in SCREENS["home"] if key.show}
        if news.champion is None:  # a signal would be refused
            del keys["ask('signals')"]
        else:  # what a day needs stays in the line where that is short
            daily = ("open", "ask('signals')", "schedule")
            keys = {name: keys[name] for name in sorted(keys, key=lambda name: name not in daily)}
        self.query_one(KeyBar).offer(keys)
        if value.more is None:
            self.reread()
        else:
            self.show_equity(news, value.more)

    def show_equity(self, news: HomeNews, more: HomeMore) -> None:
        """The champion's curve; before there is one that of the run that matters, and it says so."""
        panel, found = self.query_one(_HomeEquity), more.backtest.value
        whose = "the champion's" if news.champion else f"of {news.judged_run}, no champion yet"
        panel.border_title = f"equity after costs, {whose}" if news.judged_run else panel.title
        if more.backtest.trouble:
            panel.border_title = fmt.clean(f"equity: cannot be read: {more.backtest.trouble}")
        curves = found.curves if found else None
        if curves is None or not curves.dates:
            panel.show_value(None)
            return
        old = panel.value
        same = old is not None and old.curves is curves
        cursor = old.cursor if old is not None and same else len(curves.dates) - 1
        panel.show_value(EquityValue(curves=curves, cursor=cursor))

    @on(EquityPanel.Picked)
    def pick(self, event: EquityPanel.Picked) -> None:
        """Read the day that the crosshair was moved to."""
        panel = self.query_one(_HomeEquity)
        if panel.value is not None:
            panel.show_value(replace(panel.value, cursor=event.session))

    def show_steps(self, news: HomeNews) -> None:
        """The first steps instead of the panels, where there is nothing to show or somebody asked."""
        steps, grid = self.query_one("#home-steps", OptionList), self.query_one("#home-grid")
        guiding = self.guiding or news.is_empty
        turned = guiding != steps.display
        steps.display, grid.display = guiding, not guiding
        if guiding:
            at = steps.highlighted
            steps.set_options(_options(news))
            coming = upcoming(news)
            if at is not None and not turned:
                steps.highlighted = at
            elif coming is not None:
                steps.highlighted = steps.get_option_index(coming.name)
        if turned:
            (steps if guiding else self.query_one("#home-card")).focus()

    def headline(self, width: int) -> Text:
        """Trade or not, is the model alive, are the data there, what comes next."""
        if self.value is None:
            return Text(" Home", styles.STRONG)
        news = self.value.news
        text = Text(" ", no_wrap=True, overflow="ellipsis")
        if news.trouble:
            text.append(f"cannot read {fmt.clean(news.trouble[0])}", styles.BAD)
            return text
        coming = upcoming(news)
        if news.is_empty or (coming is not None and news.card is None):
            where = "An empty workspace" if news.is_empty else "No signal yet"
            text.append(where, styles.STRONG)
            if coming is not None:
                text.append(f"  next step: {coming.name} ").append(coming.key, styles.KEY)
            return text
        return _summary(text, news)

    # ---- doing -----------------------------------------------------------------------------------

    @on(OptionList.OptionSelected, "#home-steps")
    def take_step(self, event: OptionList.OptionSelected) -> None:
        """Go to the chosen step's place, or open the form of its command."""
        event.stop()
        assert self.value is not None
        found = (s for part in parts(self.value.news) for s in part.steps)
        self.cockpit.take(next(step for step in found if step.name == event.option.id))

    def action_report(self) -> None:
        main = self.value.news.main if self.value else None
        self.cockpit.ask("report", {"run": main.id} if main else {})

    def action_schedule(self) -> None:
        self.cockpit.ask("schedule", {"action": "run"})

    def action_drill(self) -> None:
        """The table of the last drill; without one, the form that starts it."""
        from atft_tui.screens.dialogs import RowDialog

        found = self.value.news.drill if self.value else None
        if found is None:
            self.cockpit.ask("drill", {})
            return
        table = BrowseTable(_DRILLED, key=lambda row: row.case, id="drilled")
        title = f"Drill of {fmt.clean(found.at[:10])}: {found.line}"
        self.app.push_screen(RowDialog(title, table, found.outcomes, ""))

    def action_steps(self) -> None:
        self.guiding = not self.guiding
        if self.value is not None:
            self.show_steps(self.value.news)

    def action_open(self) -> None:
        self.open_panel(self.focused)

    @on(Click)
    def click(self, event: Click) -> None:
        """Open the place behind the panel that was clicked; in a chart a click is the crosshair's."""
        if not isinstance(event.widget, EquityPanel):
            self.open_panel(event.widget)

    @on(BrowseTable.Selected)
    def open_run(self, event: BrowseTable.Selected) -> None:
        """Show the run of the row that was opened."""
        self.cockpit.open_run(event.key)

    def open_panel(self, widget: Widget | None) -> None:
        """Go where the panel's subject is at home."""
        if not isinstance(widget, PlacePanel) or self.maximized is not None or self.value is None:
            return
        name, news, more = str(widget.id), self.value.news, self.value.more
        work = more.at_work[0].run_id if more and more.at_work else ""
        runs = {"home-champion": ("train", news.judged_run), "home-work": ("train", work),
                "home-equity": ("backtest", news.judged_run)}  # fmt: skip
        place, run = runs.get(name, ("", ""))
        if name == "home-machine":
            self.maximize(widget)
        elif run:
            self.cockpit.open_run(run, place)
        else:
            self.cockpit.go(DOORS.get(name, place or "runs"))


def _summary(text: Text, news: HomeNews) -> Text:
    card, live, outlook = news.card.card if news.card else None, news.live, news.agenda.outlook
    if card is not None:
        found = status(card.verdict)
        text.append(f" {found.mark} {card.verdict} ", found.style + styles.REVERSE)
        text.append(f" {fmt.clean(f'{card.session} {card.exchange}')}", styles.STRONG)
        for worst in card.troubles[:1]:
            text.append(f"  {fmt.clean(f'{worst.name}: {worst.reason}')}")
    if live is not None:
        figure = fmt.rank_ic(live.rank_ic, live.se, live.sessions)
        text.append("  live RankIC ")
        text.append(*styles.noted(figure, noise=live.is_noise, sure=styles.PLAIN))
    if news.data is not None:
        text.append("  data behind: ").append_text(freshness(news))
    running = news.agenda.process == "running"
    if running and outlook is not None and outlook.next_at:
        text.append(f"  next {countdown(outlook.next_at, news.now)}")
    elif news.card is not None and not running:
        text.append("  no scheduler", styles.WARN)
    return text


def _options(news: HomeNews) -> list[Option | None]:
    """The steps under the titles of their parts, which cannot be chosen."""
    options: list[Option | None] = []
    coming = upcoming(news)
    for part in parts(news):
        if options:
            options.append(None)
        options.append(Option(Text(part.title, styles.STRONG), disabled=True))
        for step in part.steps:
            mark, style = (GLYPHS.done, styles.GOOD) if step.done else (GLYPHS.waiting, styles.DIM)
            if step == coming:
                mark, style = GLYPHS.running, styles.KEY
            told = line(
                (f"  {mark} ", style), (f"{step.key}  ", styles.KEY),
                (f"{step.name:<10}", styles.STRONG), step.what,
            )  # fmt: skip
            options.append(Option(told, id=step.name))
    return options
