"""The workspace from Python: what it reads is what the files hold, what it starts is the command line's."""

import json
import shutil
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine import api
from engine.api import Workspace
from engine.errors import GateError, IntegrityError, Interrupted, UsageError
from engine.report.charts import alone, area, lines

BEFORE = Path(__file__).parents[1] / "before" / "workspace.tar.xz"
MAIN = "20200101-120000-train-5e2e"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a trained and simulated run and a few sealed signals."""
    target = tmp_path_factory.mktemp("api") / "workspace"
    with tarfile.open(BEFORE) as archive:
        archive.extractall(target, filter="data")
    return Workspace(target)


def test_runs_are_told_with_their_errors(workspace: Workspace) -> None:
    """Numbers of the run's own files, found again in its row."""
    row = workspace.runs().filter(pl.col("id") == MAIN).row(0, named=True)
    folder = workspace.directory / "runs" / MAIN
    trained = json.loads((folder / "train.json").read_text())["test"]
    tested = json.loads((folder / "backtest.json").read_text())
    for name in ("rank_ic", "rank_ic_se", "null_band", "n_dates"):
        assert row[f"test_{name}"] == trained[name]
    for name in ("sharpe", "sharpe_low", "sharpe_high"):
        assert row[name] == tested[name]


def test_scores_and_figures_are_those_of_the_run(workspace: Workspace) -> None:
    run = workspace.run(MAIN)
    stored = pl.read_parquet(workspace.directory / "runs" / MAIN / "predictions.parquet")
    assert run.scores(None).equals(stored)
    assert run.scores("validation").equals(stored.filter(pl.col("split") == "validation"))
    trained = json.loads((workspace.directory / "runs" / MAIN / "train.json").read_text())
    told = {(row[0], row[1]): row[2:] for row in run.rank_ic().iter_rows()}
    for split, key in (("validation", "best"), ("test", "test")):
        known = trained[key]
        assert told["network", split] == tuple(
            known[name] for name in ("rank_ic", "rank_ic_se", "null_band", "n_dates")
        )
    assert told["ridge", "test"][0] == trained["baselines"]["ridge"]["test"]["rank_ic"]
    assert run.config.model.hidden == 8


def test_the_curve_is_the_running_product_of_net_returns(workspace: Workspace) -> None:
    found = workspace.run(MAIN).backtest()
    growth, top = 1.0, 1.0
    for row in found.curve.iter_rows(named=True):
        growth *= 1.0 + row["net_return"]
        top = max(top, growth)
        assert row["equity"] == pytest.approx(growth, rel=1e-12)
        assert row["drawdown"] == pytest.approx(growth / top - 1.0, abs=1e-12)
    assert found.figures.max_drawdown == pytest.approx(found.curve["drawdown"].min())
    assert set(found.weights["date"].tail(1)) <= {*found.curve["date"]}


def test_features_are_of_the_members_and_rank_as_the_prices_do(workspace: Workspace) -> None:
    """Scaling within the day keeps the order: return_1 ranks the stocks as their closes over those before."""
    days = ("2019-12-18", "2019-12-19")
    found = workspace.features(["return_5", "return_1"], days)
    assert found.columns == ["date", "symbol", "return_5", "return_1"]
    members = workspace.members().filter(
        pl.col("date").cast(pl.String).is_between(pl.lit(days[0]), pl.lit(days[1]))
    )
    assert found.select("date", "symbol").equals(members)
    bars = workspace.bars().sort("symbol", "date")
    moves = bars.select("date", "symbol", pl.col("close").pct_change().over("symbol").alias("move"))
    for _, day in found.join(moves, on=["date", "symbol"]).group_by("date"):
        assert len(day) > 10
        order = np.argsort(day["move"].to_numpy())
        assert (np.diff(day["return_1"].to_numpy()[order]) >= 0).all()


@pytest.mark.parametrize(
    ("names", "dates", "words"),
    [(["nope"], None, "nope"), (None, ("1999-01-01", "1999-12-31"), "no session")],
)
def test_features_that_are_not_there_are_named(
    workspace: Workspace, names: list[str] | None, dates: tuple[str, str] | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as error:
        workspace.features(names, dates)
    assert error.value.hint


def test_a_signal_is_read_through_its_seal(workspace: Workspace, tmp_path: Path) -> None:
    newest = workspace.signals()
    assert newest.name == "2019-12-19"
    assert workspace.signals("2019-12-18-r0").card.session == "2019-12-18"
    assert set(newest.orders()["symbol"]) <= set(newest.scores()["symbol"])
    assert newest.weights()["weight"].abs().sum() > 0
    shutil.copytree(workspace.directory / "signals", tmp_path / "signals")
    with (tmp_path / "signals" / "2019-12-19" / "scores.parquet").open("r+b") as file:
        file.write(b"X")
    with pytest.raises(IntegrityError, match=r"scores\.parquet"):
        Workspace(tmp_path).signals().scores()


def test_a_chart_is_one_drawing_with_its_colours(workspace: Workspace) -> None:
    chart = workspace.run(MAIN).chart("equity")
    assert chart._repr_svg_() == chart.svg
    assert "--strong: #33658a" in chart.svg
    inner = ET.fromstring(chart.svg).findall("{http://www.w3.org/2000/svg}svg")  # noqa: S314 - our own
    assert len(inner) == 2, "growth, and the drawdown below it"
    with pytest.raises(UsageError, match="no chart 'pie'"):
        workspace.run(MAIN).chart("pie")


def test_drawings_stand_below_each_other() -> None:
    """Heights of 288 and 140: the second begins at 288, and both are 428 high."""
    pair = lines({"a": [0.0, 1.0]}, ["x", "y"], title="t", unit="u")
    pair += area([0.0, -0.5], ["x", "y"], title="d", unit="v")
    whole = ET.fromstring(alone(pair))  # noqa: S314 - our own
    assert whole.attrib["viewBox"] == "0 0 760 428"
    tops = [part.attrib["y"] for part in whole.findall("{http://www.w3.org/2000/svg}svg")]
    assert tops == ["0", "288"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """What would have been started."""
    seen: list[Sequence[str]] = []

    def answer(_command: str, words: Sequence[str]) -> dict[str, str]:
        seen.append(words)
        return {"run_id": MAIN}

    monkeypatch.setattr(api, "answer_of", answer)
    return seen


def test_options_become_the_words_of_the_command_line(
    workspace: Workspace, started: list[Sequence[str]]
) -> None:
    place = workspace.directory
    here = Workspace(place, preset="cpu-small", settings={"training.seed": 3})
    assert here.walkforward(model="blend", seeds=2, confirm=True, jobs=None).id == MAIN
    here.do("sweep", MAIN, grid=["a=1,2", "b=3"])
    here.do("tag", MAIN, "good", remove=False)
    over = ["--preset=cpu-small", "--set", "training.seed=3"]
    tails = [[word for word in words if word not in ("--json",)] for words in started]
    assert tails[0][4:] == ["walkforward", "--workspace", str(place), "--model=blend",
                            "--seeds=2", "--confirm", *over]  # fmt: skip
    assert tails[1][-6:] == [MAIN, "--grid=a=1,2", "--grid=b=3", *over]
    assert tails[2][-2:] == [MAIN, "good"], "a command that takes no configuration gets none"


def test_what_a_command_does_not_take_is_refused_before_it_starts(
    workspace: Workspace, started: list[Sequence[str]]
) -> None:
    with pytest.raises(UsageError, match="no option 'seeds'") as error:
        workspace.train(seeds=3)
    assert "confirm" in error.value.hint
    with pytest.raises(UsageError, match="no command"):
        workspace.do("trian")
    assert started == []


def test_an_error_of_the_command_is_raised_as_its_own(
    workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="no run 'abc'") as error:
        workspace.do("show", "abc")
    assert "atft-tui runs" in error.value.hint
    assert "no run 'abc'" in capfd.readouterr().err, "as a terminal would tell it"


def test_interrupted_the_command_is_asked_to_stop_and_waited_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.dumps({"error": "stopped", "hint": "again", "exit_code": 130})
    program = (
        "import signal, sys\n"
        f"def stop(*_): print('{told}'); sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('at work', file=sys.stderr, flush=True)\n"
        "signal.pause()\n"
    )
    monkeypatch.setattr(api, "argv", lambda *_: [sys.executable, "-c", program])

    class CtrlC:
        def write(self, _line: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stderr", CtrlC())
    with pytest.raises(Interrupted, match="stopped"):
        workspace.do("train")


@pytest.mark.slow
def test_days_that_confirm_stay_guarded(workspace: Workspace) -> None:
    here = Workspace(workspace.path, settings={"protocol.development_to": "2019-10-01"})
    with pytest.raises(GateError, match="confirm settings") as error:
        here.backtest(MAIN)
    assert "--confirm" in error.value.hint
