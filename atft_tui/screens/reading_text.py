"""A reading plan and its evidence as styled text, for the Data screen and the form of `ingest`."""

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.reading import OLD, Read
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG, WARN
from engine.records.plan_lines import LABEL

VERDICTS = {
    "ok": (GLYPHS.done, GOOD),
    "warning": ("!", WARN),
    "refused": (GLYPHS.failed, BAD),
}
STYLES = {"left": DIM, "not read": WARN, "note": WARN, "warning": WARN, "refused": BAD}
"""Of lines by their first word; others are plain."""


def reading_text(read: Read) -> Text:
    """The error and its way out first, then plan and evidence, a line each."""
    text = Text()
    if read.error:
        text.append(f"{GLYPHS.failed} {fmt.clean(read.error)}\n", style=BAD)
    if read.hint:
        text.append(f"{fmt.clean(read.hint)}\n", style=STRONG)
    if read.error and read.lines:
        text.append("\n")
    if not read.error and not read.lines:
        text.append(OLD, style=DIM)
    for line in read.lines:
        label, said = fmt.clean(line[:LABEL]), fmt.clean(line[LABEL:])
        text.append(label, style=STRONG)
        text.append(f"{said}\n", style=STYLES.get(label.strip(), PLAIN))
    return text


def verdict_words(read: Read) -> Text:
    """``✓ read ok``; empty where no verdict was recorded."""
    if not read.verdict:
        return Text()
    sign, style = VERDICTS.get(read.verdict, ("?", WARN))
    return Text(f"{sign} reading {fmt.clean(read.verdict)}", style=style)
