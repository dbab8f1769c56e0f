"""The benchmark of many runs, at a size that takes a moment."""

from pathlib import Path

import pytest

from benchmarks import bench_runs


def test_it_makes_runs_and_measures_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bench_runs, "list_seconds", lambda workspace: len(list((workspace / "runs").iterdir())) / 10
    )
    assert bench_runs.main(["3", "40"]) == 0
    told = capsys.readouterr().out
    assert "runs, 3 runs: 0.30 s" in told
    assert "lines/s" in told


def test_the_command_is_timed(tmp_path: Path) -> None:
    bench_runs.make_runs(tmp_path, 2)
    assert 0.0 < bench_runs.list_seconds(tmp_path) < 60.0
