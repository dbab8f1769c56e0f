"""Exports: spreadsheets, two runs side by side, PDF."""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EnvironmentProblem, UsageError
from engine.report import render
from engine.report.comparison import SideBySide
from engine.report.facts import Facts
from engine.report.render import _find_browser, inert_cells, tables, write_pdf, write_tables
from tests.engine.report.samples import CREATED, NASTY, facts, tested


def test_cells_of_a_spreadsheet_are_no_formulas_and_parquet_is_untouched(tmp_path: Path) -> None:
    found = facts()
    for kind in ("csv", "parquet"):
        paths = write_tables(tmp_path, "report", found, kind)
        assert [path.name for path in paths] == [
            f"report.{kind}", f"report-figures.{kind}", f"report-holdings.{kind}",
        ]  # fmt: skip
    held = pl.read_csv(tmp_path / "report-holdings.csv", infer_schema=False)
    assert held["symbol"].to_list() == ["'=A1", "B", "C"]
    assert held["name"].to_list()[1:] == ["'=HYPERLINK(1)", "'-2+3"]
    assert held["sector"].to_list() == ["'@x", None, "-0.5"]
    assert held["weight"].to_list() == ["0.5", "-0.25", "-0.25"]
    assert pl.read_parquet(tmp_path / "report-holdings.parquet").equals(found.holdings)  # type: ignore[arg-type]
    daily = pl.read_parquet(tmp_path / "report.parquet")
    assert daily["net_return"].to_list() == [0.01, -0.02, 0.005]
    assert daily[f"net_return_{NASTY}"].to_list() == [0.01, 0.0, 0.0]


@given(st.text(alphabet="=+-@\t\r aB1.,'\"\n", max_size=6))
def test_no_text_cell_starts_a_formula(text: str) -> None:
    cell = inert_cells(pl.DataFrame({"name": [text]}))["name"][0]
    runs = cell[:1] in ("=", "+", "-", "@", "\t", "\r")
    assert not runs or _is_number(cell)
    assert cell.removeprefix("'") == text.removeprefix("'")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_without_a_simulation_there_are_no_tables() -> None:
    with pytest.raises(UsageError, match="hold the simulation"):
        tables(facts(backtest=None, daily=None))


def test_two_runs_side_by_side() -> None:
    rng = np.random.default_rng(0)
    days = [dt.date(2015, 1, 1) + dt.timedelta(days=i) for i in range(400)]
    common = rng.normal(0.0, 0.01, 400)

    def run(drift: float, name: str) -> Facts:
        net = common + rng.normal(drift, 0.001, 400)
        daily = pl.DataFrame(
            {"date": days, "net_return": net, "equity": np.cumprod(1 + net), "drawdown": 0 * net}
        )
        test = tested(portfolio={"strategy": name, "fraction": 0.1})
        return facts(daily=daily, backtest=test, run_id=name)

    same = SideBySide.of(run(0.0, "a"), run(0.0, "b"))
    assert same.answers()[0].answer == "undecided"
    better = SideBySide.of(run(0.001, "a"), run(0.0, "b"))
    assert better.answers()[0].answer.endswith("of a")
    found = better.json()
    assert found["sharpe_difference"] > 3 * found["sharpe_difference_se"]
    assert found["return_correlation"] > 0.9
    assert found["settings"] == {"portfolio.strategy": ["a", "b"]}
    page = render.Document(
        title="t", subtitle="s", answers=better.answers(), sections=better.sections()
    ).html()
    assert "<script" not in page
    assert "portfolio.strategy" in page
    with pytest.raises(UsageError, match="3 sessions in common"):
        SideBySide.of(facts(), facts())
    with pytest.raises(UsageError, match="not simulated yet"):
        SideBySide.of(facts(), facts(daily=None))


def test_a_pdf_without_a_browser_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("engine.report.render._find_browser", lambda: None)
    with pytest.raises(EnvironmentProblem, match="none is installed"):
        write_pdf("<p>x</p>", tmp_path / "r.pdf")
    broken = tmp_path / "browser"
    broken.write_text("#!/bin/sh\necho boom >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr("engine.report.render._find_browser", lambda: str(broken))
    with pytest.raises(EnvironmentProblem, match="printed no pdf: boom"):
        write_pdf("<p>x</p>", tmp_path / "r.pdf")
    assert not (tmp_path / "r.pdf").exists()


@pytest.mark.skipif(_find_browser() is None, reason="no Chromium installed")
def test_a_pdf_is_printed_where_a_browser_is(tmp_path: Path) -> None:
    write_pdf(render.document(facts(), created=CREATED).html(), tmp_path / "r.pdf")
    found = (tmp_path / "r.pdf").read_bytes()
    assert found.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", found)) <= 10
