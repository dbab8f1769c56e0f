"""The form of `ingest`: the plan is seen before anything is stored, and a refusal is not stored."""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from atft_tui.app import CockpitApp
from atft_tui.jobs import JobBook
from atft_tui.screens.forms import IngestForm
from atft_tui.widgets.data_panels import ReadingPanel
from engine.records.reading import Column, Dates, Evidence, Problem, ReadingPlan, Unread
from engine.runs import launch
from tests.tui.steps import shown, told, wait_until

FILES = Path(__file__).parents[1] / "engine" / "data" / "reading" / "sources"
SIZES = [(80, 24), (160, 48)]
PLAN = ReadingPlan(
    table="bars",
    path="prices.csv",
    files=1,
    encoding="utf-8",
    separator=";",
    columns=(
        Column(ours="close", theirs="Close"),
        Column(ours="volume", theirs="vol", times=100.0, decided_by="option"),
    ),
    left=("Adj Close",),
    dates=Dates(format="DD/MM/YYYY", decided_by="calendar", why="the other order hits 3 of 21"),
    price_scale="raw",
    first="2015-01-12 AAPL o 112.6 h 112.63 l 108.8 c 109.25 v 4965",
    unread=(Unread(file="b.pdf", reason="not a table"),),
)
EVIDENCE = Evidence(
    rows=1040,
    symbols=4,
    first="2015-01-12",
    last="2016-01-22",
    on_sessions=1.0,
    outside_range=0.0096,
    overnight_mean=0.0003,
    problems=(Problem(what="2 stocks without a sector", refused=False),),
)
ANSWER = {"plans": [msgspec.to_builtins(PLAN)], "evidence": msgspec.to_builtins(EVIDENCE)}


def answers(tmp_path: Path, dry: dict[str, Any]) -> Callable[..., list[str]]:
    """Stands for the engine: notes the words of each call; ``dry`` is what a dry run answers."""
    script = tmp_path / "child.py"
    script.write_text(
        "import sys, pathlib\n"
        f"log = pathlib.Path({str(tmp_path / 'words')!r})\n"
        "log.open('a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"print({json.dumps(dry)!r})\n"
    )
    return lambda workspace, words: [sys.executable, str(script), *words]


def words_of(tmp_path: Path) -> list[str]:
    path = tmp_path / "words"
    return path.read_text().splitlines() if path.exists() else []


async def filled(pilot: Pilot[None]) -> IngestForm:
    app = pilot.app
    assert isinstance(app, CockpitApp)
    app.ask("ingest", {"source": "files"})
    await pilot.pause()
    form = app.screen
    assert isinstance(form, IngestForm)
    prices = form.query_one("#p-prices", Input)
    assert prices.has_focus, "the path is typed at once"
    prices.value = "prices.csv"
    await pilot.pause()
    return form


async def test_a_form_where_nothing_has_to_be_said_starts_with_enter(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=SIZES[0]) as pilot:
        app = pilot.app
        assert isinstance(app, CockpitApp)
        app.ask("check", {})
        await pilot.pause()
        assert app.screen.focused is app.screen.query_one("#start")


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])
async def test_the_plan_is_seen_then_enter_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(launch, "argv", answers(tmp_path, ANSWER))
    async with CockpitApp(tmp_path).run_test(size=size) as pilot:
        form = await filled(pilot)
        assert "Look (ctrl+s)" in shown(form)
        await pilot.press("enter")
        await wait_until(pilot, lambda: "not stored yet" in shown(form))
        says = ("reading warned", "close <- Close", "x 100 (option)", "Store (c")
        await wait_until(pilot, lambda: all(said in shown(form) for said in says))
        await pilot.press("end")
        await wait_until(pilot, lambda: "without a sector" in shown(form))
        assert words_of(tmp_path) == ["ingest --source files --prices prices.csv --dry-run --quiet"]
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(words_of(tmp_path)) == 2)
        assert "ingest --source files --prices prices.csv" in told(pilot)
    assert words_of(tmp_path)[1].startswith("ingest --source files --prices prices.csv")
    assert "--dry-run" not in words_of(tmp_path)[1]


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])
async def test_a_refusal_says_cause_and_option_and_is_never_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    refusal = {
        "error": "prices.csv: 01/02/2024 fits two orders",
        "hint": "say which: --date-format",
        "exit_code": 3,
    }
    monkeypatch.setattr(launch, "argv", answers(tmp_path, refusal))
    monkeypatch.setattr(JobBook, "start", lambda *args: pytest.fail("stored"))
    async with CockpitApp(tmp_path).run_test(size=size) as pilot:
        form = await filled(pilot)
        await pilot.press("enter")
        says = ("nothing was stored", "fits two orders", "--date-format", "Look")
        await wait_until(pilot, lambda: all(said in shown(form) for said in says))
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(words_of(tmp_path)) == 2)
        assert pilot.app.screen is form
        form.query_one("#p-date_format", Input).value = "MM/DD/YYYY"
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(words_of(tmp_path)) == 3)
    assert "--date-format MM/DD/YYYY" in words_of(tmp_path)[2]
    assert all("--dry-run" in words for words in words_of(tmp_path))


async def test_changed_settings_are_looked_at_again_and_other_sources_start_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "argv", answers(tmp_path, ANSWER))
    begun: list[tuple[str, ...]] = []

    def start(app: CockpitApp, words: Sequence[str]) -> None:
        begun.append(tuple(words))

    monkeypatch.setattr(CockpitApp, "start_job", start)
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        form = await filled(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: form.read is not None)
        form.query_one("#p-layout", Select).value = "long"
        await wait_until(pilot, lambda: "Look" in shown(form))
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: form.read is not None and len(words_of(tmp_path)) == 2)
        assert begun == []
        form.query_one("#p-source", Select).value = "synthetic"
        form.query_one("#p-prices", Input).value = ""
        await pilot.pause()
        assert "Start" in shown(form)
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: len(begun) == 1)
    assert begun == [("ingest", "--source", "synthetic", "--layout", "long")]


async def test_from_a_refusal_to_the_stored_snapshot_with_the_real_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lots of 100 are refused with the option that mends them; mended, they are stored and shown."""
    shutil.copy(FILES / "tushare.csv", tmp_path / "prices.csv")
    monkeypatch.chdir(tmp_path)
    async with CockpitApp(tmp_path / "ws").run_test(size=(160, 48)) as pilot:
        form = await filled(pilot)
        form.query_one("#overrides", Input).value = "data.calendar=XSHG"
        await pilot.press("enter")
        option = "volume=vol*100,turnover=amount*1000"
        await wait_until(
            pilot, lambda: all(t in shown(form) for t in ("nothing was stored", option))
        )
        assert not (tmp_path / "ws" / "data").exists()
        form.query_one("#p-columns", Input).value = option
        await pilot.press("enter")
        taken = "volume <- vol x 100 (option)"
        await wait_until(pilot, lambda: all(t in shown(form) for t in ("not stored yet", taken)))
        assert not (tmp_path / "ws" / "data" / "CURRENT").exists()
        await pilot.press("enter")
        await wait_until(pilot, (tmp_path / "ws" / "data" / "CURRENT").exists)
        await pilot.press("2")
        panel = pilot.app.screen.query_one(ReadingPanel)
        await wait_until(
            pilot, lambda: panel.value is not None and bool(panel.value.reading_verdict)
        )
        assert panel.value is not None
        said = dict(panel.value.reading_lines())
        assert "volume <- vol x 100 (option)" in said["columns"]
        assert "100.0% of rows on sessions" in said["evidence"]
        shows = "columns   date <- trade_date"
        await wait_until(pilot, lambda: shows in shown(pilot.app.screen))
