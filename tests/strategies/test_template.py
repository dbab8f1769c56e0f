"""The strategy of docs/strategies.md, as a reader would write it: kept promises, CLI and screen."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import strategies
from atft_tui.app import CockpitApp
from atft_tui.screens.command_form import CommandForm
from engine.cli import main
from engine.commands.strategies import strategy_summaries
from engine.portfolio.contract import check_strategy
from engine.portfolio.strategy import load_strategy

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"


@pytest.fixture
def conviction(tmp_path: Path) -> Iterator[str]:
    """The page's module in a folder of the strategies package."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    (tmp_path / "conviction.py").write_text(found[1], encoding="utf-8")
    strategies.__path__.append(str(tmp_path))
    yield found[1]
    strategies.__path__.remove(str(tmp_path))


def test_it_is_under_thirty_lines_and_keeps_its_promises(conviction: str) -> None:
    assert len(conviction.splitlines()) < 30
    checks = check_strategy(load_strategy("conviction"))
    assert [check for check in checks if not check.passed] == []


def test_the_command_line_lists_and_checks_it(
    conviction: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["strategies", "--workspace", str(tmp_path)]) == 0
    assert "conviction" in capsys.readouterr().out
    assert main(["strategies", "conviction", "--workspace", str(tmp_path)]) == 0
    assert "no look-ahead" in capsys.readouterr().out


async def test_the_screen_offers_it(conviction: str, tmp_path: Path) -> None:
    app = CockpitApp(tmp_path)
    async with app.run_test() as pilot:
        app.ask("backtest", {"run": "last", "strategy": "conviction"})
        await pilot.pause()
        assert isinstance(app.screen, CommandForm)
        assert app.screen.values()["strategy"] == "conviction"


def test_a_module_that_does_not_parse_is_listed_as_such_and_runs_nothing(
    conviction: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text("STRATEGY = (")
    (tmp_path / "loud.py").write_text("raise SystemExit('imported')\nSTRATEGY = 1\n")
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    found = strategy_summaries()
    assert found["broken"].startswith("does not parse")
    assert found["loud"] == ""
    assert "helper" not in found
