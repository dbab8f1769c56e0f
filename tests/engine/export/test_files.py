"""Exports that are files, each read back by the library it is for."""

import datetime as dt
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from engine.errors import DataError, EnvironmentProblem, IntegrityError
from engine.evaluation.rank_ic import rank_ic_series
from engine.export import alphalens, extras, qlib, quantstats
from engine.export.tables import trades, write_csv, write_excel
from engine.export.tensorboard import TensorBoard
from engine.report.facts import gather
from engine.runs.store import Run
from tests.engine.export.samples import DAYS, EVIL, NET, finished, held, run_of
from tests.engine.report.samples import NASTY


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished(tmp_path)


def test_positions_from_opening_to_closing() -> None:
    found = trades(held())
    assert found.rows() == [
        ("A", "long", DAYS[0], DAYS[2], True, 3, pytest.approx(-0.006)),
        (EVIL, "long", DAYS[1], DAYS[1], False, 1, pytest.approx(0.001)),
        (EVIL, "short", DAYS[2], DAYS[3], False, 2, pytest.approx(0.005)),
    ]
    again = pl.concat([held(), held().with_columns(pl.col("date") + pl.duration(days=10))])
    assert trades(again.filter(pl.col("symbol") == "A")).height == 2, "closed between"


def test_a_workbook_holds_text_and_no_formula(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    told = write_excel(run, gather(tmp_path, run), path)
    assert list(told.counts) == ["figures", "curve", "trades", "config"]
    found = pl.read_excel(path, sheet_name="trades")
    assert set(found["symbol"]) == {"A", EVIL}, "as it is: a workbook knows text from formulas"
    curve = pl.read_excel(path, sheet_name="curve")
    assert curve["net_return"].to_list() == pytest.approx(NET)
    assert curve["date"].to_list() == DAYS
    figures = dict(pl.read_excel(path, sheet_name="figures").iter_rows())
    assert figures["sharpe"] == "0.4"
    assert b"<f>" not in b"".join(_parts(path))


def _parts(path: Path) -> list[bytes]:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in archive.namelist()]


def test_csv_files_hold_the_same_and_no_formula(run: Run, tmp_path: Path) -> None:
    told = write_csv(run, gather(tmp_path, run), tmp_path / "csv")
    assert [Path(path).name for path in told.files] == [
        "figures.csv", "curve.csv", "trades.csv", "config.csv", "scores.csv",
    ]  # fmt: skip
    found = pl.read_csv(tmp_path / "csv" / "trades.csv")
    assert set(found["symbol"]) == {"A", f"'{EVIL}"}
    assert pl.read_csv(tmp_path / "csv" / "scores.csv")["score_5"].to_list() == [-1.0, 0.5]
    with pytest.raises(IntegrityError):
        write_csv(run, gather(tmp_path, run_of(tmp_path)), tmp_path / "none")


def test_quantstats_finds_our_sharpe_ratio(run: Run, tmp_path: Path) -> None:
    told = quantstats.write(run, tmp_path)
    frame = pd.read_parquet(tmp_path / "returns.parquet")
    assert frame.index.name == "date"
    assert list(frame.columns) == ["strategy", NASTY]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantstats as library

        theirs = float(library.stats.sharpe(frame["strategy"], periods=245))
    by_hand = np.mean(NET) / np.std(NET, ddof=1) * np.sqrt(245)
    assert theirs == pytest.approx(by_hand, rel=1e-12)
    assert "periods=245" in told.notes[0]
    assert pl.read_csv(tmp_path / "returns.csv")["strategy"].to_list() == NET
    with pytest.raises(IntegrityError, match=r"no backtest\.parquet"):
        quantstats.write(run_of(tmp_path), tmp_path)


def labelled(days: int = 40, stocks: int = 25) -> pl.DataFrame:
    """Scores that know a little of the returns; two days have fewer than ten known pairs."""
    rng = np.random.default_rng(5)
    score = rng.normal(size=(days, stocks)).astype(np.float32)
    back = (0.3 * score + rng.normal(size=score.shape)).astype(np.float32) / 100
    back[3, 8:] = np.nan
    score[9, 5:] = np.nan
    back[20, -1] = np.nan
    start = dt.date(2020, 1, 6)
    dates = [start + dt.timedelta(days=7 * d // 5) for d in range(days)]
    return pl.DataFrame(
        {
            "date": np.repeat(np.array(dates, dtype="datetime64[D]"), stocks),
            "symbol": [f"S{n:02d}" for n in range(stocks)] * days,
            "score": score.ravel(),
            "forward_return": back.ravel(),
        }
    )


def test_alphalens_takes_the_factor_and_finds_our_rank_ic(tmp_path: Path) -> None:
    frame = labelled()
    told = alphalens.write(tmp_path, {5: frame})
    factor = pd.read_parquet(tmp_path / "factor_5.parquet")["factor"]
    returns = pd.read_parquet(tmp_path / "forward_returns_5.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import alphalens as library

        data = library.utils.get_clean_factor(factor, returns, quantiles=5, max_loss=0.0)
        theirs = library.performance.factor_information_coefficient(data)["5D"]
    days = [rows for _, rows in frame.group_by("date", maintain_order=True)]
    ours = rank_ic_series(
        [rows["score"].to_numpy() for rows in days],
        [rows["forward_return"].to_numpy() for rows in days],
    )
    assert np.isnan(ours).sum() == 2
    np.testing.assert_allclose(theirs.to_numpy(), ours[np.isfinite(ours)], rtol=0, atol=1e-9)
    assert f"{np.nanmean(ours):+.6f} over 38 days" in told.notes[0]


def test_alphalens_without_a_usable_day_says_so(tmp_path: Path) -> None:
    told = alphalens.write(tmp_path, {1: labelled(stocks=4)})
    assert told.notes == ("h=1: no day with 10 scores and returns",)
    assert told.counts == {"rows": 0}


BARS = pl.DataFrame(
    {
        "date": DAYS[:2] * 2, "symbol": ["B", "B", "A", "A"], "open": [1.0, 2.0, 3.0, 4.0],
        "high": [2.0, 3.0, 4.0, 5.0], "low": [0.5, 1.5, 2.5, 3.5], "close": [1.5, 2.5, 3.5, 4.5],
        "volume": [10.0, 20.0, 30.0, 40.0], "close_raw": [3.0, 5.0, 3.5, 4.5],
        "reinvested": [1.25, 1.0, 1.0, 1.0],
    }
)  # fmt: skip


def test_qlib_gets_its_frame_and_a_file_of_bars_a_stock(tmp_path: Path) -> None:
    """B was split (0.4 of the scale) and a quarter of it is dividends: 4 shares were traded, 10 on the scale
    of the split, 8 at the factor of 0.5.
    """
    rows = {"date": DAYS[:2], "symbol": ["A", "B"], "score": [0.5, -0.5],
            "forward_return": [0.01, float("nan")]}  # fmt: skip
    qlib.write(tmp_path, pl.DataFrame(rows), BARS)
    frame = pd.read_parquet(tmp_path / "pred.parquet")
    assert frame.index.names == ["datetime", "instrument"]
    assert str(frame.index.dtypes["datetime"]) == "datetime64[ns]"
    assert list(frame.columns) == ["score"]
    assert frame.loc[(pd.Timestamp("2015-03-03"), "B"), "score"] == -0.5
    assert pd.read_parquet(tmp_path / "label.parquet")["label"].isna().tolist() == [False, True]
    text = (tmp_path / "bars" / "B.csv").read_text().splitlines()
    assert text[:2] == [
        "symbol,date,open,high,low,close,volume,factor", "B,2015-03-02,1.0,2.0,0.5,1.5,8.0,0.5",
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "bars").iterdir()) == ["A.csv", "B.csv"]
    with pytest.raises(DataError, match="no name of a file"):
        qlib.write(tmp_path, pl.DataFrame(rows), BARS.with_columns(symbol=pl.lit("../x")))


def test_tensorboard_writes_scalars_and_replaces_its_own_file(run: Run, tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event

    from engine.export.points import Point

    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "events.out.tfevents.1.other").write_bytes(b"somebody else's")
    for _ in range(2):
        board = TensorBoard(run, folder)
        board.take([Point("step/loss", 0.5, 3, 1000.0)])
        board.end(None)
    files = sorted(folder.glob("*.atft"))
    assert len(files) == 1
    assert (folder / "events.out.tfevents.1.other").exists()
    content, found, at = files[0].read_bytes(), {}, 0
    while at < len(content):  # length, its sum, the event, its sum
        size = int.from_bytes(content[at : at + 8], "little")
        event = Event.FromString(content[at + 12 : at + 12 + size])
        for value in event.summary.value:
            found[value.tag] = (event.wall_time, event.step, value.simple_value)
        at += size + 16
    assert found["step/loss"] == (1000.0, 3, 0.5)
    assert found["backtest/sharpe"][2] == pytest.approx(0.4)


def test_tensorboards_own_reader_reads_it(run: Run, tmp_path: Path) -> None:
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    from engine.export.points import Point

    board = TensorBoard(run, tmp_path / "board")
    board.take([Point("step/loss", 0.5 / n, n, 1000.0 + n) for n in (1, 2, 4)])
    board.end(None)
    found = reader.EventAccumulator(str(tmp_path / "board"))
    found.Reload()
    told = [(one.step, one.value, one.wall_time) for one in found.Scalars("step/loss")]
    assert told == [(1, 0.5, 1001.0), (2, 0.25, 1002.0), (4, 0.125, 1004.0)]


def test_a_missing_package_is_said_with_the_line_that_installs_it() -> None:
    with pytest.raises(EnvironmentProblem, match="no_such_program is not installed") as caught:
        extras.load("no_such_program", "excel")
    assert caught.value.hint == 'pip install "atft-tui[excel]"'
