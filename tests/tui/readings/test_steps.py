"""The step that comes next: for the demo, for one's own data, and after a gate has refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from atft_tui.readings.feed import run_that_matters
from atft_tui.readings.home import HomeNews, read_home
from atft_tui.readings.steps import upcoming
from engine.records.champion import ChampionEntry, GateCondition
from engine.records.preflight import AuditResult, Leak
from engine.records.run import RunSummary, Sharpe
from engine.runs.events import RunFinished
from tests.tui import home_workspace as made
from tests.tui.conftest import MakeRun, append
from tests.tui.home_workspace import NOW

RUN = "20261119-083000-walkforward-00aa"
TRAINED = RunSummary(id=RUN, command="walkforward", status="done", created="2026-11-19")
TESTED = structs.replace(
    TRAINED, sharpe=Sharpe(value=1.0, low=0.5, high=1.5, verdict="above", deflated=0.9)
)


def step(news: HomeNews) -> tuple[str, dict[str, str]]:
    found = upcoming(news)
    assert found is not None
    return found.command, found.given


@pytest.fixture
def own(tmp_path: Path) -> HomeNews:
    """One's own data, and nothing done with them."""
    made.data(tmp_path)
    news = read_home(tmp_path, NOW)
    assert news.data is not None
    return replace(news, data=replace(news.data, quality=None, audit=None))


def audited(news: HomeNews, audit: AuditResult, main: RunSummary = TESTED) -> HomeNews:
    assert news.data is not None
    return replace(news, main=main, data=replace(news.data, audit=audit))


def test_own_data_are_checked_trained_on_tested_audited_and_promoted(
    own: HomeNews, tmp_path: Path
) -> None:
    assert step(own) == ("check", {})
    checked = read_home(tmp_path, NOW)
    assert step(checked) == ("train", {})
    assert step(replace(checked, main=TRAINED)) == ("backtest", {"run": RUN})
    plain = audited(checked, AuditResult(verdict="passed"))
    assert step(plain) == ("audit", {"run": RUN}), "an audit under whose rules?"
    ours = audited(checked, AuditResult(verdict="passed", run=RUN))
    assert step(ours) == ("promote", {"run": RUN})


def test_a_made_up_market_leads_to_a_signal_without_own_data(tmp_path: Path) -> None:
    made.data(tmp_path, market="synthetic")
    news = read_home(tmp_path, NOW)
    assert step(news) == ("demo", {})
    assert step(replace(news, main=TESTED)) == ("audit", {"run": RUN})
    ours = audited(news, AuditResult(verdict="passed", run=RUN))
    assert step(ours) == ("promote", {"run": RUN})
    made.champion(tmp_path)
    assert step(read_home(tmp_path, NOW)) == ("signals", {})
    made.seal(tmp_path, "2026-11-24")
    assert step(read_home(tmp_path, NOW)) == ("schedule", {"action": "run"})


def test_a_refusal_of_the_gate_leads_on_and_names_what_it_was(
    own: HomeNews, tmp_path: Path
) -> None:
    gate = (
        GateCondition(name="audit", passed=True, detail="passed"),
        GateCondition(name="lightgbm", passed=False, detail="RankIC -0.0010 better"),
    )
    refusal = ChampionEntry(n=1, action="refused", model="m", run=RUN, gate=gate, at="2026-11-20")
    news = audited(read_home(tmp_path, NOW), AuditResult(verdict="passed", run=RUN))
    found = upcoming(replace(news, refusal=refusal))
    assert found is not None
    assert (found.command, "RankIC -0.0010 better" in found.what) == ("train", True)
    other = upcoming(replace(news, refusal=structs.replace(refusal, run="another")))
    assert other is not None
    assert other.command == "promote"


def test_refused_data_lead_to_the_place_that_says_why(tmp_path: Path) -> None:
    made.data(tmp_path)
    news = read_home(tmp_path, NOW)
    assert news.data is not None
    assert news.data.quality is not None
    refused = structs.replace(news.data.quality, verdict="refused")
    found = upcoming(replace(news, data=replace(news.data, quality=refused)))
    assert found is not None
    assert (found.name, found.place, found.command) == ("check", "data", "")


def test_a_leak_is_named_by_the_step(own: HomeNews, tmp_path: Path) -> None:
    leak = Leak(check="features", name="peek", day="2026-11-20")
    leaky = AuditResult(verdict="failed", leaks=(leak,))
    found = upcoming(audited(read_home(tmp_path, NOW), leaky))
    assert found is not None
    assert (found.command, found.what.startswith("peek saw ahead")) == ("audit", True)


def test_of_runs_at_work_together_the_first_one_matters(tmp_path: Path, make_run: MakeRun) -> None:
    """The demo's run, and not the one without the graph that it starts beside itself."""
    old, main, beside = (make_run() for _ in range(3))  # begun at 09:01, 09:02 and 09:03
    for run, end in ((old, "09:01:30"), (main, "09:12:00"), (beside, "09:11:00")):
        append(run, [RunFinished(at=f"2026-01-05T{end}+00:00", status="done", summary={})])
    assert run_that_matters(tmp_path, lambda run: True) == main
    assert run_that_matters(tmp_path, lambda run: run != main) == beside
