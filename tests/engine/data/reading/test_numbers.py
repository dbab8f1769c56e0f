"""Numbers as people write them. Right values are worked out by hand; then round trips in any style."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.reading.numbers import (
    BadValue,
    NumberStyle,
    number_style,
    to_numbers,
    to_ratios,
)


def text(*values: str | None) -> pl.Series:
    return pl.Series("x", values, dtype=pl.String)


def read(*values: str | None, decimal: str = "") -> list[float | None]:
    column = text(*values)
    return to_numbers(column, number_style([column], decimal)).to_list()


@pytest.mark.parametrize(
    ("values", "style", "numbers"),
    [
        (("1.234,56", "12,5"), NumberStyle(decimal=",", thousands="."), [1234.56, 12.5]),
        (("1,234", "12.5"), NumberStyle(thousands=","), [1234.0, 12.5]),
        (("12,5",), NumberStyle(decimal=","), [12.5]),
        (("0,125",), NumberStyle(decimal=","), [0.125]),
        (("1.234.567",), NumberStyle(decimal=",", thousands="."), [1234567.0]),
        (("1,234,567",), NumberStyle(thousands=","), [1234567.0]),
        (("1 234.5",), NumberStyle(thousands=" "), [1234.5]),
        (("1'234'567.5",), NumberStyle(thousands="'"), [1234567.5]),
        (("1\u202f234\u202f567,5",), NumberStyle(decimal=",", thousands=" "), [1234567.5]),
        (("12,34,567.25",), NumberStyle(thousands=","), [1234567.25]),
        (("187.15", "188"), NumberStyle(), [187.15, 188.0]),
    ],
)
def test_the_style_follows_from_the_values(
    values: tuple[str, ...], style: NumberStyle, numbers: list[float]
) -> None:
    column = text(*values)
    assert number_style([column]) == style
    assert to_numbers(column, style).to_list() == numbers


def test_one_column_settles_the_style_of_another() -> None:
    volume = text("1.234", "2.345")
    assert number_style([volume]) == NumberStyle()
    style = number_style([volume, text("12,5")])
    assert to_numbers(volume, style).to_list() == [1234.0, 2345.0]


def test_an_ambiguous_mark_is_a_decimal_point_or_parts_thousands() -> None:
    assert read("1.234", "2.345") == [1.234, 2.345]
    assert read("1,234", "2,345") == [1234.0, 2345.0]


def test_the_users_decimal_mark_goes_first() -> None:
    assert read("1,234", decimal=",") == [1.234]
    assert read("1.234", decimal=",") == [1234.0]
    assert read("1.234", decimal=".") == [1.234]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("$191.38", 191.38),
        ("-$5", -5.0),
        ("$-5", -5.0),
        ("($5.50)", -5.5),
        ("(7)", -7.0),
        ("7-", -7.0),
        ("\u22127", -7.0),
        ("+7", 7.0),
        ("US$ 3", 3.0),
        ("USD 3", 3.0),
        ("3 EUR", 3.0),
        ("\u20ac1,200.5", 1200.5),
        ("1,200\u5186", 1200.0),
        ("\uff11\uff12.\uff15", 12.5),
        ("18.9M", 18_900_000.0),
        ("2K", 2000.0),
        ("1.5B", 1.5e9),
        ("3.2\u4e07", 32_000.0),
        ("25%", 0.25),
        ("1.5e3", 1500.0),
        ('="12"', 12.0),
        (" 3 ", 3.0),
    ],
)
def test_signs_and_units_around_the_digits(value: str, number: float) -> None:
    assert read(value, "0.5") == [pytest.approx(number, rel=1e-15), 0.5]


@pytest.mark.parametrize(
    "value",
    ["", " ", "-", "--", "\u2014", "\uff0d", "N/A", "n/a", "nan", "NaN", "null", "#N/A", "$"],
)
def test_what_stands_for_no_value_is_null(value: str) -> None:
    assert read("1.5", value, None) == [1.5, None, None]


@pytest.mark.parametrize("value", ["abc", "12/31", "1 2", "(5", "inf", "A5", "1:2", "12,5", "K"])
def test_anything_else_is_named_with_its_row(value: str) -> None:
    with pytest.raises(BadValue, match="is not a number") as caught:
        read("1.5", "2.25", value)
    assert (caught.value.row, caught.value.value) == (2, value)
    assert "--decimal" in caught.value.hint


def test_typed_columns_pass_through() -> None:
    assert to_numbers(pl.Series([1, None]), NumberStyle()).to_list() == [1.0, None]
    floats = pl.Series([1.5, float("nan"), float("inf")])
    assert to_numbers(floats, NumberStyle()).to_list() == [1.5, None, None]
    with pytest.raises(BadValue, match="Boolean"):
        to_numbers(pl.Series([True]), NumberStyle())


def test_splits_may_be_written_as_a_ratio() -> None:
    ratios = to_ratios(text("7:1", "3/2", "2-for-1", "1 for 10", "2.0", "", "0:0"), NumberStyle())
    assert ratios.to_list() == [7.0, 1.5, 2.0, 0.1, 2.0, None, 0.0]
    with pytest.raises(BadValue) as caught:
        to_ratios(text("2:1", "two"), NumberStyle())
    assert caught.value.row == 1


@given(
    cents=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20),
    style=st.sampled_from(
        [(".", ","), (",", "."), (".", " "), (",", "\u202f"), (".", "'"), (",", "")]
    ),
    currency=st.sampled_from(["", "$", "\u20ac"]),
)
def test_a_number_written_in_any_style_comes_back(
    cents: list[int], style: tuple[str, str], currency: str
) -> None:
    decimal, thousands = style
    marks = str.maketrans({",": thousands, ".": decimal})
    values = [f"{currency}{cent / 100:,.2f}".translate(marks) for cent in cents]
    assert read(*values) == [cent / 100 for cent in cents]


def test_volumes_with_three_digits_behind_each_point_are_asked_for() -> None:
    """5.403 and 1.475 are 5403 yen and 1475 shares in one country, and neither in another."""
    prices, volume = text("5.403", "987", "5.326"), text("1.475", "12.000", "900").rename("volume")
    with pytest.raises(BadValue, match="fit two ways") as caught:
        number_style([prices, volume])
    assert "--decimal" in caught.value.hint
    assert to_numbers(prices, number_style([prices, volume], ",")).to_list() == [5403, 987, 5326]
    assert to_numbers(prices, number_style([prices, volume], ".")).to_list() == [5.403, 987, 5.326]


@pytest.mark.parametrize("price", ["105.23", "98.5", "0.412"])
@pytest.mark.parametrize("size", ["1.475", "0.475", "1475000"])
def test_a_price_with_other_decimals_tells_what_the_point_is(price: str, size: str) -> None:
    volume = text(size).rename("volume")
    assert number_style([text(price), volume]) == NumberStyle()
