"""`preflight`: everything a long run needs, in one table; a red row stops."""

import time

import psutil
import torch

from engine import disk
from engine.config import Config
from engine.config.file import override
from engine.data.calendar import calendar_span
from engine.data.load import open_panel
from engine.dataset.batch import Batch
from engine.dataset.split import room_for
from engine.errors import EngineError, GateError
from engine.features.feature_set import chosen_features
from engine.model.atft_gat_fan import build_model, parameter_table
from engine.records import record
from engine.records.preflight import PreflightResult, PreflightRow, audit_row, drill_row
from engine.runs.sink import NullSink
from engine.stages.capacity import (
    GIB,
    Needs,
    batch_of_shapes,
    capacity,
    checkpoint_bytes,
    usable_cores,
)
from engine.stages.context import Outcome, StageContext
from engine.stages.load import require_neutral
from engine.stages.text import next_step, table
from engine.training.device import apply_mode, choose_device, physical_cores
from engine.training.optimizer import build_optimizer
from engine.training.passes import open_pass
from engine.training.step import Stepper

_CALENDAR_WARNING_DAYS = 60

_STOCKS, _STEPS = 128, 2
"""Stocks of the day that is timed, and how often it is: 0.5 s of the `base` preset on one core."""


def preflight(context: StageContext) -> Outcome:
    """Check device, data, memory and disk. A row `stop` is a GateError that lists all of them."""
    device = _device(context)
    rows = [
        _torch(),
        device,
        _mode_row(context.config.training.mode, device.value, physical_cores()),
        *_data(context),
        audit_row(context.workspace),
        drill_row(context.workspace),
        _disk_is_writable(context),
    ]
    stops = [row for row in rows if row.verdict == "stop"]
    found = PreflightResult(rows=tuple(rows), verdict="stop" if stops else "ok")
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
    return Outcome(
        json=record.as_json(found), text=f"{text}\n{next_step('train', context.configured)}"
    )


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


def _time_row(config: Config, n_features: int, stocks: int, sessions: int) -> PreflightRow:
    """How long the network's epochs take at most, by a step that is timed now."""
    try:
        device = choose_device(config.training.device, NullSink())
    except EngineError:
        return PreflightRow("time", "not known without the device", "ok")
    usable = max(0, sessions - config.universe.min_history)
    steps = _most_steps(config, usable)
    if not steps:
        what = f"of {sessions:,} sessions none is left to train on"
        return PreflightRow("time", what, "stop", room_for(usable, config.split))
    each = _step_seconds(config, n_features, stocks, device)
    value = f"at most {_told_duration(each * steps)}: {steps:,} steps of {each:.2g} s on {device}"
    hint = "the network's phases to their last epoch, most end early; its rivals come on top"
    return PreflightRow("time", value, "ok", hint)


def _told_duration(seconds: float) -> str:
    """``3.4 h``, ``12 min`` or ``40 s``."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _device(context: StageContext) -> PreflightRow:
    try:
        device = choose_device(context.config.training.device, context.sink)
    except EngineError as error:
        return PreflightRow("device", error.message, "stop", error.hint)
    return PreflightRow("device", str(device), "ok")


def _data(context: StageContext) -> list[PreflightRow]:
    """Data verdict, and the memory and disk that a run on these data needs."""
    config = context.config
    try:
        panel = open_panel(context.workspace, config)
        quality = panel.report
        chosen = chosen_features(panel, config, with_graph=config.graph.kind != "none")
        require_neutral(config, [feature.name for feature in chosen])
    except EngineError as error:
        return [PreflightRow("data", error.message, "stop", error.hint)]
    n_features = len(chosen)
    itemsize = 2 if config.features.dtype == "float16" else 4
    tensor = quality.sessions * quality.symbols * n_features * itemsize
    parameters = sum(parameter_table(build_model(config, n_features)).values())
    stocks_a_day = -(-quality.rows_out // max(quality.sessions, 1))
    needs = Needs.of(config, tensor=tensor, n_features=n_features, stocks=stocks_a_day)
    stored = 1.2 * tensor + checkpoint_bytes(config, parameters) + 0.2 * GIB
    free_ram = psutil.virtual_memory().available
    free_disk = disk.free(context.workspace)
    days_left = (calendar_span(panel.snapshot.exchange)[1] - context.now().date()).days
    return [
        PreflightRow(
            "data",
            quality.line,
            "ok" if quality.verdict == "ok" else "warn",
            "" if quality.verdict == "ok" else "`atft-tui check` lists the findings",
        ),
        *(
            [
                PreflightRow(
                    "session", quality.incomplete, "warn", "training may go on; no signal from it"
                )
            ]
            if quality.incomplete
            else []
        ),
        _jobs_row(config, needs, free_ram),
        _room(
            "memory",
            needs.alone,
            free_ram,
            "lower training.days_per_step or the size of the universe",
        ),
        _time_row(config, n_features, stocks_a_day, quality.sessions),
        _room("disk", stored, free_disk, "free space or choose another --workspace"),
        PreflightRow(
            "calendar",
            f"{panel.snapshot.exchange}, known {_how_long(days_left)}",
            "ok" if days_left > _CALENDAR_WARNING_DAYS else "warn",
            "" if days_left > _CALENDAR_WARNING_DAYS else "update exchange_calendars",
        ),
    ]


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


def _step_seconds(config: Config, n_features: int, n_stocks: int, device: torch.device) -> float:
    """Seconds of one optimiser step with every block on, for days of ``n_stocks`` stocks.

    The shorter of two steps on one day of at most 128 stocks, in proportion to the rows.
    """
    timed = min(n_stocks, _STOCKS)
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
    training = config.training
    with open_pass(runtime) as forward_backward:
        stepper = Stepper(
            config=config,
            model=model,
            runtime=runtime,
            forward_backward=forward_backward,
            optimizer=build_optimizer(
                model, learning_rate=training.learning_rate, weight_decay=training.weight_decay
            ),
        )
        taken = [_seconds(stepper, batch) for _ in range(_STEPS)]
    return min(taken) * training.days_per_step * n_stocks / timed


def _seconds(stepper: Stepper, batch: Batch) -> float:
    began = time.perf_counter()
    stepper(batch, stepper.config.training.learning_rate, monitor=False)
    stepper.settle()
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
