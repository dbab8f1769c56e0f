import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.config import LossConfig
from engine.dataset.batch import _rows_of_days, make_batch
from engine.features.feature_set import FeatureSet
from engine.model.atft_gat_fan import build_model
from engine.training import losses
from engine.training.losses import known
from engine.training.step import _rank_ic
from tests.conftest import World


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1)


def test_pinball_by_hand() -> None:
    quantiles = torch.tensor([[[0.0, 1.0]], [[2.0, 3.0]]])
    target = column(1.0, 1.0)
    # d: (1, 0) and (-1, -2); levels .1, .9: .1 and 0; .9 and .2
    expected = np.mean([0.1, 0.0, 0.9, 0.2])
    assert float(losses._pinball(quantiles, known(target), (0.1, 0.9))) == pytest.approx(expected)


def test_huber_by_hand() -> None:
    # |d| = 1/2 and 3: 1/8 and 3 - 1/2; the NaN counts as absent
    value = losses._huber(column(0.5, 0.0, 9.0), known(column(1.0, 3.0, torch.nan)))
    assert float(value) == pytest.approx((0.125 + 2.5) / 2)


def test_student_likelihood_equals_scipy() -> None:
    score, target = column(0.2, -1.0), column(1.5, -1.2)
    shape = torch.tensor([[[0.8, 3.0]], [[2.0, 12.0]]])
    expected = -np.mean([stats.t.logpdf(1.5, 3.0, 0.2, 0.8), stats.t.logpdf(-1.2, 12.0, -1.0, 2.0)])
    assert float(losses._student_nll(score, shape, known(target))) == pytest.approx(
        expected, rel=1e-5
    )


def test_listnet_by_hand_and_its_floor() -> None:
    target = column(1.0, -1.0)
    p = np.exp([1.0, -1.0]) / np.exp([1.0, -1.0]).sum()
    # scores are standardised: (0, 2) -> (-1, 1), so the softmax is the labels' turned round
    expected = float((p * np.log(p / p[::-1])).sum())
    assert float(losses._listnet(column(0.0, 2.0), known(target))) == pytest.approx(
        expected, rel=1e-3
    )
    assert float(losses._listnet(column(5.0, 3.0), known(target))) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("term", [losses._huber, losses._listnet])
def test_errors_fall_when_scores_turn_the_right_way(term: object) -> None:
    target = torch.linspace(-2, 2, 40).view(-1, 1)
    right, wrong = term(target, known(target)), term(-target, known(target))  # type: ignore[operator]
    assert float(right) < 0.02 < float(wrong)


def test_penalties_are_those_of_the_graph_and_the_gate(world: World) -> None:
    torch.manual_seed(0)
    model = build_model(world.config, len(world.features.features)).eval()
    batch = make_batch(world.features, world.graphs, (int(world.split.train[-1]),), 8)
    levels = world.config.model.quantiles
    plain, _ = losses.combined_loss(model(batch), batch, LossConfig(), levels)
    config = LossConfig(attention_entropy=0.5, edge_penalty=2.0, gate_penalty=3.0)
    with torch.no_grad():
        model.bypass.alpha.logit.fill_(1.0)
    output = model(batch)
    total, terms = losses.combined_loss(output, batch, config, levels)
    assert output.attention is not None
    alpha = 1 / (1 + np.exp(-1.0))
    assert float(terms["gate_penalty"]) == pytest.approx((alpha - 0.5) ** 2, rel=1e-5)
    assert float(terms["attention_entropy"]) == float(output.attention.entropy)
    expected = sum(getattr(config, name) * float(value) for name, value in terms.items())
    assert float(total) == pytest.approx(expected, rel=1e-5)
    assert set(terms) == {
        "base", "rank_ic", "cs_ic", "sharpe", "attention_entropy", "edge_penalty", "gate_penalty"
    }  # fmt: skip
    assert float(plain) < float(total)


def test_soft_spearman_and_pearson_signs() -> None:
    target = torch.linspace(-2, 2, 40).view(-1, 1)
    for term in (losses.soft_spearman, losses._pearson):
        assert float(term(target, known(target))) > 0.97
        assert float(term(-target, known(target))) < -0.97
        assert abs(float(term(torch.zeros(40, 1), known(target)))) < 1e-3


def test_soft_spearman_does_not_depend_on_the_scale_of_scores() -> None:
    torch.manual_seed(0)
    score, target = torch.randn(50, 2), torch.randn(50, 2)
    torch.testing.assert_close(
        losses.soft_spearman(score, known(target)),
        losses.soft_spearman(1000 * score + 5, known(target)),
        atol=1e-4,
        rtol=0,
    )


def test_soft_spearman_tends_to_spearman_for_small_temperature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(losses, "_TEMPERATURE", 1e-4)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=60), rng.integers(0, 9, 60).astype(float)
    value = losses.soft_spearman(column(*a), known(column(*b)))
    assert float(value) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-3)


@pytest.mark.parametrize("term", [losses.soft_spearman, losses._pearson, losses._portfolio_return])
def test_nan_labels_count_as_absent(term: object) -> None:
    torch.manual_seed(0)
    score, target = torch.randn(30, 2), torch.randn(30, 2)
    target[20:] = torch.nan
    full, reduced = term(score, known(target)), term(score[:20], known(target[:20]))  # type: ignore[operator]
    if term is losses.soft_spearman:
        # tau and ranks are those of the valid stocks only
        torch.testing.assert_close(full, reduced, atol=1e-5, rtol=0)
    torch.testing.assert_close(full, reduced, atol=1e-5, rtol=0)


def test_portfolio_and_sharpe_by_hand() -> None:
    score, returns = column(1.0, 2.0, 3.0), column(0.01, 0.02, 0.06)
    # centred -1 0 1, gross 1: -1/2 and 1/2
    assert float(losses._portfolio_return(score, known(returns))) == pytest.approx(0.025)
    daily = column(0.01, 0.03)
    assert float(losses._sharpe(daily)) == pytest.approx(
        0.02 / (np.std([0.01, 0.03], ddof=1) + 1e-3)
    )
    assert float(losses._sharpe(daily[:1])) == 0.0


@settings(max_examples=25)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 99))
def test_days_of_any_size_at_once_are_each_day_alone(sizes: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    edges = [0, *np.cumsum(sizes).tolist()]
    score, target = torch.randn(edges[-1], 2), torch.randn(edges[-1], 2)
    target[torch.rand(target.shape) < 0.2] = torch.nan
    table = _rows_of_days(edges)
    at_once = losses._by_day(score, table), known(losses._by_day(target, table, absent=torch.nan))
    for term in (
        losses._huber, losses._listnet, losses._pearson, losses.soft_spearman, losses._portfolio_return,
    ):  # fmt: skip
        together = term(*at_once)
        for d, day in enumerate(itertools.starmap(slice, itertools.pairwise(edges))):
            alone = term(score[day], known(target[day]))
            torch.testing.assert_close(together[d], alone, atol=1e-5, rtol=1e-5)


def test_combined_loss_is_the_weighted_sum_and_the_order_of_days_does_not_matter(
    world: World,
) -> None:
    torch.manual_seed(0)
    model = build_model(world.config, len(world.features.features)).eval()
    days = tuple(int(s) for s in world.split.train[-3:])
    config, levels = LossConfig(), world.config.model.quantiles
    values = []
    for sessions in (days, days[::-1]):
        batch = make_batch(world.features, world.graphs, sessions, 8)
        total, terms = losses.combined_loss(model(batch), batch, config, levels)
        expected = sum(getattr(config, name) * float(value) for name, value in terms.items())
        assert float(total) == pytest.approx(expected, rel=1e-5)
        values.append(float(total))
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_a_day_of_weight_two_counts_twice_and_one_of_weight_zero_not_at_all(world: World) -> None:
    """Each day's terms times its weight, by days on their own; the Sharpe ratio times the mean of 2, 0, 1."""
    torch.manual_seed(0)
    model = build_model(world.config, len(world.features.features)).eval()
    days = tuple(int(s) for s in world.split.train[-3:])
    weight_S = np.ones(world.features.dates_S.size, dtype=np.float32)
    weight_S[list(days)] = (2.0, 0.0, 1.0)
    weighted = replace(world.features, weight_S=weight_S)
    config, levels = LossConfig(), world.config.model.quantiles

    def terms_of(features: FeatureSet, sessions: tuple[int, ...]) -> dict[str, float]:
        batch = make_batch(features, world.graphs, sessions, 8)
        found = losses.combined_loss(model(batch), batch, config, levels)[1]
        return {name: float(value) for name, value in found.items()}

    alone = [terms_of(world.features, (day,)) for day in days]
    together, plain = terms_of(weighted, days), terms_of(world.features, days)
    for name in ("base", "rank_ic", "cs_ic"):
        expected = (2.0 * alone[0][name] + alone[2][name]) / 3.0
        assert together[name] == pytest.approx(expected, rel=1e-4), name
    assert together["sharpe"] == pytest.approx(plain["sharpe"], rel=1e-5)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=10, max_size=40))
def test_device_rank_ic_equals_scipy(pairs: list[tuple[int, int]]) -> None:
    a, b = (torch.tensor(values, dtype=torch.float32) for values in zip(*pairs, strict=True))
    expected = stats.spearmanr(a, b).statistic
    got = float(_rank_ic(a, b))
    assert (np.isnan(got) and np.isnan(expected)) or got == pytest.approx(expected, abs=1e-9)
