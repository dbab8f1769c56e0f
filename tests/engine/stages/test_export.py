"""`export`: what is refused, where files go, and that a look at judged days is counted."""

import os
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import polars as pl
import pytest

from engine.errors import GateError, UsageError
from engine.records.train import read_train
from engine.runs.trials import read_looks
from engine.stages.export import export
from tests.engine.export.samples import finished, run_of, tell
from tests.engine.runs.samples import evaluated, started
from tests.engine.stages.seals import context_of
from tests.journeys.command import arguments, atft_here, environment

BEFORE = Path(__file__).parents[2] / "before" / "workspace.tar.xz"


def test_files_go_into_the_workspace_or_where_they_were_asked_for(tmp_path: Path) -> None:
    run, context = finished(tmp_path), context_of(tmp_path)
    told = export(context, run=run.id, to="quantstats").json
    assert told["place"] == str(tmp_path / "export" / "quantstats" / run.id)
    told = export(context, run=run.id, to="excel", output=str(tmp_path / "my.xlsx")).json
    assert told["files"] == (str(tmp_path / "my.xlsx"),)
    assert pl.read_excel(tmp_path / "my.xlsx", sheet_name="config").height > 100
    told = export(context, run=run.id, to="csv", output=str(tmp_path / "here")).json
    assert told["counts"]["curve"] == 4


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    run, context = finished(tmp_path), context_of(tmp_path)
    with pytest.raises(UsageError, match="--uri is for --to mlflow"):
        export(context, run=run.id, to="csv", uri="http://x")
    with pytest.raises(UsageError, match="--follow is for --to mlflow and tensorboard"):
        export(context, run=run.id, to="excel", follow=True)
    permuted = context.store.create(
        "train",
        context.config.model_copy(
            update={"training": context.config.training.model_copy(update={"permute_labels": True})}
        ),
    )
    with pytest.raises(GateError, match="permuted labels"):
        export(context, run=permuted.id, to="csv")


@pytest.mark.slow
def test_ctrl_c_ends_following_and_keeps_what_there_is(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    tell(run, [started(), evaluated(0, 0)])
    words = arguments(tmp_path, "export", run.id, "--to", "tensorboard", "--follow", "--json")
    with run.lock():
        child = subprocess.Popen(
            words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        folder, end = tmp_path / "export" / "tensorboard" / run.id, time.monotonic() + 120
        while not list(folder.glob("*.atft")) and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert '"the run has not ended: export it again and the rest is added"' in out
    assert (folder / next(folder.glob("*.atft")).name).stat().st_size > 100


@pytest.mark.slow
def test_alphalens_gets_the_very_returns_of_our_rank_ic(tmp_path: Path) -> None:
    """A run of an earlier version, on its market: its stored RankIC comes back to 1e-9."""
    import warnings

    import pandas as pd

    with tarfile.open(BEFORE) as archive:
        archive.extractall(tmp_path, filter="data")
    (run,) = (tmp_path / "runs").glob("*walkforward*")
    done = atft_here(tmp_path, "export", run.name, "--to", "alphalens", "--output", "a", "--json")
    assert done.code == 0, done.err
    looks = read_looks(tmp_path / "runs")
    assert run.name in {look.run for look in looks}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import alphalens
        import matplotlib

        matplotlib.use("Agg")
        factor = pd.read_parquet(tmp_path / "a" / "factor_5.parquet")["factor"]
        returns = pd.read_parquet(tmp_path / "a" / "forward_returns_5.parquet")
        data = alphalens.utils.get_clean_factor(factor, returns, quantiles=5, max_loss=0.0)
        theirs = alphalens.performance.factor_information_coefficient(data)["5D"].mean()
        alphalens.tears.create_information_tear_sheet(data)
        alphalens.tears.create_returns_tear_sheet(data)
        alphalens.tears.create_turnover_tear_sheet(data)
    ours = read_train(run).test
    assert ours is not None
    assert theirs == pytest.approx(ours.rank_ic, abs=1e-9)
    done = atft_here(tmp_path, "export", run.name, "--to", "qlib", "--output", "q", "--json")
    assert done.code == 0, done.err
    scores = pd.read_parquet(tmp_path / "q" / "pred.parquet")["score"]
    assert len(scores) == done.json["counts"]["rows"]
    assert scores.loc[factor.index].to_numpy() == pytest.approx(factor.to_numpy(), abs=0)
