"""The benchmark of many seals runs at a tiny size, so that it does not rot."""

import pytest

from benchmarks import bench_seals


@pytest.mark.slow
def test_the_benchmark_of_many_seals_runs() -> None:
    found = bench_seals.main(["8", "12"])
    assert set(found) == {"champion show", "verify", "ledger"}
