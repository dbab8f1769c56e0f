"""Where the network runs: the choice, the mode, and that every tensor goes along."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
import torch

from engine.dataset.windows import DevicePanel
from engine.errors import EnvironmentProblem
from engine.model.atft_gat_fan import build_model
from engine.runs.sink import ListSink, NullSink
from engine.training import device, machine
from engine.training.device import Runtime
from engine.training.machine import MachineProbe, peak_memory_mib
from engine.training.scoring import score_days
from tests.conftest import World


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(mode=False)
    torch.set_num_threads(threads)


SOUND = ("float32", "bf16", "monitor", "parts", "panel", "score")
FAULTS = {"attribute": "device", "wait": "DataDependent"}


@pytest.fixture(scope="module")
def on_fake_accelerator() -> dict[str, Any]:
    """What each case told, all in one process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.training.fake_accelerator", *SOUND, *FAULTS],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("case", SOUND)
def test_a_whole_step_stays_on_the_accelerator_and_never_waits_for_it(
    on_fake_accelerator: dict[str, Any], case: str
) -> None:
    """To read a value there is an error; of operations, 1,626 were sent before days went in together."""
    told = on_fake_accelerator[case]
    assert "error" not in told, told["error"][-2000:]
    assert told.get("parts", 1) == (2 if case == "parts" else 1)
    if case in ("float32", "bf16"):
        assert 300 < told["kernels"] < 900


@pytest.mark.parametrize(("fault", "word"), FAULTS.items())
def test_a_tensor_left_behind_and_a_wait_are_noticed(
    on_fake_accelerator: dict[str, Any], fault: str, word: str
) -> None:
    """The test above can fail."""
    assert word in on_fake_accelerator[fault]["error"]


def test_cuda_that_is_not_there_is_an_error_not_a_silent_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EnvironmentProblem, match="no CUDA device"):
        device.choose_device("cuda", NullSink())
    sink = ListSink()
    assert device.choose_device("auto", sink).type == "cpu"
    assert len(sink.events) == 1
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.choose_device("auto", NullSink()).type == "cuda"
    assert device.choose_device("cpu", NullSink()).type == "cpu"


def test_safe_mode_is_one_deterministic_thread() -> None:
    cpu = torch.device("cpu")
    runtime = device.apply_mode("safe", cpu, 3)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    first = torch.rand(3)
    device.apply_mode("safe", cpu, 3)
    assert torch.equal(first, torch.rand(3))
    assert not runtime.autocast
    assert device.apply_mode("optimized", cpu, 3).autocast == device._cpu_multiplies_bfloat16()


def test_out_of_memory_is_told_from_other_errors() -> None:
    assert device.is_out_of_memory(torch.OutOfMemoryError("x"))
    assert device.is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert device.is_out_of_memory(caught.value)
    assert not device.is_out_of_memory(RuntimeError("shape mismatch"))


def test_a_machine_without_gpu_reports_what_it_has(tmp_path: Path) -> None:
    event = MachineProbe(tmp_path).read()
    assert event.memory_mib > 10
    assert event.memory_total_mib > event.memory_mib
    assert peak_memory_mib() >= 0.9 * event.memory_mib


@dataclass
class FakeNvml:
    """A driver with two GPUs; ``load`` is None where they do not tell it."""

    load: int | None = 37
    asked: list[object] = field(default_factory=list)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(pynvml, "nvmlInit", lambda: None)
        for name in ("nvmlDeviceGetHandleByIndex", "nvmlDeviceGetHandleByUUID"):
            patch.setattr(pynvml, name, self._handle)
        memory = SimpleNamespace(used=3 * machine._MIB, total=8 * machine._MIB)
        patch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda gpu: memory)
        patch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", self._rates)

    def _handle(self, which: object) -> str:
        self.asked.append(which)
        return f"gpu {which}"

    def _rates(self, gpu: object) -> SimpleNamespace:
        if self.load is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=self.load)


@pytest.mark.parametrize(
    ("visible", "asked"),
    [(None, [0]), ("1,0", [1]), ("GPU-abc", ["GPU-abc"]), ("", []), ("-1", [])],
)
def test_the_gpu_that_is_watched_is_the_one_that_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, asked: list[object]
) -> None:
    driver = FakeNvml()
    driver.install(monkeypatch)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    event = MachineProbe(tmp_path).read()
    assert driver.asked == asked
    if asked:
        assert (event.gpu_percent, event.gpu_memory_mib, event.gpu_memory_total_mib) == (37, 3, 8)
    else:
        assert math.isnan(event.gpu_memory_mib)


def test_a_gpu_that_does_not_tell_its_load_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeNvml(load=None).install(monkeypatch)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    event = MachineProbe(tmp_path).read()
    assert math.isnan(event.gpu_percent)
    assert event.gpu_memory_mib == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_scores_on_cuda_equal_those_of_the_cpu(world: World) -> None:
    days = world.split.validation[:4]
    torch.manual_seed(0)
    model = build_model(world.config, len(world.features.features))
    scores = {}
    for name in ("cpu", "cuda"):
        runtime = device.apply_mode("safe", torch.device(name), 0)
        window = world.config.split.window
        panel = DevicePanel.of(world.features, window, runtime.device, runtime.room)
        assert (panel is None) == (name == "cpu"), "there the inputs are gathered on the device"
        scored = score_days(
            model.to(name), world.features, world.graphs, days,
            window=window, runtime=runtime, panel=panel,
        )  # fmt: skip
        scores[name] = scored.score_DNH
    for a, b in zip(scores["cpu"], scores["cuda"], strict=True):
        assert abs(a - b).max() < 1e-4


def test_threads_stay_those_of_the_mode_whatever_other_libraries_set() -> None:
    """As numba does: its first parallel kernel sets OpenMP's threads, which are torch's too."""
    runtime = Runtime(device=torch.device("cpu"), mode="safe", autocast=False, threads=1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        runtime.hold_threads()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
