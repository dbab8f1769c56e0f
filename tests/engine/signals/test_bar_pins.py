"""Pinned bars: what an older pin leaves out is what it is where nothing is known."""

from pathlib import Path

import msgspec
import polars as pl
from polars.testing import assert_frame_equal

from engine.config import ConstraintConfig
from engine.data.panel import Panel
from engine.portfolio.market_data import MarketData
from engine.records.quality import PROCEEDS
from engine.records.seal import SignalInputs
from engine.signals.book import BARS, PINNED, bar_slice, panel_of
from engine.signals.difference import _changed_bars
from engine.signals.seal import PinStore
from tests.engine.backtest import markets
from tests.engine.signals.test_seal import inputs

CLOSES: dict[str, list[float | None]] = {"A": [10.0, 10.5, 11.0], "B": [20.0, 19.0, 19.5]}


def pinned(panel: Panel) -> Panel:
    slices = [
        (str(date), bar_slice(rows))
        for (date,), rows in panel.frame.group_by("date", maintain_order=True)
    ]
    return panel_of(slices, panel.securities, None, panel.market, panel.calendar)


def test_without_dividends_a_pin_has_the_seven_rows_it_always_had() -> None:
    panel = markets.panel_of(CLOSES)
    rows = panel.frame.filter(pl.col("date") == markets.day(1))
    assert bar_slice(rows)["bars"].shape == (len(BARS), 2)
    assert bar_slice(rows)["bars"].tolist() == [rows[name].to_list() for name in BARS]
    assert_frame_equal(pinned(panel).frame, panel.frame, check_column_order=False)


def test_dividends_and_flags_are_pinned_and_come_again() -> None:
    panel = markets.with_actions(
        markets.panel_of(CLOSES), dividends={"A": {1: 0.5}}, flags={"B": {2: PROCEEDS}}
    )
    slices = [
        bar_slice(panel.frame.filter(pl.col("date") == markets.day(number))) for number in range(3)
    ]
    assert [one["bars"].shape[0] for one in slices] == [len(BARS), len(PINNED), len(PINNED)]
    again = pinned(panel)
    assert_frame_equal(again.frame, panel.frame, check_column_order=False)
    market = MarketData.from_panel(
        again, first=markets.FIRST, last=markets.day(2), symbols=["A", "B"],
        constraints=ConstraintConfig(),
    )  # fmt: skip
    assert market.traded_DN[2].tolist() == [True, False]


def test_a_longer_pin_differs_from_a_shorter_one_in_what_it_adds(tmp_path: Path) -> None:
    store = PinStore(tmp_path)
    plain = markets.panel_of(CLOSES)
    paid = markets.with_actions(plain, dividends={"A": {1: 0.5}})
    date = str(markets.day(1))

    def sealed(panel: Panel) -> SignalInputs:
        rows = panel.frame.filter(pl.col("date") == markets.day(1))
        pin = store.put_arrays(bar_slice(rows))
        return msgspec.structs.replace(inputs(pin), bars=((date, pin),))

    found = _changed_bars(sealed(plain), sealed(paid), store)
    extra = [(bar.code, bar.column, bar.before) for bar in found if bar.column not in BARS]
    assert extra == [("A", "dividend", 0.0), ("A", "reinvested", 1.0)]
