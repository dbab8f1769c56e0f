"""One event of every kind, and a short training as the stream it leaves."""

from collections.abc import Iterator

from engine.records.rank_ic import GraphWorth, Worth
from engine.runs.events import (
    Advanced,
    AssertionChecked,
    AttentionLogged,
    BaselineEvaluated,
    BlocksWorthLogged,
    CheckpointSaved,
    Continued,
    ControlAnswered,
    Diagnosed,
    EpochEvaluated,
    FoldStarted,
    GatesLogged,
    GradientsLogged,
    GraphWorthLogged,
    MachineLogged,
    ModelBuilt,
    Noted,
    Paused,
    PhaseFinished,
    PhaseStarted,
    PlanMade,
    RunEvent,
    RunFinished,
    RunStarted,
    StageStarted,
    StepLogged,
    TaskFinished,
    TrialFinished,
    VariantFinished,
    Warned,
)

PHASES = ("baseline", "adaptive-norm", "gat", "fine-tune")
EPOCHS = (2, 2, 3, 1)
BLOCKS = {
    "baseline": ["selection", "temporal", "attention"],
    "adaptive-norm": ["fan", "san", "selection", "temporal", "attention"],
    "gat": ["fan", "san", "selection", "temporal", "attention", "gat", "bypass"],
    "fine-tune": ["fan", "san", "selection", "temporal", "attention", "gat", "bypass"],
}
STEPS_PER_EPOCH = 6


def started(*, resumed: bool = False) -> RunStarted:
    return RunStarted(
        run_id="20260105-090000-train-abcd",
        command="train",
        device="cpu",
        mode="safe",
        seed=1,
        config_digest="0" * 16,
        resumed=resumed,
    )


def step_events(step: int, epoch: int, phase: int, fraction: float) -> Iterator[RunEvent]:
    blocks = [*BLOCKS[PHASES[phase]], "heads"]
    norm = {name: 0.3 / (1 + i + step / 10) for i, name in enumerate(blocks)}
    yield GradientsLogged(step=step, norm=norm, clipped=step % 3 == 0)
    alpha = {"fan": 0.1, "san": 0.12}
    if "bypass" in blocks:
        alpha["bypass"] = 0.5 + step / 500
    yield GatesLogged(step=step, alpha=alpha)
    yield StepLogged(
        step=step,
        epoch=epoch,
        phase=phase,
        epoch_fraction=fraction,
        loss=1.0 / (1 + step / 20),
        terms={"base": 0.3, "rank_ic": 0.9, "cs_ic": 0.9, "sharpe": -0.2},
        learning_rate=1e-3,
        sessions_per_second=21.5,
        memory_mib=900.0,
    )


def evaluated(epoch: int, phase: int, *, best: bool = True) -> EpochEvaluated:
    return EpochEvaluated(
        epoch=epoch,
        phase=phase,
        split="validation",
        horizon=5,
        rank_ic=0.01 + 0.004 * epoch,
        rank_ic_se=0.008,
        null_band=0.012,
        ic=0.01,
        n_dates=252,
        score_std_ratio=0.2,
        is_best=best,
        train_rank_ic=0.05,
        ic_se=0.007,
        ic_null_band=0.011,
    )


def worth(share: float, rank_ic: float) -> Worth:
    return Worth(share=share, rank_ic=rank_ic, rank_ic_se=0.004, n_dates=252)


def graph_worth(
    step: int, epoch: int, share: float = 0.31, rank_ic: float = 0.042, neighbours: float = 9.5
) -> GraphWorthLogged:
    told = GraphWorth(
        without_edges=worth(share, rank_ic),
        random_neighbours=worth(share / 2, rank_ic / 2),
        neighbours=neighbours,
    )
    return GraphWorthLogged(step=step, epoch=epoch, worth=told)


def diagnosed(code: str = "overfitting", step: int = 48) -> Diagnosed:
    return Diagnosed(
        code=code,
        severity="warning",
        message="the gap to training RankIC grew for 3 epochs",
        evidence=0.03,
        threshold=0.01,
        remedy="more dropout",
        patch={"model.dropout": 0.4},
        action="warned",
        step=step,
        epoch=7,
    )


def training() -> list[RunEvent]:
    """A complete run with every kind of event in its place."""
    events: list[RunEvent] = [
        started(),
        StageStarted(stage="load"),
        StageStarted(stage="features"),
        Advanced(stage="features", done=3, total=45, note="return_1"),
        Noted(message="no CUDA device: training on the CPU"),
        PlanMade(
            phases=list(PHASES),
            epochs=list(EPOCHS),
            steps_per_epoch=STEPS_PER_EPOCH,
            train_sessions=900,
            validation_sessions=252,
            test_sessions=252,
        ),
        ModelBuilt(
            parameters={"gat": 6912, "heads": 4916}, n_features=45, n_symbols=900, n_sessions=1700
        ),
        AssertionChecked(name="output_varies", passed=True, detail="std 0.4"),
        BaselineEvaluated(
            name="lightgbm", split="validation", horizon=5, rank_ic=0.02, rank_ic_se=0.01, n_dates=252
        ),
        MachineLogged(cpu_percent=99.0, memory_mib=900.0, memory_total_mib=24000.0, disk_free_gib=50.0),
    ]  # fmt: skip
    step = epoch = 0
    for phase, name in enumerate(PHASES):
        events.append(
            PhaseStarted(
                phase=phase,
                name=name,
                blocks=BLOCKS[name],
                epochs=EPOCHS[phase],
                trainable={"heads": 4916},
            )
        )
        for _ in range(EPOCHS[phase]):
            for i in range(STEPS_PER_EPOCH):
                step += 1
                events += step_events(step, epoch, phase, (i + 1) / STEPS_PER_EPOCH)
            events.append(evaluated(epoch, phase))
            events.append(
                AttentionLogged(
                    step=step, selection={"return_1": 2.4, "momentum_12_1": 1.7}, gat_entropy=0.8
                )
            )
            if "gat" in BLOCKS[name]:
                events.append(graph_worth(step, epoch))
            events.append(CheckpointSaved(name="best", step=step, epoch=epoch, is_best=True))
            epoch += 1
        best = 0.01 + 0.004 * (epoch - 1)
        events.append(
            PhaseFinished(
                phase=phase,
                name=name,
                best_epoch=epoch - 1,
                rank_ic=best,
                rank_ic_se=0.008,
                kept=name != "gat",
            )
        )
    kept = {"fan": worth(0.002, -0.0001), "gat": worth(0.4, 0.05), "window": worth(0.1, 0.001)}
    events.append(BlocksWorthLogged(worth=kept))
    events.append(Warned(code="device", message="out of device memory", hint="smaller steps"))
    events.append(diagnosed())
    figures = {"rank_ic": 0.021, "rank_ic_se": 0.009, "null_band": 0.012, "n_dates": 252}
    events.append(RunFinished(status="done", summary={"best": figures, "test": figures}))
    return [_stamped(event, i) for i, event in enumerate(events)]


def searching() -> list[RunEvent]:
    """What a search and a comparison tell beyond a training."""
    return [
        FoldStarted(fold=0, folds=3, seed=1),
        TaskFinished(task="fold-0-seed-1"),
        trial(0, "complete", 0.010),
        trial(1, "pruned", float("nan")),
        trial(2, "complete", 0.012, best=True),
        trial(3, "failed", float("nan"), error="loss nan is not finite"),
        VariantFinished(
            variant="without fan",
            seed=1,
            variant_run="20260105-100000-train-0001",
            status="done",
            rank_ic=0.02,
            rank_ic_se=0.01,
            n_dates=252,
        ),
    ]


def asked() -> list[RunEvent]:
    """What a training answers to a person."""
    return [
        ControlAnswered(action="checkpoint", done=True, step=3, detail="saved at step 3"),
        ControlAnswered(
            action="rollback", done=False, step=4, detail="step 4 is the last healthy checkpoint"
        ),
        Paused(step=5, at="2026-01-05T09:00:30.000+00:00"),
        Continued(step=5, seconds=61.0, at="2026-01-05T09:01:31.000+00:00"),
    ]


def trial(
    number: int, state: str, value: float, *, best: bool = False, error: str = ""
) -> TrialFinished:
    return TrialFinished(
        number=number,
        trial_run=f"20260105-090000-trial-{number:04x}",
        state=state,
        value=value,
        rank_ic=value + 0.008,
        rank_ic_se=0.008,
        n_dates=252,
        parameters={"model.hidden": 64},
        seconds=12.0,
        best=best,
        error=error,
    )


def _stamped(event: RunEvent, number: int) -> RunEvent:
    from msgspec.structs import replace

    at = f"2026-01-05T09:{number // 60:02d}:{number % 60:02d}.000+00:00"
    return replace(event, seq=number, at=at)
