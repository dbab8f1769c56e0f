"""Looks at every monitored step and every validation, says what is wrong, and decides what happens."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.config import Config, Policy
from engine.errors import GateError
from engine.runs.events import Diagnosed, DoctorAction
from engine.runs.sink import EventSink
from engine.training.doctor.chart import Chart
from engine.training.doctor.findings import StepReading, Symptom, of_epoch, of_failure, of_step
from engine.training.doctor.remedies import remedy
from engine.training.progress import Validation

_ACTIONS: dict[Policy, DoctorAction] = {
    "warn": "warned",
    "rollback": "rolled back",
    "stop": "stopped",
}


class RollBack(Exception):  # noqa: N818 - a way out of the epoch, not a fault
    """The training goes back to its last healthy checkpoint."""

    def __init__(self, *, by_hand: bool = False) -> None:
        super().__init__()
        self.by_hand = by_hand
        """A person asked for it: it does not count among the doctor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Stateless: what it remembers is in the chart of the training's progress."""

    config: Config
    sink: EventSink

    def look_at_step(self, reading: StepReading, chart: Chart, *, epoch: int) -> None:
        """Raises RollBack or GateError where a finding's policy says so."""
        found = of_step(reading, chart, self.config.doctor)
        self._tell(found, chart, step=reading.step, epoch=epoch)

    def look_at_validation(self, history: Sequence[Validation], chart: Chart, *, step: int) -> bool:
        """Whether the epoch was healthy: no finding since the validation before. Raises as above."""
        found = of_epoch(history, self.config.doctor)
        self._tell(found, chart, step=step, epoch=history[-1].epoch)
        healthy = not chart.told
        chart.told = []
        return healthy

    def look_at_failure(self, error: GateError, chart: Chart, *, step: int, epoch: int) -> None:
        """A step that gave no finite numbers cannot be taken: always raises."""
        self._tell([of_failure(error.message)], chart, step=step, epoch=epoch)
        raise error

    def _tell(self, found: Sequence[Symptom], chart: Chart, *, step: int, epoch: int) -> None:
        """Emit what is new, then act on the gravest."""
        new = [finding for finding in found if finding.code not in chart.told]
        actions = {finding.code: self._action(finding, chart) for finding in new}
        for finding in new:
            chart.told.append(finding.code)
            advice = remedy(finding.code, self.config)
            self.sink.emit(
                Diagnosed(
                    code=finding.code,
                    severity="warning" if actions[finding.code] == "warned" else "critical",
                    message=finding.message,
                    evidence=finding.evidence,
                    threshold=finding.threshold,
                    remedy=advice.text,
                    patch={**advice.patch},
                    action=actions[finding.code],
                    step=step,
                    epoch=epoch,
                )
            )
        for finding in new:
            if actions[finding.code] == "stopped":
                raise GateError(
                    f"{finding.code}: {finding.message}",
                    hint=remedy(finding.code, self.config).hint,
                )
        if "rolled back" in actions.values():
            raise RollBack

    def _action(self, finding: Symptom, chart: Chart) -> DoctorAction:
        policy: Policy = getattr(self.config.doctor, finding.code)
        if policy == "warn" and finding.code == "non_finite":
            return "stopped"
        if policy == "rollback" and chart.rollbacks >= self.config.doctor.max_rollbacks:
            return "stopped"
        return _ACTIONS[policy]
