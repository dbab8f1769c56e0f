"""The runs screen: marks, views, filters and commands, by keys only."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.theme import Theme
from textual.widgets import Input, OptionList

from atft_tui.app import CockpitApp
from atft_tui.jobs import Job
from atft_tui.readings.run_details import Course, RunFile
from atft_tui.readings.runs_screen import Overlay, OverlayRun
from atft_tui.screens.command_form import CommandForm
from atft_tui.screens.dialogs import ConfirmDialog, QuickFilterDialog
from atft_tui.screens.runs import RunsScreen
from atft_tui.styles import THEMES
from atft_tui.widgets.search_panels import OverlayRankIC
from engine.files import write_json
from engine.records.protocol import CountedLook
from engine.records.run import Labels, RunSummary
from engine.runs.events import EpochEvaluated, RunEvent, RunFinished
from engine.runs.labels import add_tags, set_note
from engine.runs.store import Run
from engine.runs.trials import add_looks
from tests.engine.runs.samples import started, training
from tests.tui.conftest import MakeRun
from tests.tui.readings.test_comparisons import GAP, summary
from tests.tui.readings.test_runs import BACKTEST
from tests.tui.readings.test_studies import study
from tests.tui.steps import settle, shown, told, visit, wait_until

EVENTS = training()
KEPT = {
    "market": "us",
    "spans": [
        {"name": "confirmation", "first": "2015-01-02", "last": "2015-12-31", "sessions": 252}
    ],
}


def shifted(by: float) -> list[RunEvent]:
    """The same training with another RankIC at every epoch."""
    return [
        replace(event, rank_ic=event.rank_ic + by) if isinstance(event, EpochEvaluated) else event
        for event in EVENTS
    ]


@pytest.fixture
def runs(make_run: MakeRun, tmp_path: Path) -> list[Run]:
    """Two trainings, a search and a comparison, with what each has written; the newest last."""
    first, second = make_run(shifted(-0.02)), make_run(EVENTS)
    write_json(second.path("backtest.json"), BACKTEST)
    add_tags(second, ["baseline"])
    set_note(second, "the one to beat [/] 日本")
    search = make_run([started(), RunFinished(status="done")], command="tune")
    compared = make_run([started(), RunFinished(status="done")], command="compare")
    write_json(tmp_path / "tune" / "lr" / "study.json", study(search.id))
    write_json(tmp_path / "compare" / "ablations-1.json", summary(run_id=compared.id))
    write_json(
        tmp_path / "compare" / "runs-1.json",
        {
            "kind": "runs", "confidence": 0.9, "score_horizon": 5,
            "pairs": [{"first": second.id, "second": first.id, **GAP}],
            "runs": [{"run_id": first.id}, {"run_id": second.id}],
        },
    )  # fmt: skip
    return [first, second, search, compared]


def on_runs(pilot: Pilot[None]) -> RunsScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RunsScreen)
    return screen


async def until_shown(pilot: Pilot[None], words: str) -> str:
    await wait_until(pilot, lambda: words in shown(pilot.app.screen))
    return shown(pilot.app.screen)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_views_of_two_marked_runs(
    tmp_path: Path, runs: list[Run], size: tuple[int, int]
) -> None:
    first, second, *_ = runs
    async with CockpitApp(tmp_path).run_test(size=size) as pilot:
        await visit(pilot, "runs")
        text = await until_shown(pilot, "baseline")
        assert "~+0.0" not in text
        await pilot.press("down", "down", "space", "space")
        assert on_runs(pilot).marked == (second.id, first.id)
        await pilot.press("v")
        text = await until_shown(pilot, "A - B")
        assert "90% [-0.0180, -0.0020]  worse (n=3, h=5)" in text
        assert "a" in text  # the second run begins inside its null band
        assert "+0.71 [-0.12, +1.49]" in text or size[0] < 100
        await pilot.press("d")
        await until_shown(pilot, "different: 0 keys")
        await pilot.press("a")
        text = await until_shown(pilot, "earns its place")
        assert "-0.0100 ± 0.0040" in text
        assert "1 failed: seed 1" in text
        await pilot.press("u")
        text = await until_shown(pilot, "3 complete, 1 pruned, 1 failed")
        assert "loss nan" in text
        await pilot.press("l" if size[0] < 100 else "end")
        await until_shown(pilot, "training.learning_rate")
        await pilot.press("escape", "M")
        assert on_runs(pilot).marked == ()
        await pilot.press("v")
        await until_shown(pilot, "Nothing is marked")


def tagged(run_id: str, tags: tuple[str, ...], losses: dict[int, float]) -> OverlayRun:
    about = RunSummary(
        id=run_id, command="train", status="done", created="", labels=Labels(tags=tags)
    )
    return OverlayRun(about, Course(losses=tuple(losses.items())))


def test_runs_with_the_same_tags_are_one_curve_their_mean_and_its_error() -> None:
    """By hand: 0.1 and 0.2 have the mean 0.15 and, of two, the standard error 0.05; an epoch that only one
    of them has is left out.
    """
    runs = (
        tagged("a", ("wide",), {0: 0.1, 1: 0.3, 2: 9.0}),
        tagged("b", (), {0: 1.0}),
        tagged("c", ("wide",), {0: 0.2, 1: 0.5}),
        tagged("d", (), {0: 2.0}),
    )
    each = Overlay(runs, ())
    assert [curve.name for curve in each.curves(lambda run: run.loss)] == ["a", "b", "c", "d"]
    grouped = Overlay(runs, (), by_tag=True)
    wide, *alone = grouped.curves(lambda run: run.loss)
    assert (wide.name, list(wide.x)) == ("wide, mean of 2 runs", [0.0, 1.0])
    assert wide.y == pytest.approx([0.15, 0.4])
    assert wide.errors == pytest.approx([0.05, 0.1])
    assert [curve.name for curve in alone] == ["b", "d"]
    assert [grouped.place(name) for name in "abcdx"] == [0, 1, 0, 2, None]


async def test_an_overlay_by_tag_is_a_key_away(tmp_path: Path, runs: list[Run]) -> None:
    for run in runs[:2]:
        add_tags(run, ["baseline"])
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await visit(pilot, "runs")
        await settle(pilot)
        await pilot.press("down", "down", "space", "space", "v")
        await until_shown(pilot, "T by tag")
        await pilot.press("T")
        await until_shown(pilot, "baseline, mean of 2 runs")
        screen = on_runs(pilot)
        assert {screen._letter_of(run.id) for run in runs[:2]} == {"A"}
        await pilot.press("T")
        await wait_until(pilot, lambda: "mean of 2 runs" not in shown(screen))


async def test_figures_on_confirmation_days_say_how_often_anybody_looked(
    tmp_path: Path, runs: list[Run]
) -> None:
    """In the list, the details, the overlay, a comparison and a search; a later look counts at once."""
    _, second, search, compared = runs
    figures = {"rank_ic": 0.021, "rank_ic_se": 0.009, "n_dates": 252}
    write_json(second.path("train.json"), {"best": figures, "test": figures, "judged_days": KEPT})
    told = {"judged_days": KEPT}
    write_json(tmp_path / "tune" / "lr" / "study.json", study(search.id, **told))
    path = tmp_path / "compare" / "ablations-1.json"
    write_json(path, summary(run_id=compared.id, **told))
    look = partial(CountedLook, market="us", first="2015-01-02", last="2015-12-31")
    add_looks(tmp_path / "runs", [look(run=second.id)])
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await visit(pilot, "runs")
        text = await until_shown(pilot, "confirmed once")
        assert "protocol" in text
        await pilot.press("down", "down")
        await until_shown(pilot, "protocol   confirmed once")
        add_looks(tmp_path / "runs", [look(run="20260101-000000-train-dead")])
        await until_shown(pilot, "protocol   looked at 2 times")
        await pilot.press("space", "space", "v")
        await until_shown(pilot, "looked at 2 times")
        await pilot.press("a")
        await until_shown(pilot, "(n=3), looked at 2 times")
        await pilot.press("u")
        await until_shown(pilot, "less one error, looked at 2 times")


async def test_six_runs_can_be_marked_and_the_seventh_is_refused(
    tmp_path: Path, make_run: MakeRun
) -> None:
    for _ in range(7):
        make_run([started(), RunFinished(status="done")])
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await visit(pilot, "runs")
        await pilot.press(*["space"] * 7)
        assert len(on_runs(pilot).marked) == 6
        assert "6 runs are marked" in told(pilot)
        await pilot.press("home", "space")
        assert len(on_runs(pilot).marked) == 5


async def test_details_stand_beside_the_list_or_in_its_place(
    tmp_path: Path, runs: list[Run]
) -> None:
    first, second, *_ = runs
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await visit(pilot, "runs")
        await pilot.press("down", "down")
        text = await until_shown(pilot, "0.38 after 41 trials")
        assert first.id in text
        assert "✗ gat +0.03" in text
        assert "overfitting: the gap" in text
        await pilot.press("i")
        await wait_until(pilot, lambda: "41 trials" not in shown(pilot.app.screen))
        await pilot.resize_terminal(80, 24)
        await pilot.press("i")
        text = await until_shown(pilot, "0.38 after 41 trials")
        assert first.id not in text
        await pilot.press("escape")
        await until_shown(pilot, first.id)
    assert second.path("manifest.json").exists()


async def test_only_a_state_a_command_or_a_tag_and_words(tmp_path: Path, runs: list[Run]) -> None:
    first, second, search, _ = runs
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await visit(pilot, "runs")
        await settle(pilot)

        async def choose(words: str) -> list[str]:
            await pilot.press("f")
            await pilot.pause()
            dialog = pilot.app.screen
            assert isinstance(dialog, QuickFilterDialog)
            options = dialog.query_one(OptionList)
            names = [quick.words for quick, _ in dialog.choices]
            options.highlighted = names.index(words)
            await pilot.press("enter")
            await pilot.pause()
            return [run.id for run in on_runs(pilot).table("#runs-table").rows]

        assert await choose("tag baseline") == [second.id]
        assert "only tag baseline: 1" in shown(pilot.app.screen)
        assert await choose("command tune") == [search.id]
        assert len(await choose("status done")) == 4
        assert len(await choose("")) == 4
        await pilot.press("slash", *"beat")
        await pilot.pause()
        assert [run.id for run in on_runs(pilot).table("#runs-table").rows] == [second.id]
        await pilot.press("escape")
        assert len(on_runs(pilot).table("#runs-table").rows) == 4
    assert first.id


async def test_each_key_opens_the_form_of_its_command_with_the_run(
    tmp_path: Path, runs: list[Run]
) -> None:
    second = runs[1]
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        await visit(pilot, "runs")
        await settle(pilot)
        await pilot.press("down", "down")
        for key, line in (
            ("number_sign", f"$ atft-tui tag {second.id}"),
            ("p", f"$ atft-tui promote {second.id}"),
            ("b", f"$ atft-tui backtest {second.id}"),
            ("N", f"$ atft-tui note {second.id} the one to beat"),
            ("n", "$ atft-tui train"),
        ):
            await pilot.press(key)
            await pilot.pause()
            form = pilot.app.screen
            assert isinstance(form, CommandForm), key
            assert line in shown(form)
            if key == "p":
                assert form.query_one("#p-force_reason", Input).value == ""
            await settle(pilot)
            await pilot.press("escape")
            await pilot.pause()


async def test_comparing_and_deleting_start_commands(
    tmp_path: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, search, _ = runs
    started_jobs: list[list[str]] = []
    monkeypatch.setattr(
        CockpitApp, "start_job", lambda app, words: started_jobs.append(list(words))
    )
    async with CockpitApp(tmp_path).run_test(size=(120, 30)) as pilot:
        await visit(pilot, "runs")
        await settle(pilot)
        await pilot.press("c")
        assert "two marked runs" in told(pilot)
        await pilot.press("down", "x")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        text = shown(pilot.app.screen)
        assert search.id in text
        assert "part of search lr" in text
        assert "trials stay counted" in text
        await pilot.press("n")
        await pilot.pause()
        assert started_jobs == []
        await pilot.press("down", "space", "space", "c", "x")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("y")
        await pilot.pause()
        assert started_jobs == [
            ["compare", second.id, first.id],
            ["delete", second.id, first.id, "--yes"],
        ]
        await pilot.press("M", "home")
        with first.lock():
            await pilot.press("end", "x")
            await wait_until(pilot, lambda: "works on it" in told(pilot))
        history = [{"action": "promoted", "model": "m", "run": first.id}]
        write_json(tmp_path / "models" / "champion.json", {"history": history})
        await pilot.press("end", "x")
        await wait_until(pilot, lambda: "source of the champion" in told(pilot))
    assert len(started_jobs) == 2


async def test_a_refusal_of_the_gate_is_told_with_its_reasons(tmp_path: Path) -> None:
    gate = [
        {"name": "noise", "passed": True, "detail": "fine"},
        {"name": "lightgbm", "passed": False, "detail": "RankIC -0.01 \x1b[31m± 0.03"},
    ]
    job = Job("id", ("promote", "x"), "", "refused", {"action": "refused", "gate": gate}, "")
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, CockpitApp)
        app.tell(job)
        await wait_until(pilot, lambda: bool(told(pilot)))
        text = told(pilot)
    assert "the gate refuses:\nlightgbm: RankIC -0.01  ± 0.03" in text
    assert "fine" not in text
    assert "force" not in text, "the way out is not to go against the gate"


HOSTILE = "\x1b]0;owned\x07 \u202eevil\u2066 [/] [bold]x"


async def test_hostile_labels_and_names_are_shown_not_obeyed(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run([*EVENTS[:-1], RunFinished(status="failed", error=HOSTILE)])
    run.path("labels.json").write_text(json.dumps({"tags": ["a[/]", "ok"], "note": HOSTILE}))
    run.path(f"{HOSTILE.replace('/', '')}.txt").write_text("x")
    write_json(tmp_path / "compare" / "sizes-1.json", summary(id=HOSTILE, source=HOSTILE))
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await visit(pilot, "runs")
        for key in ("i", "i", "space", "v", "d", "a", "u"):
            await pilot.press(key)
            await settle(pilot)
            text = shown(pilot.app.screen)
            assert not any(ord(c) < 32 and c != "\n" for c in text)
            assert not set(text) & set("\u202e\u2066")
        assert on_runs(pilot).trouble == ""


async def test_a_damaged_comparison_is_told_and_read_again(tmp_path: Path, runs: list[Run]) -> None:
    path = tmp_path / "compare" / "ablations-1.json"
    whole = path.read_text()
    path.write_text(whole[:100])
    async with CockpitApp(tmp_path).run_test(size=(120, 30)) as pilot:
        await visit(pilot, "runs")
        await pilot.press("a")
        await until_shown(pilot, "cannot read")
        path.write_text(whole)
        await until_shown(pilot, "earns its place")
        assert "cannot read" not in shown(pilot.app.screen)
    assert runs


# ---- pictures ------------------------------------------------------------------------------------


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine in the pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("engine.runs.store._versions", lambda: {"torch": "2.13.0"})
    monkeypatch.setattr("engine.runs.store._commit", lambda: "0" * 40)
    monkeypatch.setattr("platform.platform", lambda: "Linux")
    monkeypatch.setattr("platform.python_version", lambda: "3.11.7")
    files = (RunFile("checkpoints/", 3_000_000), RunFile("train.json", 12_000))
    monkeypatch.setattr("atft_tui.readings.run_details.files_of", lambda directory: files)


SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])


@SIZES
def test_picture_of_an_empty_workspace(
    frozen: None, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    async def show(pilot: Pilot[None]) -> None:
        await visit(pilot, "runs")
        await settle(pilot)

    assert snap_compare(CockpitApp(Path()), terminal_size=size, run_before=show)


@SIZES
def test_picture_of_the_list(
    frozen: None, runs: list[Run], snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    async def show(pilot: Pilot[Any]) -> None:
        await visit(pilot, "runs")
        await settle(pilot)
        await pilot.press("down", "down", "space", "up")
        await settle(pilot)

    assert snap_compare(CockpitApp(Path()), terminal_size=size, run_before=show)
    assert runs


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@SIZES
def test_picture_of_the_overlay(
    frozen: None,
    runs: list[Run],
    snap_compare: Callable[..., bool],
    size: tuple[int, int],
    theme: Theme,
) -> None:
    """Curves with letters, axis and values at the crosshair, in every theme."""
    app = CockpitApp(Path())

    async def show(pilot: Pilot[Any]) -> None:
        app.use_theme(theme.name)
        await visit(pilot, "runs")
        await settle(pilot)
        await pilot.press("space", "space", "space", "v")
        await settle(pilot)
        app.screen.query_one(OverlayRankIC).focus()
        await pilot.press("left", "left")
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=show)
    assert runs
