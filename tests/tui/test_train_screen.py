"""The live training screen: what it shows at every moment of a run's life, at any size."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.text import Text
from textual.widgets import Static

from atft_tui.app import CockpitApp
from atft_tui.widgets.panel import StatePanel
from atft_tui.widgets.run_panels import TABS
from engine.runs.events import (
    Advanced,
    GraphWorthLogged,
    Noted,
    PhaseStarted,
    RunEvent,
    RunFinished,
    StageStarted,
    StepLogged,
    Warned,
)
from tests.engine.runs.samples import searching, started, step_events, training
from tests.tui.conftest import MakeRun, append
from tests.tui.steps import open_run, settle, shown, visit, wait_until

EVENTS = training()
SIZES = [(80, 24), (160, 48)]


def until(kind: type, **fields: object) -> int:
    """Events up to and including the first one of this kind with these fields."""
    return 1 + next(
        i
        for i, event in enumerate(EVENTS)
        if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items())
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("size", SIZES)
async def test_a_finished_run_shows_figures_with_error_and_band(
    workspace: Path, make_run: MakeRun, size: tuple[int, int]
) -> None:
    run = make_run(EVENTS)
    async with CockpitApp(workspace).run_test(size=size) as pilot:
        text = shown(await open_run(pilot, run))
    assert run.id in text
    assert "done" in text
    assert "+0.0380 ± 0.0080 (n=252)" in text
    assert "null band" in text
    assert "gat" in text
    assert "baseline" in text
    assert "LightGBM" in text


async def test_every_panel_is_in_reach_at_80x24(workspace: Path, make_run: MakeRun) -> None:
    run = make_run(EVENTS)
    async with CockpitApp(workspace).run_test(size=(80, 24)) as pilot:
        screen = await open_run(pilot, run)
        seen = []
        for _ in TABS:
            seen.append(next(name for name in TABS if screen.query_one(f"#{name}").display))
            panel = screen.query_one(f"#{seen[-1]}", StatePanel)
            assert panel.size.height >= 3
            assert f"[{seen[-1]}]" in shown(screen)
            await pilot.press("tab")
        assert seen == list(TABS)
        await pilot.press("shift+tab")
        assert screen.query_one(f"#{TABS[-1]}").display


async def test_wide_screens_show_all_panels_at_once(workspace: Path, make_run: MakeRun) -> None:
    run = make_run(EVENTS)
    async with CockpitApp(workspace).run_test(size=(160, 48)) as pilot:
        screen = await open_run(pilot, run)
        hidden = [name for name in TABS if not screen.query_one(f"#{name}").display]
        assert hidden == ["networks"], "it shares the place of the log"
        text = shown(screen)
    for title in ("RankIC, validation", "gradient norm", "gate alpha", "machine", "log, newest"):
        assert title in text
    assert "starved < -8" in text
    assert "projected 0.58  graph 0.42" in text or "projected" in text


async def test_a_running_run_moves(workspace: Path, make_run: MakeRun) -> None:
    cut = until(StepLogged, step=20)
    run = make_run(EVENTS[:cut])
    with run.lock():
        async with CockpitApp(workspace).run_test(size=(160, 48)) as pilot:
            screen = await open_run(pilot, run)
            assert "running" in shown(screen)
            assert "eta" in shown(screen)
            before = screen.state.n_events
            append(run, EVENTS[cut:])
            await wait_until(pilot, lambda: screen.state.n_events == len(EVENTS))
            assert len(EVENTS) > before
            assert screen.state.epochs[-1].epoch == 7


async def test_the_graphs_worth_stands_beside_the_gate_from_its_first_validation_on(
    workspace: Path, make_run: MakeRun
) -> None:
    cut = until(GraphWorthLogged)
    run = make_run(EVENTS[: cut - 1])
    with run.lock():
        async with CockpitApp(workspace).run_test(size=(160, 48)) as pilot:
            screen = await open_run(pilot, run)
            gate, worth = (screen.query_one(f"#{name}", StatePanel) for name in ("gate", "worth"))
            assert worth.region.y == gate.region.y
            assert worth.region.x == gate.region.right
            assert "After a validation with the graph." in shown(screen)
            append(run, EVENTS[cut - 1 : cut])
            await wait_until(pilot, lambda: "no edge   31% +0.0420 ± 0.0040" in shown(screen))
            assert "random    16% +0.0210 ± 0.0040" in shown(screen)
            assert "window" not in shown(screen)
            append(run, EVENTS[cut:])
            await wait_until(pilot, lambda: "window    10% +0.0010 ± 0.0040" in shown(screen))


async def test_a_killed_run_says_so_with_its_last_words_and_the_way_on(
    workspace: Path, make_run: MakeRun
) -> None:
    run = make_run(EVENTS[: until(StepLogged, step=20)])
    run.log_path.write_text("loading\nKilled: out of memory\x1b[31m\n")
    async with CockpitApp(workspace).run_test(size=(120, 40)) as pilot:
        text = shown(await open_run(pilot, run))
    assert "crashed" in text
    assert "press r to resume" in text
    assert "Killed: out of memory" in text
    assert "\x1b" not in text


async def test_a_failed_run_shows_its_error(workspace: Path, make_run: MakeRun) -> None:
    error = RunFinished(status="failed", error="no gradient from the rank loss in gat", hint="x")
    run = make_run([*EVENTS[:12], error])
    async with CockpitApp(workspace).run_test(size=(100, 30)) as pilot:
        assert "no gradient from the rank loss in gat" in shown(await open_run(pilot, run))


async def test_hostile_text_neither_styles_nor_breaks_the_screen(
    workspace: Path, make_run: MakeRun
) -> None:
    nasty = (
        "[bold red]not markup[/] \x1b[2J\x1b]0;title\x07 \u202egnp.exe\u202c 日本語 " + "x" * 500
    )
    events: list[RunEvent] = [replace(started(), device=nasty), Noted(message=nasty)]
    events += [
        Warned(code="data", message=nasty, hint=nasty),
        PhaseStarted(phase=0, name=nasty, blocks=[nasty], epochs=1, trainable={nasty: 1}),
        RunFinished(status="failed", error=nasty),
    ]
    run = make_run([*events[:1], *EVENTS[5:20], *events[1:]])
    async with CockpitApp(workspace).run_test(size=(120, 40)) as pilot:
        text = shown(await open_run(pilot, run))
    assert "[bold red]not markup" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


async def test_too_small_says_so(workspace: Path, make_run: MakeRun) -> None:
    run = make_run(EVENTS)
    async with CockpitApp(workspace).run_test(size=(50, 12)) as pilot:
        assert "60x20" in shown(await open_run(pilot, run))
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert "60x20" not in shown(pilot.app.screen)


async def test_a_burst_of_events_is_a_handful_of_redraws(
    workspace: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = 0
    update = Static.update

    def counted(self: Static, content: Text = Text(), **more: object) -> None:  # noqa: B008
        nonlocal drawn
        drawn += isinstance(self, StatePanel)
        update(self, content, **more)  # type: ignore[arg-type]

    run = make_run(EVENTS[:15])
    async with CockpitApp(workspace).run_test(size=(160, 48)) as pilot:
        screen = await open_run(pilot, run)
        monkeypatch.setattr(Static, "update", counted)
        append(run, (e for step in range(1, 3001) for e in step_events(step, 0, 0, 0.5)))
        await wait_until(
            pilot, lambda: bool(screen.state.steps) and screen.state.steps[-1].step == 3000
        )
    assert 0 < drawn < 120, f"9,000 events, {drawn} redraws"


async def test_closing_and_opening_again_shows_the_same(workspace: Path, make_run: MakeRun) -> None:
    run = make_run(EVENTS)
    states = []
    for _ in range(2):
        async with CockpitApp(workspace).run_test(size=(120, 40)) as pilot:
            screen = await open_run(pilot, run)
            states.append(screen.state)
            await pilot.press("escape")
            await asyncio.sleep(0)
    assert states[0] == states[1]


async def test_a_search_tells_its_trials(workspace: Path, make_run: MakeRun) -> None:
    run = make_run(
        [
            started(),
            *searching(),
            StageStarted(stage="tune"),
            Advanced(stage="tune", done=4, total=20, note="trial 4 fold 1 of 3"),
        ],
        command="tune",
    )
    with run.lock():
        async with CockpitApp(workspace).run_test(size=(160, 48)) as pilot:
            text = shown(await open_run(pilot, run))
    assert "trial 2: +0.0120, RankIC +0.0200 ± 0.0080 (n=252) best" in text
    assert "trial 3: loss nan is not finite" in text
    assert "tune" in text
    assert "4/20" in text.replace(" ", "")


async def test_damaged_events_of_a_run_that_had_ended_are_no_crash_to_resume(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run(training())
    run.events_path.write_bytes(b"\x8f\x00garbage" * 400)
    run.path("train.json").write_text("{}")
    async with CockpitApp(tmp_path).run_test(size=(120, 40)) as pilot:
        await visit(pilot, "train")
        await wait_until(pilot, lambda: "damaged" in shown(pilot.app.screen))
        text = shown(pilot.app.screen)
        assert f"verify {run.id}" in text
        assert "resume" not in text
