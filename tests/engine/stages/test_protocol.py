"""Which days a command may judge, that every look is counted, and figures of each span alone."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.config import Config, ProtocolConfig
from engine.config.file import override
from engine.errors import ConfigError, GateError
from engine.portfolio.prediction import Prediction
from engine.records.protocol import LOOKS, JudgedDays
from engine.records.train import TrainResult
from engine.runs.sink import ListSink
from engine.runs.trials import read_looks, record_trials
from engine.stages import protocol
from engine.stages.context import StageContext, StopFlag
from engine.training.evaluate import evaluate
from tests.conftest import World
from tests.engine.backtest.markets import prediction_of

DAYS = np.arange("2014-12-29", "2015-01-08", dtype="datetime64[D]")
"""Ten days, three of them in 2014."""


def context(workspace: Path, development: str = "2014-12-31", to: str = "") -> StageContext:
    keys = {"protocol.development_to": development, "protocol.confirmation_to": to}
    config = override(Config(), keys, origin="test")
    return StageContext(workspace=workspace, config=config, sink=ListSink(), stop=StopFlag())


def check(asked: StageContext, *, confirm: bool = False) -> JudgedDays | None:
    return protocol.check(asked, DAYS, "us", confirm=confirm, way=protocol.LAST_TEST)


def test_each_day_lies_in_the_span_that_ends_with_its_bound() -> None:
    bounds = ProtocolConfig(development_to="2014-12-31", confirmation_to="2015-01-05")
    found = protocol.judged_days(bounds, DAYS, "us")
    assert found is not None
    assert [(one.name, one.first, one.last, one.sessions) for one in found.spans] == [
        ("development", "2014-12-29", "2014-12-31", 3),
        ("confirmation", "2015-01-01", "2015-01-05", 5),
        ("sealed", "2015-01-06", "2015-01-07", 2),
    ]
    late = protocol.judged_days(bounds, DAYS[-2:], "us")
    assert late is not None
    assert [one.name for one in late.spans] == ["sealed"]
    open_end = ProtocolConfig(development_to="2014-12-31")
    every = protocol.judged_days(open_end, DAYS, "us")
    assert every is not None
    assert [(one.name, one.sessions) for one in every.spans] == [
        ("development", 3), ("confirmation", 7),
    ]  # fmt: skip
    early = protocol.judged_days(open_end, DAYS[:2], "us")
    assert early is not None
    assert [one.name for one in early.spans] == ["development"]
    assert protocol.judged_days(ProtocolConfig(), DAYS, "us") is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"protocol.confirmation_to": "2016-12-31"}, "needs protocol.development_to"),
        (
            {"protocol.development_to": "2016-12-31", "protocol.confirmation_to": "2016-12-31"},
            "must lie after",
        ),
        ({"protocol.development_to": "2016-13-01"}, "not a date"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(keys: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        override(Config(), keys, origin="test")


def test_confirmation_days_are_refused_with_key_days_and_way_out(tmp_path: Path) -> None:
    asked = context(tmp_path)
    with pytest.raises(GateError) as refused:
        check(asked)
    assert refused.value.message == (
        "7 of 10 days to judge (2015-01-01 to 2015-01-07) confirm settings and do not choose them: "
        "protocol.development_to is 2014-12-31"
    )
    assert refused.value.hint.startswith("--last-test 2014-12-31 ends before them; --confirm")
    assert refused.value.hint.endswith("(looks so far: 0)")
    assert refused.value.exit_code == 6
    assert check(asked, confirm=True) is not None
    assert check(context(tmp_path, "2015-01-07")) is not None, "all of them are development days"
    assert check(context(tmp_path, "")) is None, "there is no protocol"


def test_no_option_opens_sealed_days(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"2 of 10 .* are sealed: protocol.confirmation_to") as told:
        check(context(tmp_path, to="2015-01-05"), confirm=True)
    assert "--last-test 2015-01-05" in told.value.hint


def test_a_run_is_counted_before_it_begins_and_once_however_often_it_goes_on(
    tmp_path: Path,
) -> None:
    asked = context(tmp_path)
    features: Any = SimpleNamespace(dates_S=DAYS, market="us")
    run = asked.store.create("walkforward", asked.config)

    def admit(*, confirm: bool, days: int = 9) -> JudgedDays | None:
        return protocol.admit(asked, run, features, np.arange(days), confirm=confirm, way="")

    with pytest.raises(GateError):
        admit(confirm=False)
    assert read_looks(asked.store.root) == (), "who was refused has seen nothing"
    days = admit(confirm=True)
    assert days == admit(confirm=False), "a run that goes on has the permission it began with"
    (look,) = read_looks(asked.store.root)
    assert (look.run, look.first, look.last) == (run.id, "2014-12-29", "2015-01-06")
    with pytest.raises(GateError):
        admit(confirm=False, days=10)  # the data have gained a day since


def test_looks_from_before_the_protocol_count(tmp_path: Path) -> None:
    """Three runs of an earlier version: two books on one's scores, none on the next, none scored."""
    asked = context(tmp_path, "")
    tried, plain, empty = (asked.store.create("train", Config()) for _ in range(3))
    for run in (tried, plain):
        prediction_of({"A": [1.0, 2.0]}).write(run.path("predictions.parquet"))
    record_trials(tried, {"a": ({"x": 1}, 0.1), "b": ({"x": 2}, 0.2)})
    scores = Prediction.read(plain.path("predictions.parquet"))
    days_D = protocol.as_days(scores.dates)
    assert not (asked.store.root / LOOKS).exists()
    protocol.count_looks(asked, plain, days_D, "us")
    before = str(days_D[0] - 1)
    days = protocol.judged_days(ProtocolConfig(development_to=before), days_D, "us")
    assert days is not None
    assert days.looks(read_looks(asked.store.root)) == 3
    protocol.count_books(asked, tried, scores, [{"x": 1}])
    assert days.looks(read_looks(asked.store.root)) == 3, "the same book of the same scores"
    protocol.count_books(asked, tried, scores, [{"x": 3}])
    assert days.looks(read_looks(asked.store.root)) == 4
    assert empty.id not in {look.run for look in read_looks(asked.store.root)}


def test_an_answer_says_what_its_days_are(tmp_path: Path) -> None:
    asked = context(tmp_path)
    run = asked.store.create("train", asked.config)
    protocol.count_looks(asked, run, DAYS, "us")
    days = check(asked, confirm=True)
    told = protocol.outcome(asked, TrainResult(judged_days=days), "figures", days)
    assert told.text == "figures\n\nprotocol: confirmed once (7 of 10 days)"
    assert (told.json["looks"], told.json["days"]) == (1, "confirmed once (7 of 10 days)")
    plain = protocol.outcome(asked, TrainResult(), "figures", None)
    assert (plain.text, "days" in plain.json) == ("figures", False)


def test_the_figures_of_the_spans_are_those_of_their_days_alone(world: World) -> None:
    """Cut after the 20th test day: each part as judged by itself, and their mean is the whole's."""
    features, test, h = world.features, world.split.test, world.config.training.score_horizon
    rng = np.random.default_rng(3)
    rows = [
        (features.dates_S[s].item(), features.symbols[n])
        for s in test
        for n in np.flatnonzero(features.member_SN[s])
    ]
    scores = pl.DataFrame(rows, schema=["date", "symbol"], orient="row").with_columns(
        pl.lit("test").alias("split"), pl.Series(f"score_{h}", rng.normal(size=len(rows)))
    )
    rival = scores.with_columns(pl.lit("rival").alias("name"), -pl.col(f"score_{h}"))
    cut = str(features.dates_S[test[19]])
    bounds = ProtocolConfig(development_to=cut)
    days = protocol.judged_days(bounds, features.dates_S[test], features.market)
    first, second = protocol.span_results(scores, rival, features, world.config, days)
    assert (first.span, second.span) == ("development", "confirmation")

    def alone(frame: pl.DataFrame) -> float:
        found = evaluate(frame, features, world.config.training, [h])
        return found["test"][str(h)].rank_ic

    edge = dt.date.fromisoformat(cut)
    assert first.rank_ic == alone(scores.filter(pl.col("date") <= edge))
    assert second.rank_ic == alone(scores.filter(pl.col("date") > edge))
    n = first.n_dates + second.n_dates
    mean = (first.n_dates * first.rank_ic + second.n_dates * second.rank_ic) / n
    assert mean == pytest.approx(alone(scores))
    assert second.baselines["rival"].test.rank_ic == pytest.approx(-second.rank_ic)
    assert second.horizons[str(h)].rank_ic == second.rank_ic
    whole = protocol.judged_days(bounds, features.dates_S[test[:20]], features.market)
    assert protocol.span_results(scores, rival, features, world.config, whole) == ()
