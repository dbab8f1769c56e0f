"""The key table: one source, no key twice, and the page of keys says the same."""

from pathlib import Path

import pytest
from textual.binding import Binding

from atft_tui.keys import CHART, CHARTED, EVERYWHERE, PLACES, SCREENS, TABLE, help_rows, markdown

ROOT = Path(__file__).parents[2]


def test_the_page_of_keys_is_made_from_the_table() -> None:
    assert (ROOT / "docs" / "keys.md").read_text(encoding="utf-8") == markdown()


def test_a_letter_that_starts_something_starts_the_same_everywhere() -> None:
    """Backtest, diff, new, stop, doctor, resume and roll back have a letter that means nothing else."""
    meant = {"b": "backtest", "n": "new", "z": "rollback", "h": "doctor"}
    for letter, word in meant.items():
        actions = [
            k.action + k.description for keys in SCREENS.values() for k in keys if k.key == letter
        ]
        assert actions
        other = {"doctor": "finding", "new": "train"}.get(word, word)
        assert all(word in action or other in action for action in actions), actions


@pytest.mark.parametrize("place", [place.name for place in PLACES])
def test_no_place_takes_a_key_that_means_something_everywhere(place: str) -> None:
    def names(keys: tuple[Binding, ...]) -> list[str]:
        return [name for key in keys for name in key.key.split(",")]

    own = names(SCREENS[place])
    assert len(own) == len(set(own)), "a key twice on one screen"
    assert not set(own) & set(names(EVERYWHERE))
    assert not set(names(CHART)) & set(names(EVERYWHERE))
    charts = [key for key in CHART if key.description] if place in CHARTED else []
    told = len(SCREENS[place]) + len(EVERYWHERE) + len(TABLE) + len(charts)
    assert len(help_rows(place)) == told
