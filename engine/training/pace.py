"""How long a training would take on this machine: its own step, timed on random numbers."""

import time

import torch

from engine.config import Config
from engine.config.file import override
from engine.dataset.batch import Batch
from engine.model.build import build_model
from engine.training.device import apply_mode
from engine.training.memory import batch_of_shapes
from engine.training.optimizer import build_optimizer
from engine.training.passes import open_pass
from engine.training.step import Stepper

_STOCKS, _STEPS = 128, 2
"""Stocks of the day that is timed, and how often it is: 0.5 s of the `base` preset on one core."""


def step_seconds(config: Config, n_features: int, n_stocks: int, device: torch.device) -> float:
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


def most_steps(config: Config, sessions: int) -> int:
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
