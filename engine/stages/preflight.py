"""`preflight`: everything a long run needs, in one table; a red row stops."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import psutil
import torch
from msgspec.structs import replace as changed

from engine import disk
from engine.config import Config
from engine.config.file import PRESETS, override, resolve_new
from engine.data.calendar import calendar_span
from engine.data.load import StoredPanel, open_panel
from engine.dataset.batch import Batch
from engine.dataset.split import FEWER_NAMES, room_for
from engine.errors import EngineError, GateError
from engine.features.feature_set import chosen_features
from engine.model.atft_gat_fan import ATFTGATFAN, build_model
from engine.records import record
from engine.records.preflight import (
    PreflightResult,
    PreflightRow,
    PresetEstimate,
    audit_row,
    drill_row,
    told_duration,
)
from engine.records.quality import QualityReport
from engine.runs.sink import NullSink
from engine.stages.capacity import GIB, Needs, batch_of_shapes, capacity, usable_cores
from engine.stages.context import Outcome, StageContext
from engine.stages.load import require_neutral
from engine.stages.text import next_step, table
from engine.training.device import apply_mode, choose_device, physical_cores
from engine.training.passes import StepPass, open_pass

_CALENDAR_WARNING_DAYS = 60
_TIMED, _TIMED_OTHERS, _STEPS = 128, 32, 2
"""Stocks of the day whose step is timed: of the chosen settings, and of each preset; and how often it is."""


def preflight(context: StageContext) -> Outcome:
    """Check device, data, memory and disk. A row `stop` is a GateError that lists all of them."""
    device = _device(context)
    data, presets = _data(context)
    rows = [
        _torch(),
        device,
        _mode_row(context.config.training.mode, device.value, physical_cores()),
        *data,
        audit_row(context.workspace),
        drill_row(context.workspace),
        _disk_is_writable(context),
    ]
    stops = [row for row in rows if row.verdict == "stop"]
    verdict: Literal["ok", "stop"] = "stop" if stops else "ok"
    found = PreflightResult(rows=tuple(rows), verdict=verdict, presets=presets)
    if stops:
        raise GateError(
            "preflight: " + "; ".join(f"{row.name}: {row.value}" for row in stops),
            hint=stops[0].hint,
            details=record.as_json(found),
        )
    text = table(
        [[row.verdict, row.name, row.value, row.hint] for row in rows],
        header=["", "what", "value", "hint"],
    )
    others = "".join(f"preset {one.name}: {one.line}\n" for one in presets)
    after = next_step("train", context.configured)
    return Outcome(json=record.as_json(found), text=f"{text}\n{others}{after}")


def _torch() -> PreflightRow:
    threads = f"{torch.get_num_threads()} threads of {psutil.cpu_count()} processors"
    return PreflightRow("torch", f"{torch.__version__}, {threads}", "ok")


def _mode_row(mode: str, device: str, cores: int) -> PreflightRow:
    """The mode, and what the other one would save where a processor with several cores trains."""
    if mode != "safe" or device != "cpu" or cores < 2:
        return PreflightRow("mode", mode, "ok")
    hint = "`--mode optimized` takes all cores and a third of the time (docs/speed.md)"
    return PreflightRow("mode", f"safe: one of {cores} cores for each network", "ok", hint)


def _jobs_row(config: Config, needs: Needs, free: float) -> PreflightRow:
    """How many processes a walk-forward or a comparison would take."""
    device = "cuda" if config.training.device != "cpu" and torch.cuda.is_available() else "cpu"
    found = capacity(config, needs, device=device, cores=usable_cores(), free=free)
    hint = "networks of a walk-forward, runs of a comparison" if found.jobs > 1 else ""
    return PreflightRow("jobs", f"{found.jobs} at a time: {found.why}", "ok", hint)


def _time_row(demand: "_Demand", sessions: int, each: float, device: str) -> PreflightRow:
    """How long the network's epochs take at most. ``each``: seconds of a step, timed now."""
    if not demand.enough:
        what = f"no session has {demand.config.universe.min_names} stocks"
        return PreflightRow("time", what, "stop", FEWER_NAMES)
    if not demand.steps:
        what = f"of {sessions:,} sessions none is left to train on"
        return PreflightRow("time", what, "stop", room_for(demand.usable, demand.config.split))
    steps = demand.steps
    value = f"at most {told_duration(each * steps)}: {steps:,} steps of {each:.2g} s on {device}"
    hint = "the network's phases to their last epoch, most end early; its rivals come on top"
    return PreflightRow("time", value, "ok", hint)


def _device(context: StageContext) -> PreflightRow:
    try:
        device = choose_device(context.config.training.device, context.sink)
    except EngineError as error:
        return PreflightRow("device", error.message, "stop", error.hint)
    return PreflightRow("device", str(device), "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demand:
    """What a training with one configuration asks for on the data at hand."""

    config: Config
    n_features: int
    stocks: int
    """Of a day, mean over the sessions, rounded up."""
    enough: bool
    """Whether there are ever ``universe.min_names`` stocks."""
    usable: int
    """Sessions after a stock's first year; 0 where there are never enough stocks."""
    steps: int
    """Most steps; 0: no day is left to train on."""
    tensor: int
    """Bytes of the inputs of all days."""
    needs: Needs

    @classmethod
    def of(cls, config: Config, panel: StoredPanel) -> Self:
        """EngineError where the configuration does not fit the data."""
        quality = panel.report
        chosen = chosen_features(panel, config, with_graph=config.graph.kind != "none")
        require_neutral(config, [feature.name for feature in chosen])
        itemsize = 2 if config.features.dtype == "float16" else 4
        tensor = quality.sessions * quality.symbols * len(chosen) * itemsize
        stocks = -(-quality.rows_out // max(quality.sessions, 1))
        enough = quality.symbols >= config.universe.min_names
        usable = max(0, quality.sessions - config.universe.min_history) if enough else 0
        return cls(
            config=config, n_features=len(chosen), stocks=stocks, tensor=tensor, enough=enough,
            usable=usable, steps=_most_steps(config, usable),
            needs=Needs.of(config, tensor=tensor, n_features=len(chosen), stocks=stocks),
        )  # fmt: skip

    def estimate(self, each: float) -> PresetEstimate:
        """Time and memory where a step takes so many seconds."""
        return PresetEstimate(seconds=self.steps * each, memory_gib=self.needs.alone / GIB)

    def step_seconds(self, device: torch.device, timed: int) -> float:
        """Seconds of one step, timed on a day of at most so many stocks."""
        return _step_seconds(self.config, self.n_features, self.stocks, device, timed=timed)


def _data(context: StageContext) -> tuple[list[PreflightRow], tuple[PresetEstimate, ...]]:
    """Data verdict, and the memory, time and disk that a run on these data needs, also with other presets."""
    config = context.config
    try:
        panel = open_panel(context.workspace, config)
        demand = _Demand.of(config, panel)
    except EngineError as error:
        return [PreflightRow("data", error.message, "stop", error.hint)], ()
    free_ram = psutil.virtual_memory().available
    presets: tuple[PresetEstimate, ...] = ()
    try:
        device = choose_device(config.training.device, NullSink())
    except EngineError:
        time = PreflightRow("time", "not known without the device", "ok")
    else:
        each = demand.step_seconds(device, _TIMED) if demand.steps else math.nan
        time = _time_row(demand, panel.report.sessions, each, str(device))
        presets = tuple(_estimates(context, panel, device, demand.estimate(each)))
    memory_hint = "lower training.days_per_step or the size of the universe"
    stored = 1.2 * demand.tensor + demand.needs.disk + 0.2 * GIB
    disk_hint = "free space or choose another --workspace"
    rows = [
        *_quality_rows(panel.report),
        _jobs_row(config, demand.needs, free_ram),
        _room("memory", demand.needs.alone, free_ram, memory_hint),
        time,
        _room("disk", stored, disk.free(context.workspace), disk_hint),
        _calendar_row(context, panel.snapshot.exchange),
    ]
    return rows, presets


def _estimates(
    context: StageContext, panel: StoredPanel, device: torch.device, chosen: PresetEstimate
) -> Iterator[PresetEstimate]:
    """Of each preset that keeps the stored data; one that these data cannot carry is passed over.

    ``chosen``: what was found of the settings at hand, which need not be timed again.
    """
    market, words = context.config.data.market, context.configured
    given = list(zip(words[::2], words[1::2], strict=True))
    keys = {"--mode": "training.mode=", "--device": "training.device=", "--set": ""}
    overrides = [keys[option] + value for option, value in given if option in keys]
    for name, settings in PRESETS.items():
        if market != settings.get("data.market", market):
            continue
        if ("--preset", name) in given:
            yield changed(chosen, name=name)
            continue
        try:
            found = resolve_new(context.workspace, preset=name, overrides=overrides)
            demand = _Demand.of(found.config, panel)
        except EngineError:  # asked for, it is refused in words
            continue
        if demand.steps:
            each = demand.step_seconds(device, _TIMED_OTHERS)
            yield changed(demand.estimate(each), name=name)


def _quality_rows(quality: QualityReport) -> list[PreflightRow]:
    fine = quality.verdict == "ok"
    hint = "" if fine else "`atft-tui check` lists the findings"
    rows = [PreflightRow("data", quality.line, "ok" if fine else "warn", hint)]
    if quality.incomplete:
        hint = "training may go on; no signal from it"
        rows.append(PreflightRow("session", quality.incomplete, "warn", hint))
    return rows


def _calendar_row(context: StageContext, exchange: str) -> PreflightRow:
    days = (calendar_span(exchange)[1] - context.now().date()).days
    fine = days > _CALENDAR_WARNING_DAYS
    value, hint = (
        f"{exchange}, known {_how_long(days)}",
        "" if fine else "update exchange_calendars",
    )
    return PreflightRow("calendar", value, "ok" if fine else "warn", hint)


def _how_long(days: int) -> str:
    return f"for {days:,} more days" if days < 9999 else "without an end"


def _room(name: str, needed: float, free: float, hint: str) -> PreflightRow:
    text = f"needs about {needed / GIB:.1f} GiB, {free / GIB:.1f} GiB free"
    if needed > free:
        return PreflightRow(name, text, "stop", hint)
    return PreflightRow(name, text, "warn" if needed > 0.7 * free else "ok")


def _disk_is_writable(context: StageContext) -> PreflightRow:
    probe = context.workspace / ".preflight.tmp"
    try:
        context.workspace.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        return PreflightRow(
            "workspace", f"{context.workspace}: {error.strerror}", "stop", "choose another"
        )
    return PreflightRow("workspace", f"{context.workspace}, writable", "ok")


def _step_seconds(
    config: Config, n_features: int, n_stocks: int, device: torch.device, *, timed: int
) -> float:
    """Seconds of one optimiser step with every block on, for days of ``n_stocks`` stocks.

    The shorter of two passes forward and backward on one day of at most ``timed`` stocks, in proportion to
    the rows. The update of the weights, a few hundredths of a step, is left out: to make an optimiser is to
    import torch._dynamo, 1.3 s of the processor.
    """
    timed = min(n_stocks, timed)
    one_day = override(config, {"training.days_per_step": 1}, origin="pace")
    batch = batch_of_shapes(one_day, n_features, timed)
    runtime = apply_mode(config.training.mode, device, seed=0)
    batch.x_MTF.normal_()
    batch.mask_MT.fill_(1.0)
    for target in (batch.y_MH, batch.target_MH):
        target.normal_()
    batch.symbol_M.copy_(torch.arange(timed))
    batch.neighbour_MK.random_(0, timed)
    batch.edge_attr_MKP.uniform_()
    batch.heard_MK.fill_(value=True)
    batch.row_DN.copy_(torch.arange(timed))
    batch.sample_DR.copy_(torch.arange(batch.sample_DR.shape[1]))
    model, batch = build_model(config, n_features).train().to(device), batch.to(device)
    with open_pass(runtime) as passes:
        taken = [_seconds(passes, model, batch, config) for _ in range(_STEPS)]
    return min(taken) * config.training.days_per_step * n_stocks / timed


def _seconds(passes: StepPass, model: ATFTGATFAN, batch: Batch, config: Config) -> float:
    model.zero_grad(set_to_none=True)
    began = time.perf_counter()
    float(passes(model, batch, config, seed=0).loss)  # waits for the device
    return time.perf_counter() - began


def _most_steps(config: Config, sessions: int) -> int:
    """Optimiser steps of all phases to their last epoch, of a store of so many sessions: no fewer than there
    will be, since phases end early and the first sessions have no full window. 0: no day is left to train on.
    """
    split, training = config.split, config.training
    kept_back = split.validation_sessions + split.test_sessions + 2 * split.embargo_sessions
    days = max(0, sessions - split.window - kept_back)
    days = min(days, split.train_sessions or days)
    epochs = sum(phase.epochs for phase in training.phases)
    each = days // (training.day_stride * training.days_per_step)
    return epochs * max(each, min(days, 1))
