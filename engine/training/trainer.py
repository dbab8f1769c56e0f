"""The training loop: phases of epochs of steps of whole days. Knows no screen; writes checkpoints only.

    for each phase:                      blocks on or frozen, a new optimiser
        for each epoch:                  every day_stride-th day, shuffled
            for each step:               days_per_step whole days, made one step ahead
                forward, loss, backward  passes.py: in one piece, in chunks, in parts
                clip, update             step.py: skipped where not finite
                average the weights      optimizer.py
                now and then:            figures and doctor (monitor.py), checkpoint, a person's wishes
            validate                     RankIC of each day; the best epoch's weights are kept
        keep the phase                   if it gained more than its error, else back to the one before

What decides the next step is in `Progress`, in the tensors of the `resume` checkpoint and in the seeds,
so a run that is killed and resumed passes through the same states bit by bit (CPU, safe mode).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from engine.config import Config, PhaseConfig
from engine.dataset.batch import Batch
from engine.dataset.loader import prefetch, steps_of_epoch
from engine.dataset.split import Split
from engine.dataset.windows import DevicePanel
from engine.errors import GateError
from engine.features.feature_set import FeatureSet
from engine.graph.graph import GraphSeries
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.records.train import PhaseResult
from engine.runs.events import CheckpointSaved, Noted, StageStarted
from engine.runs.sink import EventSink
from engine.training.control import NoControl, StepControl, StopSignal, TrainingStopped
from engine.training.device import Runtime
from engine.training.doctor import RollBack
from engine.training.machine import MachineProbe
from engine.training.monitor import (
    Monitor,
    not_kept,
    out_of_memory,
    phase_finished,
    phase_result,
    phase_started,
)
from engine.training.optimizer import WeightAverage, build_optimizer, one_cycle, set_trainable
from engine.training.passes import StepPass, open_pass
from engine.training.progress import Progress
from engine.training.scoring import OtherGraph, ScoredDays, score_days
from engine.training.snapshots import Snapshots, State
from engine.training.step import Stepper, StepResult, compiled_where_it_pays
from engine.training.worth import other_graphs


@dataclass(slots=True, kw_only=True)
class Trainer:
    """The loop over phases, epochs and steps of one network; `run` goes through all that is left."""

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
    control: StepControl = field(default_factory=NoControl)
    """What a person may ask for while it trains."""
    _monitor: Monitor = field(init=False)
    _average: WeightAverage = field(init=False)
    _pass: StepPass = field(init=False)
    _panel: DevicePanel | None = field(init=False)

    def __post_init__(self) -> None:
        self._average = WeightAverage.of(self.config.training)
        window, runtime = self.config.split.window, self.runtime
        self._panel = DevicePanel.of(self.features, window, runtime.device, runtime.room)

    def run(self, *, resume: bool = False) -> list[PhaseResult]:
        """Train through all phases; the model ends with the weights and blocks of the best one kept."""
        self._monitor = Monitor(
            config=self.config,
            features=self.features.features,
            sink=self.sink,
            machine=self.machine,
        )
        with open_pass(self.runtime) as self._pass:
            resumed = resume and self.snapshots.can_resume()
            stepper = self._restore() if resumed else None
            while self.progress.phase < len(self._phases):
                self._run_phase(self._phases[self.progress.phase], stepper)
                stepper = None
        self.snapshots.load_weights("kept", self.model)
        self.model.set_blocks(self.progress.kept_blocks)
        return self.progress.results

    def _restore(self) -> Stepper | None:
        saved = self.snapshots.load_state("resume", self.model)
        self.progress = saved.progress
        self.sink.emit(Noted(message=f"resumed at step {self.progress.step}"))
        stepper = None
        if saved.optimizer_state is not None and self.progress.phase < len(self._phases):
            stepper = self._begin(self._phases[self.progress.phase])
            saved.restore_phase(self.model, stepper.optimizer, self._average)
        saved.restore_rng()
        return stepper

    def _roll_back(self, phase: PhaseConfig, *, by_hand: bool) -> Stepper:
        """Back to the phase's last healthy moment with a lower learning rate.

        The best epoch found so far stays: its weights are on disk, and it was measured.
        """
        before = self.progress
        saved = self.snapshots.load_state("healthy", self.model)
        self.progress = saved.progress
        self.progress.best, self.progress.best_daily = before.best, before.best_daily
        self.progress.parts = before.parts
        rate = self.config.doctor.rollback_rate
        self.progress.chart = before.chart.after_rollback(rate, by_hand=by_hand)
        stepper = self._begin(phase)
        saved.restore_phase(self.model, stepper.optimizer, self._average)
        saved.restore_rng()
        self.sink.emit(
            Noted(
                message=f"rolled back from step {before.step} to step {self.progress.step}; learning "
                f"rate x {self.progress.chart.rate_scale:g} from here"
            )
        )
        self._save("resume", stepper)
        return stepper

    # ---- phases --------------------------------------------------------------------------------

    @property
    def _phases(self) -> Sequence[PhaseConfig]:
        return self.config.training.phases

    def _begin(self, phase: PhaseConfig) -> Stepper:
        """Switch the phase's blocks on, give them gradient, and start its optimiser."""
        training = self.config.training
        blocks = self._blocks_of(phase)
        self.model.set_blocks(blocks)
        # Gradients left from a block that is off now would still count in the clipping.
        self.model.zero_grad(set_to_none=True)
        trainable = set_trainable(self.model, blocks, phase.frozen)
        self._average = WeightAverage.of(self.config.training)
        self.sink.emit(phase_started(phase, self.progress.phase, blocks, trainable))
        steps = phase.epochs * self._steps_per_epoch()
        return Stepper(
            forward_backward=compiled_where_it_pays(self._pass, steps, self.sink),
            panel=self._panel,
            sink=self.sink,
            config=self.config,
            model=self.model,
            runtime=self.runtime,
            parts=self.progress.parts,
            optimizer=build_optimizer(
                self.model,
                learning_rate=training.learning_rate,
                weight_decay=training.weight_decay,
                gate_scale=training.gate_scale,
                trained=[*self.progress.kept_blocks, "heads"] if self.progress.best_kept else [],
                trained_scale=phase.trained_scale,
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
        if stepper is None:
            stepper = self._begin(phase)
            self._save("healthy", stepper)
        self.sink.emit(StageStarted(stage="train"))
        while not self._is_over(phase):
            try:
                self._run_epoch(phase, stepper)
            except RollBack as asked:
                stepper = self._roll_back(phase, by_hand=asked.by_hand)
        self._finish_phase(phase)

    def _is_over(self, phase: PhaseConfig) -> bool:
        """Whether all its epochs are done, or too many since the best one."""
        best, history = self.progress.best, self.progress.history
        impatient = best and history and history[-1].epoch - best.epoch >= phase.patience
        return self.progress.epoch_in_phase >= phase.epochs or bool(impatient)

    def _finish_phase(self, phase: PhaseConfig) -> None:
        """Keep the phase's best epoch if it beats the phase kept before, else roll back to that."""
        state, best = self.progress, self.progress.best
        blocks = self._blocks_of(phase)
        if best is not None:
            h = self.config.training.score_horizon
            result = phase_result(phase.name, blocks, state, best, h)
            state.results.append(result)
            self.sink.emit(phase_finished(result, state.phase))
            if result.kept:
                state.kept_daily = state.best_daily
                self.snapshots.load_weights("best", self.model)
                state.kept_blocks = blocks
                self.snapshots.save_weights("kept", self.model, {"blocks": blocks})
            else:
                self.snapshots.load_weights("kept", self.model)
                new = [block for block in blocks if block not in state.kept_blocks]
                state.rejected_blocks = [*state.rejected_blocks, *new]
                self.sink.emit(not_kept(result, new))
        self._next_phase()

    def _next_phase(self) -> None:
        state = self.progress
        self.progress = replace(
            state,
            phase=state.phase + 1,
            epoch_in_phase=0,
            step_in_phase=0,
            history=[],
            best=None,
            best_daily=[],
            chart=state.chart.of_new_phase(),
        )
        self.snapshots.save_state("resume", self.model, None, None, self.progress)

    # ---- epochs and steps ----------------------------------------------------------------------

    def _epoch_steps(self) -> list[tuple[int, ...]]:
        """Sessions of each step of the current epoch."""
        return steps_of_epoch(self.config.training, self.split.train, self.progress.epoch)

    def _run_epoch(self, phase: PhaseConfig, stepper: Stepper) -> None:
        state, training = self.progress, self.config.training
        steps = self._epoch_steps()
        total = phase.epochs * len(steps)
        peak = training.learning_rate * phase.learning_rate_scale * state.chart.rate_scale
        started = time.perf_counter()
        todo = steps[state.step_in_epoch :]
        self.runtime.ranks.expect(todo)
        days = self.features, self.graphs, todo, self.config.split.window
        with prefetch(*days, pin=self.runtime.pin, panel=self._panel) as batches:
            for batch in batches:
                monitor = state.step % training.log_every == 0
                rate = one_cycle(state.step_in_phase, total, peak)
                result = self._run_step(stepper, batch, rate, monitor=monitor)
                self._average.update(self.model, state.step_in_phase / total)
                state.sessions += len(batch.sessions)
                state.seconds += time.perf_counter() - started
                started = time.perf_counter()
                if monitor:
                    done = state.step_in_epoch / len(steps)
                    self._monitor.step(result.read(), state, rate=rate, done=done)
                if state.step_in_epoch < len(steps):
                    started += self._end_step(stepper)
        self._settle(stepper)
        healthy = self._validate()
        state.epoch += 1
        state.epoch_in_phase += 1
        state.step_in_epoch = 0
        state.train_ics = []
        if healthy:
            self._save("healthy", stepper)
        self._end_step(stepper, save=True)

    def _run_step(
        self, stepper: Stepper, batch: Batch, rate: float, *, monitor: bool
    ) -> StepResult:
        state = self.progress
        result = stepper(batch, rate, monitor=monitor)
        if monitor or self.runtime.device.type == "cpu":
            self._settle(stepper)
        if stepper.parts > state.parts:
            state.parts = stepper.parts
            self.sink.emit(out_of_memory(state.parts))
        state.step += 1
        state.step_in_phase += 1
        state.step_in_epoch += 1
        return result

    def _settle(self, stepper: Stepper) -> None:
        """Wait for the device: what it did has to be known before a checkpoint, a figure or an end."""
        state = self.progress
        try:
            state.train_ics += stepper.settle()
        except GateError as error:
            self._monitor.doctor.look_at_failure(
                error, state.chart, step=state.step, epoch=state.epoch
            )
            raise

    def _end_step(self, stepper: Stepper, *, save: bool = False) -> float:
        """Save where it is due or asked for, do what was asked; returns the seconds spent paused."""
        step, asked = self.progress.step, self.control.asked()
        due = step % self.config.training.checkpoint_steps == 0
        if save or due or asked or self.stop.requested:
            self._save("resume", stepper)
        paused = self.control.obey(asked, step, self.snapshots)
        if self.stop.requested:
            raise TrainingStopped
        return paused

    def _save(self, name: State, stepper: Stepper) -> None:
        self._settle(stepper)
        state = self.progress
        self.snapshots.save_state(name, self.model, stepper.optimizer, self._average, state)
        self.sink.emit(
            CheckpointSaved(name=name, step=state.step, epoch=state.epoch, is_best=False)
        )

    # ---- validation ----------------------------------------------------------------------------

    def score(
        self, sessions: NDArray[np.int64], other_graphs: Sequence[OtherGraph] = ()
    ) -> ScoredDays:
        """Eval-mode scores of whole days (positions on the axis S) with the weights of this moment."""
        return score_days(
            self.model,
            self.features,
            self.graphs,
            sessions,
            window=self.config.split.window,
            runtime=self.runtime,
            other_graphs=other_graphs,
            panel=self._panel,
        )

    def _validate(self) -> bool:
        """Judge the epoch, keep its weights if they are the best; whether it was healthy."""
        state = self.progress
        self.sink.emit(StageStarted(stage="evaluate"))
        with self._average.applied(self.model):
            others = other_graphs(self.model, self.config.training.seed)
            scored = self.score(self.split.validation, others)
            is_best, healthy = self._monitor.validation(scored, state)
            if is_best:
                self.snapshots.save_weights("best", self.model, {"epoch": state.epoch})
                self.sink.emit(
                    CheckpointSaved(name="best", step=state.step, epoch=state.epoch, is_best=True)
                )
        self.sink.emit(StageStarted(stage="train"))
        return healthy
