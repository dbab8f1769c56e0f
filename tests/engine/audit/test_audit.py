"""Leaks planted in the real pipeline are found and named; the clean pipeline passes."""

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from msgspec import to_builtins

from engine.audit.audit import audit
from engine.cli import main
from engine.config import Config, SplitConfig
from engine.config.file import resolve
from engine.data import universe
from engine.data.store import PanelStore
from engine.data.synthetic import generate
from engine.data.tables import RawTables
from engine.dataset import split as split_module
from engine.features import catalog, compute, targets
from engine.features.context import Context
from engine.features.families import aligned
from engine.features.feature import Family
from engine.features.feature_set import FeatureSet
from engine.files import read_json, write_json
from engine.graph import edges
from engine.records.preflight import AuditResult
from engine.records.reading import ReadingPlan
from engine.runs.sink import NullSink
from engine.stages.audit import _labels_only
from engine.stages.audit import audit as audit_stage
from engine.stages.context import StageContext, StopFlag
from tests.conftest import SMALL

OVERRIDES = (
    "data.synthetic.n_symbols=40",
    "data.synthetic.n_sessions=560",
    "data.synthetic.optional_tables=true",
    *SMALL,
    "features.breadth=full",
    "split.train_sessions=120",
)
Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def config() -> Config:
    return resolve([], preset="demo", overrides=OVERRIDES).config


@pytest.fixture(scope="module")
def market(config: Config) -> RawTables:
    return generate(config.data.synthetic).raw


@pytest.fixture(scope="module")
def workspace(market: RawTables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audited")
    PanelStore(root / "data").save(market)
    return root


def run(market: RawTables, config: Config, workspace: Path, *, deep: bool = False) -> AuditResult:
    context = StageContext(workspace=workspace, config=config, sink=NullSink(), stop=StopFlag())

    def labels() -> FeatureSet:
        return _labels_only(context)

    return audit(market, config, NullSink(), split_features=labels, scores=None, deep=deep)


def command(workspace: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """`atft-tui audit --json` in this process, where a leak can be planted."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    settings = [word for setting in OVERRIDES for word in ("--set", setting)]
    try:
        code = main(
            [
                "audit",
                "--json",
                "--quiet",
                "--workspace",
                str(workspace),
                "--preset",
                "demo",
                *settings,
            ]
        )
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code, json.loads(capsys.readouterr().out)


def leaking_feature(patch: pytest.MonkeyPatch) -> None:
    def tomorrow(x: Context) -> np.ndarray:
        out = np.full_like(x.close, np.nan)
        out[:, :-1] = x.close[:, 1:] / x.close[:, :-1] - 1.0
        return out

    planted = Family(name="price")("tomorrow", "c[+1] / c - 1", "fraction", 1, tomorrow)
    patch.setattr(catalog, "CATALOG", (*catalog.CATALOG, planted))


def normaliser_of_all_days(patch: pytest.MonkeyPatch) -> None:
    def over_all_days(
        values_FNT: np.ndarray,
        member_TN: np.ndarray,
        place_F: np.ndarray,
        out_TNG: np.ndarray,
        *,
        first: int = 0,
        **_: object,
    ) -> np.ndarray:
        days, stocks = slice(first, first + len(out_TNG)), out_TNG.shape[1]
        values_FNT, member_TN = values_FNT[:, :stocks, days], member_TN[days, :stocks]
        for g, values_NT in zip(place_F, values_FNT, strict=True):
            known = np.where(member_TN.T & np.isfinite(values_NT), values_NT, np.nan)
            z = (known - np.nanmean(known)) / max(float(np.nanstd(known)), 1e-12)
            out_TNG[:, :, g] = np.nan_to_num(z.T)
        return np.zeros(len(place_F), dtype=np.int64)

    patch.setattr(compute, "write_scores", over_all_days)


def graph_of_the_future(patch: pytest.MonkeyPatch) -> None:
    honest = edges.graphs_of_sessions

    def ahead(return_NS: np.ndarray, *rest: Any, **more: Any) -> Iterator[Any]:
        later = np.full_like(return_NS, np.nan)
        later[:, :-5] = return_NS[:, 5:]
        return honest(later, *rest, **more)

    patch.setattr("engine.graph.build.graphs_of_sessions", ahead)


def label_across_the_split(patch: pytest.MonkeyPatch) -> None:
    honest = split_module._split_before

    def touching(sessions: Any, first: int, end: int, config: SplitConfig) -> Any:
        return honest(sessions, first, end, config.model_copy(update={"embargo_sessions": 0}))

    patch.setattr(split_module, "_split_before", touching)


def publication_ignored(patch: pytest.MonkeyPatch) -> None:
    honest = aligned.arrange

    def early(frame: pl.DataFrame, *rest: Any) -> Any:
        key = "period_end" if "period_end" in frame.columns else "date"
        return honest(frame.with_columns(pl.col(key).alias("available")), *rest)

    patch.setattr(aligned, "arrange", early)


def universe_of_survivors(patch: pytest.MonkeyPatch) -> None:
    honest = universe._membership_NS

    def alive_at_the_end(dense: Any, rules: Any) -> Any:
        last = np.isfinite(dense.close_NS[:, -3:]).any(axis=1)
        return honest(dense, rules) & last[:, None]

    patch.setattr("engine.data.universe._membership_NS", alive_at_the_end)


def label_of_the_same_close(patch: pytest.MonkeyPatch) -> None:
    honest = targets.forward_returns

    def from_today(dense: Any, labels: Any) -> Any:
        shifted = np.roll(dense.close_NS, 1, axis=1)
        return honest(replace(dense, close_NS=shifted, open_NS=shifted), labels)

    patch.setattr("engine.audit.audit.forward_returns", from_today)
    patch.setattr("engine.features.feature_set.forward_returns", from_today)


def test_the_clean_pipeline_passes(market: RawTables, config: Config, workspace: Path) -> None:
    result = run(market, config, workspace)
    assert result.leaks == ()
    assert result.passed
    assert {c.name: c.passed for c in result.checks if c.passed is not True} == {"scores": None}
    assert result.sample.columns > 250


@pytest.mark.parametrize(
    ("plant", "check", "name"),
    [
        (leaking_feature, "features", "tomorrow"),
        (normaliser_of_all_days, "normalisers", "return_1"),
        (graph_of_the_future, "graph", "edge "),
        (label_across_the_split, "splits", "split: train into validation"),
        (publication_ignored, "publication", "margin_"),
        (universe_of_survivors, "universe", "membership"),
        (label_of_the_same_close, "labels", "forward_return_1"),
    ],
)
def test_a_planted_leak_is_found_and_named(
    plant: Plant,
    check: str,
    name: str,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plant(monkeypatch)
    code, answer = command(workspace, capsys)
    assert code == 6
    assert answer["verdict"] == "failed"
    leaks = answer["leaks"]
    assert {leak["check"] for leak in leaks} == {check}, leaks
    assert any(leak["name"].startswith(name) for leak in leaks), leaks
    assert [c["name"] for c in answer["checks"] if c["passed"] is False] == [check]
    assert read_json(workspace / "audit.json")["leaks"] == leaks
    if check == "features":
        assert [leak["name"] for leak in leaks] == ["tomorrow"]


def test_a_close_that_knows_later_dividends_is_found(
    market: RawTables, config: Config, workspace: Path
) -> None:
    """2 % every 60 sessions, taken off the closes before: the other three prices stay as quoted."""
    place = pl.col("date").rank("dense")
    later = ((place.max() - place) // 60).cast(pl.Float64)
    bars = market.bars.with_columns(close=pl.col("close") * pl.lit(0.98).pow(later))
    result = run(replace(market, bars=bars), config, workspace)
    assert {(leak.check, leak.name) for leak in result.leaks} == {("prices", "close")}
    assert not result.passed


def test_bars_read_as_adjusted_are_noted(workspace: Path, tmp_path: Path) -> None:
    """The plan in the manifest says so; it is no leak."""
    root = tmp_path / "ws"
    shutil.copytree(workspace, root)
    store = PanelStore(root / "data")
    path = store.snapshot().directory / "manifest.json"
    plan = ReadingPlan(table="bars", path="a.csv", files=1, price_scale="adjusted")
    write_json(path, read_json(path) | {"plans": [to_builtins(plan)]})
    settings = resolve([], preset="demo", overrides=OVERRIDES).config
    context = StageContext(workspace=root, config=settings, sink=NullSink(), stop=StopFlag())
    outcome = audit_stage(context, deep=False, run=None)
    assert outcome.exit_code == 0
    assert "universe.min_price" in outcome.json["notes"][0]
    assert "note: all prices are adjusted backwards" in outcome.text


def test_a_clean_pipeline_ends_with_0(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = command(workspace, capsys)
    assert (code, answer["verdict"], answer["leaks"]) == (0, "passed", [])


def test_the_deep_audit_says_how_far_a_leak_looks_ahead(
    market: RawTables, config: Config, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaking_feature(monkeypatch)
    few = config.model_copy(
        update={"features": config.features.model_copy(update={"families": ("price",)})}
    )
    result = run(market, few, workspace, deep=True)
    (leak,) = result.leaks
    assert (leak.name, leak.ahead) == ("tomorrow", 1)
