"""Sessions added to a store over the command line, and the audit of the run that follows."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from engine.config.file import resolve
from engine.data.synthetic import generate
from engine.files import read_json, write_json
from tests.conftest import TINY
from tests.journeys.command import SETTINGS, atft_here


@pytest.mark.slow
def test_append_then_train_then_audit_the_run(tmp_path: Path) -> None:
    raw = generate(resolve([], preset="demo", overrides=TINY).config.data.synthetic).raw
    days = raw.bars["date"].unique().sort()
    cut: dt.date = days[-3]
    history, news = tmp_path / "history.csv", tmp_path / "news.csv"
    raw.bars.filter(pl.col("date") <= cut).write_csv(history)
    raw.bars.filter(pl.col("date") > cut).write_csv(news)
    data = tmp_path / "workspace"
    settings = ("--preset", "demo", *SETTINGS, "--set", "data.market=us")
    files = ("ingest", "--source", "files", "--prices")
    assert atft_here(data, *files, str(history), *settings).code == 0
    added = atft_here(data, *files, str(news), "--append", "--json", *settings)
    assert added.code == 0, added.err
    assert (added.json["first"], added.json["last"]) == (str(days[-2]), str(days[-1]))
    again = atft_here(data, *files, str(news), "--append", "--json", *settings)
    assert again.code == 0, again.err
    assert again.json["snapshot"] == added.json["snapshot"]
    assert again.json["revision"]["equal"] == added.json["rows"]
    assert atft_here(data, "ingest", "--source", "synthetic", "--append", *settings).code == 2

    trained = atft_here(data, "train", "--json", *settings)
    assert trained.code == 0, trained.err
    run = trained.json["run_id"]
    audited = atft_here(data, "audit", run, "--json", *settings)
    assert audited.code == 0, audited.out
    scores = next(c for c in audited.json["checks"] if c["name"] == "scores")
    assert scores["passed"]
    assert not scores["detail"].startswith("not checked")
    assert read_json(data / "audit.json")["run"] == run

    rows = {
        row["name"]: row for row in atft_here(data, "preflight", "--json", *settings).json["rows"]
    }
    assert rows["audit"]["verdict"] == "ok"
    failed = read_json(data / "audit.json") | {
        "verdict": "failed",
        "leaks": [{"check": "features", "name": "tomorrow", "day": "2024-01-02"}],
    }
    write_json(data / "audit.json", failed)
    refused = atft_here(data, "preflight", *settings)
    assert refused.code == 6
    assert "tomorrow sees ahead" in refused.err
