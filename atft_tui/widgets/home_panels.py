"""The panels of Home: each tells the news of one subject in short, and is a door to its place."""

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.home import HomeMore, HomeNews
from atft_tui.readings.runs import sharpe_words
from atft_tui.styles import status
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.card import WAYS, light_name
from atft_tui.widgets.intervals import Estimate, estimate_row, judged, span_of
from atft_tui.widgets.lines import TALL, Lines, row
from atft_tui.widgets.machine_panel import machine_lines
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.run_lines import live_lines
from engine.records.card import Card, TradeFigures
from engine.records.figure import SURE


class HomePanel(PlacePanel[Any]):
    """One subject in short. Its value is `HomeNews`, of machine and work `HomeMore`."""

    empty = "reading ..."

    def __init__(self, name: str) -> None:
        super().__init__(id=f"home-{name}")
        self.border_title, self._write = PANELS[name]

    def picture(self, value: Any, width: int, height: int) -> Text:
        """The subject's lines, cut to the box."""
        out = Lines(width, height)
        self._write(out, value)
        return out.text()


# ---- today ---------------------------------------------------------------------------------------


def _today(out: Lines, news: HomeNews) -> None:
    """The newest signal: its verdict, the worst lights first; without one, how to come to one."""
    card = news.card.card if news.card else None
    if news.card is None or card is None:
        _no_card(out, news)
        return
    found = status(card.verdict)
    verdict = (f" {found.mark} {card.verdict} ", found.style + styles.REVERSE)
    out.say(verdict, (f"  {news.card.name}", styles.STRONG), f" {card.exchange}")
    if news.data is not None and news.data.last > card.session:
        words = f"older than the data, which go to {news.data.last}: s makes its signal"
        out.wrap(Text("! ", styles.WARN), words, styles.WARN)
    out.space()
    for light in card.troubles:
        seen = status(light.verdict)
        way = WAYS.get(light.name, "")
        told = f"{light.reason}. To change it: {way}" if way else light.reason
        out.wrap(Text(f"{seen.mark} {light_name(light)}  ", seen.style), told)
    green = len(card.lights) - len(card.troubles)
    rest = f"{'' if card.troubles else 'all '}{green} of {len(card.lights)} lights green"
    out.say((f"{status('TRADE').mark} ", styles.GOOD), rest)
    out.space()
    out.say(*_orders(card))


def _no_card(out: Lines, news: HomeNews) -> None:
    out.say(("No signal yet.", styles.STRONG))
    out.space()
    if news.champion is None:
        out.prose("A signal needs a champion:", (">", styles.KEY), "leads there step by step.")
    else:
        out.prose(("s", styles.KEY), "seals what to trade after the newest session.")


def _orders(card: Card) -> list[str | tuple[str, Style]]:
    figures = card.orders or TradeFigures()
    parts: list[str | tuple[str, Style]] = [(f"{figures.lines:,}", styles.STRONG), " orders"]
    if not math.isnan(figures.turnover):
        parts += [", turnover ", (f"{figures.turnover:.1%}", styles.STRONG), " of equity"]
    if not math.isnan(figures.cost):
        parts += [", cost ", (f"{figures.cost * 1e4:.1f}", styles.STRONG), " bp"]
    return parts


# ---- champion ------------------------------------------------------------------------------------


def _champion(out: Lines, news: HomeNews) -> None:
    """What the champion learned from, and its RankIC on test days and since, on one scale."""
    if news.champion is None:
        out.say(("No champion yet.", styles.STRONG))
        out.space()
        out.prose("Its networks make the signals.", (">", styles.KEY), "leads there step by step.")
        return
    history, facts = news.champion.history, news.champion.facts
    made = history.promotion or history.reigns[-1]
    out.fact("model", (history.champion, styles.NAME))
    if facts is None:
        out.fact("learned", ("unknown: its package is gone", styles.BAD))
    elif out.roomy:
        age = "" if news.model_age is None else f", {fmt.counted(news.model_age, 'session')} ago"
        out.fact("learned", f"to {facts.trained_to}{age}")
    net = sharpe_words(news.sharpe, verdict=out.roomy) if news.sharpe else "no backtest: 4, b"
    out.fact("Sharpe", net)
    if out.height >= TALL:
        out.fact("since", f"{history.reigns[-1].at[:10]}, run {made.run}")
    if made.reason:
        out.fact("forced", (made.reason, styles.WARN))
    if facts is None:
        return
    out.space()
    test, live = facts.test, news.live
    estimates = [judged(test.rank_ic, test.rank_ic_se, test.null_band)]
    if live is not None:
        estimates.append(judged(live.rank_ic, live.se, SURE * live.se))
    span = span_of(estimates)
    band = "" if math.isnan(test.null_band) else f"null ±{test.null_band:.4f}"
    figure = _rank_ic(test.rank_ic, test.rank_ic_se, noise=test.is_noise)
    sample = (f"n={test.n_dates:,}, {band}", styles.DIM)
    _figure(out, f"test h={facts.score_horizon}", figure, sample, estimates[0], span)
    if live is None:
        out.fact("live", ("none yet: see ledger", styles.DIM))
        return
    floor = "" if math.isnan(live.low) else f", floor {live.low:+.4f}"
    figure = _rank_ic(live.rank_ic, live.se, noise=live.is_noise)
    style = styles.BAD if live.rank_ic < live.low else styles.DIM
    sample = (f"n={live.sessions:,}{floor}", style)
    _figure(out, f"live h={live.horizon}", figure, sample, estimates[1], span)


def _figure(
    out: Lines, name: str, figure: Text, sample: tuple[str, Style], estimate: Estimate, span: float
) -> None:
    """A figure and its sample, beside it or below where the panel is narrow; then as a picture."""
    words, style = sample
    out.fact(name, figure, (f"  {words}" * out.roomy, style))
    if not out.roomy:
        out.fact("", (f" {words}", style))
    if out.height >= TALL:
        # Zero is in the middle; an empty line where nothing is known.
        scale = CellScale(low=-span, high=span, columns=max(3, out.width - 4))
        zero = {0.0: (GLYPHS.bar, styles.DIM)}
        out.say("  ", estimate_row(scale, estimate, lines=zero) if span else "")


def _rank_ic(value: float, se: float, *, noise: bool) -> Text:
    if math.isnan(value):
        return Text(fmt.DASH, styles.DIM)
    return Text(*styles.noted(fmt.rank_ic(value, se), noise=noise, sure=styles.PLAIN, lead=" "))


# ---- data ----------------------------------------------------------------------------------------


def _data(out: Lines, news: HomeNews) -> None:
    """How fresh the data are, how checked, how much."""
    data = news.data
    if data is None:
        out.say(("No data yet.", styles.STRONG))
        out.space()
        out.prose(("i", styles.KEY), "reads yours,", ("d", styles.KEY), "makes a market.")
        return
    quality = data.quality.verdict if data.quality else ""
    audit = data.audit.verdict if data.audit else ""
    out.fact("newest", (data.last, styles.STRONG))
    out.fact("behind", freshness(news))
    for name, word, missing in (("quality", quality, "not checked"), ("audit", audit, "never run")):
        found = status(word)
        out.fact(name, (f"{found.mark} {word}", found.style) if word else (missing, styles.DIM))
    drill = news.drill
    word = "" if drill is None else "passed" if drill.passed else "failed"
    told = "never run: x" if drill is None else f" {drill.at[:10]}: x lists it" * out.roomy
    out.fact("drill", (f"{status(word).mark} {word}" if word else "", status(word).style), told)
    made = data.manifest
    since = f" from {made.days[0]}" if out.roomy else ""
    out.fact("sessions", f"{len(made.days):,}{since}")
    named = (made.market, made.calendar, made.currency, made.source)
    out.fact("market", ", ".join(part for part in named if part))


def freshness(news: HomeNews) -> Text:
    """Sessions that the exchange has closed and the store does not have; days where nobody knows."""
    data, outlook = news.data, news.agenda.outlook
    assert data is not None
    if data.manifest.market == "synthetic":
        return Text("nothing: made up", styles.DIM)
    if outlook is None:
        last = fmt.moment(f"{data.last}T00:00+00:00")
        if last is None:
            return Text(fmt.DASH, styles.DIM)
        days = (news.now.date() - last.date()).days
        return Text(f"{days:,} day{'' if days == 1 else 's'}", styles.PLAIN)
    if not outlook.due or data.last < outlook.due[0]:
        return Text(f"! over {fmt.counted(len(outlook.due), 'session')}", styles.WARN)
    behind = outlook.behind(data.last)
    # A session came due after the calendar was read.
    due = fmt.moment(outlook.next_at)
    old = due is None or due <= news.now
    if behind:
        least = "at least " if old else ""
        return Text(f"! {least}{behind} {'session' if behind == 1 else 'sessions'}", styles.WARN)
    if old:
        return Text(f"nothing known since {fmt.clean(outlook.at[:10])}", styles.DIM)
    return Text(f"{status('fresh').mark} nothing, {fmt.clean(outlook.exchange)}", styles.GOOD)


# ---- schedule ------------------------------------------------------------------------------------


def _schedule(out: Lines, news: HomeNews) -> None:
    """Whether the scheduler lives, what comes next, what came of the last sessions."""
    agenda, outlook = news.agenda, news.agenda.outlook
    if agenda.process == "never" and outlook is None and not agenda.sessions:
        out.say(("No scheduler yet.", styles.STRONG))
        out.space()
        out.prose(("p", styles.KEY), "starts it: a signal after each session, by itself.")
        return
    word = "stopped" if agenda.process == "never" else agenda.process
    found = status(word)
    told = f" {agenda.beat_at[11:16]} UTC" if word == "running" else ""
    hint = "  p starts it" if word == "stopped" and out.roomy else ""
    out.fact("process", (f"{found.mark} {word}{told}", found.style), (hint, styles.DIM))
    if outlook is not None and outlook.next_at:
        out.fact("next", (outlook.next_session, styles.STRONG), f" {outlook.exchange}" * out.roomy)
        due = countdown(outlook.next_at, news.now)
        out.fact("due", due if out.roomy else due.partition(" (")[0])
    for session in agenda.sessions[:3]:
        told = session.verdict or session.state
        seen, late = status(told), ", caught up" if session.caught_up else ""
        day, shown = (f"{session.session} ", styles.DIM), (f"{seen.mark} {told}", seen.style)
        out.say(day, shown, f"{late} {session.reason}")


def countdown(at: str, now: dt.datetime) -> str:
    """``in 21h 30m (09:30 UTC)``, to the minute; what has passed is overdue. Empty for what is no time."""
    due = fmt.moment(at)
    if due is None:
        return ""
    minutes = int((due - now).total_seconds() // 60)
    clock = f"({due:%H:%M} UTC)"
    if minutes < 0:
        return f"overdue {clock}"
    return f"in {f'{minutes} min' if minutes < 60 else fmt.duration(60 * minutes)} {clock}"


def _alerts(out: Lines, news: HomeNews) -> None:
    """What the scheduler told by webhook or mail, newest first, then its notes."""
    if not news.agenda.alerts:
        words = "None. The scheduler tells of signals, failures and late sessions by webhook or"
        out.prose((f"{words} mail; set up in", styles.DIM), ("8", styles.KEY), (".", styles.DIM))
    for alert in news.agenda.alerts:
        found = status(alert.state)
        at, how = alert.created_at[5:16].replace("T", " "), f"  {alert.channel} {alert.state}"
        mark, problem = (f"{found.mark} ", found.style), (f" {alert.problem}", styles.BAD)
        out.say(mark, (f"{at} ", styles.DIM), alert.title, (how, styles.DIM), problem)
    for at, note in news.agenda.notes:
        out.say((f"  {at[5:16].replace('T', ' ')} {note}", styles.DIM))


# ---- trades and work -----------------------------------------------------------------------------


def _trades(out: Lines, news: HomeNews) -> None:
    """The largest orders of the newest signal."""
    if news.orders.trouble:
        out.prose((f"cannot be read: {news.orders.trouble}", styles.BAD))
        return
    card, orders = news.card.card if news.card else None, news.orders.value or ()
    if card is None:
        out.say(("No list yet.", styles.STRONG))
        out.space()
        key, what = ("s", "makes one.") if news.champion else (">", "leads there step by step.")
        out.prose("A signal has them:", (key, styles.KEY), what)
        return
    if card.verdict != "TRADE" and out.roomy:
        out.say((f"! the card says {card.verdict}: not to be traded as it is", styles.WARN))
        out.space()
    if not orders:
        out.prose("No orders: the book is held as it is, or every line was refused (7, then l).")
    room = max(6, out.width - (35 if out.roomy else 28))
    for top in orders:
        order, style = top.order, styles.UP if top.order.side == "buy" else styles.DOWN
        name = f"{order.symbol} {top.name}" if out.roomy else order.symbol
        limit, size = f"at {order.limit:,.6g}", fmt.count(round(order.notional))
        told = row(
            (order.side, 4, style), (f"{order.shares:,}", -9), (name, room, styles.STRONG),
            (limit, -10 if out.roomy else -12),
        )  # fmt: skip
        out.lines.append(told.append(f"{size:>9}" * out.roomy, styles.DIM))
    if orders and out.height > len(orders) + 3:
        out.space()
        out.say(("shares, limit, notional; the whole list: enter", styles.DIM))


def _work(out: Lines, more: HomeMore) -> None:
    """A live line, or two, for each run at work."""
    if not more.at_work:
        out.prose(("Nothing is at work.", styles.STRONG), ("n", styles.KEY), "starts a run,",
                  ("j", styles.KEY), "shows the jobs.")  # fmt: skip
    for news in more.at_work:
        out.lines += live_lines(news, out.width)


PANELS: dict[str, tuple[str, Callable[[Lines, Any], None]]] = {
    "card": ("today", _today),
    "champion": ("champion", _champion),
    "data": ("data", _data),
    "schedule": ("schedule", _schedule),
    "alerts": ("alerts", _alerts),
    "machine": ("machine", lambda out, more: machine_lines(out, more.machine)),
    "trades": ("largest orders", _trades),
    "work": ("at work", _work),
}
"""Name of a panel -> its title, and what writes its lines."""
