"""The panels of one training in their places: live on Train, at any moment on Replay."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container

from atft_tui.widgets import network_panels, panels, step_panels
from atft_tui.widgets.doctor_panel import DoctorPanel
from atft_tui.widgets.panel import StatePanel
from engine.runs.state import RunState

TABS = (
    "gradient",
    "gate",
    "worth",
    "loss",
    "spread",
    "variables",
    "doctor",
    "machine",
    "log",
    "networks",
)
"""Panels of which a small screen shows one at a time, under RankIC and verdict."""


class RunPanels(Container):
    """All panels at once where there is room, else the chosen one under RankIC and verdict."""

    DEFAULT_CLASSES = "run-panels"
    tabs: ClassVar[tuple[str, ...]] = TABS

    def compose(self) -> ComposeResult:
        yield panels.RankICPanel(id="rank-ic")
        yield panels.VerdictPanel(id="verdict")
        yield network_panels.GatePanel(id="gate")
        yield network_panels.WorthPanel(id="worth")
        yield step_panels.GradientPanel(id="gradient")
        yield step_panels.LossPanel(id="loss")
        yield step_panels.MachinePanel(id="machine")
        yield network_panels.VariablesPanel(id="variables")
        yield network_panels.SpreadPanel(id="spread")
        yield panels.LogPanel(id="log")
        yield network_panels.NetworksPanel(id="networks")
        yield DoctorPanel(id="doctor")

    def show_state(self, state: RunState) -> None:
        for panel in self.query(StatePanel):
            panel.state = state

    def lay_out(self, tab: str, *, wide: bool, networks: bool) -> None:
        """``networks``: whether these have the place of the log on a large screen."""
        hidden = "log" if networks else "networks"
        for name in TABS:
            self.query_one(f"#{name}").display = name != hidden if wide else name == tab
