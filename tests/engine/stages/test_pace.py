"""How long a training would take: steps worked by hand, and a step that is timed for real."""

import pytest
import torch

from engine.config import Config
from engine.config.file import override
from engine.stages import preflight
from engine.stages.preflight import _most_steps, _step_seconds

CPU = torch.device("cpu")


def test_steps_by_hand() -> None:
    """1,000 sessions less 60 + 100 held back, two embargoes of 21 and a window of 20: 778 days, of which an
    epoch takes every second in fours: 97 steps.
    """
    config = override(
        Config(),
        {
            "split.window": 20, "split.validation_sessions": 60, "split.test_sessions": 100,
            "split.embargo_sessions": 21, "training.day_stride": 2, "training.days_per_step": 4,
            "training.epochs": "[3,2,1,1]",
        },
        origin="test",
    )  # fmt: skip
    assert _most_steps(config, 1000) == 7 * 97
    newest = override(config, {"split.train_sessions": 80}, origin="test")
    assert _most_steps(newest, 1000) == 7 * 10
    assert _most_steps(config, 223) == 7, "one day is left: a step an epoch"
    assert _most_steps(config, 222) == 0


def test_a_step_is_timed_on_few_stocks_and_grows_with_the_rows(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 < _step_seconds(config, 5, 20, CPU, timed=128) < 60
    monkeypatch.setattr(
        preflight, "_seconds", lambda passes, model, batch, config: float(len(batch.symbol_M))
    )
    four = override(config, {"training.days_per_step": 4}, origin="test")
    assert _step_seconds(four, 5, 20, CPU, timed=128) == 4 * 20
    assert _step_seconds(four, 5, 1280, CPU, timed=128) == 4 * 1280
