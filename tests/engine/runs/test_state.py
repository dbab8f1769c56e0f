"""The screen's state is a fold: same stream, same state, however it is cut or replayed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.runs.events import (
    Advanced,
    EpochEvaluated,
    FoldStarted,
    PhaseFinished,
    PhaseStarted,
    PlanMade,
    RunEvent,
    RunFinished,
    StageStarted,
    StepLogged,
)
from engine.runs.fold import _MAX_EPOCHS, _MAX_LOG, fold
from engine.runs.scoreboard import Monitors
from engine.runs.state import RunState
from engine.runs.steps import MAX_POINTS
from tests.engine.runs.samples import (
    EPOCHS,
    PHASES,
    evaluated,
    graph_worth,
    searching,
    started,
    step_events,
    training,
)

EVENTS = training()


def test_a_finished_run() -> None:
    state = fold(EVENTS)
    assert [phase.name for phase in state.phases] == list(PHASES)
    assert [p.status for p in state.phases] == ["kept", "kept", "rolled back", "kept"]
    assert len(state.epochs) == sum(EPOCHS)
    assert state.best is not None
    assert state.best.epoch == sum(EPOCHS) - 1
    assert state.done_share == 1.0
    assert state.finished is not None
    assert state.eta_seconds is None
    assert [event.step for event in state.steps] == list(range(1, 6 * sum(EPOCHS) + 1))


def test_the_best_is_of_the_phase_that_was_kept_not_of_one_rolled_back() -> None:
    until_fine_tune = next(
        i for i, e in enumerate(EVENTS) if isinstance(e, PhaseStarted) and e.phase == 3
    )
    state = fold(EVENTS[:until_fine_tune])
    assert state.best is not None
    assert state.best.phase == 1


@given(st.lists(st.integers(0, len(EVENTS)), max_size=6))
@settings(max_examples=30)
def test_folding_in_pieces_is_folding_at_once(cuts: list[int]) -> None:
    state, start = RunState(), 0
    for cut in [*sorted(cuts), len(EVENTS)]:
        state = fold(EVENTS[start:cut], state)
        start = cut
    assert state == fold(EVENTS)


def test_progress_never_runs_backwards_and_the_eta_shrinks() -> None:
    state, before = RunState(), 0.0
    etas = []
    for event in EVENTS:
        state = fold([event], state)
        assert state.done_share >= before - 1e-9
        before = state.done_share
        if isinstance(event, StepLogged) and state.eta_seconds is not None:
            etas.append(state.eta_seconds)
    assert len(etas) > 10
    assert etas[-1] < etas[0]


def test_a_phase_without_epochs_is_skipped_and_counts_nothing() -> None:
    """Planned 3, 0, 6 and 0 epochs; three and one of the third phase are done: 4 of 9."""
    plan = PlanMade(
        phases=list(PHASES), epochs=[3, 0, 6, 0],
        steps_per_epoch=6, train_sessions=6, validation_sessions=5, test_sessions=5,
    )  # fmt: skip
    assert [p.status for p in fold([plan]).phases] == ["pending", "skipped", "pending", "skipped"]
    events: list[RunEvent] = [started(), plan, _begun(0, 3)]
    events += [evaluated(epoch, 0) for epoch in range(3)]
    kept = PhaseFinished(
        phase=0, name=PHASES[0], best_epoch=2, rank_ic=0.02, rank_ic_se=0.01, kept=True
    )
    events += [kept, _begun(1, 0), _begun(2, 6), evaluated(3, 2)]
    state = fold(events)
    assert [p.status for p in state.phases] == ["kept", "skipped", "running", "skipped"]
    assert [p.first_epoch for p in state.phases] == [0, None, 3, None]
    assert state.network_share == pytest.approx(4 / 9)
    log = [line.text for line in state.log]
    assert f"phase 0 {PHASES[0]}: all blocks off" in log
    assert f"phase 1 {PHASES[1]}: skipped, no epochs" in log


def test_a_refit_is_the_second_half_of_a_network_and_its_time_counts() -> None:
    """Half of the refit is three quarters of the network; ten seconds between its steps are training."""
    plan = replace(next(e for e in EVENTS if isinstance(e, PlanMade)), refit=True)
    at = "2026-01-05T10:00:{:02}+00:00"
    first = [
        plan if isinstance(e, PlanMade) else e for e in EVENTS if not isinstance(e, RunFinished)
    ]
    before = fold(first)
    assert before.network_share == pytest.approx(0.5)
    refit = [
        StageStarted(stage="refit"),
        *(
            Advanced(stage="refit", done=done, total=40, at=at.format(second))
            for done, second in ((10, 0), (20, 10))
        ),
    ]
    began, state = fold(refit[:2], before), fold(refit, before)
    assert state.network_share == pytest.approx(0.75)
    assert state.training_seconds == pytest.approx(began.training_seconds + 10.0)
    assert (state.epochs, state.steps, state.phases) == (before.epochs, before.steps, before.phases)
    done = [Advanced(stage="refit", done=40, total=40), StageStarted(stage="predict")]
    assert fold(done, state).network_share == 1.0
    other = FoldStarted(fold=1, folds=2, seed=1)
    assert fold([other], state).refit_share == 0.0


def _begun(phase: int, epochs: int) -> PhaseStarted:
    return PhaseStarted(
        phase=phase,
        name=PHASES[phase],
        blocks=["gat"] if phase else [],
        epochs=epochs,
        trainable={},
    )


def test_a_resumed_run_replays_its_last_steps_in_place() -> None:
    """Killed at step 10, resumed from the checkpoint of step 8: steps 9 and 10 come twice."""
    cut = next(i for i, e in enumerate(EVENTS) if isinstance(e, StepLogged) and e.step == 10) + 1
    plan = [e for e in EVENTS if type(e).__name__ in ("PlanMade", "ModelBuilt")]
    again = [e for e in EVENTS if isinstance(e, PhaseStarted)][:1]
    replayed = [started(resumed=True), *plan, *again]
    replayed += step_events(9, 1, 0, 0.5)
    replayed += step_events(10, 1, 0, 0.66)
    state = fold([*EVENTS[:cut], *replayed])
    assert [event.step for event in state.steps] == list(range(1, 11))
    assert [event.step for event in state.gradients] == list(range(1, 11))
    assert state.phases[0].first_epoch == 0
    assert state.phases[0].status == "running"
    assert state.finished is None


def test_an_epoch_evaluated_twice_counts_once() -> None:
    state = fold([*EVENTS[:40], evaluated(0, 0), evaluated(1, 0), evaluated(1, 0)])
    assert [event.epoch for event in state.epochs] == [0, 1]


def test_a_long_run_stays_bounded() -> None:
    state = RunState()
    for step in range(5000):
        state = fold(step_events(step, step // 10, 0, 0.5), state)
        if step % 5 == 0:
            state = fold([evaluated(step // 5, 0)], state)
    assert len(state.steps) <= MAX_POINTS
    assert len(state.gradients) <= MAX_POINTS
    assert len(state.epochs) <= _MAX_EPOCHS
    assert len(state.log) <= _MAX_LOG
    assert state.steps[-1].step == 4999
    steps = [event.step for event in state.steps]
    assert steps == sorted(set(steps))
    assert steps[0] < 100, "old points thin out, they do not vanish"


@given(st.permutations(EVENTS[:25]))
@settings(max_examples=30)
def test_events_in_any_order_never_break_the_fold(events: list[RunEvent]) -> None:
    state = fold(events)
    assert state.n_events == 25


@pytest.mark.parametrize("name", ["rank_ic", "rank_ic_se", "null_band"])
def test_missing_figures_do_not_break_it(name: str) -> None:
    broken = replace(evaluated(0, 0), **{name: float("nan")})
    state = fold([broken])
    assert isinstance(state.best, EpochEvaluated)


def test_a_search_shows_its_trials_in_order_with_their_outcome() -> None:
    state = fold(searching())
    assert [trial.state for trial in state.trials] == ["complete", "pruned", "complete", "failed"]
    assert [variant.variant for variant in state.variants] == ["without fan"]
    told = [line.text for line in state.log]
    assert any("trial 2: +0.0120" in text and text.endswith("best") for text in told)
    assert any(text == "trial 1: pruned" for text in told)
    assert any("trial 3: loss nan is not finite" in text for text in told)


def test_phases_of_no_such_number_are_passed_over() -> None:
    before = fold(training())
    starts = next(e for e in training() if isinstance(e, PhaseStarted))
    ends = next(e for e in training() if isinstance(e, PhaseFinished))
    for number in (-1, -(10**6)):
        after = fold([replace(starts, phase=number), replace(ends, phase=number)], before)
        assert after.phases == before.phases


def test_a_worth_that_is_measured_again_replaces_what_a_rollback_undid() -> None:
    """Steps 6 and 12 were validated, then the training went back to step 6 and on to 10."""
    first = [graph_worth(6, 0, share=0.1), graph_worth(12, 1, share=0.2)]
    again = graph_worth(10, 1, share=0.3)
    state = fold([*first, again])
    assert state.graph_worths == (first[0], again)
    assert Monitors.of([*first, again]).graph_worths == [first[0], again]


def test_another_network_begins_without_worth() -> None:
    state = fold(EVENTS)
    assert state.graph_worths
    assert state.blocks_worth is not None
    state = fold([FoldStarted(fold=1, folds=2, seed=1)], state)
    assert state.graph_worths == ()
    assert state.blocks_worth is None


def test_a_training_that_goes_on_has_no_blocks_worth_any_more() -> None:
    """It was measured with other weights."""
    state = fold([graph_worth(999, 9)], fold(EVENTS))
    assert state.blocks_worth is None
