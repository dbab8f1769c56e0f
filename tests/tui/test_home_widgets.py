"""Pictures of Home: right figures, in their box, for anything that files may hold."""

import datetime as dt
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.text import Text

from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.feed import RunNews
from atft_tui.readings.files import Readable
from atft_tui.readings.home import HomeMore, HomeNews, read_home
from atft_tui.readings.machine import GpuNews, MachineNews, PastLoad, ProcessNews
from atft_tui.widgets.home_panels import PANELS, HomePanel, countdown, freshness
from atft_tui.widgets.lines import Lines
from engine.records.card import Card, Light
from engine.records.figure import is_noise
from engine.records.preflight import DrillOutcome, DrillResult
from engine.records.rank_ic import RankICSummary
from engine.runs.fold import fold
from tests.engine.runs.samples import training
from tests.tui import home_workspace as made
from tests.tui.home_workspace import NOW

NEWS = tuple(name for name in PANELS if name not in ("machine", "work"))
MACHINE = MachineNews(
    cpu_percent=97.0, cores=2, load=3.1, memory_used_mib=3174, memory_total_mib=24106,
    disk_free_gib=61.0, disk_total_gib=252.0,
    gpus=(GpuNews(name="NVIDIA H100", percent=41.0, used_mib=10240, total_mib=81559),
          GpuNews(name="MIG", percent=None, used_mib=None, total_mib=None)),
)  # fmt: skip


def until(news: HomeNews, last: str) -> HomeNews:
    """The same with data that end at another session."""
    assert news.data is not None
    days = (*news.data.manifest.days[:-1], last)
    manifest = structs.replace(news.data.manifest, days=days)
    return replace(news, data=replace(news.data, manifest=manifest))


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> HomeNews:
    workspace = tmp_path_factory.mktemp("full")
    made.full(workspace)
    return read_home(workspace, NOW)


def drawn(name: str, value: object, width: int = 60, height: int = 13) -> str:
    return HomePanel(name).picture(value, width, height).plain


def fits(text: Text, width: int, height: int) -> bool:
    lines = text.split("\n", allow_blank=True)
    return len(lines) <= height and all(line.cell_len <= width for line in lines)


@pytest.mark.parametrize("name", NEWS)
@pytest.mark.parametrize("size", [(20, 3), (24, 5), (30, 6), (89, 13), (200, 40)])
def test_every_picture_stays_in_its_box(name: str, size: tuple[int, int], news: HomeNews) -> None:
    for value in (news, HomeNews(now=NOW)):
        picture = HomePanel(name).picture(value, *size)
        assert fits(picture, *size)
        assert picture.plain.strip()
        assert "\x1b" not in picture.plain


def test_the_card_says_what_is_wrong_worst_first(news: HomeNews) -> None:
    text = drawn("card", news, 70)
    assert "STOP   2026-11-24 XTKS" in text.splitlines()[0]
    assert text.index("audit") < text.index("turnover")
    assert "2 of 4 lights green" in text
    assert "[red]トヨタ[/red]_return_1" in text
    assert "350 orders, turnover 59.0% of equity, cost 6.0 bp" in text


def test_a_card_that_is_older_than_the_data_says_so(news: HomeNews) -> None:
    newer = until(news, "2026-11-25")
    assert "older than the data" in drawn("card", newer)
    assert "older than the data" not in drawn("card", news)


def test_the_champion_s_figures_carry_error_sample_and_band(news: HomeNews) -> None:
    text = drawn("champion", news, 65)
    assert " +0.0283 ± 0.0049  n=252, null ±0.0098" in text
    assert "~+0.0102 ± 0.0185  n=14, floor -0.0812" in text
    assert "to 2026-11-18, 3 sessions ago" in text
    assert news.champion is not None
    lost = replace(news, champion=replace(news.champion, facts=None))
    assert "its package is gone" in drawn("champion", lost, 65)
    narrow = drawn("champion", news, 30, 6)
    assert "n=252, null ±0.0098" in narrow


def test_both_figures_stand_on_one_scale_and_what_is_not_known_leaves_its_line_empty(
    news: HomeNews,
) -> None:
    """By hand: 61 columns for ±1.1 x 0.0363, the live null band; test +0.0283 is 21 right of zero."""
    panel = drawn("champion", news, 65).splitlines()
    test, live = (line for line in panel if GLYPHS.band in line)
    zero = 2 + 30
    assert (test.index(GLYPHS.bar), test.index(GLYPHS.point)) == (zero, zero + 21)
    assert live.index("~") == zero + 8
    assert news.champion is not None
    assert news.champion.facts is not None
    facts = structs.replace(news.champion.facts, test=RankICSummary(rank_ic=math.nan))
    unknown = replace(news, champion=replace(news.champion, facts=facts), live=None)
    text = drawn("champion", unknown, 65)
    assert not {GLYPHS.band, GLYPHS.point, "~"} & set(text)


def test_freshness_counts_sessions_of_the_exchange_and_says_what_it_cannot_know(
    news: HomeNews,
) -> None:
    assert freshness(news).plain == "! 1 session"
    current = until(news, "2026-11-25")
    assert freshness(current).plain.endswith("nothing, XTKS")
    later = replace(current, now=NOW + dt.timedelta(days=2))
    assert freshness(later).plain == "nothing known since 2026-11-25"
    later = replace(news, now=NOW + dt.timedelta(days=2))
    assert freshness(later).plain == "! at least 1 session"
    old = until(news, "2020-01-06")
    assert freshness(old).plain.startswith("! over ")
    assert news.agenda.outlook is not None
    timeless = structs.replace(news.agenda.outlook, next_at="soon")
    timeless_news = replace(current, agenda=structs.replace(news.agenda, outlook=timeless))
    assert freshness(timeless_news).plain == "nothing known since 2026-11-25"
    unknown = replace(news, agenda=structs.replace(news.agenda, outlook=None))
    assert freshness(unknown).plain == "1 day"
    assert freshness(until(unknown, "soon")).plain == "—"


def test_the_countdown_by_hand() -> None:
    at = "2026-11-26T09:30:00+00:00"
    for now, told in (
        (dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC), "in 21h 30m (09:30 UTC)"),
        (dt.datetime(2026, 11, 26, 8, 31, tzinfo=dt.UTC), "in 59 min (09:30 UTC)"),
        (dt.datetime(2026, 11, 26, 9, 30, tzinfo=dt.UTC), "in 0 min (09:30 UTC)"),
        (dt.datetime(2026, 11, 26, 9, 31, tzinfo=dt.UTC), "overdue (09:30 UTC)"),
        (dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC), "in 6d 0h (09:30 UTC)"),
    ):
        assert countdown(at, now) == told
    assert countdown("soon", now) == countdown("2026-11-26T09:30:00", now) == ""


def test_the_machine_names_its_gpus() -> None:
    text = drawn("machine", HomeMore(machine=MACHINE), 60, 9)
    assert "97%, 2 cores" in text
    assert "3.1 of 23.5 GiB" in text
    assert "41%, 10.0 of 79.6 GiB  NVIDIA H100" in text
    assert "MIG" in text
    none = drawn("machine", HomeMore(machine=replace(MACHINE, gpus=())), 60, 9)
    assert "none (NVIDIA)" in none


def test_full_screen_the_machine_lists_its_past_and_our_processes() -> None:
    busy = ProcessNews(pid=77, words="train --run r1", cpu_percent=188.0, memory_mib=2048.0)
    past = PastLoad(cpu=(0.0, 100.0), memory=(10.0, 20.0), gpu=(math.nan, math.nan))
    machine = replace(MACHINE, processes=(busy,), past=past)
    told = drawn("machine", HomeMore(machine=machine), 90, 40)
    assert "188    2.0 GiB  train --run r1" in told
    assert f"cpu       {GLYPHS.blocks[0]}{GLYPHS.blocks[-1]}" in told
    assert told.count("gpu") == 2, "two meters and no past of a GPU that told nothing"
    short = drawn("machine", HomeMore(machine=machine), 60, 9)
    assert "1 process, 188%, 2.0 GiB; m lists" in short


def test_the_largest_orders_are_told_and_that_a_card_stands_against_them(news: HomeNews) -> None:
    """Six orders of 100,000 to 600,000 were sealed: the smallest is not among the five."""
    told = drawn("trades", news, 60, 12).splitlines()
    assert "the card says STOP" in told[0]
    codes = [words.split()[2] for words in told[2:7]]
    assert codes == ["4063", "130A", "6758", "7203", "9984"]
    assert told[2].split()[:2] == ["buy", "600"]
    assert told[3].split()[-3:] == ["at", "1,000.5", "500.0k"]
    unread = replace(news, orders=Readable(None, "orders.csv: torn"))
    assert drawn("trades", unread) == "cannot be read: orders.csv: torn"
    assert "No list yet" in drawn("trades", HomeNews(now=NOW))


def test_a_run_at_work_is_told_in_three_lines() -> None:
    state = fold(training())
    running = RunNews("20261125-083000-train-00cc", state=state, status="running")
    first, _, third = drawn("work", HomeMore(machine=MACHINE, at_work=(running,)), 90).splitlines()
    assert "20261125-083000-train-00cc" in first
    last = state.epochs[-1]
    assert f"RankIC {'~' * is_noise(last.rank_ic, last.null_band)}{last.rank_ic:+.4f} ±" in third
    assert "Nothing is at work. n starts a run" in drawn("work", HomeMore(machine=MACHINE))


def test_the_drill_is_told_or_offered(news: HomeNews) -> None:
    assert "never run: x" in drawn("data", news, 60)
    row = DrillOutcome(case="kill-train", kind="kill", verdict="silent", done="", seen="")
    drill = DrillResult(at="2026-11-29T22:00:00+00:00", seconds=1, outcomes=(row,))
    told = drawn("data", replace(news, drill=drill), 60)
    assert f"{GLYPHS.failed} failed 2026-11-29: x lists it" in told


@given(st.text(max_size=80), st.text(max_size=80), st.integers(8, 60), st.integers(1, 12))
def test_lines_stay_in_their_box(one: str, other: str, width: int, height: int) -> None:
    out = Lines(width, height)
    out.say((one, styles.GOOD), other)
    out.fact("name", one)
    out.wrap(Text("! "), other)
    out.prose(one, (other, styles.BAD))
    out.space()
    text = out.text()
    assert fits(text, width, height)


def test_hostile_words_reach_the_screen_as_words(news: HomeNews) -> None:
    assert news.card is not None
    bad = Light(
        name="\x1b[31mname\x07",
        verdict="STOP",
        value=None,
        limit=None,
        reason="a\u202eb [bold]x[/] \x1b]0;t\x07",
    )
    card = Card.of("2026-11-24", "XTKS", (bad,))
    hostile = replace(news, card=replace(news.card, card=card, name="\x1b[2J"))
    text = drawn("card", hostile)
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[bold]x[/]" in text
