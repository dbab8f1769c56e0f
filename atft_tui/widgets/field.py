"""The input of every form: what is typed or pasted is cleaned and cut before it is kept or painted."""

from textual.widgets import Input

from atft_tui import format as fmt

_LONGEST = 4000
"""Characters a field keeps; a larger paste is cut."""


class Field(Input):
    """An input of one line."""

    def validate_value(self, value: str) -> str:
        return fmt.clean(value[:_LONGEST])
