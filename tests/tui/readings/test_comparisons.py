"""Comparisons and pairs, from files made by the engine's own judgement of differences."""

import datetime as dt
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from atft_tui.readings.runs import RunTable
from atft_tui.readings.searches import ComparisonView, daily_gap, read_comparisons, read_pairs
from engine.files import write_json
from engine.records.comparison import VariantComparison
from engine.records.record import RecordError, convert
from engine.runs.events import RunFinished, VariantFinished
from tests.engine.runs.samples import searching, started
from tests.tui.conftest import MakeRun

LEVEL = {
    "rank_ic": 0.03,
    "rank_ic_se": 0.01,
    "n_dates": 3,
    "by_seed": [0.03],
    "seed_deviation": None,
}
GAP = {
    "difference": -0.01, "se": 0.004, "low": -0.018, "high": -0.002, "n_dates": 3,
    "direction": "worse", "by_seed": [-0.01, -0.01], "seed_deviation": 0.0,
}  # fmt: skip


def variant(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "changes": {}, "runs": {"1": "a", "2": "b"}, "errors": [], "parameters": 9000,
        "seconds": 12.5, "validation": LEVEL, "test": LEVEL, "difference": {}, **more,
    }  # fmt: skip


def summary(**more: Any) -> dict[str, Any]:
    return {
        "id": "ablations-1", "kind": "ablations", "reference": "full", "score_horizon": 5,
        "confidence": 0.9, "source": "synthetic", "seeds": 2, "run_id": "r",
        "variants": [
            variant("full"),
            variant("graph none", difference={"test": GAP}, verdict="earns its place"),
            variant("without fan", test=None, difference={"test": None}, verdict="not trained",
                    errors=["seed 1: no memory"]),
        ],
        **more,
    }  # fmt: skip


def test_variants_with_their_differences(tmp_path: Path) -> None:
    write_json(tmp_path / "compare" / "ablations-1.json", summary())
    (one,) = read_comparisons(tmp_path, ())
    found = one.found
    assert (found.id, found.kind, one.status, found.seeds) == (
        "ablations-1",
        "ablations",
        "done",
        2,
    )
    full, none, failed = found.variants
    assert full.gap is None
    assert full.verdict == "reference"
    assert none.gap is not None
    assert (none.gap.low, none.gap.high, none.gap.n_dates) == (-0.018, -0.002, 3)
    assert (none.verdict, len(none.runs)) == ("earns its place", 2)
    assert (failed.gap, failed.test) == (None, None)
    assert failed.errors == ("seed 1: no memory",)
    assert read_comparisons(tmp_path, ())[0].found is found


def test_a_comparison_at_work_is_told_by_its_events(tmp_path: Path, make_run: MakeRun) -> None:
    nan = float("nan")
    lost = VariantFinished(variant="graph none", seed=1, variant_run="x", status="failed",
                           rank_ic=nan, rank_ic_se=nan, n_dates=0, error="no memory")  # fmt: skip
    run = make_run([started(), *searching(), lost], command="compare")
    write_json(run.path("request.json"), {"kind": "ablations", "seeds": 3})
    (one,) = read_comparisons(tmp_path, RunTable(tmp_path).read().runs)
    found = one.found
    assert (found.id, one.status, found.kind, found.seeds) == (run.id, "crashed", "ablations", 3)
    assert [v.name for v in found.variants] == ["without fan", "graph none"]
    assert found.variants[0].test is not None
    assert found.variants[0].test.rank_ic == 0.02
    assert found.variants[1].errors == ("no memory",)


def test_when_it_has_ended_the_file_takes_its_place(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run([started(), RunFinished(status="done")], command="compare")
    write_json(tmp_path / "compare" / "sizes-1.json", summary(id="sizes-1", run_id=run.id))
    found = read_comparisons(tmp_path, RunTable(tmp_path).read().runs)
    assert [one.found.id for one in found] == ["sizes-1"]


def pairs(tmp_path: Path, name: str, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "compare" / f"runs-{name}.json"
    write_json(path, {"kind": "runs", "confidence": 0.9, "score_horizon": 5, "pairs": list(rows)})
    return path


def test_only_pairs_of_marked_runs_and_the_newest_file_of_each(tmp_path: Path) -> None:

    old = pairs(tmp_path, "1", {"first": "a", "second": "b", **GAP, "difference": 0.5})
    os.utime(old, ns=(0, 0))
    pairs(tmp_path, "2", {"first": "b", "second": "a", **GAP}, {"first": "b", "second": "c", **GAP})
    (pair,) = read_pairs(tmp_path, ["a", "b"])
    assert (pair.gap.first, pair.gap.second, pair.gap.difference) == ("b", "a", -0.01)
    assert [(p.gap.first, p.gap.second) for p in read_pairs(tmp_path, ["c", "b", "a"])] == [
        ("b", "c"), ("b", "a"),
    ]  # fmt: skip
    assert read_pairs(tmp_path, ["a", "c"]) == ()
    assert read_pairs(tmp_path / "nowhere", ["a", "b"]) == ()


def test_the_daily_gap_is_the_sum_over_common_days(tmp_path: Path) -> None:
    days = [dt.date(2026, 1, day) for day in (5, 6, 7)]
    frame = pl.DataFrame(
        {
            "date": days * 2 + [days[0]],
            "split": ["test"] * 6 + ["validation"],
            "variant": ["full"] * 3 + ["v"] * 4,
            "seed": pl.Series([None] * 7, dtype=pl.Int64),
            "rank_ic": [0.1, 0.2, None, 0.2, 0.1, 0.3, 9.0],
        }
    )
    one = summary(variants=[variant("full"), variant("v", difference={"test": GAP})])
    view = ComparisonView(convert(one, VariantComparison, "summary"))
    assert daily_gap(tmp_path, view) is None
    (tmp_path / "compare").mkdir()
    frame.write_parquet(tmp_path / "compare" / "ablations-1.parquet")
    gap = daily_gap(tmp_path, view)
    assert gap is not None
    assert (gap.variant, gap.days) == ("v", ("2026-01-05", "2026-01-06"))
    assert gap.total == pytest.approx((0.1, 0.0))
    assert daily_gap(tmp_path, ComparisonView(view.found, "running")) is None


@pytest.mark.parametrize("content", ['{"id": "x"}', "{"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "compare" / "ablations-1.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(RecordError, match=r"ablations-1\.json"):
        read_comparisons(tmp_path, ())
