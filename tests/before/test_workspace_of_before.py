"""A workspace that an earlier version made: every run, seal and model of it still reads and shows.

``workspace.tar.xz`` was written by the version of 2026-11-28: five sealed signals of a champion, its
training run with backtest, sweep and report, a walk-forward, a comparison, a search with two trials. The
JSON files beside it are what the commands answered then.
"""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from atft_tui.app import CockpitApp
from atft_tui.keys import PLACES
from engine.config import Config
from engine.runs.store import RunStore
from engine.runs.trials import read_trials, trial_keys
from engine.stages.backtest import trial_settings
from tests.journeys.command import atft_here
from tests.tui.steps import shown, visit, wait_until

HERE = Path(__file__).parent
MAIN = "20200101-120000-train-5e2e"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("before") / "workspace"
    with tarfile.open(HERE / "workspace.tar.xz") as archive:
        archive.extractall(target, filter="data")
    return target


def answer(name: str) -> dict[str, Any]:
    """What the command answered when the workspace was made."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("runs", "runs"),
        ("champion show", "champion"),
        ("verify", "verify"),
        ("diff 2019-12-18 2019-12-19", "diff"),
    ],
)
def test_commands_answer_as_they_did(workspace: Path, words: str, name: str) -> None:
    done = atft_here(workspace, *words.split(), "--json")
    assert done.code == 0, done.err
    known, told = answer(name), done.json
    if name == "champion":
        assert told["trained_to"] == told["splits"]["train"]["last"], "what its package says"
    assert {key: told[key] for key in known} == known


def test_its_runs_are_said_to_be_unhashed(workspace: Path) -> None:
    done = atft_here(workspace, "verify", MAIN)
    assert done.code == 0, done.err
    assert done.out.split()[:2] == [MAIN, "unhashed"]


def test_a_run_is_shown_as_it_was(workspace: Path) -> None:
    done = atft_here(workspace, "show", MAIN, "--json")
    assert done.code == 0, done.err
    was, now = answer("show"), done.json
    for where in (was, now):
        where.pop("directory", None)
    assert now == {**was, **{k: v for k, v in now.items() if "/workspace" in str(v)}}


def test_a_seal_of_an_earlier_network_says_what_made_it(workspace: Path) -> None:
    """Its weights mean something else now: refused, rather than scored into other numbers."""
    done = atft_here(workspace, "replay", "2019-12-18", "--json")
    assert done.code == 6
    assert "weights of network 1, this version runs network 2" in done.err
    assert "Traceback" not in done.err


def test_the_ledger_fills_the_seals_at_the_same_prices(workspace: Path) -> None:
    """Another processor adds in another order: the last digits of a mean are its own."""
    done = atft_here(workspace, "ledger", "--json")
    assert done.code == 0, done.err
    assert rounded(done.json) == rounded(answer("ledger"))


def rounded(value: Any) -> Any:
    """Every float in it to ten significant digits."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def test_a_report_of_the_old_run_is_made(workspace: Path, tmp_path: Path) -> None:
    before = json.loads((workspace / "runs" / MAIN / "report.json").read_text())
    done = atft_here(workspace, "report", MAIN, "--format", "json")
    assert done.code == 0, done.err
    now = json.loads((workspace / "runs" / MAIN / "report.json").read_text())
    told = [
        [(one["question"], one["answer"], one["kind"]) for one in report["answers"]]
        for report in (now, before)
    ]
    assert told[0] == told[1]
    figures = [re.findall(r"[-+]?\d+\.\d+", str(report["answers"])) for report in (now, before)]
    assert figures[0] == figures[1]


@pytest.mark.parametrize(
    ("place", "facts"),
    [
        ("home", ("TRADE", "2019-12-19")),
        ("data", ("24", "2019-12-19")),
        ("train", ("RankIC",)),
        ("runs", ("train-5e2e", "walkforward", "tune-7231", "compare-18bb", "base")),
        ("replay", ("epoch",)),
        ("backtest", ("Sharpe",)),
        ("signals", ("TRADE", "2019-12-19")),
        ("config", ("data.market", "differ from their default")),
    ],
)
async def test_every_place_shows_it(workspace: Path, place: str, facts: tuple[str, ...]) -> None:
    assert place in {known.name for known in PLACES}
    async with CockpitApp(workspace).run_test(size=(160, 48)) as pilot:
        await visit(pilot, place)
        text = ""

        def told() -> bool:
            nonlocal text
            text = shown(pilot.app.screen)
            return all(fact in text for fact in facts)

        await wait_until(pilot, told)
        assert "cannot be read" not in text
        assert "cannot read" not in text


def test_a_book_of_then_is_no_new_look(workspace: Path) -> None:
    """Its key, of today's settings with the values of then, is in the list that was written then."""
    run = RunStore(workspace / "runs").open(MAIN)
    then = json.loads(run.path("backtest.json").read_text())
    tables = {name: then[name] for name in ("portfolio", "constraints", "costs")}
    tables["portfolio"]["score"] = "horizon"  # what a book was made of before there was the key
    config = Config.model_validate({**tables, "backtest": {"initial_cash": then["initial_cash"]}})
    (key,) = trial_keys(run, [trial_settings(config, workspace)])
    assert read_trials(run)[key].what == "sweep portfolio.fraction=0.1"
    mean = config.model_copy(
        update={"portfolio": config.portfolio.model_copy(update={"score": "mean"})}
    )
    assert trial_keys(run, [trial_settings(mean, workspace)]) != [key]
