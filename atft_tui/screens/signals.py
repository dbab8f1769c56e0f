"""What to trade tomorrow and why: a sealed session, its card, each stock's reasons, and what came of it."""

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.actions import SkipAction
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input, Static

from atft_tui import format as fmt
from atft_tui.keys import following
from atft_tui.readings.desk import Desk, read_desk
from atft_tui.readings.signal import Signal, StockLine
from atft_tui.screens.base import CockpitScreen, utc_now
from atft_tui.screens.signal_columns import FILLS, SESSIONS, VIEWS, line_columns
from atft_tui.styles import BAD, STRONG, WIDE
from atft_tui.widgets.card import CardPanel, Compared, DiffPanel, LedgerPanel, card_line
from atft_tui.widgets.desk_panels import (
    ChampionPanel,
    SchedulePanel,
    position,
    session_bar,
    status_strip,
    step_names,
)
from atft_tui.widgets.table import BrowseTable
from atft_tui.widgets.why_panel import ChangePanel, Question, WhyPanel
from engine.errors import UsageError
from engine.records.seal import Seal
from engine.records.shadow import ShadowRow

PAGES = ("list", "why", "card", "changed", "ledger", "fills", "diff", "schedule", "champion")
"""Panels in the order in which the key goes through them; one at a time where there is little room."""
_ALWAYS = ("list", "why")
_BELOW = ("card", "changed", "ledger")
"""Under the list where there is room, until another page takes their place."""
_EMPTY = """No signal is sealed in this workspace yet. The way to the first one:

  data      ingest and check (2 Data), or the demo (ctrl+p demo)
  train     3 Train, then n
  audit     ctrl+p audit: proves that nothing sees ahead
  promote   ctrl+p promote: a run's networks become champion
  signals   n here: the newest session's list, with its card
  schedule  c here: one pass; atft-tui schedule run: always
"""


def _fill_key(row: ShadowRow) -> str:
    return f"{row.session} {row.entry}"


class SignalsScreen(CockpitScreen[Desk]):
    place: ClassVar[str] = "signals"

    def __init__(self) -> None:
        super().__init__()
        self.chosen: str | None = None
        """Name of the sealed directory that is shown; None follows the newest."""
        self.rows = False
        """Whether the stocks are read too: not for the first picture."""
        self.page = PAGES[0]
        self.view = next(iter(VIEWS))
        self._columns = (False, False)

    def body(self) -> Iterable[Widget]:
        yield Static(id="signals-bar")
        yield Static(id="tabs")
        yield Static(Text(_EMPTY), id="empty")
        with Container(id="signals-grid"):
            columns = line_columns(self.view, wide=False)
            yield BrowseTable(columns, key=lambda line: line.code, id="signals-list", fixed=3)
            yield WhyPanel(id="signals-why")
            yield CardPanel(id="signals-card")
            yield ChangePanel(id="signals-changed")
            yield LedgerPanel(id="signals-ledger")
            yield BrowseTable(FILLS, key=_fill_key, id="signals-fills", fixed=2)
            yield DiffPanel(id="signals-diff")
            yield SchedulePanel(id="signals-schedule")
            yield ChampionPanel(id="signals-champion")
        yield Static(id="signals-strip")

    def on_mount(self) -> None:
        words = "shadow ledger, session by session, basis points of equity"
        self.part("fills").border_title = words

    def on_resize(self) -> None:
        self.set_columns()

    # ---- reading and showing ---------------------------------------------------------------------

    def read(self) -> Desk:
        return read_desk(self.cockpit.workspace, self.chosen, utc_now(), rows=self.rows)

    def show(self, value: Desk) -> None:
        if not self.rows:
            self.rows = True
            self.reread()
        else:
            self.list_lines()
            self.explain()
            self.fill(value)
        self.lay_out()

    def fill(self, desk: Desk) -> None:
        """Every panel but the list and the reasons, which follow the cursor."""
        signal = desk.signal
        self.query_one(CardPanel).show_value(desk.card)
        self.query_one(ChangePanel).show_value(signal.change if signal else None)
        self.query_one(LedgerPanel).show_part(desk.shadow)
        self.query_one(SchedulePanel).show_part(desk.schedule)
        self.query_one(ChampionPanel).show_part(desk.champion)
        self.query_one(DiffPanel).show_value(_compared(desk))
        shadow = desk.shadow.value
        self.query_one("#signals-fills", BrowseTable).set_rows(shadow.rows if shadow else ())

    @property
    def signal(self) -> Signal | None:
        return self.value.signal if self.value else None

    @property
    def table(self) -> BrowseTable[StockLine]:
        return self.query_one("#signals-list", BrowseTable)

    def list_lines(self) -> None:
        """The stocks of the chosen view."""
        lines = self.signal.lines if self.signal else ()
        kept = tuple(filter(VIEWS[self.view], lines))
        self.set_columns()
        self.table.set_rows(kept)
        self.table.border_title = f"{self.view}: {len(kept):,} of {len(lines):,} stocks  (l)"
        if self.focused is None:
            self.table.focus()

    def set_columns(self) -> None:
        """Those that view and width ask for; an order by a column goes when they change."""
        wanted = self.view == "refused", self.size.width >= WIDE
        if wanted != self._columns:
            self._columns = wanted
            self.table.set_columns(line_columns(self.view, wide=wanted[1]))

    @on(BrowseTable.Highlighted, "#signals-list")
    def explain(self) -> None:
        """Hand the reasons of the stock under the cursor to their panel."""
        signal, line = self.signal, self.table.current
        question = None
        if signal is not None and line is not None:
            question = Question(
                session=signal.seal.session, scored=signal.scored, horizon=signal.horizon, line=line,
                why=signal.explain.of(line.code), names=signal.by_code,
            )  # fmt: skip
        self.query_one(WhyPanel).show_value(question)

    def lay_out(self) -> None:
        """The list with its reasons over three panels where there is room, else the chosen page."""
        there = self.value is not None and not self.value.is_empty
        wide = self.wide
        super().lay_out()
        self.query_one("#empty").display = self.value is not None and not there
        self.part("grid").display = there and self.rows
        self.part("bar").display = there
        self.part("strip").display = self.value is not None and wide
        below = _BELOW if self.page in (*_ALWAYS, *_BELOW) else (self.page,)
        self.show_parts(PAGES, (*_ALWAYS, *below) if wide else (self.page,))
        self.show_tabs(PAGES, self.page, seen=there and not wide)
        self.draw_headline()

    def draw_headline(self) -> None:
        super().draw_headline()
        if self.value is not None:
            self.query_one("#signals-bar", Static).update(session_bar(self.value))
            self.query_one("#signals-strip", Static).update(status_strip(self.value))

    def headline(self, width: int) -> Text:
        if self.value is None:
            return Text(" Signals", style=STRONG)
        if self.value.trouble:
            return Text(f" the last attempt cannot be read: {fmt.clean(self.value.trouble)}", BAD)
        card = self.value.card
        return card_line(card) if card is not None else Text(" Signals: none yet", style=STRONG)

    # ---- keys ------------------------------------------------------------------------------------

    def action_session(self, step: int) -> None:
        """Earlier or later; the last one is followed as newer ones come."""
        if isinstance(self.focused, Input):
            raise SkipAction
        at = position(self.value) if self.value else None
        if self.value is None or at is None:
            return
        names = step_names(self.value)
        target = min(max(0, at + step), len(names) - 1)
        self.choose(names[target] if target < len(names) - 1 else None)

    def choose(self, name: str | None) -> None:
        self.chosen = name
        self.reread()

    def action_sessions(self) -> None:
        from atft_tui.screens.dialogs import RowDialog

        if self.value is None or not self.value.cards:
            return
        cards = self.value.cards[::-1]
        current = self.signal.seal.name if self.signal else ""
        title = "Sealed signals, newest first: enter shows one, / filters"
        table = BrowseTable(SESSIONS, key=lambda card: card.name, id="sessions")
        self.app.push_screen(RowDialog(title, table, cards, current), self.take_session)

    def take_session(self, name: str | None) -> None:
        if name is not None:
            newest = self.value is not None and step_names(self.value)[-1] == name
            self.choose(None if newest else name)

    def action_page(self, step: int) -> None:
        self.turn_to(following(PAGES, self.page, step))

    def turn_to(self, page: str) -> None:
        self.page = page
        self.lay_out()
        self.part(page).focus()

    def action_view(self) -> None:
        self.view = following(tuple(VIEWS), self.view)
        self.list_lines()
        self.explain()

    def action_stock(self, step: int) -> None:
        """The next stock while its reasons have the focus."""
        self.table.grid.action_cursor(step)

    @on(BrowseTable.Selected, "#signals-list")
    def open_why(self) -> None:
        self.turn_to("why")

    def action_new_signal(self) -> None:
        self.cockpit.ask("signals")

    def action_revise(self) -> None:
        seal = self._seal()
        if seal is not None:
            self.cockpit.ask("signals", {"date": seal.session, "revise": "true"})

    def action_check(self, command: str) -> None:
        """`verify` or `replay` of the shown revision."""
        seal = self._seal()
        if seal is not None:
            self.cockpit.start_job([command, seal.word])

    def action_diff(self) -> None:
        pair = _pair(self.value) if self.value else None
        if pair is None:
            self.cockpit.refuse(UsageError("there is no earlier signal to compare with"))
            return
        self.turn_to("diff")
        self.cockpit.start_job(["diff", *pair])

    def action_diff_any(self) -> None:
        before, after = (_pair(self.value) if self.value else None) or ("", "")
        self.turn_to("diff")
        self.cockpit.ask("diff", {"before": before, "after": after})

    def action_job(self, line: str) -> None:
        """One text: textual hands an action with ``*words`` only the first of them."""
        self.cockpit.start_job(line.split())

    def action_rollback(self) -> None:
        champion = self.value.champion.value if self.value else None
        if champion is None or not champion.history.before:
            self.cockpit.refuse(UsageError("there is no earlier champion to go back to"))
            return
        before, now = champion.history.before, champion.history.champion
        question = (
            f"Make {before} champion again instead of {now}?\n"
            "Signals that are sealed already stay as they are."
        )
        self.cockpit.confirm(question, lambda: self.cockpit.start_job(["champion", "rollback"]))

    def _seal(self) -> Seal | None:
        if self.signal is None:
            self.cockpit.refuse(UsageError("nothing is sealed here yet", hint="n makes a signal"))
            return None
        return self.signal.seal


def _pair(desk: Desk) -> tuple[str, str] | None:
    """What `diff` holds the shown revision against, and that: the revision, else the session before it."""
    if desk.signal is None:
        return None
    seal = desk.signal.seal
    same = [s for s in desk.seals if s.session == seal.session and s.revision < seal.revision]
    before = same[-1] if same else desk.before
    return None if before is None else (before.word, seal.word)


def _compared(desk: Desk) -> Compared:
    """The two signals, and the newest answer that ends at the shown revision."""
    pair, answers = _pair(desk), desk.answers.value
    if pair is None or answers is None:
        return Compared(before="", after="", job=None)
    newest = next((job for job in answers.diffs() if job.words[-1] == pair[1]), None)
    return Compared(before=pair[0], after=pair[1], job=newest)
