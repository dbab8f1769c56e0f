"""What is stored, how it was read, and whether it can be trusted: a box for each question."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.widget import Widget
from textual.widgets import Static

from atft_tui.keys import SCREENS, bindings
from atft_tui.readings.data import UNREADABLE, DataReader
from atft_tui.readings.data_values import MARKET, DataReading, Example, FindingRow, StockRow
from atft_tui.readings.stock import read_stock
from atft_tui.screens import data_headline, data_tables
from atft_tui.screens.base import CockpitScreen
from atft_tui.styles import DIM, STRONG
from atft_tui.widgets.coverage import CoveragePanel
from atft_tui.widgets.graph_panel import GraphPanel
from atft_tui.widgets.reading_panel import ReadingPanel
from atft_tui.widgets.stock_panel import StockPanel, StockView
from atft_tui.widgets.table import BrowseTable

TABS = ("coverage", "reading", "findings", "stocks", "features", "snapshots", "graph")
_PICTURES = ("coverage", "reading", "graph", "stock")
"""Boxes without a table."""
_SEEN = (
    "coverage", "reading", "snapshots", "findings", "stocks", "stock", "features", "graph",
)  # fmt: skip
"""In the order of the places, where there is room for all."""
BOXES = (*TABS, "stock")
"""The chosen stock has a box of its own; with tabs it stands under the stocks."""
_SETTLE_S = 0.15
"""The cursor rests this long on a stock before its prices are read."""
_EMPTY = """No market data in this workspace yet.

  i       ingest: price files, J-Quants, Yahoo, or a synthetic market
  ctrl+p  demo: a synthetic market and everything made from it
  f       list the features that a network can be given

After that: c checks what was ingested,
            a proves that nothing sees the future.
"""


def now() -> datetime:
    return datetime.now(UTC)


def _box(name: str, *inside: Widget) -> Vertical:
    return Vertical(*inside, id=f"data-{name}", classes="panel box")


class DataScreen(CockpitScreen[DataReading]):
    place: ClassVar[str] = "data"
    poll_s: ClassVar[float] = 1.0
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(SCREENS["data"])]

    def __init__(self) -> None:
        super().__init__()
        self.reader: DataReader | None = None
        self.tab = TABS[0]
        self.drilled: tuple[str, str] | None = None
        """What the examples are of: ("rule", name) or ("day", date)."""
        self.stock_day = ""

    # ---- reading ---------------------------------------------------------------------------------

    def read(self) -> DataReading:
        workspace = self.cockpit.workspace
        if self.reader is None or self.reader.workspace != workspace:
            self.reader = DataReader(workspace)
        return self.reader.read(now())

    def body(self) -> Iterable[Widget]:
        yield Static(Text(_EMPTY), id="empty")
        with Container(id="data-grid"):
            yield CoveragePanel(id="data-coverage")
            yield ReadingPanel(id="data-reading")
            yield _box(
                "snapshots",
                BrowseTable(data_tables.SNAPSHOTS, key=lambda row: row.id, id="snapshots-table"),
                Static(id="snapshot-detail"),
            )
            kinds: BrowseTable[FindingRow] = BrowseTable(
                data_tables.FINDINGS, key=lambda row: row.rule, id="findings-table"
            )
            examples: BrowseTable[Example] = BrowseTable(
                data_tables.EXAMPLES,
                key=lambda row: f"{row.rule} {row.symbol} {row.date}",
                id="examples-table",
                fixed=2,
            )
            yield _box("findings", kinds, examples, Static(id="finding-detail"))
            yield _box(
                "stocks", BrowseTable(data_tables.STOCKS, key=lambda s: s.symbol, id="stocks-table")
            )
            yield StockPanel(id="data-stock")
            yield _box(
                "features",
                BrowseTable(data_tables.FEATURES, key=lambda row: row.name, id="features-table"),
                Static(id="feature-detail"),
            )
            yield GraphPanel(id="data-graph")
        yield Static(id="tabs")

    def on_mount(self) -> None:
        super().on_mount()
        self.lay_out()

    @property
    def reading(self) -> DataReading:
        return self.value or DataReading()

    def table(self, name: str) -> BrowseTable[Any]:
        return self.query_one(f"#{name}-table", BrowseTable)

    # ---- showing ---------------------------------------------------------------------------------

    def show(self, value: DataReading) -> None:
        self.query_one(CoveragePanel).show_coverage(value.coverage)
        self.query_one(ReadingPanel).show_value(value.read)
        self.fill("stocks", value.stocks)
        self.fill("features", value.features)
        self.fill("snapshots", value.snapshots)
        self.fill("findings", value.quality.findings if value.quality else ())
        self.query_one(GraphPanel).show_value(value.graph)
        self.draw_examples()
        self.draw_titles()
        self.draw_feature()
        self.draw_snapshot()
        self.draw_stock()
        self.lay_out()

    def fill(self, name: str, rows: Any) -> None:
        table = self.table(name)
        if table.all_rows is not rows:
            table.set_rows(rows)

    def draw_titles(self) -> None:
        titles = data_headline.titles(self.reading)
        for name, title in titles.items():
            self.query_one(f"#data-{name}").border_title = Text(title)
        if self.drilled is not None:
            title = data_headline.drilled_title(self.reading, self.drilled)
            self.query_one("#data-findings").border_title = Text(title)

    def lay_out(self) -> None:
        """All boxes at once where there is room, else the chosen one, with its tabs below."""
        value = self.reading
        there = bool(value.snapshots or value.features or value.trouble)
        self.query_one("#data-grid").display = there
        self.query_one("#empty").display = self.value is not None and not there
        wide = self.wide
        super().lay_out()
        for name in BOXES:
            shown = wide or name == self.tab or (name == "stock" and self.tab == "stocks")
            self.query_one(f"#data-{name}").display = shown
        tabs = self.query_one("#tabs", Static)
        tabs.display = there and not wide
        text = Text(" ", no_wrap=True, overflow="ellipsis")
        for name in TABS:
            here = name == self.tab
            text.append(f"[{name}]" if here else f" {name} ", STRONG if here else DIM)
        tabs.update(text)
        self.draw_headline()

    def headline(self, width: int) -> Text:
        if self.value is None:
            return Text(" Data  reading ...")
        return data_headline.headline(self.value, width)

    def target(self, name: str) -> Widget:
        """What takes the focus in a box."""
        if name == "findings":
            return self.table("findings" if self.drilled is None else "examples").grid
        if name in _PICTURES:
            return self.query_one(f"#data-{name}")
        return self.table(name).grid

    # ---- drilling down ---------------------------------------------------------------------------

    def draw_examples(self) -> None:
        kinds, examples = self.table("findings"), self.table("examples")
        kinds.display, examples.display = self.drilled is None, self.drilled is not None
        examples.set_rows(data_headline.examples_of(self.reading, self.drilled))
        self.draw_finding()

    def drill(self, what: tuple[str, str] | None) -> None:
        """Show the examples of a rule or of a day; None goes back to the kinds."""
        self.drilled = what
        self.draw_examples()
        self.draw_titles()
        self.tab = "findings"
        self.lay_out()
        self.target("findings").focus()

    @on(BrowseTable.Selected, "#findings-table")
    def open_rule(self, event: BrowseTable.Selected) -> None:
        self.drill(("rule", event.key))

    @on(BrowseTable.Selected, "#examples-table")
    def open_example(self, event: BrowseTable.Selected) -> None:
        """A finding about a stock goes to the stock, one about a session to the session."""
        example: Example = event.row
        if example.symbol == MARKET:
            panel = self.query_one(CoveragePanel)
            if panel.value is not None:
                panel.show_value(panel.value.to(example.date))
            self.to_tab("coverage")
            return
        self.stock_day = example.date
        table = self.table("stocks")
        table.clear_filter()
        table.move_to(example.symbol)
        self.draw_stock()
        self.to_tab("stocks")

    @on(BrowseTable.Highlighted, "#findings-table")
    @on(BrowseTable.Highlighted, "#examples-table")
    def draw_finding(self) -> None:
        row = self.table("findings" if self.drilled is None else "examples").current
        notes = self.reading.quality.notes if self.reading.quality else ()
        detail = data_headline.finding_detail(row, notes)
        self.query_one("#finding-detail", Static).update(detail)

    @on(BrowseTable.Highlighted, "#snapshots-table")
    def draw_snapshot(self) -> None:
        detail = data_headline.snapshot_detail(self.table("snapshots").current)
        self.query_one("#snapshot-detail", Static).update(detail)

    @on(BrowseTable.Highlighted, "#features-table")
    def draw_feature(self) -> None:
        row = self.table("features").current
        detail = data_tables.feature_detail(row, self.reading.feature_source)
        self.query_one("#feature-detail", Static).update(detail)

    @on(BrowseTable.Highlighted, "#stocks-table")
    def other_stock(self, event: BrowseTable.Highlighted) -> None:
        if event.key not in {one.symbol for one in self.day_examples()}:
            self.stock_day = ""
        self.draw_stock()

    def day_examples(self) -> list[Example]:
        return [
            one
            for finding in (self.reading.quality.findings if self.reading.quality else ())
            for one in finding.examples
            if one.date == self.stock_day
        ]

    @on(BrowseTable.Selected, "#stocks-table")
    def open_stock(self) -> None:
        self.query_one(StockPanel).focus()

    def draw_stock(self) -> None:
        """Who the chosen stock is at once, its prices when they are read."""
        stock: StockRow | None = self.table("stocks").current
        panel = self.query_one(StockPanel)
        if stock is None:
            panel.show_value(None)
            return
        value = self.reading
        findings = value.quality.findings if value.quality else ()
        examples = tuple(e for f in findings for e in f.examples if e.symbol == stock.symbol)
        before = panel.value
        bars = before.bars if before is not None and before.stock == stock else None
        panel.show_value(StockView(stock, bars, examples, self.stock_day))
        self.load_stock(stock)

    @work(exclusive=True, group="stock")
    async def load_stock(self, stock: StockRow) -> None:
        panel = self.query_one(StockPanel)  # before the pause: the screen may be gone after it
        await asyncio.sleep(_SETTLE_S)
        value, workspace, current = self.reading, self.cockpit.workspace, self.reading.current
        if current is None or not panel.display:
            return
        bars, trouble = None, ""
        try:
            bars = await asyncio.to_thread(
                read_stock, workspace, current.id, value.panel, stock.symbol
            )
        except UNREADABLE as error:
            trouble = f"cannot read: {error}"
        shown = panel.value
        if shown is not None and shown.stock.symbol == stock.symbol:
            panel.show_value(StockView(shown.stock, bars, shown.examples, shown.day, trouble))

    # ---- keys ------------------------------------------------------------------------------------

    def to_tab(self, name: str) -> None:
        self.tab = name if name in TABS else self.tab
        self.lay_out()
        self.target(name).focus()
        if name == "stocks":
            self.draw_stock()

    def action_next_tab(self, step: int) -> None:
        """The next box that is seen (or, with tabs, the next tab) takes the focus."""
        if not self.query_one("#data-grid").display:
            return
        wide = not self.has_class("narrow")
        order = _SEEN if wide else TABS
        focused = self.focused
        here = next(
            (n for n in order if focused is not None and focused in self._inside(n)), self.tab
        )
        self.to_tab(order[(order.index(here) + step) % len(order)])

    def _inside(self, name: str) -> set[Widget]:
        found = self.query_one(f"#data-{name}")
        return {found, *found.query("*")}

    def action_back(self) -> None:
        if self.drilled is not None:
            self.drill(None)

    def action_open_day(self) -> None:
        view = self.query_one(CoveragePanel).value
        if view is not None and self.focused is self.query_one(CoveragePanel):
            self.drill(("day", view.coverage.dates[view.cursor]))

    def action_day(self, step: int) -> None:
        self.query_one(CoveragePanel).change("day", step)

    def action_mark(self, step: int) -> None:
        self.query_one(CoveragePanel).change("mark", step)

    def action_zoom(self, factor: float) -> None:
        self.query_one(CoveragePanel).change("zoom", factor)

    def action_ingest(self) -> None:
        self.cockpit.ask("ingest", data_headline.ingest_like(self.reading))

    def action_check(self) -> None:
        self.cockpit.ask("check")

    def action_audit(self) -> None:
        self.cockpit.ask("audit")

    def action_list_features(self) -> None:
        self.cockpit.ask("features", {"action": "list"})
