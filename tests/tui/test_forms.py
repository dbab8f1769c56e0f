"""Forms: few named choices first, the rest a key away, and what is typed lands where it is described."""

import datetime as dt
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from atft_tui.app import CockpitApp
from atft_tui.screens import forms
from atft_tui.screens.command_form import CommandForm
from atft_tui.screens.form_fields import PRESET_WORDS, DateField, PathSuggester, PickDialog
from engine.config.file import PRESETS
from engine.records.preflight import PresetEstimate
from tests.tui.steps import shown, wait_until


def seen(form: CommandForm) -> list[str]:
    """Names of the fields that are shown."""
    return [name for name, row in form._rows.items() if row.display]


async def opened(pilot: Pilot[None], command: str) -> CommandForm:
    app = pilot.app
    assert isinstance(app, CockpitApp)
    app.ask(command)
    await wait_until(pilot, lambda: isinstance(app.screen, CommandForm))
    form = app.screen
    assert isinstance(form, CommandForm)
    await wait_until(pilot, lambda: bool(form._rows) and form.focused is not None)
    return form


async def test_each_preset_says_what_it_takes_once_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_QUIET_S", 60.0)  # no preflight in this test
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        form = await opened(pilot, "train")
        assert isinstance(form, forms.TrainForm)
        form.preset_field.value = "base"
        await pilot.pause()
        found = PresetEstimate(name="cpu-small", seconds=720.0, memory_gib=1.25)
        form.show_estimates((found,))
        assert form.preset == "base"
        told = "about 12 min, 1.2 GiB. A small network on the core features."
        assert form.preset_words["cpu-small"] == told
        assert form.preset_words["demo"] == PRESET_WORDS["demo"]
        form.preset_field.expanded = True
        await wait_until(pilot, lambda: "about 12 min, 1.2 GiB" in shown(form))


def test_every_preset_has_a_sentence() -> None:
    assert PRESET_WORDS.keys() == PRESETS.keys()


async def test_a_training_asks_for_a_few_named_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_QUIET_S", 60.0)  # no preflight in this test
    async with CockpitApp(tmp_path).run_test(size=(120, 40)) as pilot:
        form = await opened(pilot, "train")
        assert seen(form) == ["preset", "device", "mode", "seed", "set"]
        assert isinstance(form.focused, Select), "not the field of a run to resume"
        form.query_one("#s-device", Select).value = "cpu"
        form.query_one("#s-seed", Input).value = "3"
        await pilot.pause()
        assert form.words() == ["train", "--set", "training.device=cpu", "--set", "training.seed=3"]
        await pilot.press("f2")
        assert {"resume", "confirm"} <= set(seen(form))


async def test_a_source_has_its_own_fields(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(120, 40)) as pilot:
        form = await opened(pilot, "ingest")
        assert "until" not in seen(form)
        assert seen(form)[:2] == ["source", "prices"]
        form.query_one("#p-source", Select).value = "synthetic"
        await wait_until(pilot, lambda: seen(form) == ["source", "until"])


async def test_what_is_typed_lands_in_the_field_that_is_described(tmp_path: Path) -> None:
    """However fast one goes from field to field."""
    async with CockpitApp(tmp_path).run_test(size=(120, 40)) as pilot:
        form = await opened(pilot, "ingest")
        names = list(form.fields)
        await pilot.press("f2", *["tab"] * names[1:].index("columns"), "x", "y", "z")
        await pilot.pause()
        field = form.focused
        assert isinstance(field, Input)
        assert (field.id, field.value) == ("p-columns", "xyz")
        name = str(field.id).removeprefix("p-")
        about = next(p.help for p in form.command.parameters if p.name == name)
        await wait_until(pilot, lambda: about[:20] in shown(form))


async def test_a_path_is_completed_as_far_as_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "prices.csv").touch()
    (tmp_path / "bars" / ".hidden").touch()
    suggest = PathSuggester().get_suggestion
    assert await suggest(f"{tmp_path}/ba") == f"{tmp_path}/bars/"
    assert await suggest(f"{tmp_path}/bars/") == f"{tmp_path}/bars/prices.csv"
    assert await suggest(f"{tmp_path}/bars/x") is None
    assert await suggest(f"{tmp_path}/nowhere/x") is None
    assert await suggest("") is None


async def test_a_day_is_moved_by_the_arrows_and_told(tmp_path: Path) -> None:
    """Without data the arrows begin with today; what is no day stays, is told and starts nothing."""
    async with CockpitApp(tmp_path).run_test(size=(120, 40)) as pilot:
        form = await opened(pilot, "walkforward")
        field = form.fields["first_test"]
        assert isinstance(field, DateField)
        field.focus()
        field.begin = dt.date(2016, 12, 30)
        await pilot.press("up")
        await wait_until(pilot, lambda: "Fri 30 December 2016" in shown(form))
        await pilot.press("up", "up", "pagedown")
        assert field.value == "2016-12-04"
        assert form.words() == ["walkforward", "--first-test", "2016-12-04"]
        await pilot.press("backspace")
        await wait_until(pilot, lambda: "'2016-12-0' is no day" in shown(form))
        await pilot.press("down", "ctrl+s")
        assert (field.value, pilot.app.screen) == ("2016-12-0", form)
        await wait_until(pilot, lambda: "first test: '2016-12-0' is not a date" in shown(form))


async def test_a_file_is_picked_from_a_tree_that_begins_with_what_was_typed(tmp_path: Path) -> None:
    bars = tmp_path / "bars"
    bars.mkdir()
    (bars / "[bold]p\x1b.csv").touch()
    async with CockpitApp(tmp_path / "ws").run_test(size=(120, 40)) as pilot:
        form = await opened(pilot, "ingest")
        field = form.query_one("#p-prices", Input)
        field.value = f"{bars}/nothing"
        field.focus()
        await wait_until(pilot, lambda: "ctrl+o: pick" in shown(form))
        await pilot.press("ctrl+o")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, PickDialog))
        await wait_until(pilot, lambda: "[bold]p .csv" in shown(pilot.app.screen))
        await pilot.press("ctrl+s")  # the folder itself is under the cursor
        await wait_until(pilot, lambda: pilot.app.screen is form)
        assert field.value == str(bars)
