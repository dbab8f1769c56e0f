"""One bit of any stored file turned over: who reads the file names it, or answers as before.

A workspace is made by the commands themselves. Of each kind of file one is taken, bits of it are turned over
at seeded places, and its readers are asked again. An answer that differs and does not name the file would be
silent damage: there must be none.
"""

import datetime as dt
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from atft_tui.readings.backtest import BacktestReader, read_day
from atft_tui.readings.data import DataReader, read_stock
from atft_tui.readings.desk import read_desk
from atft_tui.readings.feed import RunFeed
from atft_tui.readings.runs import list_runs
from atft_tui.readings.searches import daily_gap, read_comparisons, read_studies
from engine import hashes
from engine.data.load import load_panel
from engine.data.store import PanelStore
from engine.errors import EngineError
from engine.files import strict_text
from engine.hashes import LIST
from engine.portfolio.prediction import Prediction
from engine.report.facts import gather
from engine.report.render import as_json
from engine.runs.store import Run, RunStore
from engine.runs.summary import summarise
from engine.runs.trials import count_trials
from engine.stages.load import load_dataset
from engine.stages.runs import runs
from engine.stages.verify import verify
from engine.training.snapshots import _load_checkpoint
from engine.tuning.journal import require_whole
from tests.journeys.command import SETTINGS, atft_here
from tests.journeys.here import Here

pytestmark = pytest.mark.usefixtures("few_trees")
NOW = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)
FEW, MANY = 3, 200
SHORT = (*SETTINGS, "--set", "training.epochs=[1,0,0,0]", "--set", "tune.folds=1")


@dataclass(frozen=True)
class Scene:
    """A workspace, its trained run, and the commands' context."""

    workspace: Path
    run: Run

    @property
    def here(self) -> Here:
        return Here(self.workspace, ("training.epochs=[1,0,0,0]",))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Every command that leaves a file behind, at its smallest."""
    workspace = tmp_path_factory.mktemp("flips") / "workspace"
    workspace.mkdir()

    def do(*words: str, code: int = 0) -> str:
        done = atft_here(workspace, *words, "--json", "--quiet")
        assert done.code == code, (words, done.err)
        return done.out

    do("ingest", "--source", "synthetic", *SETTINGS)
    do("check", *SETTINGS)
    do("features", "list", *SETTINGS)
    name = json.loads(do("train", *SHORT))["run_id"]
    do("tag", name, "first")
    do("backtest", name, *SHORT)
    do("sweep", name, *SHORT, "--grid", "portfolio.fraction=0.1,0.2")
    do("report", name, "--format", "html,json")
    do("tune", "--study", "s", "--trials", "1", *SHORT)
    do("promote", name, "--force-reason", "a test", *SHORT)
    do("signals", *SHORT, code=6)
    do("ledger", *SHORT)
    return Scene(workspace, RunStore(workspace / "runs").open(name))


Reader = Callable[[Scene], object]


def report(scene: Scene) -> object:
    facts = gather(scene.workspace, scene.run)
    frames = (facts.daily, facts.baseline_returns, facts.holdings, facts.ex_dates)
    told = strict_text(as_json(facts, created=NOW))
    return told, [None if frame is None else frame.write_csv() for frame in frames]


def screen(scene: Scene) -> object:
    value = BacktestReader().value(scene.workspace, scene.run.id)
    assert value.curves is not None
    return value, read_day(scene.run.directory, value.curves.dates[-1])


def listed(scene: Scene) -> object:
    return (
        runs(scene.here.context()).text,
        list_runs(scene.workspace),
        count_trials(RunStore(scene.workspace / "runs")),
    )


def data(scene: Scene) -> object:
    told = DataReader(scene.workspace).read(NOW)
    panel = next((scene.workspace / "panels").iterdir())
    snapshot = told.current.id if told.current else ""
    return told, [
        read_stock(scene.workspace, snapshot, where, "S0001") for where in (str(panel), "")
    ]


def searches(scene: Scene) -> object:
    found = list_runs(scene.workspace)
    compared = read_comparisons(scene.workspace, found)
    return (
        compared,
        [daily_gap(scene.workspace, c) for c in compared],
        read_studies(scene.workspace, found),
    )


def desk(scene: Scene) -> object:
    return read_desk(scene.workspace, None, NOW, rows=True)


def followed(scene: Scene) -> object:
    return RunFeed(scene.run).news().state, summarise(scene.run)


def stored(scene: Scene) -> object:
    return PanelStore(scene.workspace / "data").snapshot().raw().bars.write_csv(), cleaned(scene)


def cleaned(scene: Scene) -> object:
    panel, quality = load_panel(scene.workspace, scene.here.context().config)
    return panel.frame.write_csv(), repr(quality)


def dataset(scene: Scene) -> object:
    context = scene.here.context()
    made = load_dataset(context, context.sink)
    assert made.graphs is not None
    sessions = range(made.features.dates_S.size)
    edges = [made.graphs.at(s).edge_attr_EK.tobytes() for s in sessions]
    return edges, made.features.x_SNF[:].tobytes(), made.features.forward_return_SNH[:].tobytes()


def predictions(scene: Scene) -> object:
    found = Prediction.read(scene.run.path("predictions.parquet"))
    return found.frame.write_csv(), found.run_id, found.market, found.config_digest


def checkpoints(scene: Scene) -> object:
    names = ("best", "healthy", "kept", "resume")
    found = [_load_checkpoint(scene.run.path("checkpoints"), name) for name in names]
    return [{k: v.numpy().tobytes() for k, v in one.tensors.items()} for one in found], [
        one.state for one in found
    ]


def resumed(scene: Scene) -> object:
    """What a search that goes on takes from its journal."""
    path = scene.workspace / "tune" / "s" / "journal.jsonl"
    require_whole(path)
    return [{**json.loads(line), "crc": ""} for line in path.read_text().splitlines()]


KINDS: dict[str, tuple[Reader, ...]] = {
    "runs/*-train-*/predictions.parquet": (predictions,),
    "runs/*-train-*/train.json": (listed, report),
    "runs/*-train-*/manifest.json": (listed, report),
    "runs/*-train-*/config.toml": (listed, report),
    "runs/*-train-*/labels.json": (listed,),
    "runs/*-train-*/trials.json": (listed, report),
    "runs/*-train-*/feature_ic.json": (data,),
    "runs/*-train-*/backtest*": (listed, report, screen),
    "runs/*-train-*/holdings*": (report, screen),
    "runs/*-train-*/weights.parquet": (report,),
    "runs/*-train-*/sweep.json": (report, screen),
    "runs/*-train-*/events.jsonl": (followed, report),
    "runs/*-train-*/report.*": (listed,),
    "runs/*-train-*/checkpoints/*/*": (checkpoints,),
    "runs/*-train-*/checkpoints/[a-z]*[a-z]": (checkpoints,),
    "runs/*-train-*/files.sha256": (listed, report, screen, predictions),
    "runs/*-trial-*/*.json": (listed, searches),
    "runs/*-trial-*/folds/*": (listed,),
    "runs/*-tune-*/*.json": (listed, searches),
    "tune/*/study.json": (searches,),
    "tune/*/journal.jsonl": (resumed,),
    "data/CURRENT": (data, stored),
    "data/quality.json": (data, report),
    "data/stocks.parquet": (data,),
    "data/snapshots/*/*": (data, stored),
    "panels/*/*": (data, cleaned),
    "features/*/*": (data, dataset),
    "features/catalog.json": (data,),
    "graphs/*/*": (dataset,),
    "universe/*/*": (data, dataset),
    "models/champion.json": (desk,),
    "models/*/*": (desk,),
    "signals/20*/*": (desk,),
    "signals/ledger.*": (desk,),
    "signals/pins/*": (desk,),
    "files.sha256": (listed, report, data, desk),
}
"""Files, and who reads them."""


@contextmanager
def flipped(path: Path, rng: random.Random) -> Iterator[int]:
    """The file with one other bit, under a new inode as a file system would not do it; then as it was."""
    content = path.read_bytes()
    place = rng.randrange(len(content) * 8)
    wrong = bytearray(content)
    wrong[place // 8] ^= 1 << place % 8
    try:
        _put(path, bytes(wrong))
        yield place
    finally:
        _put(path, content)


def _put(path: Path, content: bytes) -> None:
    beside, before = path.with_name(f".{path.name}.new"), path.stat()
    beside.write_bytes(content)
    os.utime(beside, ns=(before.st_atime_ns, before.st_mtime_ns))  # a bit that turns leaves no time
    os.replace(beside, path)


def said(read: Reader, scene: Scene) -> str:
    try:
        return repr(read(scene))
    except EngineError as error:
        return f"{type(error).__name__}: {error.message} {error.hint}"


def owner(scene: Scene, path: Path) -> str | None:
    """The run or the signal that a file is of; None for those of the workspace."""
    for home, pattern in (("runs", "2*"), ("signals", "20*")):
        for folder in (scene.workspace / home).glob(pattern):
            if path.is_relative_to(folder):
                return folder.name
    return None


def silent(
    scene: Scene, kind: str, flips: int, asked: Callable[[Scene, Path], str | None]
) -> list[str]:
    """Flips after which a reader answered otherwise without naming the file, or `verify` found nothing.

    ``asked``: what `verify` is asked about, when a file is damaged; None: about everything.
    """
    rng = random.Random(kind)
    files = sorted(path for path in scene.workspace.glob(kind) if path.is_file())
    assert files, kind
    right = {read: said(read, scene) for read in KINDS[kind]}
    missed = []
    for _ in range(flips):
        path = rng.choice(files)
        with flipped(path, rng) as place:
            for read, before in right.items():
                after = said(read, scene)
                if after != before and path.name not in after:
                    missed.append(f"{path} bit {place}: {read.__name__}: {after[:300]}")
            found = verify(scene.here.context(), name=asked(scene, path))
            # A line may be of a checkpoint that is gone, or one of several contents of a file.
            if path.name != LIST and (not found.exit_code or path.stem not in found.text):
                missed.append(f"{path} bit {place}: verify")
    return missed


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_is_silent(scene: Scene, kind: str) -> None:
    assert silent(scene, kind, FEW, lambda *_: None) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_of_two_hundred_is_silent(
    scene: Scene, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`verify` is asked about what the file belongs to. A hash is of this inode and this change of it."""
    known, read = dict[tuple[int, ...], str](), hashes.sha256

    def sha256(path: Path) -> str:
        status = path.stat()
        key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in known:
            known[key] = read(path)
        return known[key]

    monkeypatch.setattr("engine.hashes.sha256", sha256)
    monkeypatch.setattr("engine.files.sha256", sha256)
    assert silent(scene, kind, MANY, owner) == []


def test_an_untouched_workspace_has_no_fault(scene: Scene) -> None:
    found = verify(scene.here.context(), name="all")
    assert found.exit_code == 0, found.text
    assert all(row["hashed"] for row in found.json["files"])
    assert not any(row["unhashed"] for row in found.json["files"]), found.json["files"]


def test_a_damaged_file_is_made_again_by_the_command_that_is_named(scene: Scene) -> None:
    """The scores of a run that is done: refused, deleted, and made by `train --resume` from its weights."""
    path = scene.run.path("predictions.parquet")
    right = predictions(scene)
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(bytes(content))
    refused = atft_here(scene.workspace, "backtest", scene.run.id, "--quiet")
    assert refused.code == 4
    again = f"atft-tui train --resume {scene.run.id}"
    assert again in refused.err
    path.unlink()
    done = atft_here(scene.workspace, *again.split()[1:], "--quiet")
    assert done.code == 0, done.err
    assert predictions(scene) == right
    assert atft_here(scene.workspace, "verify", scene.run.id).code == 0
