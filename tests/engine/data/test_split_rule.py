"""The suspected-split rule on planted events: what it finds, and what it leaves alone."""

import pytest

from benchmarks.split_rule import RATIOS, flagged, plant, recall
from engine.data.tables import RawTables
from engine.records.quality import BREAK


def test_on_the_synthetic_market_splits_are_found_and_crashes_are_not(raw: RawTables) -> None:
    for seed in range(4):
        planted, events = plant(raw, 20, seed)
        found = flagged(planted)
        hits, of = map(sum, zip(*(recall(events, found, ratio) for ratio in RATIOS), strict=True))
        assert of == 20
        assert hits >= 0.95 * of
        assert recall(events, found, 0.0)[0] == 0
        assert len(found) <= hits + 1
        assert recall(events, flagged(planted, BREAK), 0.0)[0] <= 2


@pytest.mark.slow
def test_on_the_real_file_nine_of_ten_are_found(nasdaq: RawTables) -> None:
    planted, events = plant(nasdaq, 300, 3)
    found = flagged(planted)
    hits, of = map(sum, zip(*(recall(events, found, ratio) for ratio in RATIOS), strict=True))
    assert hits >= 0.85 * of
    assert recall(events, found, 0.0)[0] <= 3


@pytest.mark.slow
def test_real_events(nasdaq: RawTables) -> None:
    """Reverse splits 1:10 of volatile funds are found, a crash of 79 % on news is none.

    USLV moved by another 5 % that day: too far for a split, so it is held out and then a break.
    """
    found = flagged(nasdaq)
    for symbol in ("TVIX", "TVIZ"):
        assert (symbol, "2013-08-30") in found
    assert ("USLV", "2013-09-03") in flagged(nasdaq, BREAK)
    assert ("TTPH", "2015-09-09") not in found
