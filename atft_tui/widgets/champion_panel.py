"""The model that trades, what it is known by, and every promotion, refusal and rollback before it."""

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.champion import Champion
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG, WARN
from atft_tui.widgets.lines import page, row, start, wrapped
from atft_tui.widgets.part_panel import PartPanel
from engine.records.champion import ChampionEntry
from engine.records.figure import Figure

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
        if before := value.history.before:
            lines.append(Text(f"z rolls back to {fmt.clean(before)}", style=DIM))
        lines += [Text(), Text("history, newest first, times UTC", style=STRONG)]
        for entry in reversed(value.history.history):
            lines += _entry(entry, width)
        return page(lines, width, height)


def _champion_text(value: Champion) -> Text:
    model, facts = value.history.champion, value.facts
    if not model:
        return Text("none: no run was promoted yet", style=WARN)
    text = start(fmt.clean(model), STRONG)
    count = len(facts.blocks) if facts else 0
    networks = "1 network" if count == 1 else f"{count} networks"
    last = fmt.clean(facts.last_session) if facts else ""
    text.append(f"  since {since(value)}, {networks}, data to {last}")
    return text


def since(value: Champion) -> str:
    """Date of the promotion or rollback that made it champion."""
    return fmt.clean(value.history.reigns[-1].at[:10])


def test_text(value: Champion) -> Text:
    """``test RankIC h=5 +0.0205 ± 0.0042 (n=252)``; dim and marked inside the null band."""
    facts = value.facts
    if facts is None or facts.test.figure.role == "unknown":
        return Text("its package does not tell a test RankIC", style=DIM)
    test, noise = facts.test, facts.test.is_noise
    figure = Figure(test.rank_ic, test.rank_ic_se, n=test.n_dates).text()
    text = start(f"test RankIC h={facts.score_horizon} ", DIM)
    text.append(f"{'~' if noise else ''}{figure}", style=DIM if noise else STRONG)
    word = "inside" if noise else "outside"
    text.append(f"  {word} the null band ±{test.null_band:.4f}", style=DIM)
    return text


def _entry(entry: ChampionEntry, width: int) -> list[Text]:
    mark, style = _MARKS.get(entry.action, (GLYPHS.waiting, PLAIN))
    lines = [
        row(
            (entry.at[:16].replace("T", " "), 16, DIM),
            (f"{mark} {entry.action}", 13, style),
            (entry.model, 16, STRONG),
            (entry.run, max(0, width - 48), DIM),
        )
    ]
    if entry.reason:
        lines += wrapped(f"reason: {entry.reason}", width, WARN)
    for gate in entry.gate:
        word, shade = ("ok", GOOD) if gate.passed else ("NO", BAD)
        cells = (
            ("", 2),
            (word, 2, shade),
            (gate.name, 10),
            (gate.detail, max(0, width - 17), DIM),
        )
        lines.append(row(*cells))
    return lines
