"""The memory that a step is said to need, against what a process takes for one."""

import subprocess
import sys

import pytest

from benchmarks.speed_case import Case
from engine.config import Config
from engine.config.file import override
from engine.stages import capacity
from engine.stages.capacity import _step_bytes

_MIB = 2**20
_MEASURE = """
import sys
from benchmarks.speed_case import Case, timed_network
mode, stocks = sys.argv[1], int(sys.argv[2])
def status(key):
    return int(next(l for l in open("/proc/self/status") if l.startswith(key)).split()[1]) // 1024
with timed_network(Case(stocks=130), mode) as small:
    small.step()
before = status("VmRSS")
with timed_network(Case(stocks=stocks, days=4), mode) as network:
    network.step()
    network.step()
print(status("VmHWM") - before)
"""


def config_of(days: int) -> Config:
    values = {"training.days_per_step": days, "graph.k": 10}
    return override(Case().config(), values, origin="test")


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
@pytest.mark.parametrize("mode", [pytest.param("safe", marks=pytest.mark.slow), "optimized"])
def test_the_estimate_is_within_a_fifth_of_the_measured_peak(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch here, where a training has four; some 500 MiB."""
    monkeypatch.setattr(capacity, "_READY_BATCHES", 1)
    estimate = _step_bytes(config_of(4), 110, 500) / _MIB
    words = [sys.executable, "-c", _MEASURE, mode, "500"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    assert estimate == pytest.approx(float(done.stdout), rel=0.2)


def test_the_estimate_grows_with_stocks_and_days_and_shrinks_with_the_network() -> None:
    one, two = _step_bytes(config_of(1), 50, 500), _step_bytes(config_of(1), 50, 1000)
    assert 1.8 < two / one < 2.1
    assert 1.8 < _step_bytes(config_of(2), 50, 500) / one < 2.1
    bare = override(config_of(1), {"model.blocks": ["selection"]}, origin="test")
    assert _step_bytes(bare, 50, 500) < one / 2
