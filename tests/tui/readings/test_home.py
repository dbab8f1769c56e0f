"""Home's reading: every file as the engine writes it, and what cannot be read is named."""

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from atft_tui.readings.home import HomeNews, read_home
from atft_tui.readings.machine import MachineReader, after_program
from atft_tui.readings.steps import parts, upcoming
from engine.records.card import TradeFigures
from engine.records.run import RunSummary
from engine.runs import lock
from engine.schedule.agenda import _HEARTBEAT, _LOCK, write_heartbeat
from tests.tui import home_workspace as made
from tests.tui.home_workspace import MODEL, NOW


def read(workspace: Path) -> HomeNews:
    return read_home(workspace, NOW)


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    news = read(tmp_path / "absent")
    assert news.is_empty
    assert news == HomeNews(now=NOW.replace(second=0))
    step = upcoming(news)
    assert step is not None
    assert (step.name, step.command, step.key) == ("demo", "demo", "d")


def test_everything(tmp_path: Path) -> None:
    made.full(tmp_path)
    news = read(tmp_path)
    assert news.trouble == ()
    assert news.card is not None
    card = news.card.card
    assert card is not None
    assert (news.card.name, card.exchange, card.verdict) == ("2026-11-24", "XTKS", "STOP")
    assert [light.name for light in card.troubles] == ["audit", "turnover"]
    assert card.orders == TradeFigures(lines=350, turnover=0.59, cost=6e-4)
    assert news.champion is not None
    entry, facts = news.champion.history.promotion, news.champion.facts
    assert entry is not None
    assert facts is not None
    assert (entry.model, entry.run) == (MODEL, "20261119-083000-train-00aa")
    assert (news.model_age, entry.reason, facts.test.n_dates) == (3, "first", 252)
    assert news.live is not None
    assert news.live.is_noise
    assert news.data is not None
    assert (news.data.last, len(news.data.manifest.days)) == ("2026-11-24", 4)
    assert news.data.quality is not None
    assert news.data.audit is not None
    assert (news.data.quality.verdict, news.data.audit.verdict) == ("degraded", "passed")
    assert [told.title for told in news.agenda.alerts] == ["2026-11-25 XTKS STOP"]
    assert news.agenda.outlook is not None
    assert news.agenda.outlook.behind(news.data.last) == 1


def test_the_newest_revision_of_the_newest_session_counts(tmp_path: Path) -> None:
    made.seal(tmp_path, "2026-11-24")
    for revision in range(1, 11):
        made.seal(tmp_path, "2026-11-20", revision=revision)
    for revision in (9, 10):
        made.seal(tmp_path, "2026-11-24", made.LIGHTS[:1], revision=revision)
    (tmp_path / "signals" / ".staging-2026-12-01-ab").mkdir()
    shown = read(tmp_path).card
    assert shown is not None
    assert shown.card is not None
    assert (shown.name, shown.word, shown.card.troubles) == ("2026-11-24-r10", "TRADE", ())


@pytest.mark.parametrize("name", ["manifest.json", "card.json"])
def test_a_seal_that_was_broken_is_no_card(tmp_path: Path, name: str) -> None:
    sealed = made.seal(tmp_path, "2026-11-24")
    path = sealed.directory / name
    path.write_text(path.read_text().replace("STOP", "HOLD").replace("card", "cart"))
    news = read(tmp_path)
    assert news.card is None
    assert "changed after it was sealed" in news.trouble[0]


def test_one_torn_file_hides_no_other_and_is_read_again(tmp_path: Path) -> None:
    made.full(tmp_path)
    path = tmp_path / "models" / "champion.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    news = read_home(tmp_path, NOW)
    assert news.champion is None
    assert news.card is not None
    assert len(news.trouble) == 1
    assert "champion" in news.trouble[0]
    path.write_bytes(whole)
    assert read_home(tmp_path, NOW).champion is not None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"models/{MODEL}/model.json", '{"test": {"rank_ic": "[b]", "n_dates": 1}}'),
        ("signals/ledger.json", '{"live": [1]}'),
        ("signals/ledger.json", f'{{"live": {{"{MODEL}": {{"rank_ic": "high"}}}}}}'),
        ("models/champion.json", '{"history": 5}'),
    ],
)
def test_a_figure_that_is_no_number_is_named(tmp_path: Path, name: str, said: str) -> None:
    made.full(tmp_path)
    (tmp_path / name).write_text(said)
    news = read(tmp_path)
    assert news.card is not None
    assert [name in trouble for trouble in news.trouble] == [True]


def test_a_rollback_leads_to_the_run_of_the_model(tmp_path: Path) -> None:
    from engine.signals.models import ModelStore

    made.champion(tmp_path)
    store = ModelStore(tmp_path / "models")
    store.record("promoted", "eeee", at=NOW, run="20261125-093000-train-00cc")
    store.record("rolled back", MODEL, at=NOW)
    news = read(tmp_path)
    assert news.champion is not None
    history = news.champion.history
    assert history.promotion is not None
    assert (history.champion, history.promotion.run) == (MODEL, "20261119-083000-train-00aa")
    assert history.reigns[-1].at == "2026-11-25T12:00:40+00:00"
    assert news.model_age is None


def test_a_live_figure_within_its_errors_is_noise(tmp_path: Path) -> None:
    """1.96 standard errors: 0.04 / 0.02 = 2.0 is told from zero, 0.038 is not."""
    for value, se, noise in ((0.04, 0.02, False), (0.038, 0.02, True), (0.5, math.nan, True)):
        made.live(tmp_path, rank_ic=value, se=se)
        if not (tmp_path / "models").exists():
            made.champion(tmp_path)
        live = read(tmp_path).live
        assert live is not None
        assert live.is_noise is noise


def test_the_steps_are_ticked_off(tmp_path: Path) -> None:
    made.full(tmp_path)
    write_heartbeat(tmp_path, NOW)
    with lock.hold(tmp_path / _LOCK):
        news = read(tmp_path)
    assert (tmp_path / _HEARTBEAT).exists()
    done = {step.name: step.done for part in parts(news) for step in part.steps}
    assert done == {
        "demo": False, "watch": False, "report": False, "ingest": True, "check": True,
        "train": False, "backtest": False, "audit": True, "promote": True, "signals": True,
        "schedule": True,
    }  # fmt: skip
    assert read(tmp_path).agenda.process == "stopped"


def test_the_same_minute_is_the_same_value(tmp_path: Path) -> None:
    """What is equal is not drawn again."""
    made.full(tmp_path)
    first = read_home(tmp_path, NOW)
    assert read_home(tmp_path, NOW + dt.timedelta(seconds=15)) == first
    assert replace(first, now=first.now) == first
    assert read_home(tmp_path, NOW + dt.timedelta(seconds=30)) != first


def test_the_machine_s_figures_make_sense(tmp_path: Path) -> None:
    machine = MachineReader().read(tmp_path / "not" / "there")
    assert 0 <= machine.cpu_percent <= 100
    assert 0 < machine.memory_used_mib < machine.memory_total_mib
    assert 0 <= machine.disk_free_gib <= machine.disk_total_gib
    assert machine.cores >= 1
    again = MachineReader()
    again.read(tmp_path)
    assert len(again.read(tmp_path).past.cpu) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/x/bin/python -P -m engine train --run r1", "train --run r1"),
        ("/x/bin/python /x/bin/atft-tui demo", "demo"),
        ("/x/bin/python -m atft_tui", "the cockpit"),
        ("/bin/sh -c true", ""),
        ("vi engine", ""),
        ("", ""),
    ],
)
def test_our_processes_are_known_by_their_words(line: str, words: str) -> None:
    assert after_program(line.split()) == words


def test_a_demo_from_the_command_line_counts_as_one(tmp_path: Path) -> None:
    """Its run is named for the training; a training on one's own data is no demo."""
    made.full(tmp_path)
    news = read(tmp_path)
    assert news.data is not None
    trained = RunSummary(
        id="20261119-083000-train-00aa", command="train", status="done", created="2026-11-19"
    )
    for market, status, expected in (
        ("synthetic", "done", True),
        ("synthetic", "died", False),
        ("jp", "done", False),
    ):
        seen = replace(
            news,
            data=replace(news.data, manifest=structs.replace(news.data.manifest, market=market)),
            main=structs.replace(trained, status=status) if status == "done" else None,
        )
        done = {step.name: step.done for part in parts(seen) for step in part.steps}
        assert (done["demo"], done["watch"]) == (expected, expected)
