"""Panels of a signal: its card in one line and in full, its difference to another, what came of the fills."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.jobs import RUNNING, Job, outcome
from atft_tui.readings.desk import Shadow
from atft_tui.readings.seals import ShownCard
from atft_tui.styles import BAD, BETTER, DIM, PLAIN, REVERSE, STRONG, WARN, noted, status
from atft_tui.widgets.curve_picture import picture
from atft_tui.widgets.curves import Chart, Curve
from atft_tui.widgets.lines import beside, line, page, row, start, wrapped
from atft_tui.widgets.panel import PartPanel, PlacePanel
from atft_tui.widgets.why_panel import move_text
from engine.records.card import Card, Light
from engine.records.difference import RankChange, SignalDifference
from engine.records.figure import SURE, Figure
from engine.records.record import RecordError, convert
from engine.records.shadow import ENTRIES, PARTS, Entry, LiveRecord, ShadowLedger, ShadowTotal

_GROUPS = (
    ("data", ("data", "fresh", "quality"), "ok"),
    ("model", ("model_age", "live_rank_ic", "gate", "dispersion"), "ok"),
    ("drift", ("drift_features", "drift_scores"), "low"),
    ("audit", ("audit", "audit_session"), "passed"),
)
"""What is said in a word when all of its lights are TRADE."""


def card_line(shown: ShownCard) -> Text:
    """``2016-12-30 XNYS  ✓ TRADE  data ok  model ok (12 sessions old)``; the row cuts what is too much."""
    card, found = shown.card, status(shown.word)
    revision = f" r{shown.revision}" if shown.revision else ""
    exchange = fmt.clean(card.exchange) if card else ""
    head = f" {fmt.clean(shown.session)}{revision} {exchange} "
    text = line((head, STRONG), (f" {found.mark} {shown.word} ", found.style + REVERSE))
    if card is None:
        trouble = fmt.clean(shown.trouble)
        return text.append(f"  seal {shown.standing}: {trouble}. Do not trade on it.", found.style)
    for light in card.troubles:
        text.append(f"  {_told(light)}", status(light.verdict).style)
    if shown.standing == "unsealed":
        text.append("  nothing is sealed yet")
    for word, value in _fine(card):
        text.append(f"  {word} ", DIM)
        text.append(value, PLAIN if card.verdict == "TRADE" else DIM)
    return text


def _light_text(light: Light) -> Text:
    found, word = status(light.verdict), "ok" if light.verdict == "TRADE" else light.verdict
    return Text(f"{found.mark} {word:<5}", found.style)


def light_name(light: Light) -> str:
    """What the light watches: ``model age``, ``live RankIC``; one of another version as it is, cleaned."""
    return _NAMES.get(light.name) or fmt.clean(light.name.replace("_", " "))


def _told(light: Light) -> str:
    """The reason, with the light's name in front unless it begins with it."""
    name, reason = light_name(light), fmt.clean(light.reason)
    return reason if reason.startswith(name.partition(" ")[0]) else f"{name}: {reason}"


def _fine(card: Card) -> Iterator[tuple[str, str]]:
    bad = {light.name for light in card.troubles}
    there = {light.name for light in card.lights}
    for word, names, value in _GROUPS:
        if there & set(names) and not bad & set(names):
            light = card.light("model_age") if word == "model" else None
            age = light.value if light else None
            old = f" ({fmt.counted(int(age), 'session')} old)" if isinstance(age, float) else ""
            yield word, value + old
    if card.orders is None:
        return
    if "turnover" not in bad:
        yield "turnover", fmt.percent(card.orders.turnover)
    if "cost" not in bad:
        yield "cost", f"{fmt.number(1e4 * card.orders.cost, 1, sign=False)} bp"


_NAMES = {"live_rank_ic": "live RankIC", "net": "long-short"}
"""Names of lights that are no words with underscores between."""
_FULL = 76
"""Columns from which value and limit have columns of their own; the reason names most values anyway."""
_PERCENT = ("turnover", "refused", "net", "drift_features")
_UNITS = {"cost": "bp", "model_age": "d", "audit": "d", "fresh": "d"}
"""d = sessions."""


class CardPanel(PlacePanel[ShownCard]):
    title = "card"
    empty = "No card yet: n makes a signal of the newest session."

    def picture(self, value: ShownCard, width: int, height: int) -> Text:
        if value.card is None:
            return page(_broken(value, width), width, height)
        lines: list[Text] = []
        for light in value.card.troubles:  # first, with the way out; the others are read by few
            lines.append(_light(light, width))
            if way := WAYS.get(light.name):
                lines += wrapped(f"to change it: {way}", width, WARN)
        fine = (light for light in value.card.lights if light not in value.card.troubles)
        lines += [_light(light, width) for light in fine]
        foot = _seal(value, width)[: max(0, height - len(lines))]
        return page(lines + foot, width, height)


WAYS = {
    "refused": "less cash (n), or more constraints.max_adv_share or signals.max_refused_share (8)",
    "turnover": "a strategy that trades less, or more signals.max_turnover (8)",
    "cost": "a strategy that trades less, or more signals.max_cost_bps (8)",
    "net": "more cash (n), or more signals.max_net (8)",
    "model_age": "> train again on today's data, or 4 and promote a newer run",
    "audit": "2, then a audits today's data",
    "data": "2, then i fetches what is missing",
    "fresh": "2, then i fetches the sessions that are missing",
    "quality": "2, then c tells what is wrong with the data",
}
"""What to change where a light is not green."""


def _light(light: Light, width: int) -> Text:
    style = PLAIN if light.verdict == "TRADE" else STRONG
    name = light_name(light)
    if width < _FULL:
        return row((_light_text(light), 7), (name, 14, style), (light.reason, width - 23, style))
    figures = ((figure(light, light.value), -10), (figure(light, light.limit), -12, DIM))
    return row((_light_text(light), 7), (name, 14), *figures, (light.reason, width - 47, style))


def figure(light: Light, value: float | str | None) -> str:
    """The value with its unit; numbers of a light that is not known here stand as they are."""
    if isinstance(value, str):
        return value
    if value is None or not math.isfinite(value):
        return fmt.DASH
    if light.name in _PERCENT:
        return fmt.percent(value, 2)
    if light.name == "data":
        return f"{value:,.0f}"
    unit = _UNITS.get(light.name)
    if unit is None:
        return f"{value:.3g}"
    return f"{value:,.2f} {unit}" if unit == "bp" else f"{value:,.0f} {unit}"


def _broken(card: ShownCard, width: int) -> list[Text]:
    lines = [Text("NOT VALID: do not trade on it", style=BAD), Text()]
    lines += wrapped(f"{card.name}: {card.trouble}.", width, STRONG)
    lines += [Text()]
    lines += wrapped(
        "Nothing of this signal is shown, for it is not what was sealed. v checks every file and says "
        "all that is wrong; u seals a revision beside it, with a reason.",
        width,
    )
    return lines


def _seal(card: ShownCard, width: int) -> list[Text]:
    if card.standing == "unsealed":
        words = (
            "Nothing is sealed: the data are not complete. A later attempt can be; n tries again."
        )
        return [Text(), *wrapped(words, width, WARN)]
    lines = [Text()]
    lines += [
        row((k, 7, DIM), (v, width - 8)) for k, v in (("seal", card.digest), ("key", card.key))
    ]
    if card.revision:
        lines += wrapped(f"revision {card.revision}: {card.reason}", width, WARN)
    return lines


_CAUSES = 3
"""Inputs and neighbours named of each stock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The two signals that d compares, and the answer that is shown."""

    before: str
    after: str
    """Empty where there is nothing to compare."""
    job: Job | None


class DiffPanel(PlacePanel[Compared]):
    title = "diff of two signals"
    empty = "d says why ranks differ from the session or revision before; D compares any two."

    def picture(self, value: Compared, width: int, height: int) -> Text:
        job = value.job
        if job is None:
            if not value.before:
                return page(
                    wrapped("There is no earlier signal to compare with.", width), width, height
                )
            words = (
                f"d compares {value.before} with {value.after}: which inputs differ, which bars were "
                "revised, and what moved each rank. D compares any two."
            )
            return page(wrapped(words, width, DIM), width, height)
        title = start(fmt.clean(" ".join(job.words)), STRONG)
        if job.status == RUNNING:
            title.append(f"  {fmt.clean(job.last) or 'is running'} …", style=DIM)
            return page([title], width, height)
        if job.status != "done":
            return page([title, *wrapped(outcome(job)[0], width, BAD)], width, height)
        return page([title, *_answer_lines(job.answer, width)], width, height)


def _answer_lines(answer: Mapping[str, Any], width: int) -> list[Text]:
    """The answer of `diff` as lines; one of another shape is told as such."""
    try:
        found = convert(answer, SignalDifference, "diff")
    except RecordError as error:
        return wrapped(error.message, width, BAD)
    figures = (
        f"{found.moved} of {found.stocks} ranks moved, {fmt.counted(found.n_rows, 'cell')} of bars differ, "
        f"{fmt.counted(len(found.entered), 'stock')} entered, {len(found.left)} left"
    )
    lines = wrapped(f"differ in: {', '.join(found.changed) or 'nothing'}", width)
    lines += [Text(figures, style=DIM), Text(), *_ranks(found.ranks, width)]
    if found.rows:
        lines += [Text(), Text("bars that differ", style=STRONG)]
    lines += [
        row(
            (bar.date, 10, DIM), (bar.code, 8, STRONG), (bar.column, 10), (f"{bar.before}", -12),
            (">", 1, DIM), (f"{bar.after}", -12),
        )
        for bar in found.rows
    ]  # fmt: skip
    return lines


def _ranks(ranks: Sequence[RankChange], width: int) -> list[Text]:
    if not ranks:
        return []
    rest = max(0, width - 35)
    head = (("code", 8), ("before", -6), ("after", -5), ("", 6))
    lines = [row(*head, ("own bars, neighbours' bars, inputs that moved most", rest), gap=2)]
    lines[0].stylize(STRONG)
    for found in ranks:
        causes = [f"{found.own_rows} own bars"] if found.own_rows else []
        if heard := found.neighbour_rows[:_CAUSES]:
            causes.append(f"bars of {', '.join(heard)}")
        causes += [
            f"{one.feature} {one.before:+.2f} > {one.after:+.2f}" for one in found.inputs[:_CAUSES]
        ]
        lines.append(
            row(
                (found.code, 8, STRONG), (f"{found.before}", -6), (f"{found.after}", -5),
                (move_text(found.move), 6), (", ".join(causes), rest, DIM), gap=2,
            )
        )  # fmt: skip
    return lines


_BPS = 1e4
_LEAST_CHART, _HIGHEST_CHART, _NARROWEST_CHART = 5, 16, 20
"""Lines and columns that a chart needs, and lines that are enough."""
_SPLIT = 12, 6
"""Columns of the table of parts: its names, and each entry."""


class LedgerPanel(PartPanel[Shadow]):
    title = "shadow ledger: fills against backtest, bp"
    empty = "L fills every sealed signal at the next real open and close (atft-tui ledger)."

    def picture(self, value: Shadow, width: int, height: int) -> Text:
        told = value.told
        found = {entry: told.all.get(entry) for entry in ENTRIES}
        totals = {entry: total for entry, total in found.items() if total and total.sessions}
        lines = [_gap(entry, total) for entry, total in totals.items()]
        if not lines:
            lines = [Text(f"{told.signals} sealed signals, none with two later sessions yet")]
        lines += [_live(live) for live in told.live.values()]
        lines.append(Text())
        split, room = _split(totals), height - len(lines)
        wide = _SPLIT[0] + _SPLIT[1] * len(totals)
        chart = _chart(told, width - wide - 2, room) if room >= _LEAST_CHART else []
        return page(lines + (beside(split, chart, wide) if chart else split), width, height)


def _chart(told: ShadowLedger, width: int, height: int) -> list[Text]:
    """Empty where there are no two points, or it would be too narrow to see anything."""
    points = told.running.get("open", ())
    if len(points) < 2 or width < _NARROWEST_CHART:
        return []
    gaps = [_BPS * point.gap for point in points]
    errors = [SURE * _BPS * point.se for point in points]
    noise = [not abs(gap) > error for gap, error in zip(gaps, errors, strict=True)]
    curve = Curve(
        name="mean gap at the open", x=range(len(gaps)), y=gaps, errors=errors, quiet=noise
    )
    chart = Chart(curves=[curve], x_name="day", zero=True, y_words=lambda v: f"{v:+.1f}")
    return list(picture(chart, width, min(height, _HIGHEST_CHART)).split("\n"))


def _gap(entry: Entry, total: ShadowTotal) -> Text:
    """``open   gap -7.1 ± 1.0 (n=18)``: dim and marked while it is within its error of nothing."""
    noise = not abs(total.gap) > SURE * total.gap_se
    gap = Figure(_BPS * total.gap, _BPS * total.gap_se).text(1)
    mark, style = "~" * noise, DIM if noise else BAD if total.gap < 0 else BETTER
    sample, unfilled = f" (n={total.sessions:,})", f"  unfilled {total.unfilled:,}/{total.orders:,}"
    told = (f"gap {mark}{gap}", style)
    return line((f"{entry:<6}", STRONG), told, (sample, DIM), (unfilled, DIM))


def _live(live: LiveRecord) -> Text:
    if not math.isfinite(live.rank_ic):
        return line((f"live RankIC none yet (h={live.horizon})", DIM))
    noise, error = live.is_noise, f" ± {live.se:.4f}" if math.isfinite(live.se) else ""
    figure = noted(f"{live.rank_ic:+.4f}", noise=noise)
    sample, test = (f" (n={live.sessions})", DIM), (f", test {fmt.number(live.expected)}", DIM)
    return line(("live RankIC ", DIM), figure, (error, DIM if noise else PLAIN), sample, test)


def _split(totals: Mapping[Entry, ShadowTotal]) -> list[Text]:
    """Mean of each part a session; backtest and the parts add up to realised."""
    if not totals:
        return []
    lines = [row(("a session", 10, DIM), *((entry, -6, DIM) for entry in totals))]
    for name in ("backtest", *PARTS, "realised"):
        style = PLAIN if name in PARTS else STRONG
        means = (_BPS * getattr(total.mean, name) for total in totals.values())
        lines.append(row((name, 10, style), *((fmt.number(x, 1), -6, style) for x in means)))
    return lines
