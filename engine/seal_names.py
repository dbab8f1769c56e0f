"""Where sealed signals stand: ``signals/2016-12-30`` is the first of its session, ``-r1`` revises it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

SEAL = "SEAL"
"""File with the SHA-256 of the manifest."""
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}(?:-r[1-9]\d*)?")


@dataclass(frozen=True, slots=True)
class SealPlace:
    """A directory of this name; what stands in it is not looked at."""

    directory: Path

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def session(self) -> str:
        return self.name[:10]

    @property
    def revision(self) -> int:
        return int(self.name[12:] or 0)

    @property
    def word(self) -> str:
        """As ``verify``, ``replay`` and ``diff`` take it: always this revision, not the newest."""
        return f"{self.session}-r{self.revision}"


def seal_places(root: Path) -> list[SealPlace]:
    """Of everything sealed under ``WORKSPACE/signals``, by session, then revision."""
    try:
        with os.scandir(root) as entries:
            found = [SealPlace(Path(one.path)) for one in entries if _NAME.fullmatch(one.name)]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda place: (place.session, place.revision))
