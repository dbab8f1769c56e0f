"""Colours by role: readable in every theme, and told apart by people who see fewer colours."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.theme import Theme
from textual.widgets import Static

from atft_tui import styles
from atft_tui.app import CockpitApp
from atft_tui.styles import SAFE, THEMES, KeptStylesheet, ink_of, palette
from atft_tui.widgets.panel import PlacePanel

Vector = NDArray[np.float64]
# Machado, Oliveira and Fernandes (2009), severity 1.0; on linear RGB.
DEFICIENCIES = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> Vector:
    srgb = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Vector) -> Vector:
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_contrast_by_hand() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21.0)
    assert lab(linear("#ffffff"))[0] == pytest.approx(100.0, abs=0.01)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_role_can_be_read_on_every_ground(theme: Theme) -> None:
    """WCAG: 4.5 for text. Every ANSI colour but black is the colour of some words."""
    colours = [palette(theme).ansi_colors[number].hex for number in range(1, 16)]
    ink = ink_of(theme)
    drawn = [
        style.color for style in (ink.main, ink.good, ink.bad, ink.accent, ink.quiet, *ink.others)
    ]
    colours += [colour.get_truecolor().hex for colour in drawn if colour is not None]
    for ground in (theme.background, theme.surface, theme.panel):
        assert contrast(str(theme.foreground), str(ground)) > 7
        for colour in colours:
            assert contrast(colour, str(ground)) >= 4.5, colour


@pytest.mark.parametrize("sight", ["normal", "protanopia", "deuteranopia"])
@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_six_curves_are_told_apart_in_every_theme(theme: Theme, sight: str) -> None:
    colours = [palette(theme).ansi_colors[style.color.number].hex for style in styles.CURVES
               if style.color is not None and style.color.number is not None]  # fmt: skip
    assert len(set(colours)) == 6
    matrix = np.array(DEFICIENCIES.get(sight, np.eye(3)))
    seen = [lab(matrix @ linear(colour)) for colour in colours]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 30


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_safe_theme_is_told_apart_with_fewer_colours(deficiency: str) -> None:
    """A difference of 20 in CIE Lab is seen at a glance (2.3 is just noticeable)."""
    matrix = np.array(DEFICIENCIES[deficiency])
    roles = [str(SAFE.success), str(SAFE.warning), str(SAFE.error)]
    seen = [lab(matrix @ linear(role)) for role in roles]
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 20


def test_a_palette_is_the_themes_roles() -> None:
    for theme in THEMES:
        colours = palette(theme)
        for number, role in ((1, theme.error), (2, theme.success), (3, theme.warning)):
            assert colours.ansi_colors[number].hex == role


class _Both(App[None]):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.ansi_theme_dark = self.ansi_theme_light = palette(theme)

    def compose(self) -> ComposeResult:
        yield Static(Text("whole", style=styles.GOOD), id="whole")
        yield Static(Text.assemble(("part", styles.GOOD), " other"), id="part")


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
async def test_a_role_has_the_themes_colour_in_a_whole_text_and_in_a_part(theme: Theme) -> None:
    app = _Both(theme)
    async with app.run_test(size=(20, 4)) as pilot:
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
    for line in strips[:2]:
        first = next(iter(line))
        assert first.style is not None
        assert first.style.color is not None
        assert first.style.color.get_truecolor().hex == theme.success


class _Word(PlacePanel[str]):
    def picture(self, value: str, width: int, height: int) -> Text:
        return Text(value, styles.GOOD)


class _Panels(App[None]):
    def compose(self) -> ComposeResult:
        yield _Word(id="word")


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
async def test_an_exported_picture_has_the_colours_of_the_theme(theme: Theme) -> None:
    app = _Panels()
    async with app.run_test():
        app.ansi_theme_dark = app.ansi_theme_light = palette(theme)
        panel = app.query_one(_Word)
        panel.show_value("good")
        assert str(theme.success) in panel.svg()


def painted(words: Static) -> Style:
    """What the first letter looks like on the screen."""
    line = words.screen._compositor.render_strips()[words.region.y]
    first = next(iter(line.crop(words.region.x, words.region.right)))
    assert first.style is not None
    return first.style


async def test_the_next_theme_repaints_what_is_on_the_screen(tmp_path: Path) -> None:
    app = CockpitApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        words = Static(Text("words", styles.GOOD))
        await app.screen.mount(words)
        for expected in (*THEMES[1:], THEMES[0]):
            await pilot.press("t")
            await pilot.pause()
            assert app.current_theme is expected
            assert app.ansi_theme.ansi_colors[2].hex == expected.success
            colour = painted(words).color
            assert colour is not None
            assert colour.get_truecolor().hex == expected.success


def test_a_word_without_a_meaning_is_dim_and_every_word_has_a_mark() -> None:
    assert styles.status("who knows").style is styles.DIM
    assert all(found.mark.strip() for found in styles.STATUSES.values())


def test_rules_are_parsed_once_for_a_theme_and_anew_for_another() -> None:
    sheet = KeptStylesheet(variables={"ink": "#ff0000"})
    sheet.add_source("A { color: $ink; }", read_from=("a", ""))
    (first,) = sheet.rules
    sheet.set_variables({"ink": "#ff0000"})
    sheet.reparse()
    assert sheet.rules[0] is first
    sheet.add_source("B { color: $ink; }", read_from=("b", ""))
    sheet.set_variables({"ink": "#0000ff"})
    sheet.reparse()
    assert [rule.styles.color.hex for rule in sheet.rules] == ["#0000FF", "#0000FF"]
