"""The key table: one source, no key twice, and the README says the same."""

from pathlib import Path

import pytest

from atft_tui.keys import EVERYWHERE, SCREENS, TABLE, Key, help_rows, markdown
from atft_tui.navigation import PLACES

ROOT = Path(__file__).parents[2]


def test_the_readme_holds_the_key_table() -> None:
    assert markdown() in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", [place.name for place in PLACES])
def test_no_place_takes_a_key_that_means_something_everywhere(place: str) -> None:
    def names(keys: tuple[Key, ...]) -> list[str]:
        return [name for key in keys for name in key.key.split(",")]

    own = names(SCREENS[place])
    assert len(own) == len(set(own)), "a key twice on one screen"
    assert not set(own) & set(names(EVERYWHERE))
    assert len(help_rows(place)) == len(SCREENS[place]) + len(EVERYWHERE) + len(TABLE)
