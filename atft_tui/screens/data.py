"""What is stored, how it was read, and whether it can be trusted: a box for each question."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.containers import Container, Vertical
from textual.widget import Widget
from textual.widgets import Static

from atft_tui.keys import following
from atft_tui.readings.data import DataReader, DataReading, StockRow, read_stock
from atft_tui.screens import data_words
from atft_tui.screens.base import CockpitScreen, utc_now
from atft_tui.widgets.column import TableColumn
from atft_tui.widgets.coverage import CoveragePanel
from atft_tui.widgets.data_panels import GraphPanel, ReadingPanel, StockPanel, StockView
from atft_tui.widgets.table import BrowseTable
from engine.errors import EngineError
from engine.records.quality import MARKET, Hit

TABS = ("coverage", "reading", "findings", "stocks", "features", "snapshots", "graph")
_TABLES = ("findings", "stocks", "features", "snapshots")
"""Boxes with a table."""
_SEEN = "coverage", "reading", "snapshots", "findings", "stocks", "stock", "features", "graph"
"""Boxes in the order of their places, where there is room for all."""
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


def _box(name: str, *inside: Widget) -> Vertical:
    return Vertical(*inside, id=f"data-{name}", classes="panel box")


def _table(
    name: str, columns: Sequence[TableColumn[Any]], key: Callable[[Any], str], fixed: int = 1
) -> BrowseTable[Any]:
    return BrowseTable(columns, key=key, id=f"{name}-table", fixed=fixed)


def _examples() -> BrowseTable[Any]:
    def key(row: Hit) -> str:
        return f"{row.rule} {row.symbol} {row.date}"

    return _table("examples", data_words.EXAMPLES, key, fixed=2)


class DataScreen(CockpitScreen[DataReading]):
    """All boxes at once where there is room, else one of them with tabs below."""

    place: ClassVar[str] = "data"
    poll_s: ClassVar[float] = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.tab = TABS[0]
        self.drilled: tuple[str, str] | None = None
        """What the examples are of: ("rule", name) or ("day", date)."""
        self.stock_day = ""

    # ---- reading ---------------------------------------------------------------------------------

    def read(self) -> DataReading:
        return DataReader(self.cockpit.workspace).read(utc_now())

    def body(self) -> Iterable[Widget]:
        yield Static(Text(_EMPTY), id="empty")
        with Container(id="data-grid"):
            yield CoveragePanel(id="data-coverage")
            yield ReadingPanel(id="data-reading")
            snapshots = _table("snapshots", data_words.SNAPSHOTS, lambda row: row.id)
            yield _box("snapshots", snapshots, Static(id="snapshot-detail"))
            kinds = _table("findings", data_words.FINDINGS, lambda row: row.rule)
            yield _box("findings", kinds, _examples(), Static(id="finding-detail"))
            yield _box("stocks", _table("stocks", data_words.STOCKS, lambda row: row.symbol))
            yield StockPanel(id="data-stock")
            features = _table("features", data_words.FEATURES, lambda row: row.name)
            yield _box("features", features, Static(id="feature-detail"))
            yield GraphPanel(id="data-graph")
        yield Static(id="tabs")

    @property
    def reading(self) -> DataReading:
        """What was read last; nothing before the first reading."""
        return self.value or DataReading()

    def table(self, name: str) -> BrowseTable[Any]:
        """The table of a box."""
        return self.query_one(f"#{name}-table", BrowseTable)

    # ---- showing ---------------------------------------------------------------------------------

    def show(self, value: DataReading) -> None:
        self.query_one(CoveragePanel).show_coverage(value.coverage)
        self.query_one(ReadingPanel).show_value(value.current.manifest if value.current else None)
        for name in ("stocks", "features", "snapshots"):
            self.table(name).set_rows(getattr(value, name))
        self.table("findings").set_rows(value.quality.findings if value.quality else ())
        self.query_one(GraphPanel).show_value(value.graph)
        self.draw_examples()
        self.draw_titles()
        self.draw_feature()
        self.draw_snapshot()
        self.draw_stock()
        self.lay_out()

    def draw_titles(self) -> None:
        """Say on each box what it holds."""
        titles = data_words.titles(self.reading)
        if self.drilled is not None:
            titles["findings"] = data_words.drilled_title(self.reading, self.drilled)
        for name, title in titles.items():
            self.part(name).border_title = Text(title)

    def lay_out(self) -> None:
        """All boxes at once where there is room, else the chosen one, with its tabs below."""
        value = self.reading
        there = bool(value.snapshots or value.features or value.trouble)
        self.query_one("#data-grid").display = there
        self.query_one("#empty").display = self.value is not None and not there
        wide = self.wide
        super().lay_out()
        tab = (self.tab, "stock") if self.tab == "stocks" else (self.tab,)
        self.show_parts(BOXES, BOXES if wide else tab)
        self.show_tabs(TABS, self.tab, seen=there and not wide)
        self.draw_headline()

    def headline(self, width: int) -> Text:
        value = self.value
        return data_words.headline(value, width) if value else Text(" Data  reading ...")

    def target(self, name: str) -> Widget:
        """What takes the focus in a box."""
        if name not in _TABLES:
            return self.part(name)
        return self.table("examples" if name == "findings" and self.drilled else name).grid

    # ---- drilling down ---------------------------------------------------------------------------

    def draw_examples(self) -> None:
        """Show the kinds of findings, or the examples of what was chosen."""
        kinds, examples = self.table("findings"), self.table("examples")
        kinds.display, examples.display = self.drilled is None, self.drilled is not None
        examples.set_rows(data_words.examples_of(self.reading, self.drilled))
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
        """Show the examples of the rule."""
        self.drill(("rule", event.key))

    @on(BrowseTable.Selected, "#examples-table")
    def open_example(self, event: BrowseTable.Selected) -> None:
        """A finding about a stock goes to the stock, one about a session to the session."""
        example: Hit = event.row
        if example.symbol == MARKET:
            self.query_one(CoveragePanel).to(example.date)
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
        """Say what the finding under the cursor means."""
        row = self.table("examples" if self.drilled else "findings").current
        notes = self.reading.quality.notes if self.reading.quality else ()
        detail = data_words.finding_detail(row, notes)
        self.query_one("#finding-detail", Static).update(detail)

    @on(BrowseTable.Highlighted, "#snapshots-table")
    def draw_snapshot(self) -> None:
        """Say what the snapshot under the cursor holds."""
        detail = data_words.snapshot_detail(self.table("snapshots").current)
        self.query_one("#snapshot-detail", Static).update(detail)

    @on(BrowseTable.Highlighted, "#features-table")
    def draw_feature(self) -> None:
        """Say how the feature under the cursor is made."""
        row = self.table("features").current
        detail = data_words.feature_detail(row, self.reading.feature_source)
        self.query_one("#feature-detail", Static).update(detail)

    @on(BrowseTable.Highlighted, "#stocks-table")
    def other_stock(self, event: BrowseTable.Highlighted) -> None:
        """Forget the day that was asked for, unless it is one of this stock's findings."""
        day = self.stock_day
        if all((hit.symbol, hit.date) != (event.key, day) for hit in self.reading.hits):
            self.stock_day = ""
        self.draw_stock()

    @on(BrowseTable.Selected, "#stocks-table")
    def open_stock(self) -> None:
        """Move the focus to the chosen stock."""
        self.query_one(StockPanel).focus()

    def draw_stock(self) -> None:
        """Who the chosen stock is at once, its prices when they are read."""
        stock: StockRow | None = self.table("stocks").current
        panel = self.query_one(StockPanel)
        if stock is None:
            panel.show_value(None)
            return
        examples = tuple(hit for hit in self.reading.hits if hit.symbol == stock.symbol)
        before = panel.value
        bars = before.bars if before is not None and before.stock == stock else None
        panel.show_value(StockView(stock, bars, examples, self.stock_day))
        self.load_stock(stock)

    @work(exclusive=True, group="stock")
    async def load_stock(self, stock: StockRow) -> None:
        """Read the stock's prices once the cursor rests on it."""
        panel = self.query_one(StockPanel)  # before the pause: the screen may be gone after it
        await asyncio.sleep(_SETTLE_S)
        current = self.reading.current
        if current is None or not panel.display:
            return
        place = (self.cockpit.workspace, current.id, self.reading.panel, stock.symbol)
        bars, trouble = None, ""
        try:
            bars = await asyncio.to_thread(read_stock, *place)
        except (EngineError, OSError) as error:
            trouble = f"cannot read: {error}"
        shown = panel.value
        if shown is not None and shown.stock.symbol == stock.symbol:
            panel.show_value(StockView(shown.stock, bars, shown.examples, shown.day, trouble))

    # ---- keys ------------------------------------------------------------------------------------

    def to_tab(self, name: str) -> None:
        """Choose a box and give it the focus."""
        self.tab = name if name in TABS else self.tab
        self.lay_out()
        self.target(name).focus()
        if name == "stocks":
            self.draw_stock()

    def action_next_tab(self, step: int) -> None:
        """The next box that is seen (or, with tabs, the next tab) takes the focus."""
        if not self.query_one("#data-grid").display:
            return
        order = TABS if self.has_class("narrow") else _SEEN
        self.to_tab(following(order, self.focused_part(order) or self.tab, step))

    def action_back(self) -> None:
        if self.drilled is not None:
            self.drill(None)

    def action_open_day(self) -> None:
        panel = self.query_one(CoveragePanel)
        if panel.value is not None and self.focused is panel:
            self.drill(("day", panel.value.dates[panel.at]))

    def action_mark(self, step: int) -> None:
        self.query_one(CoveragePanel).to_mark(step)

    def action_ingest(self) -> None:
        self.cockpit.ask("ingest", data_words.ingest_like(self.reading))

    def action_list_features(self) -> None:
        self.cockpit.ask("features", {"action": "list"})
