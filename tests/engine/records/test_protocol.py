"""Which days a figure rests on, and how often anybody looked at them, by hand."""

import pytest

from engine.records.protocol import CountedLook, DaySpan, JudgedDays

CHOSEN = DaySpan(name="development", first="2013-01-02", last="2014-12-31", sessions=498)
KEPT = DaySpan(name="confirmation", first="2015-01-02", last="2016-12-30", sessions=504)


def days(*spans: DaySpan) -> JudgedDays:
    return JudgedDays(market="us", spans=spans)


def look(run: str, first: str, last: str, *, book: str = "", market: str = "us") -> CountedLook:
    return CountedLook(run=run, book=book, market=market, first=first, last=last)


@pytest.mark.parametrize(
    ("spans", "looks", "words"),
    [
        ((CHOSEN,), 0, "development days"),
        ((KEPT,), 1, "confirmed once"),
        ((KEPT,), 7, "looked at 7 times"),
        ((CHOSEN, KEPT), 1, "confirmed once (504 of 1,002 days)"),
        ((CHOSEN, KEPT), 1200, "looked at 1,200 times (504 of 1,002 days)"),
    ],
)
def test_the_words_beside_a_figure(spans: tuple[DaySpan, ...], looks: int, words: str) -> None:
    assert days(*spans).words(looks) == words


def test_a_look_counts_where_it_shares_a_day_of_the_market() -> None:
    """Of four looks one ends before the days, one begins after them, one is of another market."""
    known = [
        look("before", "2013-01-02", "2015-01-01"),
        look("after", "2016-12-31", "2017-12-29"),
        look("abroad", "2015-06-01", "2015-06-30", market="jp"),
        look("one day", "2014-01-02", "2015-01-02"),
    ]
    assert days(CHOSEN, KEPT).looks(known) == 1
    assert days(CHOSEN).looks(known) == 0, "development days may be looked at without end"


def test_scores_count_with_their_first_book_and_each_further_book_again() -> None:
    one = [look("a", KEPT.first, KEPT.last)]
    assert days(KEPT).looks(one) == 1
    book = [look("a", KEPT.first, KEPT.last, book=name) for name in ("x", "x", "y")]
    assert days(KEPT).looks(one + book[:1]) == 1
    assert days(KEPT).looks(one + book) == 2
    assert days(KEPT).looks(one + book + [look("b", KEPT.first, KEPT.last)]) == 3
