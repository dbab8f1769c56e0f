"""What a new user stumbled over in the first round, each as the rule that keeps it mended.

What has a test where its subject is tested is not repeated here.
"""

import math
from pathlib import Path

import pytest
from msgspec.structs import replace

from atft_tui.app import CockpitApp
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.seals import ShownCard
from atft_tui.screens.forms import checks_text
from atft_tui.screens.train import TrainScreen
from atft_tui.styles import GOOD
from atft_tui.widgets.backtest.equity import EquityValue, equity_picture
from atft_tui.widgets.backtest.words import sharpe_picture
from atft_tui.widgets.card import WAYS, CardPanel
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS
from atft_tui.widgets.network_panels import VariablesPanel
from atft_tui.widgets.panels import RankICPanel, VerdictPanel
from atft_tui.widgets.step_panels import GradientPanel
from engine.records.preflight import PreflightRow
from engine.runs.events import (
    Advanced,
    AttentionLogged,
    BaselineEvaluated,
    EpochEvaluated,
    StageStarted,
)
from engine.runs.fold import fold
from engine.runs.state import RunState
from engine.signals.models import ModelStore
from tests.engine.runs.samples import started, training
from tests.tui import signal_desk
from tests.tui.backtest_files import figures as backtest_figures
from tests.tui.conftest import MakeRun
from tests.tui.home_workspace import NOW
from tests.tui.steps import shown, visit, wait_until
from tests.tui.test_backtest_pictures import curves, figures
from tests.tui.test_train_panels import FULL, drawn


def rival(name: str, rank_ic: float, error: float) -> BaselineEvaluated:
    return BaselineEvaluated(
        name=name, split="validation", horizon=5, rank_ic=rank_ic, rank_ic_se=error, n_dates=252
    )


def of_epoch(value: float, error: float) -> EpochEvaluated:
    one = next(event for event in training() if isinstance(event, EpochEvaluated))
    return replace(one, rank_ic=value, rank_ic_se=error, null_band=0.01, is_best=True)


@pytest.mark.parametrize(
    ("value", "error", "words", "green"),
    [
        (0.030, 0.010, "~ level with ridge: +0.0010", False),
        (0.060, 0.010, "ahead of ridge by 0.0310", True),
        (0.001, 0.010, "behind ridge by 0.0280", False),
    ],
)
def test_ahead_is_said_and_is_green_only_beyond_the_error(
    value: float, error: float, words: str, green: bool
) -> None:
    """5: "ahead of ridge by 0.0010" with an error of 0.0100 was green."""
    state = fold([started(), rival("ridge", 0.029, 0.010), of_epoch(value, error)])
    text = VerdictPanel(id="x").picture(state, 70, 12)
    line = next(line for line in text.split("\n") if "ridge" in line.plain)
    assert words in line.plain
    assert (GOOD in [span.style for span in line.spans]) == green


async def test_train_opens_the_champion_s_run_and_not_the_newest(
    tmp_path: Path, make_run: MakeRun
) -> None:
    """7: it opened the newest, the one without graph; one at work goes before."""
    champion, newest, busy = make_run(training()), make_run(training()), make_run(training()[:30])
    store = ModelStore(tmp_path / "models")
    store.record("promoted", "0b8685179751b2a7", at=NOW, run=champion.id)
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await visit(pilot, "train")
        screen = pilot.app.screen
        assert isinstance(screen, TrainScreen)
        await wait_until(pilot, lambda: screen.news.run_id == champion.id)
        with busy.lock():
            await wait_until(pilot, lambda: screen.news.run_id == busy.id)
    assert newest.id not in (champion.id, busy.id)


def test_while_simple_models_are_fitted_the_panel_tells_progress_and_their_figures() -> None:
    """13: 205 of 388 seconds were empty panels."""
    stage = StageStarted(at="2026-01-05T09:00:00+00:00", stage="baselines")
    done = Advanced(
        at="2026-01-05T09:01:00+00:00",
        stage="baselines",
        done=3,
        total=5,
        note="perceptron, epoch 2",
    )
    state = fold([started(), stage, done, rival("ridge", 0.0251, 0.008)])
    text = "\n".join(drawn(RankICPanel, state, 60, 12))
    for words in (
        "3 of 5",
        "eta 40s",
        "last: perceptron, epoch 2",
        "ridge",
        "+0.0251 ± 0.0080 (n=252)",
    ):
        assert words in text


def test_gradients_are_curves_of_distinct_colours_with_readable_ticks() -> None:
    """17: three lines of one colour; ticks 0.4, -2.4, -5.2."""
    panel = GradientPanel(id="x")
    panel.value = FULL
    text = panel.picture(FULL, 93, 24)
    assert len({span.style for span in text.spans if span.style in LETTER_STYLES}) == 6
    ticks = [line[:5].strip() for line in text.plain.split("\n")[-8:-1]]
    assert [tick for tick in ticks if tick] != []
    assert all(math.isfinite(float(tick)) and "-" not in tick for tick in ticks if tick)


def test_variables_show_how_far_they_lie_from_the_average() -> None:
    """18: twelve equal bars, 1.01 to 1.03, names cut."""
    weights = {"volume_level_10_120": 1.03, "a_name_that_is_twenty_six": 1.01, "low": 0.98}
    state = fold([started(), AttentionLogged(step=1, selection=weights, gat_entropy=0.9)])
    lines = drawn(VariablesPanel, state, 58, 6)
    assert [line.split()[:2] for line in lines[:3]] == [
        ["volume_level_10_120", "+3.0%"],
        ["a_name_that_is_twenty_six", "+1.0%"],
        ["low", "-2.0%"],
    ]
    bars = [line.count(GLYPHS.full) for line in lines[:3]]
    assert bars[0] > 2 * bars[1]
    assert bars[1] < bars[2] < bars[0]


def test_the_scale_of_sharpe_ratios_follows_the_values() -> None:
    """20: an axis of -1 to 3 for +8.57."""
    found = backtest_figures(200) | {"sharpe": 8.57, "sharpe_low": 6.6, "sharpe_high": 10.4}
    rows = sharpe_picture(figures(found), 60, 12).plain.split("\n")
    own = next(row for row in rows if row.startswith("these scores"))
    assert GLYPHS.point in own
    assert GLYPHS.beyond_right not in own
    assert any(row.split()[-2:] == ["10", "Sharpe"] for row in rows)


def test_a_signal_on_hold_says_what_to_change() -> None:
    """22: the first signal was HOLD, and nothing said what to do."""
    lights = ("refused", "turnover")
    card = signal_desk.card("2026-11-24", "HOLD", lights)
    value = ShownCard(name="x", session="2026-11-24", standing="sealed", card=card)
    text = CardPanel(id="card").picture(value, 100, 30).plain
    for name in lights:
        assert f"to change it: {WAYS[name]}" in text
    first = text.split("\n")[0]
    assert "HOLD" in first, "what is not green comes first"
    assert "TRADE" not in text


async def test_settings_that_are_not_read_yet_are_no_filter_s_doing(tmp_path: Path) -> None:
    """23: "No key fits the filter" while reading."""
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await pilot.press("8")
        await pilot.pause()
        assert "fits the filter" not in shown(pilot.app.screen)
        await visit(pilot, "config")
        assert "fits the filter" not in shown(pilot.app.screen)


def test_curves_are_told_apart_without_colour_at_80x24() -> None:
    """24: an equity curve by its colour alone."""
    found = curves(300, [0.01, -0.005])
    lines = equity_picture(EquityValue(curves=found, cursor=299), 76, 17).plain.split("\n")
    count = len(found.rivals) + 1
    for letter in LETTERS[: min(count, 4)]:
        assert f"{letter} " in lines[0]
        assert any(letter in line[8:] for line in lines[1:-1])


def test_a_hint_keeps_its_column_on_every_line() -> None:
    """24: the continuation of a hint lost its indentation."""
    row = PreflightRow(name="mode", value="safe", verdict="ok", hint="takes all cores " * 8)
    lines = checks_text((row,), 50).plain.split("\n")[2:-2]
    assert len(lines) > 2
    assert all(line.startswith(" " * 18) and len(line) <= 50 for line in lines)


def test_a_run_without_a_validation_has_no_verdict_to_overclaim() -> None:
    assert "no validation yet" in "\n".join(drawn(VerdictPanel, RunState(), 60, 8))
