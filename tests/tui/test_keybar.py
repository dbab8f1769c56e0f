"""The keys in the last line: in their box, whole keys only, and a click does what the key does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atft_tui.app import CockpitApp
from atft_tui.keys import EVERYWHERE, SCREENS, written
from atft_tui.readings.feed import RunNews
from atft_tui.screens.dialogs import TextDialog
from atft_tui.widgets.bars import KeyBar, key_line
from atft_tui.widgets.run_lines import possible
from tests.tui.steps import shown, visit

PLACES = st.sampled_from(sorted(SCREENS))


@given(PLACES, st.integers(0, 320))
def test_whole_keys_in_their_box(place: str, width: int) -> None:
    keys = tuple(key for key in (*SCREENS[place], *EVERYWHERE) if key.show)
    text, spans = key_line(keys, width)
    assert text.cell_len <= width
    assert all(0 <= start < stop <= width for start, stop, _ in spans)
    drawn = text.plain
    for (start, stop, action), key in zip(spans, keys, strict=False):
        if action == key.action:
            assert drawn[start:stop].strip() == f"{written(key)} {key.description}"


@given(PLACES, st.integers(80, 320))
def test_help_and_the_way_out_are_always_told(place: str, width: int) -> None:
    keys = tuple(key for key in (*SCREENS[place], *EVERYWHERE) if key.show)
    drawn = key_line(keys, width)[0].plain
    assert all(f" {word} " in drawn for word in ("> next step", "? help", "q quit", "^p"))


async def test_a_click_does_what_the_key_does(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        await visit(pilot, "runs")
        bar = pilot.app.screen.query_one(KeyBar)
        assert "^p every command" in shown(pilot.app.screen)
        start = next(start for start, _, action in bar.spans if action == "help")
        await pilot.click(KeyBar, offset=(start + 1, 0))
        await pilot.pause()
        await pilot.pause()
        assert isinstance(pilot.app.screen, TextDialog)


def news(status: str, command: str = "train") -> RunNews:
    return RunNews(run_id=f"20260105-090000-{command}-abcd", status=status)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (news("running"), "n new  c checkpoint  p pause  s stop  h doctor"),
        (news("paused"), "n new  c checkpoint  p go on  s stop  h doctor"),
        (news("crashed"), "r resume  n new  h doctor"),
        (news("stopped", "walkforward"), "r resume  n new  h doctor"),
        (news("crashed", "backtest"), "n new  h doctor"),
        (news("done"), "n new  h doctor"),
    ],
)
async def test_only_what_can_be_done_about_a_run_is_offered(
    tmp_path: Path, told: RunNews, expected: str
) -> None:
    async with CockpitApp(tmp_path).run_test(size=(120, 30)) as pilot:
        await visit(pilot, "train")
        bar = pilot.app.screen.query_one(KeyBar)
        assert [key.action for key in bar.keys] == ["new_run", "next_step", "help", "quit"]
        bar.app.coming = None  # type: ignore[attr-defined]
        bar.offer(possible(told))
        text, spans = key_line(bar.keys, 120)
        assert text.plain.startswith(f" {expected}  > next step  ? help")
        assert bar.spans == spans
