"""Prediction and Weights: what they refuse, and that they come back from disk as they went."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from engine.errors import DataError, EnvironmentProblem, GateError, IntegrityError
from engine.portfolio.prediction import Prediction, Weights
from tests.engine.backtest.markets import day, prediction_of


def weights(rows: list[tuple[dt.date, str, float]], **limits: float) -> Weights:
    frame = pl.DataFrame(
        rows, schema={"date": pl.Date, "symbol": pl.String, "weight": pl.Float64}, orient="row"
    )
    values = {"max_gross": 2.0, "max_net": 0.0, "max_weight": 1.0, **limits}
    return Weights(frame=frame, strategy="test", run_id="run", **values)


def test_predictions_survive_the_disk(tmp_path: Path) -> None:
    made = prediction_of({"A": [0.1, 0.2], "TRUE": [0.3, None], "007": [0.5, 0.6]}, horizon=5)
    made.write(tmp_path / "p.parquet")
    read = Prediction.read(tmp_path / "p.parquet")
    assert read.frame.equals(made.frame)
    assert (read.run_id, read.horizons, read.market) == ("test", (5,), "us")
    assert read.frame["symbol"].unique().sort().to_list() == ["007", "A", "TRUE"]


def test_predictions_refuse_what_would_mislead() -> None:
    good = prediction_of({"A": [0.1, 0.2], "B": [0.3, 0.4]})

    def changed(frame: pl.DataFrame) -> Prediction:
        return Prediction(frame=frame, run_id="r", horizons=(1,), market="us")

    with pytest.raises(DataError, match="not sorted"):
        changed(good.frame.reverse())
    with pytest.raises(DataError, match="A on 2021-01-04 is given twice"):
        changed(pl.concat([good.frame, good.frame]).sort("date", "symbol"))
    nan = pl.when(pl.int_range(pl.len()) == 1).then(float("nan")).otherwise("score_1")
    broken = good.frame.with_columns(nan.cast(pl.Float32).alias("score_1"))
    with pytest.raises(DataError, match=r"1 values of score_1 are not finite \(first: B on"):
        changed(broken)
    with pytest.raises(DataError, match="column score_1 is Float64, not Float32"):
        changed(good.frame.with_columns(pl.col("score_1").cast(pl.Float64)))
    with pytest.raises(DataError, match="unknown split tomorrow"):
        changed(good.frame.with_columns(pl.lit("tomorrow").alias("split")))


def test_a_missing_or_damaged_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem) as missing:
        Prediction.read(tmp_path / "none.parquet")
    assert "atft-tui" in missing.value.hint
    made = prediction_of({"A": [0.1]})
    path = tmp_path / "p.parquet"
    made.write(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(IntegrityError, match="not readable as Parquet"):
        Prediction.read(path)
    made.frame.write_parquet(path)
    with pytest.raises(IntegrityError, match="has no run_id"):
        Prediction.read(path)


def test_weights_hold_their_limits() -> None:
    pair = [(day(0), "A", 0.9), (day(0), "B", -0.9)]
    assert len(weights(pair).frame) == 2
    with pytest.raises(GateError, match=r"gross exposure 1.8 on 2021-01-04 is above its limit 1.5"):
        weights(pair, max_gross=1.5)
    with pytest.raises(GateError, match="net exposure"):
        weights(pair[:1])
    with pytest.raises(GateError, match="largest single weight"):
        weights(pair, max_weight=0.5)
    with pytest.raises(DataError, match="not finite"):
        weights([(day(0), "A", float("nan"))])
    with pytest.raises(DataError, match="given twice"):
        weights([(day(0), "A", 0.1), (day(0), "A", -0.1)])


def test_weights_survive_the_disk(tmp_path: Path) -> None:
    made = weights([(day(0), "A", 1 / 3), (day(0), "B", -1 / 3)])
    made.write(tmp_path / "w.parquet")
    read = Weights.read(tmp_path / "w.parquet")
    assert read.frame.equals(made.frame)
    assert (read.max_gross, read.max_net, read.max_weight) == (2.0, 0.0, 1.0)


def test_weights_without_their_limits_are_damaged(tmp_path: Path) -> None:
    """A table with the right columns, written by something else."""
    path = tmp_path / "w.parquet"
    weights([(day(0), "A", 0.1), (day(0), "B", -0.1)]).frame.write_parquet(path)
    with pytest.raises(IntegrityError, match="has no strategy in its metadata"):
        Weights.read(path)
