"""A full pull, and one that is interrupted anywhere."""

import datetime as dt

import polars as pl
import pytest

from engine.data.jquants.client import _ATTEMPTS
from engine.data.jquants.endpoints import ENDPOINTS
from engine.data.jquants.pull import _day_to_audit
from engine.data.jquants.tables import vendor_rules
from engine.data.tables import OPTIONAL, RawTables
from engine.errors import EnvironmentProblem, Interrupted
from tests.engine.data.jquants.desk import BARS, LAST, Desk, Killed, Time
from tests.engine.data.jquants.market import CODES


def test_a_full_pull_is_the_servers_data(desk: Desk) -> None:
    report = desk.pull()
    raw = desk.read(report)
    quotes = {
        (day, code): quote
        for day in desk.server.days
        for code in CODES
        if (quote := desk.server.quoted(code, day))
    }
    stored = {(r["date"], r["symbol"]): (r["close"], r["volume"]) for r in raw.bars.to_dicts()}
    assert stored == quotes
    assert report.lacking == []
    assert report.requests == len(desk.server.seen)
    assert raw.securities["symbol"].to_list() == sorted(CODES)
    assert raw.securities.row(1, named=True) == {
        "symbol": "130A0",
        "name": "Name 130A0",
        "sector": "Information & Communication",
        "industry": "IT & SERVICES, OTHERS",
        "shortable": True,
        "borrow_class": None,
    }
    assert raw.index is not None
    assert raw.index["date"].to_list() == desk.server.days
    assert set(raw.optional) == set(OPTIONAL)


def test_each_day_is_asked_for_once_and_a_second_pull_renews_the_newest(desk: Desk) -> None:
    desk.pull()
    days = [day.isoformat() for day in desk.server.days]
    assert desk.server.asked(BARS) == days
    desk.server.seen.clear()
    report = desk.pull()
    audited = _day_to_audit(desk.server.days, 2, LAST)
    assert desk.server.asked(BARS) == [*days[-2:], str(audited)]
    assert desk.server.asked("/equities/master") == []
    assert report.revised == []


def test_units_and_days_of_use(clean: tuple[RawTables, str, int]) -> None:
    raw, _, _ = clean
    flow = raw.optional["flow"].filter(investor="foreign").row(0, named=True)
    assert flow["date"] == dt.date(2024, 1, 5)
    assert flow["available"] == dt.date(2024, 1, 12)  # published on Thursday the 11th
    published = (dt.date(2024, 1, 11) - dt.date(2020, 1, 1)).days
    assert flow["buy"] == 1000.0 * (1000 + published)  # thousand yen at the vendor
    margin = raw.optional["margin"]
    assert set(margin["date"]) == {dt.date(2024, 1, 5), LAST}
    friday = margin.filter(pl.col("date") == dt.date(2024, 1, 5))
    # Monday the 8th is a holiday: Tuesday, Wednesday, Thursday.
    assert set(friday["available"]) == {dt.date(2024, 1, 11)}
    short = raw.optional["short"].row(0, named=True)
    assert (short["turnover"], short["short_turnover"]) == (1000.0, 400.0)
    assert short["available"] == dt.date(2024, 1, 5)
    assert set(raw.optional["short"]["sector"]) <= set(raw.securities["sector"])
    options = raw.optional["options"]
    assert set(options["kind"]) == {"put", "call"}
    assert set(options["implied_volatility"]) == {0.215}
    assert len(options) == 2 * 6
    assert options.row(0, named=True)["available"] == dt.date(2024, 1, 5)


def test_valuation_holdings_and_disclosures_by_hand(clean: tuple[RawTables, str, int]) -> None:
    raw, _, _ = clean
    first, second = dt.date(2024, 1, 4), dt.date(2024, 1, 5)  # a Thursday and a Friday
    valuation = raw.optional["valuation"].filter(date=first)
    assert valuation.filter(symbol=CODES[0]).row(0, named=True) == {
        "date": first, "available": second, "symbol": CODES[0], "per": 12.5, "forward_per": 11.0,
        "pbr": 1.2, "roe": 0.096, "forward_roe": 0.1, "market_cap": 1_500_500_000.0,
    }  # fmt: skip
    assert valuation.filter(symbol=CODES[2]).select("per", "market_cap").row(0) == (None, 1.5005e9)
    held = raw.optional["holdings"].filter(date=second).rows(named=True)
    assert [(row["held"], row["outstanding"]) for row in held] == [(6e5, 1e7)], "no code, no row"
    assert held[0]["available"] == dt.date(2024, 1, 9)  # Monday the 8th is a holiday
    told = raw.optional["disclosures"].filter(date=first).select("available", "symbol", "documents")
    assert told.rows() == [(first, CODES[0], 2.0), (second, CODES[0], 1.0), (second, CODES[1], 1.0)]


def test_what_is_no_share_of_a_company_is_a_sector_of_its_own() -> None:
    row = {
        "Date": "2024-01-04",
        "CoName": "x",
        "CoNameEn": "X",
        "S33": "9999",
        "S17": "99",
        "Mrgn": "1",
    }
    products = {"011": "Other", "013": "REITs", "014": "ETFs", "021": "Other", "": "Other"}
    rows = pl.DataFrame(
        [{**row, "Code": f"{n}0000", "ProdCat": p} for n, p in enumerate(products, 1)]
    )
    master = next(one for one in ENDPOINTS if one.table == "master")
    assert master.normalise(rows, vendor_rules())["sector"].to_list() == list(products.values())


def test_days_before_the_vendor_has_a_table_are_not_asked_for() -> None:
    holdings = next(one for one in ENDPOINTS if one.table == "holdings")
    days = [dt.date(2021, 6, 30), dt.date(2021, 7, 1), dt.date(2021, 7, 2)]
    assert [chunk.key for chunk in holdings.chunks(days)] == days[1:]


def test_statements_count_from_the_close_that_could_know_them(
    clean: tuple[RawTables, str, int],
) -> None:
    statements = clean[0].optional["statements"]
    before = statements.filter(pl.col("period") == "3Q")
    assert before["available"].to_list() == [*_sessions()]
    assert set(before["forecast_sales"]) == {140000.0}
    assert set(before["net_profit"]) == {-500.0}
    assert before["equity"].null_count() == len(before)
    after = statements.filter(pl.col("period") == "FY")
    assert after["available"].to_list() == [*_sessions()[1:], dt.date(2024, 1, 15)]
    assert set(after["forecast_sales"]) == {150000.0}
    revision = statements.filter(pl.col("period").is_null())
    assert set(revision["period_end"]) == {dt.date(2024, 3, 31)}
    assert set(revision["forecast_sales"]) == {140000.0}
    earnings = clean[0].optional["earnings"]
    assert earnings["available"].to_list() == [*_sessions()[1:], dt.date(2024, 1, 15)]
    assert 0 < earnings["date"].null_count() < len(earnings)


def _sessions() -> list[dt.date]:
    return [dt.date(2024, 1, day) for day in (4, 5, 9, 10, 11, 12)]


def test_a_day_without_a_trade_has_no_bar(clean: tuple[RawTables, str, int]) -> None:
    bars = clean[0].bars
    assert len(bars) < len(CODES) * 6
    assert bars["close"].null_count() == 0


def test_stopped_after_every_request_it_still_arrives(
    desk: Desk, clean: tuple[RawTables, str, int]
) -> None:
    done = {"at": 0}
    for _ in range(200):
        done["at"] = len(desk.server.seen)
        try:
            report = desk.pull(stopped=lambda: len(desk.server.seen) > done["at"])
            break
        except Interrupted:
            continue
    assert desk.snapshot(report) == clean[1]
    assert len(desk.server.seen) == clean[2]  # nothing twice


@pytest.mark.parametrize("at", [1, 9, 30])
def test_killed_at_a_request_it_resumes(
    desk: Desk, clean: tuple[RawTables, str, int], at: int
) -> None:
    def die(number: int) -> None:
        desk.time.dying = number == at

    desk.server.before = die
    with pytest.raises(Killed):
        desk.pull()
    finished = {path.stem for path in desk.folder.glob("bars/*.parquet")}
    desk.server.before = lambda number: None
    desk.time = Time()
    desk.server.seen.clear()
    report = desk.pull()
    assert desk.snapshot(report) == clean[1]
    assert not finished & set(desk.server.asked(BARS))


def test_a_page_that_fails_leaves_no_part_of_the_day(desk: Desk) -> None:
    second_page = 5
    desk.server.faults = dict.fromkeys(range(second_page, second_page + _ATTEMPTS), "500")
    with pytest.raises(EnvironmentProblem, match="500, 6 times"):
        desk.pull()
    asked = desk.server.seen[second_page]
    assert asked.path == BARS
    assert "pagination_key" in asked.params
    assert not (desk.folder / "bars" / f"{asked.params['date']}.parquet").exists()
    assert not list(desk.root.rglob("*.tmp"))


def test_an_interrupted_update_goes_on_with_what_it_had_left_to_renew(desk: Desk) -> None:
    desk.pull()
    desk.server.seen.clear()
    bar_requests = 2 * 2
    with pytest.raises(Interrupted):
        desk.pull(stopped=lambda: len(desk.server.seen) >= bar_requests // 2)
    desk.pull()
    assert desk.server.asked(BARS) == ["2024-01-11", "2024-01-12"]
