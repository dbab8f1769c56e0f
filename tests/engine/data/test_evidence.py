"""What tables say against the way they were read; limits far from honest data and from misreadings."""

import datetime as dt
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import pytest
from msgspec import structs

from engine.data.calendar import sessions_between
from engine.data.evidence import gather
from engine.data.evidence_joins import StoredMarket
from engine.data.tables import (
    ACTION_SCHEMA,
    BAR_SCHEMA,
    INDEX_SCHEMA,
    OPTIONAL,
    SECURITY_SCHEMA,
    RawTables,
    complete,
)
from engine.records.reading import Evidence

NOW = dt.datetime(2024, 6, 3, 21, tzinfo=dt.UTC)
FIRST, LAST = dt.date(2024, 1, 2), dt.date(2024, 5, 31)
SYMBOLS = ("7203", "9984", "AAA", "BRK.B")
PRICES = ("open", "high", "low", "close")


def market(exchange: str = "XNYS", first: dt.date = FIRST, last: dt.date = LAST) -> pl.DataFrame:
    """Random walks with a range around open and close; no traded value of its own."""
    rng = np.random.default_rng(1)
    parts = []
    days = pl.Series(sessions_between(exchange, first, last)).cast(pl.Date)
    for symbol in SYMBOLS:
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, len(days))))
        open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0, 0.005, len(days)))
        top, bottom = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
        volume = rng.uniform(1e5, 1e6, len(days)).round()
        parts.append(
            pl.DataFrame({"date": days, "open": open_, "high": top, "low": bottom, "close": close,
                          "volume": volume, "turnover": close * volume})
            .with_columns(symbol=pl.lit(symbol))
        )  # fmt: skip
    return complete(pl.concat(parts), BAR_SCHEMA).sort("date", "symbol")


def tables(bars: pl.DataFrame, **more: object) -> RawTables:
    fields: dict[str, object] = {
        "securities": pl.DataFrame(schema=SECURITY_SCHEMA), "index": None, "market": "us",
        "source": "files(x)",
    }  # fmt: skip
    return RawTables(bars=bars.sort("date", "symbol"), **(fields | more))  # type: ignore[arg-type]


def heard(bars: pl.DataFrame, *, store: StoredMarket | None = None, **more: object) -> Evidence:
    return gather(tables(bars, **more), now=NOW, columns={"volume": "vol"}, store=store)


def ending(after: str, closes: Mapping[str, float]) -> StoredMarket:
    """A store whose stocks all closed last on ``after``."""
    table = pl.DataFrame({"symbol": list(closes), "close": list(closes.values())})
    table = table.with_columns(volume=pl.lit(None, pl.Float64))
    day = pl.lit(after).str.to_date().alias("date")
    return StoredMarket(after=after, closes=table.with_columns(day), symbols=table["symbol"])


def refusal(evidence: Evidence) -> tuple[str, str]:
    assert evidence.verdict == "refused"
    return evidence.refused[0].what, evidence.refused[0].mend


def test_honest_bars_are_believed() -> None:
    evidence = heard(market())
    assert evidence.verdict == "ok"
    assert (evidence.on_sessions, evidence.outside_range) == (1.0, 0.0)
    assert evidence.value_ratio is None
    assert (
        "no traded value of its own to tell by whether volumes are shares or lots"
        in (evidence.lines()[0])
    )
    assert (evidence.symbols, evidence.first, evidence.last) == (4, "2024-01-02", "2024-05-31")


def test_figures_worked_by_hand() -> None:
    """Two sessions of one stock: open 11 after a close of 10; the second close lies above the high."""
    rows = {
        "date": [dt.date(2024, 1, 2), dt.date(2024, 1, 3), dt.date(2024, 1, 4)], "symbol": ["A"] * 3,
        "open": [9.0, 11.0, 0.0], "high": [10.5, 11.5, 0.0], "low": [8.0, 9.5, 0.0],
        "close": [10.0, 12.0, 0.0], "volume": [10.0, 10.0, 0.0], "turnover": [101.0, 121.2, 0.0],
    }  # fmt: skip
    evidence = heard(complete(pl.DataFrame(rows), BAR_SCHEMA))
    assert evidence.outside_range == 0.5
    assert evidence.overnight_mean == pytest.approx(np.log(1.1))
    assert evidence.intraday_mean == pytest.approx((np.log(10 / 9) + np.log(12 / 11)) / 2)
    assert evidence.zero_rows == 1
    assert evidence.no_close == pytest.approx(1 / 3)
    assert evidence.value_ratio == pytest.approx(1.01)


def test_high_and_low_in_each_others_place_are_told_apart_from_two_scales() -> None:
    bars = market().with_columns(high="low", low="high")
    evidence = gather(tables(bars), now=NOW, columns={"high": "Hoch", "low": "Tief"})
    assert [problem.mend for problem in evidence.refused] == ['--columns "high=Tief,low=Hoch"']
    assert "high is below low in 100% of the rows" in evidence.refused[0].what


def test_returns_in_the_place_of_prices_are_refused() -> None:
    """Of three rows one has a close below 0: a third."""
    bars = market().head(3).with_columns(close=pl.Series([1.0, -0.02, 1.0]))
    evidence = heard(bars)
    assert evidence.negative == pytest.approx(1 / 3)
    assert "33% of the rows have a price below 0: returns or changes" in refusal(evidence)[0]
    whole = market()
    one_bad = whole.with_columns(
        close=pl.when(pl.int_range(len(whole)) == 5).then(-1.0).otherwise(pl.col("close"))
    )
    assert heard(one_bad).verdict == "ok"  # 1 of 416 rows is dirt, and `check` drops it.


@pytest.mark.parametrize("symbols", [["AAA"], ["AAA", "7203"]])
def test_stocks_whose_close_alone_was_adjusted_are_refused(symbols: list[str]) -> None:
    """Of four stocks one or two have 20 closes at a quarter of their range, less than a tenth of all rows."""
    early = pl.col("date") < pl.col("date").unique().sort().gather(20).first()
    bars = market().with_columns(
        close=pl.when(pl.col("symbol").is_in(symbols) & early)
        .then(pl.col("close") / 4)
        .otherwise(pl.col("close"))
    )
    evidence = heard(bars)
    what = refusal(evidence)[0]
    assert what.startswith(f"{min(symbols)} has 20 rows whose close is of another price scale")
    assert ("1 more of 4 stocks likewise" in what) == (len(symbols) == 2)


def test_one_such_stock_of_many_is_said_and_nineteen_such_rows_are_not() -> None:
    early = pl.col("date") < pl.col("date").unique().sort().gather(20).first()
    others = [market().with_columns(symbol=pl.lit(f"S{i}") + pl.col("symbol")) for i in range(2)]
    bad = pl.when((pl.col("symbol") == "AAA") & early).then(pl.col("close") / 4)
    bars = pl.concat([market().with_columns(close=bad.otherwise(pl.col("close"))), *others])
    assert heard(bars).verdict == "warned"
    last = pl.col("date") != pl.col("date").min()
    bad = pl.when((pl.col("symbol") == "AAA") & early & last).then(pl.col("close") / 4)
    assert heard(market().with_columns(close=bad.otherwise(pl.col("close")))).verdict == "ok"


def test_no_move_has_no_minus_sign() -> None:
    line = structs.replace(heard(market()), overnight_mean=-1e-7).lines()[0]
    assert "overnight +0.00% a day" in line


def test_an_adjusted_close_beside_a_quoted_open_is_refused() -> None:
    """8 % of dividends to come: every close 8 % lower than the scale of open, high and low."""
    bars = market().with_columns(pl.col("close") * 0.92)
    evidence = heard(bars)
    assert "outside low..high" in refusal(evidence)[0]
    assert "every night" in evidence.refused[1].what
    assert "--price-scale" in evidence.refused[1].mend
    assert evidence.overnight_mean == pytest.approx(-np.log(0.92), abs=0.002)
    inside = bars.with_columns(low=pl.min_horizontal("low", "close"))
    assert "every night" in refusal(heard(inside))[0]


@pytest.mark.parametrize(("days", "said"), [(-1, "a day early"), (1, "a day late")])
def test_dates_a_day_off_are_refused_with_the_zone(days: int, said: str) -> None:
    evidence = heard(
        market("XTKS").with_columns(pl.col("date") + dt.timedelta(days=days)), market="jp"
    )
    what, mend = refusal(evidence)
    assert said in what
    assert "--timezone" in mend
    assert evidence.shifted == -days


def test_day_and_month_in_each_others_place_are_refused() -> None:
    """Only days that can be months: 2 to 12 of each month."""
    bars = market().filter(pl.col("date").dt.day() <= 12)
    day = pl.col("date")
    evidence = heard(bars.with_columns(pl.date(day.dt.year(), day.dt.day(), day.dt.month()).alias("date"))
                     .filter(day <= LAST))  # fmt: skip
    what, mend = refusal(evidence)
    assert "day and month" in what
    assert "--date-format" in mend


def test_a_market_that_never_closes_and_another_exchange_are_told() -> None:
    every = market("24/7")
    assert "--set data.calendar=24/7" in refusal(heard(every))[1]
    assert heard(every, calendar="24/7").verdict == "ok"
    assert "another exchange" in refusal(heard(market("XSAU")))[0]


@pytest.mark.parametrize(
    ("exchange", "last", "option"),
    [("XLON", LAST, "data.calendar=XLON"), ("XTKS", LAST, "data.market=jp"),
     ("XBOM", FIRST - dt.timedelta(days=1), "data.calendar=XBOM")],
)  # fmt: skip
def test_days_of_another_large_exchange_are_refused_with_its_option(
    exchange: str, last: dt.date, option: str
) -> None:
    """Holidays differ by a few a year. Of 2024-01-01 alone only Bombay (of the large ones) has a session."""
    bars = market(exchange, first=min(FIRST, last), last=last)
    what, mend = refusal(heard(bars))
    assert f"sessions of {exchange}" in what
    assert option in mend


def test_one_stray_holiday_is_said_and_stored() -> None:
    """2024-05-27 is Memorial Day: 1 of 105 days; the others fit no exchange but New York."""
    bars = market()
    stray = bars.filter(pl.col("date") == LAST).with_columns(date=pl.lit(dt.date(2024, 5, 27)))
    evidence = heard(pl.concat([bars, stray]))
    assert evidence.verdict == "warned"
    assert "2024-05-27" in evidence.problems[0].what


def test_on_append_a_gap_that_a_swap_would_close_is_refused() -> None:
    """The store ends on 2023-12-29; 2024-02-01 leaves 21 sessions out, 2024-01-02 is the next."""
    first = market(first=dt.date(2024, 2, 1), last=dt.date(2024, 2, 1))
    store = ending("2023-12-29", dict.fromkeys(SYMBOLS, 100.0))
    what, _ = refusal(heard(first, store=store))
    assert what.startswith("21 sessions are missing")
    assert "2024-01-02" in what
    assert heard(market(last=FIRST), store=store).verdict == "ok"
    late = heard(market(first=dt.date(2024, 2, 15), last=dt.date(2024, 2, 15)), store=store)
    assert late.verdict == "warned"


def first_day(level: float, symbols: str = "ABCD", factor: float = 1.0) -> pl.DataFrame:
    """One session, all prices ``level``."""
    prices = dict.fromkeys((*PRICES, "volume"), [level] * len(symbols))
    frame = pl.DataFrame({"date": [FIRST] * len(symbols), "symbol": list(symbols), **prices})
    return complete(frame.with_columns(adjustment_factor=pl.lit(factor)), BAR_SCHEMA)


def test_a_later_file_on_another_level_is_refused_with_the_factor() -> None:
    """The store ends at 50; a file of pence says 5,000. A split of its own, said by the file, is none."""
    store = ending("2023-12-29", dict.fromkeys("ABCD", 50.0))
    assert heard(first_day(51.0), store=store).verdict == "ok"
    what, mend = refusal(heard(first_day(5000.0), store=store))
    assert "about 100 times" in what
    assert "A: 50 by 2023-12-29, 5000 on 2024-01-02" in what
    assert '"open=open*0.01,high=high*0.01,low=low*0.01,close=close*0.01"' in mend
    assert heard(first_day(5.0, factor=0.1), store=store).verdict == "ok"
    assert heard(first_day(5.0, "AB"), store=store).verdict == "ok"


def test_a_later_file_with_volumes_in_lots_is_refused_with_the_factor() -> None:
    """100,000 shares a day in the store, 1,020 lots of 100 in the file."""
    closes = pl.DataFrame({"symbol": list("ABCD"), "close": 50.0, "volume": 100_000.0})
    closes = closes.with_columns(date=pl.lit("2023-12-29").str.to_date())
    store = StoredMarket(after="2023-12-29", closes=closes, symbols=closes["symbol"])
    day = first_day(50.0).with_columns(volume=pl.lit(1020.0))
    what, mend = refusal(heard(day, store=store))
    assert what.startswith("volumes are about 0.0102 times")
    assert '--columns "volume=vol*100"' in mend
    panic = day.with_columns(volume=pl.lit(900_000.0))
    assert heard(panic, store=store).verdict == "ok"


def test_a_later_file_without_one_stored_code_is_refused_with_both_spellings() -> None:
    store = ending("2023-12-29", {"A.US": 50.0, "B.US": 50.0})
    what, _ = refusal(heard(first_day(50.0, "AB"), store=store))
    assert "none of the 2 symbols" in what
    assert "here A, in the store A.US: they differ by the suffix of an exchange" in what
    few = heard(first_day(50.0, "AB"), store=ending("2023-12-29", {"A.US": 50.0, "B": 50.0}))
    assert few.verdict == "ok"
    few = heard(first_day(50.0, "ABC"), store=ending("2023-12-29", {"A.US": 50.0, "B": 50.0}))
    assert few.verdict == "warned"
    assert few.problems[0].what.startswith(
        "only 1 of the 3 symbols of the file is in the store (here A"
    )


def test_actions_of_no_known_stock_are_refused_and_one_unknown_is_named() -> None:
    def actions(*symbols: str) -> pl.DataFrame:
        rows = [(FIRST, symbol, "dividend", 1.0, None) for symbol in symbols]
        return pl.DataFrame(rows, schema=dict(ACTION_SCHEMA), orient="row")

    what, _ = refusal(heard(market(), actions=actions("AAA.US")))
    assert "actions: none of its 1 symbols" in what
    assert "AAA.US" in what
    some = heard(market(), actions=actions("AAA", "NOPE"))
    assert "actions: 1 of 2 symbols match (not NOPE)" in some.lines()
    gone = ending("2023-12-29", dict.fromkeys((*SYMBOLS, "GONE"), 100.0))
    assert heard(market(last=FIRST), store=gone, actions=actions("GONE")).verdict == "ok"


def test_bars_later_than_now_and_impossible_years_are_refused() -> None:
    later = market(first=dt.date(2024, 6, 3), last=dt.date(2024, 6, 4))
    assert "later than now (2024-06-03" in refusal(heard(later))[0]
    assert heard(later.filter(pl.col("date") == dt.date(2024, 6, 3))).verdict == "ok"
    old = market().with_columns(date=pl.col("date").dt.offset_by("-2000y"))
    assert "0024-01-02" in refusal(heard(old))[0]


def test_the_day_is_that_of_the_exchange() -> None:
    """21:00 UTC on June 3 is June 4 in Tokyo."""
    bars = market("XTKS", first=dt.date(2024, 6, 4), last=dt.date(2024, 6, 4))
    assert heard(bars, market="jp").verdict == "ok"


@pytest.mark.parametrize(
    ("volume", "turnover", "cause", "mend"),
    [
        (0.01, 1.0, "lots of 100", '--columns "volume=vol*100"'),
        (1e-3, 1.0, "in thousands", '--columns "volume=vol*1000"'),
        (0.01, 1e-3, "lots of 100 and traded value in thousands",
         '--columns "volume=vol*100,turnover=turnover*1000"'),
        (1.0, 1e-3, "traded value is in thousands", '--columns "turnover=turnover*1000"'),
        (1.0, 1e-6, "in millions", '--columns "turnover=turnover*1000000"'),
    ],
)  # fmt: skip
def test_units_of_a_whole_table_are_refused_with_the_factor(
    volume: float, turnover: float, cause: str, mend: str
) -> None:
    """The traded value is at 1.004 of close x volume, as an average price makes it."""
    bars = market().with_columns(pl.col("volume") * volume, pl.col("turnover") * turnover * 1.004)
    evidence = heard(bars)
    what, way = refusal(evidence)
    assert cause in what
    assert way == mend
    assert evidence.value_ratio == pytest.approx(1.004 * turnover / volume)


def test_a_stock_in_lots_for_its_whole_history_is_named() -> None:
    lots = pl.when(pl.col("symbol") == "9984").then(0.01).otherwise(1.0)
    many = pl.concat(
        market().with_columns(pl.format("{}x{}", "symbol", pl.lit(k)).alias("symbol"))
        for k in range(3)
    )
    bars = pl.concat([market(), many]).with_columns(
        pl.col("volume") * lots, pl.col("turnover") * 1.004
    )
    evidence = heard(bars)
    assert (evidence.verdict, evidence.stocks_off) == ("warned", 1)
    assert "9984" in evidence.problems[0].what


def test_most_rows_without_a_close_are_another_column() -> None:
    some = pl.when(pl.col("symbol") == "AAA").then(pl.col("close"))
    assert "have no close" in refusal(heard(market().with_columns(close=some)))[0]


def test_rows_without_a_volume_are_said() -> None:
    evidence = heard(market().with_columns(volume=pl.lit(0.0), turnover=pl.lit(0.0)))
    assert (evidence.verdict, evidence.no_volume) == ("warned", 1.0)
    assert "nobody could trade" in evidence.problems[0].what


@pytest.mark.parametrize("every", ["1w", "1mo"])
def test_bars_of_a_week_or_a_month_are_no_sessions(every: str) -> None:
    bars = market(first=dt.date(2022, 1, 3))
    period = pl.col("date").dt.truncate(every)
    bars = bars.filter(pl.col("date") == pl.col("date").max().over(period))
    assert "bars of a week or a month" in refusal(heard(bars))[0]
    first = bars.filter(pl.col("date") <= pl.col("date").min() + dt.timedelta(days=14))
    assert heard(first).verdict == "ok", "a few sessions may be a week apart"


def test_one_stock_under_two_names_that_take_turns_is_refused() -> None:
    bars = market()
    odd = pl.col("date").dt.ordinal_day() % 2 == 1
    both = bars.with_columns(
        pl.when(odd & (pl.col("symbol") == "AAA"))
        .then(pl.lit("AAA.US"))
        .otherwise("symbol")
        .alias("symbol")
    )
    what, _ = refusal(heard(both))
    assert what.startswith("1 pair of symbols never has a bar on the same day, e.g. AAA and AAA.US")
    assert "the suffix of an exchange" in what


def test_a_name_that_ends_before_another_begins_is_said_and_classes_of_shares_are_two() -> None:
    bars = market()
    later = bars.filter(pl.col("date") > dt.date(2024, 3, 1))
    after = bars.filter((pl.col("date") <= dt.date(2024, 3, 1)) | (pl.col("symbol") != "AAA"))
    renamed = later.filter(pl.col("symbol") == "AAA").with_columns(symbol=pl.lit("aaa"))
    evidence = heard(pl.concat([after, renamed]))
    assert evidence.verdict == "warned"
    assert "AAA and aaa, which differ by upper and lower case" in evidence.problems[0].what
    classes = bars.filter(pl.col("symbol") == "AAA").with_columns(symbol=pl.lit("BRK.A"))
    assert heard(pl.concat([bars, classes])).verdict == "ok"


def test_codes_that_share_the_mark_of_their_market_are_not_spellings_of_one_stock() -> None:
    """Whatever days they have: here one stock a session, in turn."""
    codes = pl.Series([f"sh.{600000 + n}" for n in range(5)])
    bars = market().filter(pl.col("symbol") == "AAA")
    bars = bars.with_columns(symbol=codes[np.arange(len(bars)) % 5])
    assert heard(bars).verdict == "ok"


@pytest.mark.parametrize(
    ("spelled", "cause", "matched"),
    [
        (lambda s: s, "", 4),
        (str.lower, "upper and lower case", 2),
        (lambda s: s + ".T", "suffix of an exchange", 0),
        (lambda s: "TSE:" + s, "prefix of an exchange", 0),
        (lambda s: s + "0", "", 0),
    ],
)
def test_securities_that_match_nothing_are_refused_with_both_spellings(
    spelled: Callable[[str], str], cause: str, matched: int
) -> None:
    table = complete(pl.DataFrame({"symbol": [spelled(s) for s in SYMBOLS]}), SECURITY_SCHEMA)
    evidence = heard(market(), securities=table)
    (join,) = evidence.joins
    assert join.matched == matched
    if cause:
        assert cause in join.cause
    if not matched:
        what, _ = refusal(evidence)
        assert join.example in what
        assert join.nearest in what


def test_few_matches_are_a_warning_and_codes_of_five_digits_are_explained() -> None:
    bars = market().with_columns(pl.col("symbol").replace({"AAA": "6758", "BRK.B": "8306"}))
    five = complete(pl.DataFrame({"symbol": ["72030", "99840", "67580", "8306"]}), SECURITY_SCHEMA)
    evidence = heard(bars, securities=five)
    assert evidence.verdict == "warned"
    (join,) = evidence.joins
    assert (join.matched, join.cause) == (1, "a fifth digit of Japanese codes")
    assert (join.example, join.nearest) == ("67580", "6758")


def test_an_index_and_an_optional_table_without_a_match_are_refused() -> None:
    index = pl.DataFrame({"date": [dt.date(2020, 1, 2)], "close": [1.0]}, schema=INDEX_SCHEMA)
    assert refusal(heard(market(), index=index))[0].startswith("index: none of its 1 dates")
    row = {"date": FIRST, "available": FIRST, "symbol": "72030", "long": 1.0, "short": 1.0}
    margin = pl.DataFrame([row], schema=OPTIONAL["margin"])
    assert refusal(heard(market(), optional={"margin": margin}))[0].startswith("margin: none")


def test_the_lines_say_verdict_figures_and_the_way_out() -> None:
    lines = heard(market().with_columns(pl.col("close") * 0.92)).lines()
    assert lines[0].startswith("evidence: refused; 100.0% of rows on sessions")
    assert lines[1].startswith("refused: open or close lies outside")


def test_real_dirty_markets_are_not_refused(nasdaq: RawTables) -> None:
    """Under BBH the file mixes a fund at 107 and a stock at 29, in 40 rows within one bar."""
    evidence = gather(nasdaq, now=dt.datetime(2026, 11, 28, tzinfo=dt.UTC))
    assert evidence.verdict == "warned"
    assert [problem.what[:15] for problem in evidence.problems] == ["BBH has 40 rows"]
    assert evidence.outside_range is not None
    assert 0 < evidence.outside_range < 0.001
