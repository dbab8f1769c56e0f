"""What is said before a run starts."""

import pytest

from engine.stages.preflight import mode_row


@pytest.mark.parametrize(
    ("mode", "device", "cores", "hinted"),
    [
        ("safe", "cpu", 2, True),
        ("safe", "cpu", 1, False),
        ("safe", "cuda:0", 16, False),
        ("optimized", "cpu", 16, False),
    ],
)
def test_safe_mode_on_several_cores_is_told_of_the_other(
    mode: str, device: str, cores: int, hinted: bool
) -> None:
    row = mode_row(mode, device, cores)
    assert row.verdict == "ok"
    assert mode in row.value
    assert ("--mode optimized" in row.hint) is hinted
