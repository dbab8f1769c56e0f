"""The report on facts made by hand: hostile text, missing parts, and judgements that must not flatter."""

import datetime as dt
import re
from pathlib import Path

import polars as pl
import pytest
from msgspec import structs

from engine.config import Config
from engine.records import record
from engine.records.backtest import SpanFigures
from engine.records.comparison import VariantComparison
from engine.records.preflight import AuditResult
from engine.records.protocol import CountedLook, DaySpan, JudgedDays
from engine.records.record import RecordError
from engine.records.sweep import SweepSummary
from engine.records.train import SpanResult
from engine.report import charts, render
from engine.report.answers import answers
from engine.report.facts import Facts, _paid_dividends
from engine.report.sections import held, scores
from engine.report.sections.section import rank_ic
from engine.runs.events import EpochEvaluated
from engine.runs.store import RunStore
from tests.engine.report.samples import (
    CREATED,
    NASTY,
    backtest,
    facts,
    figures,
    summary,
    swept,
    tested,
    trained,
)
from tests.engine.runs.samples import evaluated

SWEPT = record.convert(swept(), SweepSummary, "sweep.json")


def with_test(value: float, se: float, null: float) -> Facts:
    return facts(train=trained(test=figures(value, se, null)))


def test_text_from_data_never_becomes_markup() -> None:
    page = render.document(facts(), created=CREATED).html()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    text = render.document(facts(), created=CREATED).markdown()
    assert "<script" not in text
    rows = [line for line in text.splitlines() if line.startswith("|") and "pipe" in line]
    assert rows
    assert all("\\| pipe" in row for row in rows)


def test_every_figure_leads_to_its_definition_and_no_link_to_nowhere() -> None:
    page = render.document(facts(), created=CREATED).html()
    links = set(re.findall(r'href="#([^"]+)"', page))
    places = set(re.findall(r' id="([^"]+)"', page))
    assert {"term-rankic", "term-sharpe", "term-null-band"} <= links
    assert links <= places
    assert places - links == {"terms"}, "no definition that nothing leads to"


@pytest.mark.parametrize(
    ("value", "se", "null", "word", "kind"),
    [
        (0.005, 0.002, 0.01, "noise", "bad"),
        (0.012, 0.009, 0.01, "not established", "plain"),
        (0.030, 0.008, 0.01, "outside it", "good"),
        (-0.030, 0.008, 0.01, "outside it", "bad"),
    ],
)
def test_a_value_is_called_real_only_beyond_band_and_error(
    value: float, se: float, null: float, word: str, kind: str
) -> None:
    answer = answers(with_test(value, se, null))[1]
    assert word in answer.detail
    assert answer.kind == kind


COSTS = {"commission_bps": 5.0, "slippage_bps": 2.5, "borrow_bps_per_year": 50.0, "impact_bps": 1.0}


@pytest.mark.parametrize("missing", [*COSTS, None])
@pytest.mark.parametrize("kept", [True, False])
def test_a_cost_that_the_file_does_not_know_is_a_dash(missing: str | None, kept: bool) -> None:
    """A stored null or no key at all; an impact that no early version knew was none."""
    told = {key: value for key, value in COSTS.items() if kept or key != missing}
    costs = told | ({missing: None} if missing and kept else {})
    text = render.document(facts(backtest=tested(costs=costs)), created=CREATED).markdown()
    shown = {key: "—" if key == missing else f"{COSTS[key]:g} bp" for key in COSTS}
    if missing == "impact_bps" and not kept:
        shown["impact_bps"] = "0 bp"
    assert (
        f"Commission {shown['commission_bps']} and half-spread {shown['slippage_bps']} one way, "
        f"impact {shown['impact_bps']} per 1% of daily turnover taken, "
        f"borrow {shown['borrow_bps_per_year']} a year;"
    ) in text


@pytest.mark.parametrize("value", [1e308, -1e308, 1.7976931348623157e308])
@pytest.mark.parametrize("field", ["sharpe", "capacity", "initial_cash", "waterfall"])
def test_an_absurd_value_is_told_and_drawn_at_the_edge(field: str, value: float) -> None:
    """A file may hold any number: no figure of it ends the report, and each chart stays in its frame."""
    stored = backtest()
    changed = stored["waterfall"] | {"commission": value} if field == "waterfall" else value
    page = render.document(facts(backtest=tested(**{field: changed})), created=CREATED).html()
    assert "nan" not in re.findall(r' (?:x|y|d|cx|cy|width|height)="([^"]*)"', page)
    places = [float(x) for x in re.findall(r' (?:x|cx)="([^"]*)"', page)]
    assert max(map(abs, places)) < 2000.0


def test_a_backtest_without_random_scores_has_its_report() -> None:
    found = facts(backtest=tested(baselines={}))
    text = render.document(found, created=CREATED).markdown()
    assert "sets of random scores" not in text
    assert "20 sets of random scores" in render.document(facts(), created=CREATED).markdown()


@pytest.mark.parametrize("settings", [{"portfolio.fraction": 0.05}, {"costs.slippage_bps": []}])
def test_a_sweep_with_a_cell_outside_its_grid_is_damaged(settings: dict[str, object]) -> None:
    stored = swept()
    stored["cells"][0]["settings"] = settings
    with pytest.raises(RecordError, match=r"cells: one has no value of (costs|portfolio)\."):
        record.convert(stored, SweepSummary, "sweep.json")


def test_without_a_backtest_the_report_says_what_to_run() -> None:
    found = facts(backtest=None, daily=None, months={}, holdings=None, trials={})
    page = render.document(found, created=CREATED).html()
    assert "atft-tui backtest 20260105-090000-train-abcd" in page
    assert "None" not in re.sub(r"<td>.*?</td>", "", page)


def test_the_scoreboard_the_monitors_and_the_intervals_are_shown() -> None:
    text = render.document(facts(), created=CREATED).markdown()
    assert "| validation RankIC > 0.020 | 0.0400 ± 0.0080 | 0.0100 | met |" in text
    assert "| 1.0e-03 | — | not shown |" in text
    assert "| 5 | +0.0100 | 0.0060 | [+0.0010, +0.0190] | 248 |" in text
    assert "[—, +0.0190]" in text
    assert "overfitting at step 9 (warned)" in text
    assert "| the graph's edges | 31.0% | +0.0400 ± 0.0050 | 252 |" in text
    assert "| the graph's choice: random neighbours | — | — | 0 |" in text
    assert "| 12.5% | -0.0200 ± 0.0100 | 252 |" in text
    older = trained(scoreboard=[], monitors=None, graph_worth=None, blocks_worth={})
    text = render.document(facts(train=older), created=CREATED).markdown()
    assert "Scoreboard" not in text
    assert "are worth" not in text


def test_missing_figures_are_dashes() -> None:
    found = facts(
        epochs=(),
        assertions=(),
        train=trained(best=None, phases=[], gradient={}),
    )
    page = render.document(found, created=CREATED).html()
    assert "nan" not in page.lower().replace("&#", "")
    assert rank_ic(None) == "—"
    assert rank_ic(summary(0.005)) == "~+0.0050 ± 0.0080"


def test_every_figure_is_in_the_json() -> None:
    value = render.as_json(facts(), created=CREATED)
    assert value["train"]["test"]["rank_ic"] == 0.03
    assert value["backtest"]["sharpe"] == 0.4
    assert [item["question"] for item in value["answers"]][1] == "Is it real?"


def test_charts_survive_strange_series() -> None:
    nan = float("nan")
    assert charts.lines({}, [], title="t", unit="u") == ""
    assert charts.lines({"a": [nan, nan]}, ["x", "y"], title="t", unit="u") == ""
    for values in ([1.0, nan, 2.0], [0.0, 0.0, 0.0], [1e12, -1e12, 0.0]):
        svg = charts.lines({"<b>": values}, ["x", "y", "z"], title="<t>", unit="<u>")
        assert "nan" not in svg
        assert "<b>" not in svg
        assert "&lt;t&gt;" in svg


def test_epochs_with_unknown_errors_are_drawn() -> None:
    broken = structs.replace(evaluated(0, 0), rank_ic_se=float("nan"), null_band=float("nan"))
    assert isinstance(broken, EpochEvaluated)
    assert (
        "<svg" in render.document(facts(epochs=(broken, evaluated(1, 0))), created=CREATED).html()
    )


def test_long_series_are_thinned_and_keep_their_ends() -> None:
    svg = charts.lines(
        {"a": [float(i) for i in range(5000)]}, [str(i) for i in range(5000)], title="t", unit="u"
    )
    assert svg.count("L") <= charts._MAX_POINTS
    assert ">4999<" in svg
    assert ">0<" in svg


def test_on_a_phone_every_chart_is_whole() -> None:
    """In 390 pixels a chart that keeps its width has its right side, and the model's dot, out of sight."""
    page = render.document(facts(), created=CREATED).html()
    narrow = page[page.index("@media (max-width: 520px)") : page.index("@page")]
    assert "figure svg { min-width: 0;" in narrow


def test_every_chart_names_its_unit() -> None:
    page = render.document(facts(sweep=SWEPT), created=CREATED).html()
    charts_of = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(charts_of) > 8
    without = [c for c in charts_of if 'class="unit"' not in c and "in sessions" not in c]
    assert without == []


def test_a_sweep_is_shown_as_a_map_with_its_trials() -> None:
    page = render.document(facts(sweep=SWEPT), created=CREATED).html()
    assert "Sweep of 5 settings" in page
    assert "after 5 trials" in page
    assert "+2.05" in page


def test_exposures_are_drawn_by_day_as_means_of_the_last_five(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[dict[str, list[float]]] = []

    def keep(series: dict[str, list[float]], labels: list[str], **_: object) -> str:
        assert labels == ["2015-03-02", "2015-03-03", "2015-04-01"]
        drawn.append({name: [round(value, 9) for value in line] for name, line in series.items()})
        return "<svg/>"

    monkeypatch.setattr(charts, "lines", keep)
    assert held.exposures(facts()).title
    styles, sectors = drawn
    assert styles == {"beta": [0.1, 0.2, 0.2], "size": [0.0, 0.5, 0.2]}
    assert sectors == {NASTY: [0.05] * 3, "Oil": [-0.1, -0.05, 0.0]}
    assert not held.exposures(facts(styles=None, sectors=None)).title


def test_what_the_scores_add_to_others_is_told_where_it_was_asked() -> None:
    (row,) = scores.beyond(facts()).rows
    assert row == (NASTY, "+0.35", "+0.0210 ± 0.0060")
    old = {name: {"sharpe": 0.4} for name in ("lightgbm", "random")}
    assert not scores.beyond(facts(backtest=tested(baselines=old))).title


def test_the_audit_says_what_was_not_checked() -> None:
    audit = {
        "verdict": "failed",
        "when": "2026-01-05T09:00:00+00:00",
        "snapshot": "24158fa351460987",
        "run": None,
        "checks": [
            {"name": "features", "passed": False, "detail": "tomorrow: looks ahead"},
            {"name": "graph", "passed": True, "detail": "edges come from returns up to their day"},
            {"name": "scores", "passed": None, "detail": "not checked: no run was named"},
        ],
    }
    text = render.document(
        facts(audit=record.convert(audit, AuditResult, "audit.json")), created=CREATED
    ).markdown()
    assert "Verdict: failed; made 2026-01-05 on snapshot 24158fa351460987." in text
    for row in ("| features | FAILED |", "| graph | passed |", "| scores | - |"):
        assert row in text, row


def compared(kind: str = "ablations") -> VariantComparison:
    gap = {"difference": -0.0123, "low": -0.0200, "high": -0.0010, "se": 0.005, "n_dates": 252,
           "by_seed": [-0.01, -0.02], "seed_deviation": 0.007, "direction": "worse"}  # fmt: skip
    level = {
        "rank_ic": 0.02,
        "rank_ic_se": 0.01,
        "n_dates": 252,
        "by_seed": [0.02],
        "seed_deviation": None,
    }
    rows = [
        {"name": "full", "parameters": 12345, "test": level, "difference": {}, "errors": []},
        {"name": NASTY, "parameters": 999, "test": level, "difference": {"test": gap}, "errors": [],
         "verdict": "earns its place"},
        {"name": "broken", "parameters": None, "test": None, "difference": {"test": None},
         "errors": ["start-up assertions failed"], "verdict": "not trained"},
    ]  # fmt: skip
    found = {"id": f"{kind}-0", "kind": kind, "reference": "full", "confidence": 0.9, "seeds": 2,
             "score_horizon": 5, "variants": rows}  # fmt: skip
    return record.convert(found, VariantComparison, "compare")


@pytest.mark.parametrize(
    ("kind", "title"), [("ablations", "What each part is worth"), ("sizes", "Size of the network")]
)
def test_a_comparison_is_told_with_intervals_and_what_failed(kind: str, title: str) -> None:
    text = render.document(facts(comparisons=(compared(kind),)), created=CREATED).markdown()
    _, _, section = text.partition(title)
    section = section.partition("\n## ")[0]
    assert "-0.0123 [-0.0200, -0.0010]" in section
    assert "earns its place" in section
    assert "broken: start-up assertions failed" in section
    assert "0.2 miss zero by chance" in section
    assert title not in render.document(facts(), created=CREATED).markdown()
    page = render.document(facts(comparisons=(compared(kind),)), created=CREATED).html()
    assert "<script" not in page


def test_every_figure_stands_beside_what_its_days_are() -> None:
    """Scores, book and comparison rest on confirmation days; two runs were judged on them."""
    span = DaySpan(name="confirmation", first="2015-01-02", last="2015-12-31", sessions=248)
    days = JudgedDays(market="us", spans=(span,))
    looks = [
        CountedLook(run=name, market="us", first="2015-03-02", last="2015-04-01") for name in "ab"
    ]
    part = SpanResult(
        span="confirmation",
        horizons={},
        baselines={},
        rank_ic=0.0123,
        rank_ic_se=0.004,
        null_band=0.002,
    )
    traded = SpanFigures(span="confirmation", sharpe=0.37)
    told = facts(
        train=structs.replace(trained(), judged_days=days, spans=(part,)),
        backtest=structs.replace(tested(), judged_days=days, spans=(traded,)),
        comparisons=(structs.replace(compared(), judged_days=days),),
        looks=tuple(looks),
    )
    text = render.document(told, created=CREATED).markdown()
    for words in (
        "days that decided nothing (looked at 2 times).",
        "Its days: looked at 2 times.",
        "Test days by the protocol: looked at 2 times.",
        "miss zero by chance alone. Test days: looked at 2 times.",
        "| confirmation days |  | +0.0123 ± 0.0040 |",
        "| confirmation days | +0.37 |",
    ):
        assert words in text, words
    assert render.as_json(told, created=CREATED)["days"] == "looked at 2 times"
    plain = render.document(facts(comparisons=(compared(),)), created=CREATED).markdown()
    assert "protocol" not in plain


def test_breaks_and_dividends_are_told_only_where_the_book_met_them() -> None:
    assert "Breaks in the book" not in render.document(facts(), created=CREATED).markdown()
    row = {
        "date": "2015-03-03",
        "symbol": NASTY,
        "weight": -0.02,
        "quoted_move": 0.9,
        "effect": -0.018,
    }
    held = {
        "held": 1, "stocks": 1, "in_universe": 4, "as_quoted": -0.018, "worst_case": -0.018,
        "largest": [row],
    }  # fmt: skip
    paid_out = {"dividend": 0.01, "dividend_received": 0.03, "dividend_paid": 0.02}
    test = tested(breaks=held, waterfall=backtest()["waterfall"] | paid_out)
    paid = pl.DataFrame(
        {
            "date": [dt.date(2015, 3, 3)],
            "symbol": ["A"],
            "dividend": [0.25],
            "weight": [-0.02],
            "received": [-0.0001],
        }
    )
    text = render.document(facts(backtest=test, ex_dates=paid), created=CREATED).markdown()
    assert "1 time the price of a held stock jumped (1 stock)" in text
    assert "every one against the book, -1.80%" in text
    assert "| -2.00% | +90.0% | -1.80% |" in text
    assert "Longs received 3.00% of the equity a year and shorts paid 2.00%" in text
    assert "| 2015-03-03 | A | 0.25 | -2.00% | -0.010% |" in text
    page = render.document(facts(backtest=test, ex_dates=paid), created=CREATED).html()
    assert ">prices<" in page
    assert ">dividends<" in page


def test_dividends_of_stocks_that_were_held_overnight_largest_first(tmp_path: Path) -> None:
    """B was bought on its ex-date and got nothing, C was short and paid; an older backtest knows none."""
    run = RunStore(tmp_path).create("train", Config())
    assert _paid_dividends(run) is None
    rows = pl.DataFrame(
        {
            "date": [dt.date(2015, 3, 3)] * 4,
            "symbol": ["A", "B", "C", "D"],
            "weight": [0.1, 0.2, -0.3, 0.4],
            "dividend": [0.5, 9.0, 0.5, 0.0],
            "received": [0.001, 0.0, -0.003, 0.0],
        }
    )
    rows.write_parquet(run.path("holdings.parquet"))
    found = _paid_dividends(run)
    assert found is not None
    assert found["symbol"].to_list() == ["C", "A"]
    rows.drop("dividend", "received").write_parquet(run.path("holdings.parquet"))
    assert _paid_dividends(run) is None
