"""The model that trades, what it is known by, and every promotion, refusal and rollback before it."""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.champion import Champion, Event
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG, WARN
from atft_tui.widgets.lines import page, row, start, wrapped
from atft_tui.widgets.part_panel import PartPanel
from engine.records.judgement import is_noise

_MARKS = {
    "promoted": (GLYPHS.done, GOOD),
    "rolled back": (GLYPHS.turned, WARN),
    "refused": (GLYPHS.failed, BAD),
}


class ChampionPanel(PartPanel[Champion]):
    title = "champion"
    empty = (
        "No champion yet: promote a run (4 Runs, or ctrl+p promote); its networks make the signals."
    )

    def picture(self, value: Champion, width: int, height: int) -> Text:
        lines = [_champion_text(value), test_text(value)]
        if value.before:
            lines.append(Text(f"z rolls back to {fmt.clean(value.before)}", style=DIM))
        lines += [Text(), Text("history, newest first, times UTC", style=STRONG)]
        for event in value.history:
            lines += _event(event, width)
        return page(lines, width, height)


def _champion_text(value: Champion) -> Text:
    if not value.model:
        return Text("none: no run was promoted yet", style=WARN)
    text = start(fmt.clean(value.model), STRONG)
    networks = "1 network" if value.networks == 1 else f"{value.networks} networks"
    text.append(
        f"  since {fmt.clean(value.since[:10])}, {networks}, data to {fmt.clean(value.last_session)}"
    )
    return text


def test_text(value: Champion) -> Text:
    """``test RankIC h=5 +0.0205 ± 0.0042 (n=252)``; dim and marked inside the null band."""
    if not math.isfinite(value.rank_ic):
        return Text("its package does not tell a test RankIC", style=DIM)
    noise = is_noise(value.rank_ic, value.null_band)
    figures = fmt.rank_ic(value.rank_ic, value.rank_ic_se, value.test_days)
    text = start(f"test RankIC h={value.score_horizon} ", DIM)
    text.append(f"{'~' if noise else ''}{figures}", style=DIM if noise else STRONG)
    word = "inside" if noise else "outside"
    text.append(f"  {word} the null band ±{value.null_band:.4f}", style=DIM)
    return text


def _event(event: Event, width: int) -> list[Text]:
    mark, style = _MARKS.get(event.action, (GLYPHS.waiting, PLAIN))
    lines = [
        row(
            (event.at[:16].replace("T", " "), 16, DIM),
            (f"{mark} {event.action}", 13, style),
            (event.model, 16, STRONG),
            (event.run, max(0, width - 48), DIM),
        )
    ]
    if event.reason:
        lines += wrapped(f"reason: {event.reason}", width, WARN)
    for gate in event.gate:
        word, shade = ("ok", GOOD) if gate.passed else ("NO", BAD)
        cells = (
            ("", 2),
            (word, 2, shade),
            (gate.name, 10),
            (gate.detail, max(0, width - 17), DIM),
        )
        lines.append(row(*cells))
    return lines
