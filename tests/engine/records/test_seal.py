"""Names of sealed directories: the store of the engine and the cockpit read them by one rule."""

from pathlib import Path

import pytest

from engine.records.seal import Seal, SealPlace, seal_places
from engine.signals.seal import SealStore


@pytest.mark.parametrize(
    ("name", "session", "revision", "word"),
    [
        ("2016-12-30", "2016-12-30", 0, "2016-12-30-r0"),
        ("2016-12-30-r1", "2016-12-30", 1, "2016-12-30-r1"),
        ("2016-12-30-r12", "2016-12-30", 12, "2016-12-30-r12"),
    ],
)
def test_a_name_says_session_and_revision(
    name: str, session: str, revision: int, word: str
) -> None:
    place = Path("signals") / name
    for one in (SealPlace(place), Seal(place, standing="sealed")):
        assert (one.name, one.session, one.revision, one.word) == (name, session, revision, word)


def test_only_names_of_seals_count_in_the_order_of_sessions_and_revisions(tmp_path: Path) -> None:
    wanted = ["2016-12-29", "2016-12-30", "2016-12-30-r2", "2016-12-30-r10", "2017-01-02-r1"]
    others = [".staging-2016-12-30-ab12", "pins", "2016-12-30-r0", "2016-12-30-r01", "2016-12-3",
              "2016-12-30-r1x", "x2016-12-30", "2016-12-30\n"]  # fmt: skip
    for name in reversed(wanted + others):
        (tmp_path / name).mkdir()
    assert [place.name for place in seal_places(tmp_path)] == wanted
    assert [one.name for one in SealStore(tmp_path)] == wanted
    assert seal_places(tmp_path / "none") == []
    assert list(SealStore(tmp_path / "none")) == []
