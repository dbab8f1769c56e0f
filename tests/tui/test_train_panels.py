"""The pictures of Train alone: any numbers, any box; and what their words say."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from atft_tui.glyphs import GLYPHS
from atft_tui.readings.feed import RunNews
from atft_tui.screens.run_columns import tried
from atft_tui.styles import BAD, PLAIN, WARN
from atft_tui.widgets import strips
from atft_tui.widgets.doctor_panel import DoctorPanel, details
from atft_tui.widgets.network_panels import (
    GatePanel,
    NetworksPanel,
    SpreadPanel,
    VariablesPanel,
    WorthPanel,
)
from atft_tui.widgets.panel import StatePanel
from atft_tui.widgets.panels import LogPanel, RankICPanel, VerdictPanel
from atft_tui.widgets.run_lines import headline, timeline, way_on
from atft_tui.widgets.step_panels import GradientPanel, LossPanel, MachinePanel
from engine.runs.events import (
    AttentionLogged,
    BaselineEvaluated,
    BlocksWorthLogged,
    CheckpointSaved,
    EpochEvaluated,
    FoldStarted,
    GatesLogged,
    GradientsLogged,
    MachineLogged,
    PlanMade,
    RunFinished,
    StepLogged,
)
from engine.runs.fold import fold
from engine.runs.state import RunState
from tests.engine.runs.samples import (
    asked,
    evaluated,
    graph_worth,
    searching,
    started,
    training,
    worth,
)

EVENTS = training()
FULL = fold([searching()[0], *EVENTS, *searching()[1:], *asked()])
PANELS: tuple[type[StatePanel], ...] = (
    RankICPanel, VerdictPanel, GatePanel, SpreadPanel, GradientPanel, LossPanel, MachinePanel,
    VariablesPanel, WorthPanel, LogPanel, NetworksPanel, DoctorPanel,
)  # fmt: skip
ANY = st.floats(allow_nan=True, allow_infinity=True)
RUN = "20260105-090000-train-abcd"


def drawn(kind: type[StatePanel], state: RunState, width: int, height: int) -> list[str]:
    panel = kind(id="x")
    panel.value = state
    return panel.drawing(width, height).plain.rstrip("\n").split("\n")


@pytest.mark.parametrize("kind", PANELS)
@pytest.mark.parametrize("box", [(10, 1), (26, 5), (40, 8), (93, 16), (300, 60)])
def test_a_panel_stays_in_its_box_and_is_never_empty(
    kind: type[StatePanel], box: tuple[int, int]
) -> None:
    for state in (RunState(), fold(EVENTS[:15]), FULL):
        lines = drawn(kind, state, *box)
        assert any(line.strip() for line in lines), kind
        if kind is not RankICPanel:
            assert len(lines) <= max(box[1], 1), kind


@st.composite
def strange(draw: st.DrawFn) -> RunState:
    """A state whose figures are any floats at all."""
    events = []
    for step in range(1, draw(st.integers(1, 6))):
        norm = {name: draw(ANY.map(abs)) for name in ("gat", "heads", "新")}
        events += [
            GradientsLogged(step=step, norm=norm, clipped=True),
            GatesLogged(step=step, alpha={"bypass": draw(ANY), "fan": draw(ANY)}),
            StepLogged(
                step=step, epoch=0, phase=0, epoch_fraction=0.1, loss=draw(ANY),
                terms={"base": draw(ANY)}, learning_rate=draw(ANY), sessions_per_second=draw(ANY),
                memory_mib=1.0,
            ),
            AttentionLogged(step=step, selection={"x" * 40: draw(ANY)}, gat_entropy=draw(ANY)),
            replace(
                evaluated(step, 0), rank_ic=draw(ANY), rank_ic_se=draw(ANY), null_band=draw(ANY),
                score_std_ratio=draw(ANY), train_rank_ic=draw(ANY), ic=draw(ANY),
            ),
            BaselineEvaluated(name="ridge", split="validation", horizon=5, rank_ic=draw(ANY),
                              rank_ic_se=draw(ANY), n_dates=1),
            MachineLogged(cpu_percent=1, memory_mib=2, memory_total_mib=3, disk_free_gib=4,
                          gpu_percent=draw(st.floats(0, 100) | st.just(math.nan))),
            FoldStarted(fold=step % 2, folds=2, seed=1),
            graph_worth(step, step, draw(ANY), draw(ANY), draw(ANY)),
            BlocksWorthLogged(worth={"新" * 9: worth(draw(ANY), draw(ANY))}),
        ]  # fmt: skip
    return fold(draw(st.permutations(events)))


@given(strange(), st.integers(4, 120), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_any_figures_can_be_drawn(state: RunState, width: int, height: int) -> None:
    for kind in PANELS:
        drawn(kind, state, width, height)
    details(state)
    timeline(state, width, live=True)
    for status in ("running", "paused", "crashed", "stopped", "done", "created"):
        headline(RunNews(RUN, state, status), width)


@given(st.lists(ANY, max_size=300), st.integers(1, 150))
def test_a_heat_strip_fits_its_width(values: list[float], width: int) -> None:
    assert strips.log_heat(values, width).cell_len == min(len(values), width)


def test_the_heat_scale_by_hand() -> None:
    assert strips.heat_cell(0.0)[0] == strips.DEAD
    assert strips.heat_cell(9e-9) == (strips.DEAD, BAD)
    assert strips.heat_cell(1.1e-8)[1] == WARN
    assert strips.heat_cell(9e-7)[1] == WARN
    decades = [strips.heat_cell(3.0 * 10.0**power) for power in range(-6, 1)]
    assert decades == [strips.shade(level) for level in range(len(strips.RAMP))]
    assert len(set(decades)) == 7
    assert strips.heat_cell(math.inf) == strips.heat_cell(1e9) == strips.shade(6)
    assert strips.heat_cell(math.nan) == (" ", PLAIN)
    strip = strips.log_heat([1.0] * 50 + [1e-9] + [1.0] * 49, 10).plain
    assert strip.count(strips.DEAD) == 1, "one starved moment is seen among many"


def test_a_block_without_gradient_is_named_dead_and_an_absent_one_off() -> None:
    steps = [
        GradientsLogged(step=1, norm={"gat": 0.0, "heads": 1.0}, clipped=False),
        GradientsLogged(step=2, norm={"gat": 0.0, "san": 1.0}, clipped=False),
    ]
    gat, heads, *_ = drawn(GradientPanel, fold(steps), 60, 8)
    assert gat.split()[:2] == ["gat", "dead"]
    assert heads.split()[:2] == ["heads", "off"]


def test_the_graphs_worth_has_its_figures_and_the_blocks_follow_at_the_end() -> None:
    lines = drawn(WorthPanel, FULL, 40, 8)
    assert [line.rstrip() for line in lines[:5]] == [
        "no edge   31% +0.0420 ± 0.0040 (n=252)",
        "random    16% +0.0210 ± 0.0040 (n=252)",
        "fan        0% -0.0001 ± 0.0040 (n=252)",
        "gat       40% +0.0500 ± 0.0040 (n=252)",
        "window    10% +0.0010 ± 0.0040 (n=252)",
    ]
    assert lines[5].startswith("share, 0 to 1")
    assert drawn(WorthPanel, FULL, 76, 4)[:2] == [
        "no edge   31% +0.0420 ± 0.0040         gat       40% +0.0500 ± 0.0040",
        "random    16% +0.0210 ± 0.0040         window    10% +0.0010 ± 0.0040",
    ]
    small = drawn(WorthPanel, FULL, 26, 4)
    assert small[0] == "no edge 31% +0.042 ± 0.004"
    assert small[3] == "2 more lines: train --json"
    before = drawn(WorthPanel, fold(EVENTS[:40]), 60, 4)
    assert before == ["After a validation with the graph."]


def test_a_narrow_gate_has_a_line_for_each_stream() -> None:
    assert drawn(GatePanel, FULL, 40, 4)[0] == "projected 0.60  graph 0.40"
    assert drawn(GatePanel, FULL, 16, 4)[:2] == ["projected 0.60", "graph 0.40"]


def test_the_loss_terms_each_have_a_strip_and_the_rate_comes_last() -> None:
    lines = drawn(LossPanel, FULL, 40, 8)
    assert [line.split()[0] for line in lines[:6]] == [
        "total", "base", "rank_ic", "cs_ic", "sharpe", "lr",
    ]  # fmt: skip
    assert "1.0e-03" in lines[5]


def test_walk_forward_networks_in_order_with_their_figures() -> None:
    events = [
        started(),
        *EVENTS[5:10],
        FoldStarted(fold=0, folds=2, seed=1, seeds=2),
        *EVENTS[10:40],
        FoldStarted(fold=0, folds=2, seed=2, seeds=2),
        *EVENTS[10:20],
    ]
    state = fold(events)
    assert [(n.fold, n.seed, n.epochs) for n in state.networks] == [(0, 1, 1), (0, 2, 0)]
    assert state.epochs == ()
    first, second = drawn(NetworksPanel, state, 90, 5)[1:]
    assert "fold  1 seed 1" in first
    assert "+0.0100 ± 0.0080 (n=252)" in first
    assert "~" in first, "inside its null band"
    assert "no validation yet" in second
    assert 0.25 < state.done_share < 0.5, "one of four networks and a bit"
    assert "network 2 of 4" in drawn(NetworksPanel, state, 90, 5)[0]


def test_a_fold_that_is_taken_up_again_keeps_what_is_known() -> None:
    fresh = FoldStarted(fold=0, folds=2, seed=1)
    state = fold([started(), *EVENTS[5:10], fresh, *EVENTS[10:40]])
    again = fold([started(resumed=True), fresh], state)
    assert again.networks == state.networks
    assert again.epochs == state.epochs


def test_paired_difference_is_told_with_its_interval_once_it_is_known() -> None:
    test = {"rank_ic": 0.02, "rank_ic_se": 0.01, "n_dates": 250}
    against = {"name": "ridge", "difference": 0.0032, "low": -0.0009, "high": 0.0071,
               "confidence": 0.9, "rank_ic": 0.02, "verdict": "undecided"}  # fmt: skip
    done = RunFinished(status="done", summary={"test": test, "against": against})
    text = "\n".join(drawn(VerdictPanel, fold([*EVENTS[:-1], done]), 70, 12))
    assert "test undecided: +0.0032 against ridge, 90% [-0.0009, +0.0071]" in text
    torn = RunFinished(status="done", summary={"test": {"rank_ic": "x"}, "against": {"name": 3}})
    assert "against ridge" not in "\n".join(drawn(VerdictPanel, fold([*EVENTS[:-1], torn]), 70, 12))


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        ("SIGKILL", "died by SIGKILL (kill -9 or out of memory)"),
        ("SIGSEGV", "died by SIGSEGV"),
        ("", "died without an end (killed or crashed)"),
    ],
)
def test_a_death_is_told_as_far_as_it_is_known(signal: str, words: str) -> None:
    saved = [
        CheckpointSaved(name=name, step=step, epoch=1, is_best=name == "best")
        for name, step in (("resume", 12), ("best", 13), ("healthy", 13))
    ]
    news = RunNews(RUN, fold([*EVENTS[:60], *saved]), "crashed", "Killed", signal)
    assert words in headline(news, 80).plain
    text = way_on(news).plain
    assert "last checkpoint step 12 epoch 1, press r to resume  last words: Killed" in text
    other = way_on(RunNews(RUN.replace("train", "sweep"), RunState(), "crashed")).plain
    assert other.strip() == "it cannot be resumed: start it again"


def test_a_paused_run_says_what_to_press_and_has_no_eta() -> None:
    cut = next(i for i, e in enumerate(EVENTS) if isinstance(e, EpochEvaluated)) + 12
    state = fold(EVENTS[:cut])
    running = headline(RunNews(RUN, state, "running"), 160).plain
    paused = headline(RunNews(RUN, state, "paused"), 160).plain
    assert "eta" in running
    assert "eta" not in paused
    assert "p goes on" in paused
    wish = headline(RunNews(RUN, state, "running", asked=frozenset({"pause"})), 160).plain
    assert "pause asked, at the end of the step" in wish


def test_trials_and_variants_newest_first_with_the_best_marked() -> None:
    rows = tried(fold(searching()))
    assert [row.name for row in rows] == [
        "without fan, seed 1", "trial 3", "trial 2", "trial 1", "trial 0",
    ]  # fmt: skip
    assert [row.name for row in rows if row.best] == ["trial 2"]
    assert "loss nan is not finite" in rows[1].about
    assert "model.hidden=64" in rows[2].about


def test_the_doctor_says_everything() -> None:
    text = details(FULL).plain
    for words in ("gat       40.0% of the score variance, RankIC +0.0500 ± 0.0040 (n=252)",
                  "overfitting", "(warned)", "more dropout", "--set model.dropout=0.4",
                  "output_varies", "validation RankIC > 0.020", "out of device memory"):  # fmt: skip
        assert words in text


def test_a_phase_without_epochs_is_told_as_skipped() -> None:
    plan = PlanMade(
        phases=["baseline", "window", "gat"], epochs=[3, 0, 6],
        steps_per_epoch=6, train_sessions=6, validation_sessions=5, test_sessions=5,
    )  # fmt: skip
    words = timeline(fold([plan]), 160, live=True).plain
    assert words.split(GLYPHS.empty)[1].strip() == "1 window skipped"


def test_inputs_that_all_weigh_one_are_no_ranking() -> None:
    attention = next(e for e in EVENTS if isinstance(e, AttentionLogged))
    off = replace(attention, selection=dict.fromkeys(attention.selection, 1.0))
    lines = drawn(VariablesPanel, fold([*EVENTS, off]), 80, 8)
    assert lines[0] == "Variable selection is off: every input weighs 1."
    assert lines[1].startswith("graph attention entropy")
