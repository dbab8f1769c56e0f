"""The diagnoses one by one, on figures made by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import nn

from engine.config import Config, DoctorConfig
from engine.config.file import override
from engine.errors import GateError
from engine.runs.events import Diagnosed
from engine.runs.sink import ListSink
from engine.training.doctor import (
    _REMEDIES,
    Doctor,
    RollBack,
    StepReading,
    _of_epoch,
    _of_step,
    _remedy,
    _Symptom,
)
from engine.training.monitor import _top_features
from engine.training.progress import Chart, Progress, Validation
from engine.training.step import gradient_norms
from tests.engine.runs.samples import graph_worth

CONFIG = DoctorConfig()


def epoch(rank_ic: float, train: float, ratio: float = 0.3) -> Validation:
    return Validation(
        epoch=0,
        rank_ic=rank_ic,
        rank_ic_se=0.01,
        null_band=0.02,
        ic=rank_ic,
        icir=0.1,
        smoothed=rank_ic,
        score_std_ratio=ratio,
        train_rank_ic=train,
    )


def reading(step: int = 0, alpha: float = 0.5, rate: float = 1e-3, **norm: float) -> StepReading:
    return StepReading(step=step, norm=norm, alpha={"bypass": alpha}, gate_rate=rate)


def codes(found: list[_Symptom]) -> list[str]:
    return [finding.code for finding in found]


def after(readings: list[StepReading]) -> list[list[str]]:
    chart = Chart()
    return [codes(_of_step(one, chart, CONFIG)) for one in readings]


def test_healthy_steps_have_no_finding() -> None:
    steps = [reading(5 * i, 0.5 + 2e-4 * i, gat=1e-3, heads=1.0, bypass=0.1) for i in range(40)]
    assert after(steps) == [[]] * 40


@pytest.mark.parametrize(
    ("norm", "code"),
    [({"gat": 9e-9}, "graph_starved"), ({"gat": 0.0}, "graph_starved"),
     ({"heads": 2e3}, "exploding"), ({"heads": 8e2, "gat": 8e2}, "exploding")],
)  # fmt: skip
def test_a_sign_counts_from_the_third_step_in_a_row(norm: dict[str, float], code: str) -> None:
    bad, good = (
        StepReading(step=0, norm=n, alpha={}, gate_rate=1e-3) for n in (norm, {"gat": 1.0})
    )
    assert after([bad, bad, good, bad, bad, bad]) == [[], [], [], [], [], [code]]


@pytest.mark.parametrize("alpha", [0.99, 0.01, 1.0])
def test_a_saturated_gate_is_stuck(alpha: float) -> None:
    assert after([reading(alpha=alpha, gat=1.0)]) == [["gate_stuck"]]


def test_a_gate_that_gets_gradient_and_does_not_move_is_stuck() -> None:
    def steps(move: float, **norm: float) -> list[StepReading]:
        return [reading(i, 0.5 + move * i, bypass=norm.get("bypass", 0.1)) for i in range(8)]

    # Five intervals of one step at rate 1e-3: 5 x 1e-3 x 0.25 = 1.25e-3 is the way allowed.
    assert after(steps(0.0))[5] == ["gate_stuck"]
    assert after(steps(2e-6))[5] == ["gate_stuck"], "0.8 % of the way"
    assert after(steps(3e-6)) == [[]] * 8, "1.2 % of the way"
    assert after(steps(0.0, bypass=0.0)) == [[]] * 8, "no gradient: frozen, not stuck"


def test_a_gate_at_the_end_of_a_schedule_is_not_stuck() -> None:
    assert after([reading(i, 0.5, rate=1e-8, bypass=0.1) for i in range(50)]) == [[]] * 50


def test_collapsed_scores_also_when_undefined() -> None:
    assert codes(_of_epoch([epoch(0.0, 0.0, 0.001)], CONFIG)) == ["scores_collapsed"]
    assert codes(_of_epoch([epoch(0.0, 0.0, np.nan)], CONFIG)) == ["scores_collapsed"]
    assert _of_epoch([epoch(0.0, 0.0, 0.02)], CONFIG) == []


@pytest.mark.parametrize(
    ("share", "rank_ic", "found"),
    [
        (0.0, 0.0, ["graph_starved"]),
        (0.0009, 0.004, ["graph_starved"]),
        (0.0009, -0.004, ["graph_starved"]),
        (0.0009, 0.0041, []),
        (0.0009, -0.0041, []),
        (0.0011, 0.0, []),
        (0.0009, np.nan, ["graph_starved"]),
        (np.nan, np.nan, []),
    ],
)
def test_a_graph_without_worth_is_starved(share: float, rank_ic: float, found: list[str]) -> None:
    """Below 0.1 % of the variance, and RankIC within one error (0.004 in the sample) of zero."""
    told = replace(epoch(0.02, 0.03), graph=graph_worth(1, 0, share, rank_ic).worth)
    symptoms = _of_epoch([told], CONFIG)
    assert codes(symptoms) == found
    if found:
        assert (symptoms[0].evidence, symptoms[0].threshold) == (share, 1e-3)
        assert "9.5 neighbours a stock" in symptoms[0].message
    assert _of_epoch([replace(told, graph=None)], CONFIG) == [], "the graph is off"


def test_a_validation_with_its_graph_survives_the_way_through_json() -> None:
    told = replace(epoch(0.02, 0.03), graph=graph_worth(1, 0).worth)
    again = Progress.from_state(Progress(history=[told]).to_state())
    assert again.history == [told]


def test_overfitting_needs_three_growing_gaps_and_a_fall_beyond_the_error() -> None:
    worse = [epoch(0.05 - 0.01 * i, 0.05 + 0.01 * i) for i in range(4)]
    found = _of_epoch(worse, CONFIG)
    assert codes(found) == ["overfitting"]
    assert found[0].evidence == pytest.approx(0.03)
    assert _of_epoch(worse[:3], CONFIG) == []
    little = [epoch(0.05 - 0.003 * i, 0.05 + 0.01 * i) for i in range(4)]
    assert _of_epoch(little, CONFIG) == [], "0.009 is less than a standard error"
    better = [epoch(0.05 + 0.001 * i, 0.05 + 0.01 * i) for i in range(4)]
    assert _of_epoch(better, CONFIG) == []


def doctor(**policies: str) -> tuple[Doctor, ListSink]:
    sink = ListSink()
    changes = {f"doctor.{code}": policy for code, policy in policies.items()}
    return Doctor(config=override(Config(), changes, origin="test"), sink=sink), sink


def test_a_finding_is_told_once_between_two_validations() -> None:
    who, sink = doctor(gate_stuck="warn")
    chart = Chart()
    for step in range(3):
        who.look_at_step(reading(step, 0.99), chart, epoch=0)
    assert len(sink.events) == 1
    assert not who.look_at_validation([epoch(0.01, 0.01)], chart, step=3)
    assert who.look_at_validation([epoch(0.01, 0.01)], chart, step=4), "a clean epoch"
    who.look_at_step(reading(5, 0.99), chart, epoch=2)
    assert len(sink.events) == 2


def test_policies_decide_what_happens_and_rollbacks_are_bounded() -> None:
    who, sink = doctor(scores_collapsed="rollback")
    chart = Chart()
    for number in (1, 2):
        with pytest.raises(RollBack):
            who.look_at_validation([epoch(0.0, 0.0, 0.0)], chart, step=7)
        chart = chart.after_rollback(0.5)
        assert (chart.rollbacks, chart.rate_scale, chart.told) == (number, 0.5**number, [])
    with pytest.raises(GateError, match="scores_collapsed") as caught:
        who.look_at_validation([epoch(0.0, 0.0, 0.0)], chart, step=7)
    assert "--set loss.cs_ic" in caught.value.hint
    actions = [event.action for event in sink.events if isinstance(event, Diagnosed)]
    assert actions == ["rolled back", "rolled back", "stopped"]
    who, sink = doctor(scores_collapsed="stop")
    with pytest.raises(GateError):
        who.look_at_validation([epoch(0.0, 0.0, 0.0)], Chart(), step=7)


def test_numbers_that_are_not_finite_cannot_be_warned_away() -> None:
    who, sink = doctor(non_finite="warn")
    with pytest.raises(GateError):
        who.look_at_failure(GateError("loss nan"), Chart(), step=3, epoch=0)
    event = sink.events[0]
    assert isinstance(event, Diagnosed)
    assert (event.code, event.action, event.severity) == ("non_finite", "stopped", "critical")


@pytest.mark.parametrize("code", list(_REMEDIES))
@pytest.mark.parametrize("preset", [{}, {"model.dropout": 0.9, "training.weight_decay": 0.9}])
def test_every_patch_is_a_configuration_and_changes_something(
    code: str, preset: dict[str, float]
) -> None:
    config = override(Config(), preset, origin="test")
    advice = _remedy(code, config)  # type: ignore[arg-type]
    patched = override(config, advice.patch, origin="patch")
    assert advice.text
    assert patched != config or preset
    assert all(f"--set {key}=" in advice.hint for key in advice.patch)


def test_the_chart_survives_the_way_through_json() -> None:
    chart = Chart(streaks={"exploding": 2}, told=["gate_stuck"], gate_moved=0.1, rollbacks=1)
    state: Any = Progress(chart=chart).to_state()
    state["chart"]["alpha"] = None  # what strict JSON makes of NaN
    again = Progress.from_state(state).chart
    assert np.isnan(again.alpha)
    again.alpha = chart.alpha
    assert again == chart


def test_gradient_norm_by_hand_and_absent_blocks() -> None:
    a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    a.weight.grad, a.bias.grad = torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])
    assert gradient_norms({"a": a, "b": b}) == {"a": 5.0}


def test_top_features_are_sorted_and_stable() -> None:
    weights = np.array([0.1, 0.4, 0.1, 0.4], dtype=np.float32)
    assert list(_top_features(weights, ("a", "b", "c", "d"), 3)) == ["b", "d", "a"]
