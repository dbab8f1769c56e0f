"""What a form has besides the fields of textual: a box that has words, and paths that complete themselves."""

import os
from pathlib import Path

from textual.content import Content
from textual.geometry import Size
from textual.suggester import Suggester
from textual.widgets import Checkbox


class PathSuggester(Suggester):
    """The rest of a path as far as there is such a file or folder; the right arrow takes it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first by name; hidden ones only where the dot was typed."""
        folder, slash, begun = value.rpartition("/")
        place = Path(folder + slash or ".").expanduser()
        try:
            names = sorted(os.listdir(place)) if value else []
        except OSError:  # no such folder, or not ours to read: nothing to suggest
            return None
        fitting = (n for n in names if n.startswith(begun) and (begun or not n.startswith(".")))
        name = next(fitting, None)
        if name is None:
            return None
        return f"{folder}{slash}{name}{'/' * (place / name).is_dir()}"


class YesNo(Checkbox):
    """A box that says by shape and word whether it is on."""

    def render(self) -> Content:
        """``[x] yes`` or ``[ ] no``."""
        return Content("[x] yes" if self.value else "[ ] no")

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """That of the longer word."""
        return len("[x] yes")
