"""Config on the screen: what is shown is what the resolver says, and an edit is the engine's own."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from atft_tui.app import CockpitApp
from atft_tui.readings.config import read_config
from atft_tui.screens.config import ConfigScreen, EditDialog
from atft_tui.screens.dialogs import ConfirmDialog, TextDialog
from atft_tui.widgets.table import BrowseTable
from engine.config import Config
from engine.config.file import PRESETS, resolve
from engine.config.keys import flatten
from engine.errors import ConfigError
from tests.tui.steps import shown, told, visit, wait_until

WRITTEN = '# Mine.\n[training]\nseed = 3  # why not\n\n[data]\nindex_symbol = "日経[/]225"\n'


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("workspace").mkdir()
    return Path("workspace")


def test_every_key_is_a_row_and_the_phases_are_opened(workspace: Path) -> None:
    (workspace / "config.toml").write_text(WRITTEN)
    Path("config.toml").write_text("[graph]\nk = 7\n")
    news = read_config(workspace)
    rows = {row.key: row for row in news.rows}
    keys = set(flatten(Config())) - {"training.phases"}
    assert keys < set(rows)
    assert rows["training.phases.gat.epochs"].value == "4"
    assert rows["training.phases.gat.epochs"].limits == ">= 0, <= 500"
    seed = rows["training.seed"]
    assert (seed.value, seed.default, seed.origin, seed.in_workspace) == (
        "3", "1", "workspace:3", True,
    )  # fmt: skip
    k = rows["graph.k"]
    assert (k.value, k.origin, k.in_workspace, k.is_changed) == ("7", "config.toml:2", False, True)
    assert rows["schedule.retry_minutes"].unit == "minutes"
    assert rows["labels.entry"].limits == "close | open"
    assert rows["labels.entry"].origin == "default"
    assert all(row.about for row in news.rows if not row.key.startswith("training.phases."))


def test_presets_tell_what_they_would_change_here(workspace: Path) -> None:
    (workspace / "config.toml").write_text("[model]\nhidden = 64\n")
    found = {preset.name: preset.changes for preset in read_config(workspace).presets}
    assert set(found) == set(PRESETS)
    assert "model.hidden" not in [key for key, _, _ in found["base"]]
    assert ("model.hidden", "64", "256") in found["large"]
    assert ("training.phases.baseline.epochs", "6", "3") in found["demo"]


def test_a_wrong_file_is_an_error_and_the_next_reading_takes_the_mended_one(
    workspace: Path,
) -> None:
    path = workspace / "config.toml"
    path.write_text("[training]\nsed = 3\n")
    with pytest.raises(ConfigError, match="did you mean seed"):
        read_config(workspace)
    path.write_text("[training]\nseed = 3\n")
    assert read_config(workspace) is read_config(workspace)


async def test_find_edit_and_take_back(workspace: Path) -> None:
    path = workspace / "config.toml"
    path.write_text(WRITTEN)
    async with CockpitApp(workspace).run_test(size=(120, 30)) as pilot:
        await visit(pilot, "config")
        screen = pilot.app.screen
        assert isinstance(screen, ConfigScreen)
        table = screen.query_one(BrowseTable)
        await pilot.press("slash", *"training.seed", "enter")
        await pilot.pause()
        assert table.current_key == "training.seed"
        assert "Seed of weights, dropout" in shown(screen)
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, EditDialog))
        dialog = pilot.app.screen
        value = dialog.query_one("#value", Input)
        value.value = "-4"
        await pilot.press("enter")
        problem = dialog.query_one("#problem", Static)
        await wait_until(pilot, lambda: "greater than or equal to 0" in str(problem.render()))
        assert (value.value, path.read_text()) == ("-4", WRITTEN)
        value.value = "12"
        await pilot.press("enter")
        await wait_until(pilot, lambda: path.read_text() == WRITTEN.replace("= 3", "= 12"))
        await wait_until(
            pilot, lambda: screen.selected is not None and screen.selected.value == "12"
        )
        await wait_until(pilot, lambda: "training.seed = 12 (was 3)" in told(pilot))
        await pilot.press("u")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("y")
        await wait_until(
            pilot, lambda: screen.selected is not None and screen.selected.value == "1"
        )
        assert "seed" not in path.read_text()
        assert path.read_text().startswith("# Mine.\n[training]\n")
        await pilot.press("u")
        await wait_until(pilot, lambda: "is not set in the workspace's file" in told(pilot))
        await pilot.press("escape", "c")
        await pilot.pause()
        assert [row.key for row in table.rows] == ["data.index_symbol"]
        assert "日経[/]225" in shown(screen)
        await pilot.press("p")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TextDialog))
        assert "cpu-small" in shown(pilot.app.screen)
    assert resolve([path]).config.training.seed == 1


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
@pytest.mark.parametrize("filled", [False, True], ids=["empty", "full"])
def test_config(workspace: Path, snap_compare: Any, size: tuple[int, int], filled: bool) -> None:
    if filled:
        (workspace / "config.toml").write_text(WRITTEN)

    async def show(pilot: Pilot[None]) -> None:
        await visit(pilot, "config")
        await pilot.press("down", "down")
        await pilot.pause(0.2)

    assert snap_compare(CockpitApp(workspace), terminal_size=size, run_before=show)
