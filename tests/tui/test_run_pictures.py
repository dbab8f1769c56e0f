"""Pictures of runs: whatever the numbers and names, inside their box; what they say."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace
from rich.cells import cell_len
from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.readings.run_details import Course, RunDetails, RunFile
from atft_tui.readings.runs_screen import Overlay, OverlayRun, SettingRow
from atft_tui.readings.searches import ComparisonView, PairView, StudyView
from atft_tui.widgets.run_details_panel import RunDetailsPanel
from atft_tui.widgets.search_panels import (
    BestPanel,
    DifferencePanel,
    ForestPanel,
    ForestRow,
    ImportancePanel,
    OverlayLoss,
    OverlayRankIC,
    PairsPanel,
    forest,
)
from engine.records.champion import ChampionEntry, GateCondition
from engine.records.comparison import (
    RankICGap,
    RankICLevel,
    RunPair,
    VariantComparison,
    VariantResult,
)
from engine.records.rank_ic import RankICSummary
from engine.records.run import Labels, RunManifest, RunSettings, RunSummary, Sharpe
from engine.records.study import StudyResult, TrialRow
from tests.engine.runs.samples import diagnosed, evaluated, started

ANY = st.floats(allow_nan=True, allow_infinity=True)
HOSTILE = st.text(max_size=40) | st.sampled_from(
    [
        "\x1b]0;title\x07",
        "[/] [bold",
        "\u202eabc",
        "日本株の銘柄" * 9,
        "x" * 300,
        "a\nb\tc",
        "é\u200d👩‍👩‍👧",
    ]
)
SIZES = st.tuples(st.integers(1, 120), st.integers(1, 30))


def fits(text: Text, width: int, height: int) -> None:
    lines = text.plain.split("\n")
    while lines and not lines[-1]:
        lines.pop()
    assert len(lines) <= height, (len(lines), height)
    assert all(cell_len(line) <= width for line in lines), (width, lines)
    assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in text.plain)


ROWS = st.lists(st.builds(ForestRow, HOSTILE, ANY, ANY, ANY, ANY, HOSTILE), max_size=20)


@given(ROWS, SIZES)
@settings(max_examples=60)
def test_a_forest_stays_in_its_box(rows: list[ForestRow], size: tuple[int, int]) -> None:
    width, height = size
    fits(forest(rows, width=width, height=height), width, height)


def test_an_interval_that_holds_zero_is_marked() -> None:
    sure = ForestRow("sure", -0.02, 0.004, -0.028, -0.012, "earns its place")
    noise = ForestRow("noise", 0.001, 0.004, -0.007, 0.009, "undecided")
    lost = ForestRow("lost", math.nan, math.nan, math.nan, math.nan, "not trained")
    lines = forest([sure, noise, lost], width=100, height=6).plain.splitlines()
    assert " -0.0200 ± 0.0040" in lines[0]
    assert lines[0].count(GLYPHS.cap_left) == 1
    assert lines[0].index(GLYPHS.cap_right) < lines[3].index("0", lines[3].index(" 0"))
    assert "~+0.0010 ± 0.0040" in lines[1]
    assert GLYPHS.cap_left not in lines[2]
    assert "not trained" in lines[2]


# ---- panels --------------------------------------------------------------------------------------


def summary(name: str, note: str, value: float) -> RunSummary:
    return RunSummary(
        id="20260105-090000-train-abcd",
        command="train",
        status="failed",
        created="2026-01-05T09:00:00+00:00",
        validation=RankICSummary(rank_ic=value, rank_ic_se=value, null_band=value, n_dates=3),
        sharpe=Sharpe(value=value, low=value, high=value, deflated=value, trials=3, verdict=name),
        seconds=12.0,
        settings=RunSettings("demo", {name: note}),
        labels=Labels(("tag",), note),
        progress=note,
    )


def details(name: str, note: str, value: float) -> RunDetails:
    course = Course(
        epochs=((0, replace(evaluated(0, 0), rank_ic=value)), (1, evaluated(1, 0))),
        losses=((0, value), (1, 0.5)),
        findings=(replace(diagnosed(), message=note),),
        started=started(),
    )
    gate = ChampionEntry(
        n=1, action="refused", model="m", reason=note, at="2026-01-05T09:00",
        gate=(GateCondition(name=name, passed=False, detail=note),),
    )  # fmt: skip
    files = tuple(RunFile(f"{name}{n}", 10**n) for n in range(14))
    manifest = RunManifest(
        id="x", command="train", packages={name: note}, git_commit="abc", python="3.11",
        platform=note, study=note,
    )  # fmt: skip
    return RunDetails(summary(name, note, value), manifest, course, files, note, gate)


@given(HOSTILE, HOSTILE, ANY, st.tuples(st.integers(20, 200), st.integers(3, 60)))
@settings(max_examples=60)
def test_panels_of_runs_stay_in_their_box(
    name: str, note: str, value: float, size: tuple[int, int]
) -> None:
    width, height = size
    found = details(name, note, value)
    fits(RunDetailsPanel(id="a").picture(found, width, height), width, height)
    run = OverlayRun(found.about, found.course)
    gap = RunPair(
        first=run.about.id, second=run.about.id, difference=value, se=value, low=value, high=value
    )
    pair = PairView(gap, 0.9, 5)
    overlay = Overlay((run,), (pair,) * 9)
    for panel in (OverlayRankIC(id="b"), OverlayLoss(id="c"), PairsPanel(id="d")):
        fits(panel.picture(overlay, width, height), width, height)
    difference = SettingRow(name, (note, name, ""))
    fits(DifferencePanel(id="e").picture((difference,) * 3, width, height), width, height)


@given(HOSTILE, HOSTILE, ANY, st.tuples(st.integers(20, 200), st.integers(6, 60)))
@settings(max_examples=60)
def test_panels_of_comparisons_and_searches_stay_in_their_box(
    name: str, note: str, value: float, size: tuple[int, int]
) -> None:
    width, height = size
    level = RankICLevel(rank_ic=value, rank_ic_se=value, n_dates=3, seed_deviation=value)
    gap = RankICGap(difference=value, se=value, low=value, high=value, n_dates=9)
    full = VariantResult(name="full", runs={"1": "a"}, validation=level, test=level, seconds=value)
    other = VariantResult(
        name=name,
        changes={note: name},
        test=level,
        difference={"test": gap},
        verdict=note,
        errors=(note,),
    )
    for status in ("done", "running"):
        found = VariantComparison(
            id=name,
            kind="sizes",
            reference="full",
            score_horizon=5,
            confidence=0.9,
            source=note,
            seeds=2,
            variants=(full, other, other),
        )
        view = ComparisonView(found, status)
        fits(ForestPanel(id="a").picture(view, width, height), width, height)
    trial = TrialRow(
        number=3,
        run_id=name,
        state="complete",
        value=value,
        rank_ic=value,
        rank_ic_se=value,
        n_dates=9,
        seconds=value,
        parameters={name: note},
        error=note,
    )
    trials = (trial, structs.replace(trial, number=4))
    importances = {name: 0.5}
    study = StudyView(
        StudyResult(study=name, run_id=note, trials=trials, importances=importances), "done", 9
    )
    fits(BestPanel(id="b").picture(study, width, height), width, height)
    fits(ImportancePanel(id="c").picture(study, width, height), width, height)
