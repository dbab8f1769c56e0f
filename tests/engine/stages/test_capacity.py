"""How many processes a machine has room for, by hand."""

from pathlib import Path

import pytest

from engine.config import Config
from engine.config.file import override
from engine.errors import ConfigError
from engine.runs.sink import NullSink
from engine.stages.capacity import GIB, Needs, capacity
from engine.stages.context import StageContext, StopFlag, with_executor

DEAF = override(Config(), {"training.rivals_hear_neighbours": False}, origin="test")
NEEDS = Needs(tensor=1 * GIB, each=2 * GIB)


def jobs(config: Config = DEAF, device: str = "cpu", cores: int = 8, free: float = 100.0) -> int:
    return capacity(config, NEEDS, device=device, cores=cores, free=free * GIB).jobs


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (100.0, 8),
        (4.0, 1),  # not even one has room: the memory row of preflight says so
        (8.0, 1),  # 70 % are 5.6: one takes twice the tensor and 2
        (9.0, 2),  # 6.3: two take 4 + 2
        (12.0, 3),  # 8.4: three take 4 + 2 + 2
    ],
)
def test_as_many_as_memory_allows_up_to_the_cores(free: float, expected: int) -> None:
    assert jobs(free=free) == expected


def test_what_rivals_hear_is_counted_for_each() -> None:
    """Each then has 2 + 2 GiB of its own: of 8.4 GiB, one with 4 and a second one."""
    hears = override(DEAF, {"training.rivals_hear_neighbours": True}, origin="test")
    assert (jobs(free=12.0), jobs(hears, free=12.0)) == (3, 2)


def test_optimized_mode_and_a_gpu_take_one_unless_more_are_asked_for() -> None:
    fast = override(DEAF, {"training.mode": "optimized"}, origin="test")
    assert jobs(fast) == jobs(device="cuda") == 1
    asked = override(fast, {"executor.jobs": 3}, origin="test")
    assert jobs(asked, device="cuda", cores=1, free=0.0) == 3


def test_the_reason_names_cores_and_memory() -> None:
    found = capacity(DEAF, NEEDS, device="cpu", cores=2, free=100.0 * GIB)
    assert (found.jobs, found.why) == (2, "2 cores, about 2.0 GiB each of 100.0 GiB free")


def test_the_option_is_a_key_of_the_configuration(tmp_path: Path) -> None:
    context = StageContext(workspace=tmp_path, config=DEAF, sink=NullSink(), stop=StopFlag())
    assert with_executor(context, 2).config.executor.jobs == 2
    assert with_executor(context, None) is context
    with pytest.raises(ConfigError, match=r"executor\.jobs"):
        with_executor(context, -1)
