"""One key of the configuration, explained."""

from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.readings.config import KeyRow
from atft_tui.widgets.fact_lines import Lines
from atft_tui.widgets.panel import PlacePanel


class KeyPanel(PlacePanel[KeyRow]):
    """One setting: what it means, its value and where that comes from."""

    title = "key"
    empty = "No key fits the filter: esc clears it."

    def picture(self, value: KeyRow, width: int, height: int) -> Text:
        """The setting in sentences and facts."""
        out = Lines(width, height)
        out.say((value.key, styles.STRONG))
        out.prose(value.about)
        out.space()
        changed = styles.CHANGED if value.is_changed else styles.PLAIN
        out.wrap(out.label_of("value"), value.value, changed)
        if value.is_changed:
            out.wrap(out.label_of("default"), value.default)
        if value.limits:
            out.wrap(out.label_of("range"), value.limits)
        if value.unit:
            out.fact("unit", value.unit)
        out.fact("from", fmt.clean(value.origin))
        if value.is_of_data:
            out.space()
            words = "What was built from the data under another value stays; it is built anew when needed."
            out.prose((words, styles.DIM))
        return out.text()
