"""The training loop: phases of epochs of steps of whole days. Knows no screen; writes checkpoints only.

What decides the next step is in `Progress`, in the tensors of the `resume` checkpoint and in the seeds,
so a run that is killed and resumed passes through the same states bit by bit (CPU, safe mode).
"""

import time
from dataclasses import asdict, dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.config import Config, PhaseConfig
from engine.dataset.batch import Batch
from engine.dataset.loader import epoch_steps, prefetch
from engine.dataset.split import Split
from engine.errors import GateError
from engine.features.feature_set import FeatureSet
from engine.graph.graph import GraphSeries
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.runs.events import (
    AttentionLogged,
    CheckpointSaved,
    EpochEvaluated,
    GatesLogged,
    GradientsLogged,
    Noted,
    PhaseFinished,
    PhaseStarted,
    StageStarted,
    StepLogged,
    Warned,
)
from engine.runs.sink import EventSink
from engine.training import diagnosis, probes
from engine.training.compilation import CompiledBlocks, worth_compiling
from engine.training.device import Runtime
from engine.training.machine import MachineProbe
from engine.training.optimizer import build_optimizer, one_cycle, set_trainable
from engine.training.progress import PhaseResult, Progress
from engine.training.scoring import ScoredDays, score_days
from engine.training.snapshots import Snapshots
from engine.training.step import Stepper, StepResult

MACHINE_EVERY_S = 5.0


class StopSignal(Protocol):
    @property
    def requested(self) -> bool: ...


class TrainingStopped(Exception):  # noqa: N818 - a way out of the loop, not a fault
    """The stop flag was seen at the end of a step; a resumable checkpoint has been written."""


@dataclass(slots=True, kw_only=True)
class Trainer:
    config: Config
    features: FeatureSet
    graphs: GraphSeries | None
    split: Split
    model: ATFTGATFAN
    runtime: Runtime
    sink: EventSink
    stop: StopSignal
    snapshots: Snapshots
    machine: MachineProbe
    progress: Progress
    _machine_due: float = 0.0

    def run(self, *, resume: bool = False) -> list[PhaseResult]:
        """Train through all phases; the model ends with the weights and blocks of the best one kept."""
        phases = self.config.training.phases
        stepper: Stepper | None = None
        if resume and self.snapshots.can_resume():
            stepper = self._restore()
        while self.progress.phase < len(phases):
            self._run_phase(phases[self.progress.phase], stepper)
            stepper = None
        self.snapshots.load_weights("kept", self.model)
        self.model.set_blocks(self.progress.kept_blocks)
        return self.progress.results

    def _restore(self) -> Stepper | None:
        resumed = self.snapshots.load_resume(self.model)
        self.progress = resumed.progress
        self.sink.emit(Noted(message=f"resumed at step {self.progress.step}"))
        phases = self.config.training.phases
        stepper = None
        if resumed.optimizer_state is not None and self.progress.phase < len(phases):
            stepper = self._begin(phases[self.progress.phase])
        resumed.restore(stepper.optimizer if stepper else None)
        return stepper

    # ---- phases --------------------------------------------------------------------------------

    def _begin(self, phase: PhaseConfig) -> Stepper:
        """Switch the phase's blocks on, give them gradient, and start its optimiser."""
        training = self.config.training
        blocks = self._blocks_of(phase)
        self.model.set_blocks(blocks)
        # Gradients left from a block that is off now would still count in the clipping.
        self.model.zero_grad(set_to_none=True)
        trainable = set_trainable(self.model, blocks, phase.frozen)
        self.sink.emit(
            PhaseStarted(
                phase=self.progress.phase,
                name=phase.name,
                blocks=blocks,
                epochs=phase.epochs,
                trainable=trainable,
            )
        )
        compiled = None
        if worth_compiling(self.runtime, phase.epochs * self._steps_per_epoch()):
            compiled = CompiledBlocks(self.model)
            self.sink.emit(Noted(message="compiling the network: the first steps take longer"))
        return Stepper(
            compiled=compiled,
            sink=self.sink,
            config=self.config,
            features=self.features,
            graphs=self.graphs,
            model=self.model,
            runtime=self.runtime,
            optimizer=build_optimizer(
                self.model,
                learning_rate=training.learning_rate,
                weight_decay=training.weight_decay,
                fused=self.runtime.fast,
            ),
        )

    def _steps_per_epoch(self) -> int:
        training = self.config.training
        return self.split.train.size // (training.day_stride * training.days_per_step)

    def _blocks_of(self, phase: PhaseConfig) -> list[str]:
        """Blocks of the phase that exist in the model and were not thrown out with an earlier phase."""
        allowed = set(self.config.model.blocks) - set(self.progress.rejected_blocks)
        return [block for block in phase.blocks if block in allowed]

    def _run_phase(self, phase: PhaseConfig, stepper: Stepper | None) -> None:
        stepper = stepper or self._begin(phase)
        self.sink.emit(StageStarted(stage="train"))
        while self.progress.epoch_in_phase < phase.epochs and not self._out_of_patience(phase):
            self._run_epoch(phase, stepper)
        self._finish_phase(phase)

    def _out_of_patience(self, phase: PhaseConfig) -> bool:
        best, history = self.progress.best, self.progress.history
        return best is not None and history[-1]["epoch"] - best["epoch"] >= phase.patience

    def _finish_phase(self, phase: PhaseConfig) -> None:
        """Keep the phase's best epoch if it beats the best phase so far, else roll back to that."""
        state, best, before = self.progress, self.progress.best, self.progress.best_kept
        blocks = self._blocks_of(phase)
        if best is not None:
            kept = before is None or best["smoothed"] > before.smoothed
            state.results.append(PhaseResult.of(phase.name, state.epoch_in_phase, best, kept=kept))
            self.sink.emit(
                PhaseFinished(
                    phase=state.phase,
                    name=phase.name,
                    best_epoch=best["epoch"],
                    rank_ic=best["rank_ic"],
                    rank_ic_se=best["rank_ic_se"],
                    kept=kept,
                )
            )
            if kept:
                self.snapshots.load_weights("best", self.model)
                state.kept_blocks = blocks
                self.snapshots.save_weights("kept", self.model, {"blocks": blocks})
            else:
                self.snapshots.load_weights("kept", self.model)
                new = [block for block in blocks if block not in state.kept_blocks]
                state.rejected_blocks = [*state.rejected_blocks, *new]
                text = f", without {', '.join(new)}" if new else ""
                self.sink.emit(
                    Noted(
                        message=f"phase {phase.name} did not beat the one before: rolled back{text}"
                    )
                )
        self.progress = replace(
            state, phase=state.phase + 1, epoch_in_phase=0, step_in_phase=0, history=[], best=None
        )
        self.snapshots.save_resume(self.model, None, self.progress)

    # ---- epochs and steps ----------------------------------------------------------------------

    def _run_epoch(self, phase: PhaseConfig, stepper: Stepper) -> None:
        state, training = self.progress, self.config.training
        steps = epoch_steps(
            self.split.train,
            stride=training.day_stride,
            days_per_step=training.days_per_step,
            seed=training.seed,
            epoch=state.epoch,
        )
        total = phase.epochs * len(steps)
        peak = training.learning_rate * phase.learning_rate_scale
        started = time.perf_counter()
        todo = steps[state.step_in_epoch :]
        with prefetch(
            self.features, self.graphs, todo, self.config.split.window, pin=self.runtime.pin
        ) as batches:
            for batch in batches:
                monitor = state.step % training.log_every == 0
                rate = one_cycle(state.step_in_phase, total, peak)
                result = self._run_step(stepper, batch, rate, monitor=monitor)
                state.sessions += len(batch.sessions)
                state.seconds += time.perf_counter() - started
                started = time.perf_counter()
                if monitor:
                    self._log(result, rate, state.step_in_epoch / len(steps))
                if state.step_in_epoch < len(steps):
                    self._save_or_stop(stepper)
        self._validate()
        state.epoch += 1
        state.epoch_in_phase += 1
        state.step_in_epoch = 0
        state.train_ics = []
        self._save_or_stop(stepper, save=True)

    def _run_step(
        self, stepper: Stepper, batch: Batch, rate: float, *, monitor: bool
    ) -> StepResult:
        state = self.progress
        try:
            result = stepper(batch, rate, halves=state.halves, monitor=monitor)
        except GateError as error:
            self.sink.emit(Warned(code="non_finite", message=error.message, hint=error.hint))
            raise
        if result.halved and not state.halves:
            state.halves = True
            self.sink.emit(
                Warned(
                    code="device",
                    message="out of device memory: from here every step goes through in two halves",
                    hint="lower training.days_per_step or model.hidden",
                )
            )
        state.train_ics.append(result.rank_ic)
        state.step += 1
        state.step_in_phase += 1
        state.step_in_epoch += 1
        return result

    def _save_or_stop(self, stepper: Stepper, *, save: bool = False) -> None:
        state = self.progress
        if save or self.stop.requested or state.step % self.config.training.checkpoint_steps == 0:
            self.snapshots.save_resume(self.model, stepper.optimizer, state)
            self.sink.emit(
                CheckpointSaved(name="resume", step=state.step, epoch=state.epoch, is_best=False)
            )
        if self.stop.requested:
            raise TrainingStopped

    def _log(self, result: StepResult, rate: float, done: float) -> None:
        machine = self.machine.read()
        if time.monotonic() >= self._machine_due:
            self._machine_due = time.monotonic() + MACHINE_EVERY_S
            self.sink.emit(machine)
        state = self.progress
        state.gradient, state.alpha = result.norm, result.alpha
        self.sink.emit(GradientsLogged(step=state.step, norm=result.norm, clipped=result.clipped))
        self.sink.emit(GatesLogged(step=state.step, alpha=result.alpha))
        self.sink.emit(
            StepLogged(
                step=state.step,
                epoch=state.epoch,
                phase=state.phase,
                epoch_fraction=done,
                loss=result.loss,
                terms=result.terms,
                learning_rate=rate,
                sessions_per_second=state.sessions_per_second,
                memory_mib=machine.memory_mib,
            )
        )
        for warning in diagnosis.of_step(result.norm, result.alpha, self.config.monitor):
            self.sink.emit(warning)

    # ---- validation ----------------------------------------------------------------------------

    def score(self, sessions: NDArray[np.int64]) -> ScoredDays:
        """Eval-mode scores of whole days with the weights and blocks of this moment."""
        return score_days(
            self.model,
            self.features,
            self.graphs,
            sessions,
            window=self.config.split.window,
            runtime=self.runtime,
        )

    def _validate(self) -> None:
        state, training = self.progress, self.config.training
        self.sink.emit(StageStarted(stage="evaluate"))
        scored = self.score(self.split.validation)
        h = self.config.labels.horizons.index(training.score_horizon)
        summary = scored.summary(
            h, horizon=training.score_horizon, null_draws=training.null_draws, seed=training.seed
        )
        before = [row["rank_ic"] for row in state.history]
        smoothed = float(np.mean([*before, summary.rank_ic][-training.smoothing_epochs :]))
        is_best = state.best is None or smoothed > state.best["smoothed"]
        event = EpochEvaluated(
            epoch=state.epoch,
            phase=state.phase,
            split="validation",
            horizon=training.score_horizon,
            rank_ic=summary.rank_ic,
            rank_ic_se=summary.rank_ic_se,
            null_band=summary.null_band,
            ic=summary.ic,
            n_dates=summary.n_dates,
            score_std_ratio=scored.std_ratio(h),
            is_best=is_best,
            train_rank_ic=_mean(state.train_ics),
        )
        self.sink.emit(event)
        state.history.append({**asdict(event), "icir": summary.icir, "smoothed": smoothed})
        self.sink.emit(
            AttentionLogged(
                step=state.step,
                selection=probes.top_features(scored.selection_F, self.features.features),
                gat_entropy=scored.gat_entropy,
            )
        )
        for warning in diagnosis.of_epoch(state.validations(), self.config.monitor):
            self.sink.emit(warning)
        if is_best:
            state.best = state.history[-1]
            self.snapshots.save_weights("best", self.model, {"epoch": state.epoch})
            self.sink.emit(
                CheckpointSaved(name="best", step=state.step, epoch=state.epoch, is_best=True)
            )
        self.sink.emit(StageStarted(stage="train"))


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")
