"""Over the real command line: what may not become the store does not, and what did can be taken back."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from engine.data.calendar import sessions_between
from engine.data.store import PanelStore
from engine.records import record
from engine.records.reading import ReadingPlan
from tests.journeys.command import Done, atft_here

HEAD = "date,symbol,open,high,low,close,volume\n"
SYMBOLS = [f"S{n:02d}" for n in range(10)]
LAST, NEXT = dt.date(2024, 5, 31), dt.date(2024, 6, 3)
YESTERDAY = 10 + 43 / 8
"""Close of the last of 44 sessions."""


def row(day: dt.date, symbol: str, close: float, volume: int = 1000) -> str:
    return f"{day},{symbol},{close},{close + 1},{close - 1},{close},{volume}\n"


def session(day: dt.date, names: int = 10, close: float = 20.0) -> str:
    return "".join(row(day, symbol, close) for symbol in SYMBOLS[:names])


@pytest.fixture
def market(tmp_path: Path) -> Path:
    days = sessions_between("XNYS", dt.date(2024, 4, 1), LAST).tolist()
    text = HEAD + "".join(session(day, close=10 + n / 8) for n, day in enumerate(days))
    assert ingest(tmp_path, text).code == 0
    return tmp_path


def ingest(workspace: Path, text: str, *words: str) -> Done:
    path = workspace / "prices.csv"
    path.write_text(text, encoding="utf-8")
    given = ("ingest", "--source", "files", "--prices", str(path), "--set", "data.market=us")
    return atft_here(workspace, *given, *words)


def current(workspace: Path) -> str:
    return PanelStore(workspace / "data").current()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (session(NEXT, names=3), "2024-06-03 is incomplete, 3 of 10 names"),
        (session(dt.date(2031, 3, 4)), "2031"),
        (session(NEXT) + row(NEXT, "S03", 21.5), r"prices.csv: line 5 and"),
        (session(LAST, close=55.0) + session(NEXT), "10 of 10 bars that both have differ"),
        (session(dt.date(2024, 6, 2)), "no sessions of XNYS"),
        (session(NEXT)[:-4], "the last one, has no line end"),
        (
            session(NEXT, close=YESTERDAY),
            "the session before once more, 10 of 10 bars as on 2024-05-31",
        ),
    ],
    ids=["partial", "future", "two bars", "contradicts", "sunday", "cut", "repeated"],
)
def test_a_file_that_is_no_session_leaves_the_store_and_the_right_one_is_taken(
    market: Path, text: str, said: str
) -> None:
    before = current(market)
    refused = ingest(market, HEAD + text, "--append")
    assert refused.code == 3
    assert said in refused.err
    assert current(market) == before
    taken = ingest(market, HEAD + session(NEXT), "--append", "--json")
    assert taken.code == 0, taken.err
    assert taken.json["snapshot"] == current(market) != before
    undone = atft_here(market, "ingest", "--undo", "--json")
    assert undone.json["snapshot"] == current(market) == before
    assert atft_here(market, "ingest", "--undo").code == 3


def test_a_market_that_stood_still_is_taken_by_a_word_and_one_that_hardly_trades_without(
    market: Path,
) -> None:
    """A bar whose volume alone is another one is another bar; of ten nine alike are not nearly all."""
    word = ("--append", "--dry-run", "--set", "quality.repeated_sessions=keep")
    assert ingest(market, HEAD + session(NEXT, close=YESTERDAY), *word).code == 0
    rows = session(NEXT, close=YESTERDAY).replace(",1000\n", ",999\n", 1)
    assert ingest(market, HEAD + rows, "--append").code == 0


def test_today_and_yesterday_in_one_file(market: Path) -> None:
    """Yesterday's bars are 14.25 + 1/8 n; of ten one is corrected, today's are new."""
    yesterday = PanelStore(market / "data").snapshot().raw().bars.filter(date=LAST)["close"][0]
    rows = session(LAST, close=yesterday)
    rows = rows.replace(row(LAST, "S04", yesterday), row(LAST, "S04", yesterday, volume=999))
    done = ingest(market, HEAD + rows + session(NEXT), "--append", "--json")
    assert done.code == 0, done.err
    revision = done.json["revision"]
    assert (revision["equal"], revision["changed"], revision["prices"]) == (9, 1, 0)
    assert revision["first"] == str(LAST)
    manifest = PanelStore(market / "data").snapshot().manifest
    assert record.as_json(manifest.revision) == revision
    assert manifest.evidence is not None
    assert manifest.evidence.verdict == "ok"
    plans = record.convert(done.json["plans"], tuple[ReadingPlan, ...], "answer")
    assert manifest.plans == plans


def test_a_dry_run_shows_plan_and_evidence_and_stores_nothing(tmp_path: Path) -> None:
    text = HEAD + session(LAST) + session(NEXT, close=20.5)
    done = ingest(tmp_path, text, "--dry-run")
    assert done.code == 0, done.err
    assert "evidence: ok" in done.out
    assert "dry run: nothing was stored" in done.out
    answer = ingest(tmp_path, text, "--dry-run", "--json").json
    assert answer["stored"] is False
    assert answer["evidence"]["on_sessions"] == 1.0
    assert answer["plans"][0]["table"] == "bars"
    assert answer["unread"] == []
    assert not (tmp_path / "data" / "CURRENT").exists()
    assert not (tmp_path / "data" / "snapshots").exists()


def test_a_misread_file_is_refused_with_its_evidence(tmp_path: Path) -> None:
    """Every day a day early: Sundays have bars and Fridays have none."""
    days = sessions_between("XNYS", dt.date(2024, 4, 1), LAST).tolist()
    text = HEAD + "".join(session(day - dt.timedelta(days=1)) for day in days)
    for words in ((), ("--dry-run",)):
        refused = ingest(tmp_path, text, *words, "--json")
        assert refused.code == 3
        assert "a day early" in refused.json["error"]
        assert "--timezone" in refused.json["hint"]
        assert refused.json["evidence"]["verdict"] == "refused"
        assert refused.json["evidence"]["shifted"] == 1
    assert not (tmp_path / "data" / "CURRENT").exists()


def test_securities_of_another_market_are_refused(market: Path) -> None:
    before, table = current(market), market / "stocks.csv"
    table.write_text("symbol,name,sector\nS00.T,A,x\nS01.T,B,x\n", encoding="utf-8")
    refused = ingest(market, HEAD + session(LAST) + session(NEXT), "--securities", str(table))
    assert refused.code == 3
    assert "S00.T" in refused.err
    assert "the suffix of an exchange" in refused.err
    assert current(market) == before


def test_undo_reads_nothing(market: Path) -> None:
    assert ingest(market, HEAD, "--undo").code == 2


def feed(folder: Path) -> list[Path]:
    """Seven evenings of a vendor, each with that session and the one before, newest first.

    S00 splits 7:1 on the fourth session, S01 pays 0.50 on the fifth (close 20 before it), S02's volume of
    the third is corrected a day later. ``adj_close`` is as of the evening.
    """
    days = sessions_between("XNYS", dt.date(2024, 5, 20), dt.date(2024, 5, 30)).tolist()
    paths = []
    for evening in range(1, len(days)):
        text = HEAD.replace("\n", ",adj_close\n")
        for n in (evening, evening - 1):
            for symbol in SYMBOLS:
                split = symbol == "S00" and n < 3
                close = (700.0 if split else 100.0) if symbol == "S00" else 20.0 + 0.01 * (n % 2)
                known = evening >= 3 if symbol == "S00" else evening >= 4
                past = (symbol == "S00" and n < 3) or (symbol == "S01" and n < 4)
                ratio = (
                    {"S00": 1 / 7, "S01": 1 - 0.5 / close}.get(symbol, 1.0) if known and past else 1
                )
                volume = 900 if symbol == "S02" and n == 2 and evening == 2 else 1000
                text += row(days[n], symbol, close, volume).rstrip("\n") + f",{close * ratio:.6f}\n"
        paths.append(folder / f"{days[evening]}.csv")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def test_a_feed_file_by_file_gives_the_bytes_of_its_folder_at_once(tmp_path: Path) -> None:
    for name in ("feed", "grown", "whole"):
        (tmp_path / name).mkdir()
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    words = ("ingest", "--source", "files", "--set", "data.market=us", "--json", "--prices")
    revised = 0
    for number, path in enumerate(feed(tmp_path / "feed")):
        done = atft_here(grown, *words, str(path), *(("--append",) if number else ()))
        assert done.code == 0, done.err
        revised += done.json["revision"]["changed"]
    assert revised == 1
    assert atft_here(whole, *words, str(tmp_path / "feed")).code == 0
    ours, theirs = (PanelStore(root / "data").snapshot() for root in (grown, whole))
    assert ours.manifest.files == theirs.manifest.files
    assert ours.chain == theirs.chain
    bars = ours.raw().bars
    acted = bars.filter((pl.col("adjustment_factor") != 1) | (pl.col("dividend") != 0))
    day = bars["date"].unique().sort()
    assert acted.select("date", "symbol").rows() == [(day[3], "S00"), (day[4], "S01")]
    assert acted["adjustment_factor"][0] == pytest.approx(1 / 7, rel=1e-6)
    assert acted["dividend"][1] == pytest.approx(0.5, abs=0.01)
    assert bars.filter(symbol="S02")["volume"].unique().to_list() == [1000.0]


def test_an_append_keeps_the_calendar_of_the_store(market: Path) -> None:
    other = ingest(market, HEAD + session(NEXT), "--append", "--set", "data.calendar=XLON")
    assert other.code == 2
    assert "the sessions of the store are those of XNYS" in other.err
