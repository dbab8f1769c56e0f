"""The scrubber: positions, marks, playing, runs that died or still grow."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atft_tui.app import CockpitApp
from atft_tui.readings.feed import Mark
from atft_tui.screens.replay import Moment, ReplayScreen, Scrubber
from atft_tui.widgets.panel import StatePanel
from engine.runs.fold import fold
from tests.engine.runs.samples import training
from tests.tui.conftest import MakeRun, append
from tests.tui.steps import shown, visit, wait_until

EVENTS = training()
KINDS = st.sampled_from(["start", "phase", "epoch", "checkpoint", "finding", "end"])
MARKS = st.lists(st.builds(Mark, st.integers(0, 10_000), KINDS, st.just("x")), max_size=50)


@given(st.integers(0, 10_000), st.integers(0, 10_000), MARKS, st.integers(1, 300))
def test_the_scrubber_stays_in_its_box(
    length: int, position: int, marks: list[Mark], width: int
) -> None:
    noted = [replace(mark, label="note " * 20) for mark in marks]
    value = Moment(length=length, position=min(position, length), marks=tuple(noted))
    lines = Scrubber(id="time").picture(value, width, 3).split()
    assert len(lines) == 3
    assert all(line.cell_len <= width for line in lines)


async def test_every_moment_of_a_dead_run(tmp_path: Path, make_run: MakeRun) -> None:
    """By keys: back, to an epoch, one event, the ends; every panel is told that moment's state."""
    run = make_run(EVENTS[:120])
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await visit(pilot, "replay")
        screen = pilot.app.screen
        assert isinstance(screen, ReplayScreen)
        assert run.id in shown(screen)
        assert "crashed" in shown(screen)

        async def at(key: str, position: int) -> None:
            await pilot.press(key)
            await wait_until(
                pilot, lambda: screen.value is not None and screen.value.position == position
            )
            await pilot.pause()
            panel = screen.query_one("#rank-ic", StatePanel)
            assert panel.state == fold(EVENTS[:position])

        await at("end", 120)
        await at("left", 119)
        await at("comma", 118)
        epochs = [i + 1 for i, e in enumerate(EVENTS[:117]) if type(e).__name__ == "EpochEvaluated"]
        await at("left_square_bracket", epochs[-1])
        await at("left_square_bracket", epochs[-2])
        assert "as it was at" in shown(screen)
        assert f"event {epochs[-2]:,} of 120" in shown(screen)
        await at("home", 1)
        await at("right_square_bracket", epochs[0])
        await at("h", 120)


async def test_it_plays_to_the_end_and_follows_what_grows(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atft_tui.screens.replay.PLAY_S", 1.0)
    run = make_run(EVENTS[:60])
    with run.lock():
        async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
            await visit(pilot, "replay")
            screen = pilot.app.screen
            assert isinstance(screen, ReplayScreen)
            await pilot.press("space")
            await wait_until(pilot, lambda: screen.here < 60)
            assert "playing" in shown(screen)
            await wait_until(pilot, lambda: screen.speed == 0)
            assert screen.here == 60
            append(run, EVENTS[60:])
            await wait_until(pilot, lambda: screen.here == len(EVENTS))
            assert "the newest moment" in shown(screen)
            await pilot.click("#scrubber", offset=(40, 2))
            await wait_until(pilot, lambda: screen.here < len(EVENTS))
            assert abs(screen.here - len(EVENTS) // 2) < len(EVENTS) // 10


async def test_without_a_run_it_says_how_to_get_one(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await visit(pilot, "replay")
        assert "No run to replay yet" in shown(pilot.app.screen)
