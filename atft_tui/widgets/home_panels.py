"""The panels of Home: each a picture of `HomeNews`, each a door to the place that knows more."""

import datetime as dt
from typing import ClassVar

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.home import CardNews, ChampionNews, HomeNews
from atft_tui.readings.machine import MachineNews
from atft_tui.styles import status
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.fact_lines import TALL, Lines
from atft_tui.widgets.intervals import Estimate, estimate_row, judged, span_of
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.strips import meter
from engine.records.judgement import SURE, is_noise


class TodayPanel(PlacePanel[HomeNews]):
    """The newest signal: its verdict, the lights that are not green, what trading it would mean."""

    title = "today"
    empty = "reading ..."

    def depends(self, value: HomeNews) -> tuple[object, ...]:
        """The card, and what it is compared with."""
        return (value.card, value.champion is None, value.data)

    def picture(self, value: HomeNews, width: int, height: int) -> Text:
        """The card, worst lights first; without one, how to come to one."""
        out = Lines(width, height)
        card = value.card
        if card is None:
            _no_card(out, value)
            return out.text()
        found = status(card.verdict)
        out.say(
            (f" {found.mark} {card.verdict} ", found.style + styles.REVERSE),
            (f"  {card.name}", styles.STRONG),
            f" {card.exchange}",
        )
        newer = _newer(card, value)
        if newer:
            out.wrap(Text("! ", styles.WARN), newer, styles.WARN)
        out.space()
        for light in card.not_green:
            seen = status(light.verdict)
            out.wrap(Text(f"{seen.mark} {fmt.clean(light.name)}  ", seen.style), light.reason)
        green = card.lights - len(card.not_green)
        rest = f"{green} of {card.lights} lights green"
        out.say(
            (f"{status('TRADE').mark} ", styles.GOOD), rest if card.not_green else f"all {rest}"
        )
        out.space()
        out.say(*_orders(card))
        return out.text()


def _no_card(out: Lines, value: HomeNews) -> None:
    out.say(("No signal yet.", styles.STRONG))
    out.space()
    if value.champion is None:
        out.say(
            "A signal needs a champion: choose a run with ", ("4", styles.KEY), " and promote it,"
        )
        out.say("then ", ("s", styles.KEY), " seals what to trade after the newest session.")
    else:
        out.say(("s", styles.KEY), " seals what to trade after the newest session.")


def _newer(card: CardNews, value: HomeNews) -> str:
    """What the card does not know of."""
    if value.data is None or value.data.last <= card.session:
        return ""
    return f"older than the data, which go to {value.data.last}: s makes its signal"


def _orders(card: CardNews) -> list[str | tuple[str, Style]]:
    parts: list[str | tuple[str, Style]] = [(f"{card.orders:,}", styles.STRONG), " orders"]
    if card.turnover is not None:
        parts += [", turnover ", (f"{card.turnover:.1%}", styles.STRONG), " of equity"]
    if card.cost is not None:
        parts += [", cost ", (f"{card.cost * 1e4:.1f}", styles.STRONG), " bp"]
    return parts


class ReignPanel(PlacePanel[HomeNews]):
    """The champion: what it learned from, and its RankIC on test days and since."""

    title = "champion"
    empty = "reading ..."

    def depends(self, value: HomeNews) -> tuple[object, ...]:
        """The champion."""
        return (value.champion,)

    def picture(self, value: HomeNews, width: int, height: int) -> Text:
        """Facts, then both figures on one scale."""
        out = Lines(width, height)
        model = value.champion
        if model is None:
            out.say(("No champion yet.", styles.STRONG))
            out.space()
            out.prose("Its networks make the signals. Promote one of the runs:", ("4", styles.KEY))
            return out.text()
        out.fact("model", (model.model, styles.NAME))
        age = "" if model.age is None else f", {model.age:,} sessions ago"
        out.fact("learned", f"to {model.last_session}{age if out.roomy else ''}")
        if height >= TALL:
            out.fact("since", f"{model.since[:10]}, run {model.run}")
        if model.forced:
            out.fact("forced", (model.forced, styles.WARN))
        out.space()
        _figures(out, model)
        return out.text()


def _figures(out: Lines, model: ChampionNews) -> None:
    """Out of sample and live, in figures and on one scale."""
    live = model.live
    readings = [judged(model.rank_ic, model.se, model.null_band)]
    if live is not None:
        sure = None if live.se is None else SURE * live.se  # within it not told from zero (95 %)
        readings.append(judged(live.rank_ic, live.se, sure))
    span = span_of(readings)
    noise = model.rank_ic is None or is_noise(model.rank_ic, model.null_band or 0.0)
    band = "" if model.null_band is None else f"null ±{model.null_band:.4f}"
    figure = _rank_ic(model.rank_ic, model.se, noise=noise)
    _figure(out, f"test h={model.horizon}", figure, f"n={model.days:,}, {band}")
    _scale(out, readings[0], span)
    if live is None:
        out.fact("live", ("none yet: see ledger", styles.DIM))
        return
    floor = "" if live.low is None else f", floor {live.low:+.4f}"
    below = live.low is not None and live.rank_ic < live.low
    figure = _rank_ic(live.rank_ic, live.se, noise=live.noise)
    style = styles.BAD if below else styles.DIM
    _figure(out, f"live h={live.horizon}", figure, f"n={live.sessions:,}{floor}", style)
    _scale(out, readings[1], span)


def _figure(out: Lines, name: str, figure: Text, sample: str, style: Style = styles.DIM) -> None:
    """A figure and its sample: beside it, or below where the panel is narrow."""
    if out.roomy:
        out.fact(name, figure, (f"  {sample}", style))
    else:
        out.fact(name, figure)
        out.fact("", (f" {sample}", style))


def _scale(out: Lines, estimate: Estimate, span: float) -> None:
    """The figure as a picture, zero in the middle; an empty line where nothing is known."""
    if out.height < TALL:
        return
    scale = CellScale(low=-span, high=span, columns=max(3, out.width - 4))
    zero = {0.0: (GLYPHS.bar, styles.DIM)}
    out.say("  ", estimate_row(scale, estimate, lines=zero) if span else "")


def _rank_ic(value: float | None, se: float | None, *, noise: bool) -> Text:
    if value is None or se is None:
        return Text(fmt.DASH, styles.DIM)
    mark = "~" if noise else " "
    return Text(f"{mark}{fmt.rank_ic(value, se)}", styles.figure(noise=noise))


class DataPanel(PlacePanel[HomeNews]):
    """The data: how fresh, how checked, how much."""

    title = "data"
    empty = "reading ..."

    def depends(self, value: HomeNews) -> tuple[object, ...]:
        """The snapshot, the exchange's calendar and the day."""
        return (value.data, value.agenda.outlook, value.now.date())

    def picture(self, value: HomeNews, width: int, height: int) -> Text:
        """Freshness and verdicts of the snapshot in use."""
        out = Lines(width, height)
        data = value.data
        if data is None:
            out.say(("No data yet.", styles.STRONG))
            out.space()
            out.prose(("i", styles.KEY), "reads yours,", ("d", styles.KEY), "makes a market.")
            return out.text()
        out.fact("newest", (data.last, styles.STRONG))
        out.fact("behind", freshness(value))
        for name, word, missing in (
            ("quality", data.quality, "not checked"),
            ("audit", data.audit, "never run"),
        ):
            found = status(word)
            shown = (
                Text(f"{found.mark} {fmt.clean(word)}", found.style)
                if word
                else Text(missing, styles.DIM)
            )
            out.fact(name, shown)
        since = f" from {data.first}" if out.roomy else ""
        out.fact("sessions", f"{data.sessions:,}{since}")
        named = (data.market, data.calendar, data.currency, data.source)
        out.fact("market", ", ".join(part for part in named if part))
        return out.text()


def freshness(value: HomeNews) -> Text:
    """Sessions that the exchange has closed and the store does not have; days where nobody knows."""
    data, outlook = value.data, value.agenda.outlook
    assert data is not None
    if data.market == "synthetic":
        return Text("no exchange", styles.DIM)
    if outlook is None:
        days = (value.now.date() - dt.date.fromisoformat(data.last)).days
        return Text(f"{days:,} day{'' if days == 1 else 's'}", styles.PLAIN)
    if not outlook.due or data.last < outlook.due[0]:
        return Text(f"! over {len(outlook.due)} sessions", styles.WARN)
    behind = outlook.behind(data.last)
    old = _is_old(outlook.next_at, value.now)
    least = "at least " if old else ""
    if behind == 0 and not old:
        return Text(f"{status('fresh').mark} nothing, {fmt.clean(outlook.exchange)}", styles.GOOD)
    if behind == 0:
        return Text(f"nothing known since {fmt.clean(outlook.at[:10])}", styles.DIM)
    return Text(f"! {least}{behind} session{'s' if behind > 1 else ''}", styles.WARN)


def _is_old(next_at: str, now: dt.datetime) -> bool:
    """A session came due after the calendar was read."""
    return not next_at or dt.datetime.fromisoformat(next_at) <= now


class AgendaPanel(PlacePanel[HomeNews]):
    """The scheduler in short: whether it lives, what comes next, the last sessions."""

    title = "schedule"
    empty = "reading ..."

    def depends(self, value: HomeNews) -> tuple[object, ...]:
        """The agenda and the minute."""
        return (value.agenda, value.now)

    def picture(self, value: HomeNews, width: int, height: int) -> Text:
        """The process, the next session and what came of the last ones."""
        out = Lines(width, height)
        agenda = value.agenda
        if agenda.process == "never" and agenda.outlook is None and not agenda.sessions:
            out.say(("No scheduler yet.", styles.STRONG))
            out.space()
            out.prose(("p", styles.KEY), "starts it: a signal after each session, by itself.")
            return out.text()
        word = "stopped" if agenda.process == "never" else agenda.process
        found = status(word)
        told = "" if word != "running" else f" {agenda.beat_at[11:16]} UTC"
        hint = Text("  p starts it" if word == "stopped" and out.roomy else "", styles.DIM)
        out.fact("process", Text(f"{found.mark} {word}{told}", found.style), hint)
        outlook = agenda.outlook
        if outlook is not None and outlook.next_at:
            out.fact("next", (f"{outlook.next_session}", styles.STRONG), f" {outlook.exchange}")
            out.fact("due", countdown(outlook.next_at, value.now))
        for session in agenda.sessions[:3]:
            seen = status(session.verdict or session.state)
            late = ", caught up" if session.caught_up else ""
            shown = Text(f"{seen.mark} {fmt.clean(session.verdict or session.state)}", seen.style)
            out.say((f"{session.session} ", styles.DIM), shown, f"{late} {session.reason}")
        return out.text()


def countdown(at: str, now: dt.datetime) -> str:
    """``21h 30m (09:30 UTC)``, to the minute; what has passed is overdue."""
    due = dt.datetime.fromisoformat(at)
    minutes = int((due - now).total_seconds() // 60)
    clock = f"({due:%H:%M} UTC)"
    if minutes < 0:
        return f"overdue {clock}"
    if minutes < 60:
        return f"in {minutes} min {clock}"
    return f"in {fmt.duration(60 * minutes)} {clock}"


class AlertsPanel(PlacePanel[HomeNews]):
    """What the scheduler told by webhook or mail, newest first."""

    title = "alerts"
    empty = "reading ..."

    def depends(self, value: HomeNews) -> tuple[object, ...]:
        """Alerts and notes."""
        return (value.agenda.alerts, value.agenda.notes)

    def picture(self, value: HomeNews, width: int, height: int) -> Text:
        """A line for each alert, then the notes."""
        out = Lines(width, height)
        if not value.agenda.alerts:
            words = "None. The scheduler tells of signals, failures and late sessions by webhook or"
            out.prose(
                (f"{words} mail; set up in", styles.DIM), ("8", styles.KEY), (".", styles.DIM)
            )
        for alert in value.agenda.alerts:
            found = status(alert.state)
            out.say(
                (f"{found.mark} ", found.style),
                (f"{alert.created_at[5:16].replace('T', ' ')} ", styles.DIM),
                alert.title,
                (f"  {alert.channel} {alert.state}", styles.DIM),
                (f" {alert.problem}", styles.BAD),
            )
        for at, note in value.agenda.notes[: max(0, height - len(out.lines))]:
            out.say((f"  {at[5:16].replace('T', ' ')} {note}", styles.DIM))
        return out.text()


class HostPanel(PlacePanel[MachineNews]):
    """The machine that the screen runs on."""

    title = "machine"
    empty: ClassVar[str] = "measuring ..."

    def picture(self, value: MachineNews, width: int, height: int) -> Text:
        """Meters of processor, memory and disk, then the GPUs."""
        out = Lines(width, height)
        bar = max(4, min(20, width - out.label - 22)) if out.roomy else 4
        cores = f", {value.cores} cores" if out.roomy else ""
        self._meter(out, "cpu", value.cpu_percent / 100, bar, f"{value.cpu_percent:.0f} %{cores}")
        used, total = value.memory_used_mib, value.memory_total_mib
        told = f"{used / 1024:.1f} of {fmt.memory(total)}" if out.roomy else fmt.memory(used)
        self._meter(out, "memory", used / (total or 1), bar, told)
        taken = 1 - value.disk_free_gib / (value.disk_total_gib or 1)
        self._meter(out, "disk", taken, bar, f"{value.disk_free_gib:.0f} G free")
        if not value.gpus:
            out.fact("gpu", ("none (NVIDIA)", styles.DIM))
        for gpu in value.gpus:
            load = fmt.DASH if gpu.percent is None else f"{gpu.percent:.0f} %"
            room = ""
            if gpu.used_mib is not None and gpu.total_mib is not None:
                room = f", {gpu.used_mib / 1024:.1f} of {fmt.memory(gpu.total_mib)}"
            out.fact("gpu", f"{load}{room}", (f"  {gpu.name}", styles.DIM))
        out.fact("load", f"{value.load:.1f}")
        return out.text()

    @staticmethod
    def _meter(out: Lines, name: str, share: float, bar: int, told: str) -> None:
        style = styles.WARN if share > 0.9 else styles.BAR
        out.fact(name, (meter(share, bar), style), f" {told}")
