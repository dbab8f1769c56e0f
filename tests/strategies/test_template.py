"""The strategy of docs/strategies.md, as a reader would write it: kept promises, CLI and screen."""

import re
from pathlib import Path

import pytest

from atft_tui.app import CockpitApp
from atft_tui.screens.command_form import CommandForm
from engine.cli import main
from engine.commands.strategies import strategy_summaries
from engine.errors import UsageError
from engine.portfolio.contract import check_strategy
from engine.portfolio.strategy import load_strategy

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"


@pytest.fixture
def conviction(tmp_path: Path) -> str:
    """The page's module in the workspace."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    put(tmp_path, "conviction", found[1])
    return found[1]


def put(workspace: Path, name: str, text: str) -> None:
    path = workspace / "strategies" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_it_is_under_thirty_lines_and_keeps_its_promises(conviction: str, tmp_path: Path) -> None:
    assert len(conviction.splitlines()) < 30
    checks = check_strategy(load_strategy("conviction", tmp_path))
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


def test_a_module_that_does_not_parse_is_listed_as_such_and_runs_nothing(tmp_path: Path) -> None:
    put(tmp_path, "broken", "STRATEGY = (")
    put(tmp_path, "loud", "raise SystemExit('imported')\nSTRATEGY = 1\n")
    put(tmp_path, "helper", "VALUE = 1\n")
    found = strategy_summaries(tmp_path)
    assert found["broken"].startswith("cannot be used")
    assert found["loud"] == ""
    assert "helper" not in found


def test_what_is_no_strategy_is_refused(conviction: str, tmp_path: Path) -> None:
    put(tmp_path, "wrong", "STRATEGY = 1\n")
    with pytest.raises(UsageError, match=r"wrong\.py defines no STRATEGY with a name"):
        load_strategy("wrong", tmp_path)
    put(tmp_path, "other", conviction)
    with pytest.raises(UsageError, match="its STRATEGY has the name 'conviction'"):
        load_strategy("other", tmp_path)
    put(tmp_path, "score_weighted", conviction)
    with pytest.raises(UsageError, match="the name of a built-in one"):
        load_strategy("score_weighted", tmp_path)
    with pytest.raises(UsageError, match="no strategy 'conviction'"):
        load_strategy("conviction")
