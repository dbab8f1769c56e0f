"""Habits: what was chosen is remembered, keys are the user's, an editor opens, letters lead to panels."""

import contextlib
import sys
from pathlib import Path

import pytest
from textual.pilot import Pilot

from atft_tui import habits
from atft_tui.app import CockpitApp
from atft_tui.keymap import read_keymap
from atft_tui.keys import CHART, EVERYWHERE, SCREENS, TABLE, help_rows
from atft_tui.memory import remembered
from atft_tui.screens.dialogs import TextDialog
from atft_tui.screens.home import HomeScreen
from atft_tui.screens.jump import JumpScreen
from atft_tui.styles import THEMES, ink_of
from atft_tui.themes import read_themes
from atft_tui.widgets.home_panels import HomePanel
from engine.errors import ConfigError, UsageError
from engine.runs import lock
from engine.runs.events import RunFinished
from tests.engine.runs.samples import training
from tests.tui import home_workspace as made
from tests.tui.conftest import MakeRun, append
from tests.tui.steps import shown, wait_until


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration is not that of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "atft-tui" / "keys.toml"


def place(pilot: Pilot[None]) -> str:
    return str(getattr(pilot.app.screen, "place", ""))


def test_every_key_has_a_name_of_its_own() -> None:
    names = [key.id for keys in (EVERYWHERE, TABLE, CHART, *SCREENS.values()) for key in keys]
    assert None not in names
    assert len(set(names)) == len(names)


def test_the_workspace_s_keys_are_over_the_user_s(tmp_path: Path, elsewhere: Path) -> None:
    assert read_keymap(tmp_path) == {}
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text('"everywhere.next_theme" = "ctrl+t"\n"train.new_run" = "N"\n')
    (tmp_path / "keys.toml").write_text('"train.new_run" = "ctrl+n"\n')
    assert read_keymap(tmp_path) == {
        "everywhere.next_theme": "ctrl+t", "train.new_run": "ctrl+n",
    }  # fmt: skip
    rows = dict(help_rows("train", read_keymap(tmp_path)))
    assert rows["ctrl+n"] == "new"
    assert "n" not in rows


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('"train.new_rum" = "n"', "no key is called 'train.new_rum'"),
        ('"train.new_run" = 3', "is not a text"),
        ('"train.new_run" = " "', "is not a text"),
        ('"train.new_run" = "c"', "c would do two things on train"),
        ('"home.ask_demo" = "x, q"', "would do two things on home"),
    ],
)
def test_keys_that_cannot_be_are_named(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "keys.toml").write_text(line + "\n")
    with pytest.raises(ConfigError, match=told.replace("(", "\\(")) as refused:
        read_keymap(tmp_path)
    if "rum" in line:
        assert refused.value.hint == "did you mean train.new_run?"


async def test_a_key_of_one_s_own_does_it_and_the_old_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text('"everywhere.help" = "ctrl+h"\n')
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: " ctrl+h help" in shown(pilot.app.screen))
        await pilot.press("question_mark")
        await pilot.pause()
        assert place(pilot) == "home"
        await pilot.press("ctrl+h")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TextDialog))


async def test_theme_and_place_are_those_of_the_last_visit_to_this_workspace(
    tmp_path: Path,
) -> None:
    app = CockpitApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("t", "8")
        await wait_until(pilot, lambda: place(pilot) == "config")
        app.remember()
    found = remembered()
    assert (found.theme, found.place, found.workspace) == ("atft-light", "config", str(tmp_path))
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: place(pilot) == "config")
        assert pilot.app.theme == "atft-light"
    async with CockpitApp(tmp_path / "other").run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: place(pilot) == "home")


async def test_a_theme_of_one_s_own_is_taken_and_kept(tmp_path: Path, elsewhere: Path) -> None:
    elsewhere.parent.mkdir(parents=True)
    mine = '[dusk]\nbase = "atft-light"\nbackground = "#fdf6e3"\n'
    elsewhere.with_name("themes.toml").write_text(mine)
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        for _ in THEMES:
            await pilot.press("t")
        assert pilot.app.theme == "dusk"
        theme = pilot.app.available_themes["dusk"]
        light = next(one for one in THEMES if one.name == "atft-light")
        assert (theme.background, theme.foreground) == ("#fdf6e3", light.foreground)
        assert ink_of(theme).others == ink_of(light).others
        await pilot.press("t")
        assert pilot.app.theme == THEMES[0].name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[dusk]\nbase = "solarized"\n', "no theme is called 'solarized'"),
        ('[dusk]\nbackgroud = "#000000"\n', "no role is called 'backgroud'"),
        ('[dusk]\nbackground = "very dark"\n', "background is no colour"),
        ("[dusk]\nbackground = 3\n", "background is no colour"),
        ('dusk = "#000000"\n', "dusk is no table of colours"),
    ],
)
def test_a_theme_that_cannot_be_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "themes.toml").write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_themes(tmp_path)


async def test_a_letter_leads_to_a_panel(tmp_path: Path) -> None:
    made.full(tmp_path)
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, HomeScreen)
        await wait_until(pilot, lambda: screen.value is not None and screen.value.more is not None)
        await pilot.press("semicolon")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, JumpScreen))
        jump = pilot.app.screen
        assert isinstance(jump, JumpScreen)
        assert len(jump.targets) == 10, "nine panels and a table"
        letter = next(name for name, widget in jump.targets.items() if widget.id == "home-machine")
        await pilot.press(letter)
        await wait_until(pilot, lambda: pilot.app.screen is screen)
        assert isinstance(screen.focused, HomePanel)
        assert screen.focused.id == "home-machine"
        await pilot.press("semicolon")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, JumpScreen))
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is screen)


def test_the_editor_gets_the_text_and_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in the place of an editor that writes a word before what is there."""
    script = tmp_path / "edit.py"
    script.write_text(
        "import sys\np = sys.argv[1]\ntext = open(p).read()\nopen(p, 'w').write('more ' + text)\n"
    )
    app = CockpitApp(tmp_path)
    monkeypatch.setenv("VISUAL", "")
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    monkeypatch.setattr(CockpitApp, "suspend", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(CockpitApp, "refresh", lambda *_, **__: None)
    assert app.edited("a note") == "more a note"
    monkeypatch.setenv("EDITOR", "no-such-editor-here")
    with pytest.raises(UsageError, match="cannot be started"):
        app.edited("a note")
    monkeypatch.setenv("EDITOR", f"{sys.executable} -c 'raise SystemExit(3)'")
    with pytest.raises(UsageError, match="ended with 3"):
        app.edited("a note")


async def test_the_end_of_a_run_is_told_on_the_desktop(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(habits, "_WATCH_S", 0.02)
    told: list[str] = []
    monkeypatch.setattr(CockpitApp, "desktop", lambda _, words: told.append(words))
    run = make_run(training())
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        with lock.hold(run.directory / "lock"):
            await pilot.pause(0.3)
            assert not told
            append(run, [RunFinished(status="done")])
        await wait_until(pilot, lambda: bool(told))
        assert told == [f"{run.id}: done"]


async def test_help_explains_the_focused_panel_and_is_searched(tmp_path: Path) -> None:
    """Home's champion has a RankIC and a null band; the word "bootstrap" stands in one definition."""
    made.full(tmp_path)
    async with CockpitApp(tmp_path).run_test(size=(120, 48)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, HomeScreen)
        await wait_until(pilot, lambda: screen.value is not None and screen.value.more is not None)
        screen.query_one("#home-champion").focus()
        await pilot.press("question_mark")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TextDialog))
        dialog = pilot.app.screen
        assert isinstance(dialog, TextDialog)
        head, _, rest = dialog.text.plain.partition("Keys\n")
        assert head.startswith('On the panel "champion"')
        assert "Sharpe: Mean net return" in head
        assert "  Sharpe:" not in rest, "told once"
        assert "PSI:" in rest
        await pilot.press("slash", *"bootstrap")
        await wait_until(pilot, lambda: "next theme" not in shown(dialog))
        assert "bootstrap interval" in shown(dialog)
