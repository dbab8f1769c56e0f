"""RankIC of each input alone: against scipy, blind to all but training days, undefined where it must be."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from engine.dataset.split import Split
from engine.evaluation.inference import newey_west_se
from engine.features.catalog import find
from engine.training.evaluate import _DAYS, feature_rank_ics
from tests.conftest import World

HORIZON = 5


def test_figures_are_those_of_scipy(world: World) -> None:
    features, days = world.features, world.split.train
    answer = feature_rank_ics(features, world.split, HORIZON)
    h = features.horizons.index(HORIZON)
    stock = [f for f, name in enumerate(features.features) if find(name).scope == "stock"]
    for f in stock[:: len(stock) // 6]:
        daily = []
        for day in days:
            label_N = features.forward_return_SNH[day, :, h]
            known_N = features.member_SN[day] & np.isfinite(label_N)
            x_N = np.asarray(features.x_SNF[day])[known_N, f]
            if known_N.sum() >= 10 and np.unique(x_N).size > 1:
                daily.append(stats.spearmanr(x_N, label_N[known_N]).statistic)
        told = answer.features[features.features[f]]
        assert told.n_dates == len(daily) > 50
        assert told.rank_ic == pytest.approx(np.mean(daily), abs=1e-6)
        assert told.rank_ic_se == pytest.approx(newey_west_se(np.array(daily), lag=5), abs=1e-6)
    assert (answer.first, answer.last) == tuple(
        str(features.dates_S[day]) for day in (days[0], days[-1])
    )


def test_labels_of_other_days_change_nothing(world: World) -> None:
    labels = world.features.forward_return_SNH.copy()
    labels[world.split.train[-1] + 1 :] *= -1.0
    other = replace(world.features, forward_return_SNH=labels)
    found, before = (feature_rank_ics(x, world.split, HORIZON) for x in (other, world.features))
    assert repr(found) == repr(before)


def test_one_value_a_day_has_no_rank_ic(world: World) -> None:
    answer = feature_rank_ics(world.features, world.split, HORIZON).features
    market = [name for name in answer if find(name).scope == "market"]
    assert market
    for name in market:
        assert np.isnan(answer[name].rank_ic)
        assert answer[name].n_dates == 0


def test_the_label_itself_is_worth_one_and_many_days_are_thinned(world: World) -> None:
    rng = np.random.default_rng(0)
    S, N = 2 * _DAYS + 1, 30
    label_SN1 = rng.normal(size=(S, N, 1)).astype(np.float32)
    features = replace(
        world.features,
        dates_S=np.datetime64("2000-01-01", "D") + np.arange(S),
        symbols=tuple(map(str, range(N))),
        features=("same", "opposite", "noise"),
        horizons=(HORIZON,),
        x_SNF=np.concatenate([label_SN1, -label_SN1, rng.normal(size=(S, N, 1))], axis=2),
        member_SN=np.ones((S, N), dtype=np.bool_),
        forward_return_SNH=label_SN1,
    )
    split = Split(train=np.arange(S), validation=np.arange(0), test=np.arange(0))
    answer = feature_rank_ics(features, split, HORIZON)
    assert answer.stride == 3
    figures = answer.features
    assert figures["same"].rank_ic == pytest.approx(1.0)
    assert figures["opposite"].rank_ic == pytest.approx(-1.0)
    assert abs(figures["noise"].rank_ic) < 4 * figures["noise"].rank_ic_se
    assert figures["noise"].n_dates == len(range(0, S, 3))
