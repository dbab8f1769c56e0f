"""One bar a key: rows without a price give way, known factors stay, contradictions name both places."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.merge import BarOrigin, laid_over, one_bar_each, place_of
from engine.data.tables import BAR_SCHEMA
from engine.errors import DataError

MON, TUE, WED = (dt.date(2024, 1, day) for day in (8, 9, 10))
Row = tuple[dt.date, str, float | None, float, float, float | None, float, float]


def bar(
    day: dt.date, symbol: str, close: float | None, factor: float = 1.0, dividend: float = 0.0
) -> dict[str, object]:
    """Open, high, low and close are one price; 100 shares."""
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    traded = {"volume": 100.0, "turnover": None if close is None else 100.0 * close}
    return {
        "date": day, "symbol": symbol, **prices, **traded,
        "adjustment_factor": factor, "dividend": dividend,
    }  # fmt: skip


def table(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=BAR_SCHEMA)


def read(**files: list[dict[str, object]]) -> tuple[pl.DataFrame, BarOrigin]:
    """Rows of files in the order given, sorted as a reader sorts them, with the header in line 1."""
    rows = [
        row | {"file": number, "line": line}
        for number, content in enumerate(files.values())
        for line, row in enumerate(content, start=2)
    ]
    schema = {**BAR_SCHEMA, "file": pl.UInt32, "line": pl.UInt32}
    frame = pl.DataFrame(rows, schema=schema).sort("date", "symbol", "file", "line")
    names = tuple(f"{name}.csv" for name in files)
    return frame.drop("file", "line"), BarOrigin(
        files=names, file=frame["file"], line=frame["line"]
    )


def where(day: dt.date, symbol: str) -> str:
    return f"news.csv {symbol}"


def test_a_row_of_zeros_beside_the_real_row_is_dropped() -> None:
    zeros = bar(TUE, "CBS", 0.0) | {"volume": 0.0, "turnover": 0.0}
    bars, lines = read(a=[bar(MON, "CBS", 39.5), bar(TUE, "CBS", 40.77), zeros])
    for order in (bars, bars[[0, 2, 1]]):
        merged, revision = one_bar_each(order, lines, "a")
        assert merged.equals(table(bar(MON, "CBS", 39.5), bar(TUE, "CBS", 40.77)))
        assert (revision.equal, revision.changed) == (1, 0)


def test_a_row_without_a_close_stays_where_it_is_the_only_one() -> None:
    bars, lines = read(a=[bar(MON, "X", None), bar(MON, "X", None), bar(TUE, "X", 2.0)])
    assert one_bar_each(bars, lines, "a")[0].equals(table(bar(MON, "X", None), bar(TUE, "X", 2.0)))


@pytest.mark.parametrize("turned", [False, True])
def test_of_equal_bars_the_known_factor_and_dividend_stay(turned: bool) -> None:
    rows = [bar(MON, "X", 5.0, 0.5), bar(MON, "X", 5.0, 1.0, 0.25)]
    bars, lines = read(a=rows[::-1] if turned else rows)
    merged, _ = one_bar_each(bars, lines, "a")
    assert merged.equals(table(bar(MON, "X", 5.0, 0.5, 0.25)))


def test_two_bars_in_one_file_are_refused_with_both_lines_and_values() -> None:
    bars, lines = read(a=[bar(MON, "Y", 1.0), bar(MON, "X", 5.0), bar(MON, "X", 6.5)])
    with pytest.raises(DataError) as caught:
        one_bar_each(bars, lines, "files(a.csv)")
    assert caught.value.message.startswith("a.csv: line 3 and a.csv: line 4: X on 2024-01-08")
    assert "c 5 " in caught.value.message
    assert "c 6.5 " in caught.value.message
    with pytest.raises(DataError, match=r"files\(a\.csv\): X on 2024-01-08"):
        one_bar_each(bars, None, "files(a.csv)")


def test_the_file_that_ends_later_revises_a_minority_of_bars() -> None:
    """Of four bars that both files have one differs; the order of reading does not matter."""
    first = [bar(MON, s, 10.0) for s in "ABCD"]
    later = [bar(MON, s, 11.0 if s == "C" else 10.0) for s in "ABCD"] + [bar(TUE, "A", 12.0)]
    right = table(*(bar(MON, s, 11.0 if s == "C" else 10.0) for s in "ABCD"), bar(TUE, "A", 12.0))
    for files in ({"first": first, "later": later}, {"later": later, "first": first}):
        merged, revision = one_bar_each(*read(**files), "folder")
        assert merged.equals(right)
        assert (revision.equal, revision.changed, revision.prices) == (3, 1, 1)


def test_files_that_disagree_on_most_of_what_both_have_are_refused() -> None:
    first = [bar(MON, s, 10.0) for s in "ABCD"]
    cents = [bar(MON, s, 1000.0) for s in "ABCD"] + [bar(TUE, "A", 1200.0)]
    with pytest.raises(
        DataError, match=r"first\.csv: line 2 and cents\.csv: line 2: A on 2024-01-08.*4 of 4 bars"
    ):
        one_bar_each(*read(first=first, cents=cents), "folder")


def test_files_that_end_together_cannot_revise_each_other() -> None:
    files = {"a": [bar(MON, s, 10.0) for s in "ABC"], "b": [bar(MON, s, 10.0) for s in "AB"]}
    files["b"].append(bar(MON, "C", 10.5))
    with pytest.raises(DataError, match=r"a\.csv: line 4 and b\.csv: line 4: C on 2024-01-08"):
        one_bar_each(*read(**files), "folder")


def test_a_later_file_is_laid_over_the_store() -> None:
    """X is revised, Y learns its dividend, Z is new to Monday, W is not mentioned, Tuesday is new."""
    old = table(bar(MON, "W", 4.0), bar(MON, "X", 5.0), bar(MON, "Y", 6.0, 0.5), bar(MON, "V", 1.0))
    volume = bar(MON, "X", 5.0) | {"volume": 90.0, "turnover": 450.0}
    new = table(volume, bar(MON, "Y", 6.0, 1.0, 0.1), bar(MON, "Z", 7.0), bar(TUE, "X", 5.5))
    whole, revision = laid_over(old.sort("symbol"), new, where)
    right = table(
        bar(MON, "V", 1.0), bar(MON, "W", 4.0), volume, bar(MON, "Y", 6.0, 0.5, 0.1),
        bar(MON, "Z", 7.0), bar(TUE, "X", 5.5),
    )  # fmt: skip
    assert whole.equals(right)
    assert (revision.equal, revision.changed, revision.prices) == (0, 2, 0)
    assert (revision.added, revision.first) == (1, "2024-01-08")
    again, nothing = laid_over(whole, new, where)
    assert again.equals(whole)
    assert (nothing.equal, nothing.changed, nothing.added, nothing.first) == (4, 0, 0, "")


def test_a_file_that_contradicts_the_store_names_its_place_and_both_values() -> None:
    old = table(*(bar(MON, s, 10.0) for s in "ABC"))
    bars, lines = read(bad=[bar(MON, s, 10.1) for s in "AB"])
    with pytest.raises(
        DataError, match=r"bad\.csv: line 2: A on 2024-01-08.* c 10 .* c 10\.1 .*2 of 2"
    ) as e:
        laid_over(old, bars, place_of(bars, lines))
    assert "ingest --undo" in e.value.hint


def test_right_bars_of_yesterday_do_not_excuse_wrong_ones_of_today() -> None:
    """Both sessions are stored; the file has Monday's five bars right and Tuesday's a hundredfold."""
    old = table(*(bar(day, s, 10.0) for day in (MON, TUE) for s in "ABCDE"))
    news = [bar(day, s, level) for day, level in ((MON, 10.0), (TUE, 1000.0)) for s in "ABCDE"]
    with pytest.raises(DataError, match=r"A on 2024-01-09.* 5 of 5 bars of 2024-01-09"):
        laid_over(old, table(*news), where)


def test_volumes_in_lots_contradict_the_store_and_later_trades_do_not() -> None:
    old = table(*(bar(MON, s, 10.0) for s in "ABC"))
    more = [bar(MON, s, 10.0) | {"volume": 150.0, "turnover": 1500.0} for s in "ABC"]
    assert laid_over(old, table(*more), where)[1].changed == 3
    lots = [bar(MON, s, 10.0) | {"volume": 1.0, "turnover": 10.0} for s in "ABC"]
    with pytest.raises(DataError, match="3 of 3 bars that both have"):
        laid_over(old, table(*lots), where)


@pytest.mark.parametrize(("volume", "changed"), [(0.0, 0), (150.0, 6)])
def test_a_volume_of_nothing_says_nothing_of_units(volume: float, changed: int) -> None:
    """An index or a currency has no volume; a file of yesterday may bring it later."""
    old = table(*(bar(MON, s, 10.0) | {"volume": 0.0} for s in "ABCDEF"))
    new = table(*(bar(MON, s, 10.0) | {"volume": volume} for s in "ABCDEF"))
    revision = laid_over(old, new, where)[1]
    assert (revision.changed, revision.equal) == (changed, 6 - changed)


def test_zeros_do_not_replace_a_price_that_is_stored() -> None:
    old = table(*(bar(MON, s, 10.0) for s in "AB"))
    empty = [bar(MON, s, 0.0) | {"volume": 0.0, "turnover": 0.0} for s in "AB"]
    whole, revision = laid_over(old, table(*empty), where)
    assert whole.equals(old)
    assert revision.changed == 0


@given(st.lists(st.sampled_from("ABCDE"), min_size=1), st.randoms())
def test_repetition_and_order_change_nothing(symbols: list[str], random: object) -> None:
    known = sorted(set(symbols))
    rows = [bar(day, s, 10.0 + ord(s)) for day in (MON, WED) for s in [*symbols, *known]]
    merged, _ = one_bar_each(table(*rows).sort("date", "symbol"), None, "x")
    assert merged.equals(table(*(bar(day, s, 10.0 + ord(s)) for day in (MON, WED) for s in known)))
