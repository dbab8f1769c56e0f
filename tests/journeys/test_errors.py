"""Wrong input over the real command line: the right exit code, the thing named, nothing half-written."""

import json
import os
from pathlib import Path

import pytest

from engine.config import Config
from engine.runs.store import RunStore
from tests.full_disk import full_disk
from tests.journeys.command import SETTINGS, atft, atft_here, start


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nonsense"], 2, "nonsense"),
        (["train", "--device", "tpu"], 2, "tpu"),
        (["train", "--set", "training.sed=1"], 2, "did you mean seed"),
        (["train", "--preset", "huge"], 2, "cpu-small"),
        (["train", "--resume", "19990101"], 2, "no run"),
        (["ingest"], 2, "--source"),
        (["show"], 2, "RUN"),
        (["ingest", "--source", "files"], 2, "--prices"),
        (["ingest", "--source", "files", "--prices", "none.csv"], 4, "none.csv"),
        (["check"], 3, "ingest"),
        (["train"], 3, "ingest"),
        (["backtest", "last"], 2, "no runs yet"),
        (["report", "../../etc"], 2, "is not a run id"),
        (["walkforward", "--step", "soon"], 2, "soon"),
        (["preflight"], 6, "ingest"),
        (["tune"], 3, "ingest"),
        (["compare"], 2, "sizes, ablations"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_has_a_code_and_names_the_thing(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    done = atft_here(tmp_path, *words)
    assert done.code == code, done.err
    assert said in done.err
    assert done.out == ""
    assert "Traceback" not in done.err


def test_with_json_an_error_is_an_object(tmp_path: Path) -> None:
    done = atft(tmp_path, "check", "--json")
    assert done.code == 3
    assert set(done.json) == {"error", "hint", "exit_code"}


def test_quiet_is_quiet_and_json_is_alone_on_stdout(market: Path) -> None:
    done = atft(market, "check", "--json", "--quiet")
    assert done.code == 0
    assert done.err == ""
    assert done.json["verdict"] == "ok"
    loud = atft_here(market, "check", "--json")
    assert json.loads(loud.out)
    assert "quality" in loud.err


def test_refused_data_are_shown_in_full_but_nothing_is_trained_on_them(market: Path) -> None:
    words = ("--set", "quality.max_bad_share=1e-9", "--set", "quality.max_move=0.001")
    done = atft_here(market, "check", "--json", *words)
    assert done.code == 0, done.err
    assert done.json["verdict"] == "refused"
    assert done.json["findings"][0]["rule"] == "bad_print"
    assert len(done.json["coverage"]["per_session"]["names"]) > 0
    assert "bad_print" in atft_here(market, "check", *words).out
    refused = atft_here(market, "train", *SETTINGS, *words)
    assert refused.code == 3
    assert "bad_print" in refused.err


def test_check_looks_at_cleaned_sessions_once(market: Path) -> None:
    first = atft_here(market, "check", "--json").json
    assert atft_here(market, "check", "--json").json == first
    coverage = first["coverage"]["per_session"]
    assert len(coverage["dates"]) == len(coverage["names"]) == first["sessions"]
    assert first["last_session_complete"] is True


def test_preflight_is_a_table_of_green_rows(market: Path) -> None:
    done = atft_here(market, "preflight", *SETTINGS)
    assert done.code == 0, done.err
    for name in ("torch", "device", "mode", "data", "memory", "time", "disk", "calendar"):
        assert name in done.out
    assert "stop" not in done.out
    column = ["--set", 'features.breadth="named"', "--set", 'features.columns=["return_5"]']
    told = atft_here(market, "preflight", "--json", *SETTINGS, *column)
    assert (told.code, "beta_60 is not among the 1 feature" in told.json["error"]) == (6, True)
    short = atft_here(market, "preflight", *SETTINGS, "--set", "split.test_sessions=500")
    assert (short.code, "none is left to train on" in short.err) == (6, True)
    assert "split.test_sessions=" in short.err
    few = atft_here(market, "preflight", *SETTINGS, "--set", "universe.min_names=5000")
    assert (few.code, "no session has 5000 stocks" in few.err) == (6, True)
    assert "lower universe.min_names or the floors of the universe" in few.err
    refused = atft_here(market, "preflight", "--device", "cuda", "--json")
    if refused.code:
        assert refused.code == 6
        assert "cuda" in refused.json["error"]
        verdicts = {row["name"]: row["verdict"] for row in refused.json["rows"]}
        assert verdicts["device"] == "stop"
        assert verdicts["data"] == "ok"


def test_a_broken_config_file_is_named_with_its_line(market: Path) -> None:
    path = market / "config.toml"
    path.write_text("[training]\n\nseed = -3\n")
    try:
        done = atft_here(market, "config", "check")
    finally:
        path.unlink()
    assert done.code == 2
    assert "config.toml:3: training.seed" in done.err


def test_config_shows_where_a_value_comes_from(market: Path) -> None:
    done = atft_here(market, "config", "show", "--set", "graph.k=3")
    assert done.code == 0
    line = next(line for line in done.out.splitlines() if "graph.k " in line)
    assert "3" in line
    assert "--set" in line


def test_config_set_and_unset_change_one_key_or_nothing(tmp_path: Path) -> None:
    done = atft_here(tmp_path, "config", "set", "training.seed", "7", "--json")
    assert (done.code, done.json["after"], done.json["before"]) == (0, "7", "1")
    path = tmp_path / "config.toml"
    path.write_text(f"# Mine.\n{path.read_text()}")
    for words, said in (
        (("set", "training.sed", "3"), "training.seed"),
        (("set", "training.seed=-3"), "greater than or equal to 0"),
        (("set", "training.seed"), "config set KEY VALUE"),
        (("unset", "model.hidden"), "not set"),
        (("show", "training", "5"), "takes no value"),
    ):
        before = path.read_text()
        refused = atft_here(tmp_path, "config", *words)
        assert refused.code == 2, refused
        assert said in refused.err
        assert path.read_text() == before
    back = atft_here(tmp_path, "config", "unset", "training.seed")
    assert back.code == 0
    assert "training.seed = 1 (was 7)" in back.out
    assert path.read_text().startswith("# Mine.\n")


def test_config_init_writes_a_file_that_checks_and_does_not_overwrite(tmp_path: Path) -> None:
    assert atft_here(tmp_path, "config", "init").code == 0
    written = (tmp_path / "config.toml").read_text()
    assert atft_here(tmp_path, "config", "check").code == 0
    again = atft_here(tmp_path, "config", "init")
    assert again.code != 0
    assert (tmp_path / "config.toml").read_text() == written


def test_a_damaged_snapshot_is_refused_with_its_file(market: Path) -> None:
    bars = next((market / "data" / "snapshots").glob("*/bars-*.parquet"))
    good = bars.read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    bars.write_bytes(bytes(bad))
    try:
        done = atft_here(market, "check")
    finally:
        bars.write_bytes(good)
    assert done.code == 4
    assert bars.name in done.err


def test_a_locked_run_is_left_alone(market: Path) -> None:
    run = RunStore(market / "runs").create("train", Config())
    with run.lock():
        done = atft_here(market, "train", "--resume", run.id)
    assert done.code == 5
    assert f"in use by process {os.getpid()}" in done.err


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    assert atft_here(tmp_path, "config", "init").code == 0
    before = (tmp_path / "config.toml").read_bytes()
    with full_disk(1000):
        done = atft_here(tmp_path, "config", "set", "training.seed", "7")
    assert done.code == 4
    assert "config.toml" in done.err
    assert (tmp_path / "config.toml").read_bytes() == before


def test_output_into_a_closed_pipe_is_no_error(market: Path) -> None:
    process = start(market, "config", "show")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    error = process.stderr.read()
    assert process.wait() == 0
    assert "Traceback" not in error
