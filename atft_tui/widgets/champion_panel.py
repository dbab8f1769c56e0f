"""The model that trades, what it is known by, and every promotion, refusal and rollback before it."""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.champion import Champion, Event
from atft_tui.widgets.lines import page, row, start, wrapped
from atft_tui.widgets.part_panel import PartPanel
from engine.judgement import is_noise

MARKS = {
    "promoted": (GLYPHS.done, "green"),
    "rolled back": (GLYPHS.turned, "yellow"),
    "refused": (GLYPHS.failed, "red"),
}


class ChampionPanel(PartPanel[Champion]):
    title = "champion"
    empty = (
        "No champion yet: promote a run (4 Runs, or ctrl+p promote); its networks make the signals."
    )

    def picture(self, value: Champion, width: int, height: int) -> Text:
        lines = [champion_text(value), test_text(value)]
        if value.before:
            lines.append(Text(f"b rolls back to {fmt.clean(value.before)}", style="dim"))
        lines += [Text(), Text("history, newest first, times UTC", style="bold")]
        for event in value.history:
            lines += _event(event, width)
        return page(lines, width, height)


def champion_text(value: Champion) -> Text:
    if not value.model:
        return Text("none: no run was promoted yet", style="yellow")
    text = start(fmt.clean(value.model), "bold")
    networks = "1 network" if value.networks == 1 else f"{value.networks} networks"
    text.append(
        f"  since {fmt.clean(value.since[:10])}, {networks}, data to {fmt.clean(value.last_session)}"
    )
    return text


def test_text(value: Champion) -> Text:
    """``test RankIC h=5 +0.0205 ± 0.0042 (n=252)``; dim and marked inside the null band."""
    if not math.isfinite(value.rank_ic):
        return Text("its package does not tell a test RankIC", style="dim")
    noise = is_noise(value.rank_ic, value.null_band)
    figures = fmt.rank_ic(value.rank_ic, value.rank_ic_se, value.test_days)
    text = start(f"test RankIC h={value.score_horizon} ", "dim")
    text.append(f"{'~' if noise else ''}{figures}", style="dim" if noise else "bold")
    word = "inside" if noise else "outside"
    text.append(f"  {word} the null band ±{value.null_band:.4f}", style="dim")
    return text


def _event(event: Event, width: int) -> list[Text]:
    mark, style = MARKS.get(event.action, (GLYPHS.waiting, ""))
    lines = [
        row(
            (event.at[:16].replace("T", " "), 16, "dim"),
            (f"{mark} {event.action}", 13, style),
            (event.model, 16, "bold"),
            (event.run, max(0, width - 48), "dim"),
        )
    ]
    if event.reason:
        lines += wrapped(f"reason: {event.reason}", width, "yellow")
    for gate in event.gate:
        word, shade = ("ok", "green") if gate.passed else ("NO", "bold red")
        cells = (
            ("", 2),
            (word, 2, shade),
            (gate.name, 10),
            (gate.detail, max(0, width - 17), "dim"),
        )
        lines.append(row(*cells))
    return lines
