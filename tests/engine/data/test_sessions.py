"""Rules about whole sessions and about units: each on a planted case, and appended as at once."""

import datetime as dt
from dataclasses import replace
from itertools import pairwise

import polars as pl
import pytest
from msgspec import structs

from engine.config import QualityConfig
from engine.data.memory import Memory
from engine.data.quality import examine, examine_more
from engine.data.tables import RawTables
from engine.errors import DataError
from engine.records import record
from engine.records.quality import QualityReport

CONFIG = QualityConfig(max_bad_share=0.9)
PRICES = ("open", "high", "low", "close")


def days_of(raw: RawTables) -> list[dt.date]:
    return raw.bars["date"].unique().sort().to_list()


def with_bars(raw: RawTables, bars: pl.DataFrame) -> RawTables:
    return replace(raw, bars=bars.sort("date", "symbol"))


def scaled(raw: RawTables, hit: pl.Expr, by: float, *names: str) -> RawTables:
    return with_bars(
        raw,
        raw.bars.with_columns(
            pl.when(hit).then(pl.col(name) * by).otherwise(pl.col(name)).alias(name)
            for name in names
        ),
    )


def repeated(raw: RawTables, t: int) -> RawTables:
    """Session t replaced by the file of the session before."""
    days = days_of(raw)
    again = raw.bars.filter(pl.col("date") == days[t - 1]).with_columns(
        pl.lit(days[t]).alias("date")
    )
    return with_bars(raw, pl.concat([raw.bars.filter(pl.col("date") != days[t]), again]))


def thinned(raw: RawTables, t: int, share: float) -> RawTables:
    names = raw.bars["symbol"].unique().sort()
    out = names[: int(share * len(names))]
    gone = (pl.col("date") == days_of(raw)[t]) & pl.col("symbol").is_in(out.implode())
    return with_bars(raw, raw.bars.filter(~gone))


def test_yesterdays_file_given_twice_is_dropped(raw: RawTables) -> None:
    clean, report = examine(repeated(raw, 300), CONFIG)
    finding = report.finding("repeated_session")
    assert finding is not None
    assert (finding.count, finding.level) == (1, "error")
    assert finding.examples[0][1] == str(days_of(raw)[300])
    assert days_of(raw)[300] not in set(clean["date"])
    assert report.names[300] == 0
    assert report.verdict == "degraded"
    kept, report = examine(
        repeated(raw, 300), CONFIG.model_copy(update={"repeated_sessions": "keep"})
    )
    assert report.count("repeated_session") == 1
    assert days_of(raw)[300] in set(kept["date"])


def test_a_repeated_last_session_gives_no_signal(raw: RawTables) -> None:
    _, report = examine(repeated(raw, -1), CONFIG)
    assert not report.last_session_complete
    assert not report.allows_signals
    assert report.incomplete.startswith("data incomplete 0/")


def test_a_thin_session_is_listed_and_stops_signals_only_if_it_is_the_last(raw: RawTables) -> None:
    _, report = examine(thinned(raw, 300, 0.5), CONFIG)
    finding = report.finding("thin_session")
    assert finding is not None
    assert [example[1] for example in finding.examples] == [str(days_of(raw)[300])]
    assert " of " in finding.examples[0][2]
    assert report.allows_signals
    assert report.incomplete == ""
    _, report = examine(thinned(raw, -1, 0.5), CONFIG)
    assert report.verdict == "ok"
    assert not report.allows_signals
    assert report.incomplete == f"data incomplete {report.names[-1]}/{report.usual_names}"
    again = record.convert(record.as_json(report), QualityReport, "report.json")
    assert again == report


def test_sessions_are_held_against_the_calendar(raw: RawTables) -> None:
    days = days_of(raw)
    bars = raw.bars.filter(pl.col("date") != days[50]).with_columns(
        pl.when(pl.col("date") == days[99])
        .then(
            pl.col("date")
            + pl.duration(days=1 if days[99].weekday() == 4 else 5 - days[99].weekday())
        )
        .otherwise(pl.col("date"))
        .alias("date")
    )
    _, report = examine(with_bars(raw, bars.unique(("date", "symbol"))), CONFIG)
    missing = report.finding("missing_session")
    assert missing is not None
    assert missing.examples[0][1] == str(days[50])
    assert missing.count == 2
    assert report.count("unknown_session") == 1


def stays(raw: RawTables) -> str:
    rows = raw.bars.group_by("symbol").len().sort("len", "symbol")
    return str(rows["symbol"][-1])


@pytest.mark.parametrize("by", [100.0, 1000.0, 0.01, 0.001])
def test_a_price_in_other_units_is_held_out_until_it_is_back(raw: RawTables, by: float) -> None:
    days, symbol = days_of(raw), stays(raw)
    hit = (pl.col("symbol") == symbol) & pl.col("date").is_between(days[300], days[304])
    clean, report = examine(scaled(raw, hit, by, *PRICES, "turnover"), QualityConfig())
    assert report.count("unit_jump") == 5
    before, _ = examine(raw, QualityConfig())
    assert clean.equals(before.filter(~hit))


def test_units_that_do_not_come_back_are_rescaled(raw: RawTables) -> None:
    days, symbol = days_of(raw), stays(raw)
    hit = (pl.col("symbol") == symbol) & (pl.col("date") >= days[300])
    clean, report = examine(scaled(raw, hit, 100.0, *PRICES, "turnover"), QualityConfig())
    assert report.count("unit_jump") == 20
    before, _ = examine(raw, QualityConfig())
    late = (pl.col("symbol") == symbol) & (pl.col("date") >= days[320])
    ours, theirs = (frame.filter(late)["close"].to_list() for frame in (clean, before))
    assert ours == pytest.approx(theirs)


def test_volumes_in_lots_hold_the_session_out(raw: RawTables) -> None:
    days = days_of(raw)
    hit = pl.col("date") == days[300]
    clean, report = examine(scaled(raw, hit, 0.01, "volume", "turnover"), CONFIG)
    assert report.count("unit_session") == 1
    assert days[300] not in set(clean["date"])
    assert days[301] in set(clean["date"])
    late = pl.col("date") >= days[300]
    _, report = examine(scaled(raw, late, 0.01, "volume", "turnover"), QualityConfig())
    assert report.verdict == "refused"


def test_a_traded_value_in_other_units_is_dropped(raw: RawTables) -> None:
    hit = (pl.col("symbol") == stays(raw)) & (pl.col("date") == days_of(raw)[300])
    clean, report = examine(scaled(raw, hit, 1000.0, "turnover"), CONFIG)
    assert report.count("unit_mismatch") == 1
    assert len(clean.filter(hit)) == 0


def test_zero_volume_is_counted(raw: RawTables) -> None:
    _, before = examine(raw, CONFIG)
    hit = (pl.col("symbol") == stays(raw)) & (pl.col("date") == days_of(raw)[300])
    _, report = examine(scaled(raw, hit, 0.0, "volume", "turnover"), CONFIG)
    assert report.count("zero_volume") == before.count("zero_volume") + 1


def test_portions_give_the_rows_and_the_report_of_the_whole(raw: RawTables) -> None:
    """Every rule of this file planted, then the sessions given in portions, one of them one session."""
    days, symbol = days_of(raw), stays(raw)
    dirty = thinned(repeated(raw, 300), 310, 0.5)
    one = pl.col("symbol") == symbol
    dirty = scaled(dirty, one & (pl.col("date") == days[320]), 100.0, *PRICES, "turnover")
    dirty = scaled(dirty, one & (pl.col("date") >= days[330]), 1000.0, *PRICES, "turnover")
    dirty = scaled(
        dirty,
        pl.col("date").is_between(days[340], days[342]),
        0.01,
        "volume",
        "turnover",
    )
    dirty = with_bars(dirty, dirty.bars.filter(pl.col("date") != days[360]))
    whole, report = examine(dirty, CONFIG)
    memory, before, parts = Memory.empty(), None, []
    cuts = [0, 300, 301, 302, 311, 321, 335, 341, 343, 359, 362, len(days)]
    for start, stop in pairwise(cuts):
        part = dirty.bars.filter(pl.col("date").is_between(days[start], days[stop - 1]))
        rows, before, memory = examine_more(replace(dirty, bars=part), CONFIG, memory, before)
        parts.append(rows)
    assert pl.concat(parts).equals(whole)
    assert before is not None
    assert {f.rule: f.count for f in before.findings} == {f.rule: f.count for f in report.findings}
    assert structs.replace(before, findings=()) == structs.replace(report, findings=())
    for rule in (
        "repeated_session",
        "thin_session",
        "unit_jump",
        "unit_session",
        "missing_session",
    ):
        ours, theirs = before.finding(rule), report.finding(rule)
        assert ours is not None
        assert theirs is not None
        assert [e[:2] for e in ours.examples] == [e[:2] for e in theirs.examples]


def test_contradicting_rows_are_still_a_data_error(raw: RawTables) -> None:
    more = raw.bars.head(1).with_columns(pl.col("close") * 1.1)
    with pytest.raises(DataError, match="contradict"):
        examine(with_bars(raw, pl.concat([raw.bars, more])), CONFIG)
