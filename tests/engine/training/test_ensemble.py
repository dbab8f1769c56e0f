"""The ensemble: its mean by hand, and explanations against taking each thing away one at a time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy.stats import rankdata

from engine.dataset.batch import _TENSORS, make_batch
from engine.dataset.heard import with_heard_names, with_neighbours
from engine.errors import GateError
from engine.model.atft_gat_fan import ATFTGATFAN, build_model
from engine.model_kit import Days, LightGBMModel, RidgeModel
from engine.signals.models import MemberFiles
from engine.signals.window import DayWindow, assemble, day_slice, edge_slice
from engine.training.ensemble import Ensemble
from engine.training.fitted import FittedModels
from engine.training.members import FittedMember, NetworkMember, View, _batch_of, _standardised
from engine.training.snapshots import MODEL
from tests.conftest import World

H = 1


def window_of(world: World, session: int) -> DayWindow:
    size = world.config.split.window
    slices = [day_slice(world.features, s) for s in range(session - size + 1, session + 1)]
    date = str(world.features.dates_S[session])
    return assemble(date, slices, edge_slice(world.graphs, session))


def ensemble(world: World, seeds: int = 2) -> Ensemble:
    networks = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        networks.append(build_model(world.config, len(world.features.features)).eval())
    return Ensemble((NetworkMember(networks=tuple(networks)),))


def networks_of(made: Ensemble) -> tuple[ATFTGATFAN, ...]:
    (member,) = made.members
    assert isinstance(member, NetworkMember)
    return member.networks


def test_slices_give_the_batch_that_training_sees(world: World) -> None:
    for session in (int(world.split.test[0]), int(world.split.test[-1])):
        window = window_of(world, session)
        ours = _batch_of(window)
        theirs = make_batch(world.features, world.graphs, [session], world.config.split.window)
        assert ours.dates == theirs.dates
        assert [world.features.symbols[n] for n in theirs.symbol_M] == list(window.symbols)
        for name in set(_TENSORS) - {"y_MH", "target_MH", "sample_DR"}:
            assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
        assert theirs.n_edges > 0


def test_the_score_is_the_mean_of_standardised_scores(world: World) -> None:
    window = window_of(world, int(world.split.test[3]))
    both = ensemble(world)
    ranked = both.rank(window, H)
    with torch.inference_mode():
        raw = [n(_batch_of(window)).score_MH.double().numpy() for n in networks_of(both)]
    by_hand = np.mean([(x - x.mean(axis=0)) / x.std(axis=0, ddof=1) for x in raw], axis=0)
    np.testing.assert_allclose(ranked.score_MH, by_hand, atol=1e-5)
    assert np.isclose(ranked.deviation, np.mean([x[:, H].std() for x in raw]))
    assert all(alpha is not None and 0.4 < alpha < 0.6 for alpha in ranked.alpha)
    np.testing.assert_allclose(_standardised(raw[0]).std(axis=0, ddof=1), 1.0, rtol=1e-6)


def test_sessions_ranked_beside_each_other_have_the_bits_of_one_after_another(world: World) -> None:
    """Networks, and trees, which have threads of their own."""
    rng, F = np.random.default_rng(2), len(world.features.features)
    trees = LightGBMModel()
    trees.fit(
        Days(
            dates_M=np.zeros(500, dtype="datetime64[D]"),
            x_MF=rng.normal(size=(500, F)).astype(np.float32),
            target_MH=rng.normal(size=(500, 1)).astype(np.float32),
            return_MH=np.zeros((500, 1), dtype=np.float32),
            weight_M=None,
            columns=world.features.features,
            horizons=world.features.horizons[:1],
            seed=0,
        )
    )
    member = FittedMember(
        name="lightgbm",
        models=FittedModels([trees], world.features.horizons[:1]),
        horizons=world.features.horizons,
        columns=world.features.features,
        view=View(last=True),
    )
    both = Ensemble((*ensemble(world).members, member))
    assert both.is_thread_safe
    windows = [window_of(world, int(session)) for session in world.split.test[:12]]
    alone = [both.rank(window, 0).score_MH for window in windows]
    with ThreadPoolExecutor(3) as threads:
        beside = list(threads.map(lambda window: both.rank(window, 0).score_MH, windows))
    for a_MH, b_MH in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(a_MH, b_MH)


def one_way(window: DayWindow) -> DayWindow:
    """Each stock listens to the three rows before it: what it hears never comes back to itself."""
    pairs = [(t - back, t) for t in range(len(window.symbols)) for back in (1, 2, 3) if t >= back]
    attributes = np.random.default_rng(0).uniform(0.2, 0.9, (len(pairs), 3)).astype(np.float32)
    return replace(
        window,
        edge_index_2E=np.array(pairs, dtype=np.int64).T.copy(),
        edge_attr_EK=attributes,
    )


def without_edge(window: DayWindow, edge: int) -> DayWindow:
    keep = np.arange(window.edge_index_2E.shape[1]) != edge
    return replace(
        window,
        edge_index_2E=window.edge_index_2E[:, keep].copy(),
        edge_attr_EK=window.edge_attr_EK[keep],
    )


def test_a_score_without_a_neighbour_is_that_of_a_graph_without_the_edge(world: World) -> None:
    """The copies in one batch, against one whole forward pass for each edge."""
    window = one_way(window_of(world, int(world.split.test[5])))
    one = ensemble(world, 1)
    told = one.explain(window, H, np.array([5, 20]))
    assert told.edge_X.size == 6
    network = networks_of(one)[0]
    with torch.inference_mode():
        full = network(_batch_of(window)).score_MH[:, H].double().numpy()
        for edge, score in zip(told.edge_X, told.score_X, strict=True):
            target = int(window.edge_index_2E[1, edge])
            alone = without_edge(window, int(edge))
            value = float(network(_batch_of(alone)).score_MH[target, H])
            assert abs(value - full[target]) > 1e-6
            assert np.isclose(score, (value - full.mean()) / full.std(ddof=1), atol=1e-4)


def test_attention_is_a_share_of_what_each_stock_hears(world: World) -> None:
    window = window_of(world, int(world.split.test[5]))
    told = ensemble(world).explain(window, H, np.array([2]))
    total_M = np.zeros(len(window.symbols))
    target_E = window.edge_index_2E[1]
    np.add.at(total_M, target_E, told.attention_E)
    np.testing.assert_allclose(total_M[np.unique(target_E)], 1.0, atol=1e-5)


def test_weights_of_another_network_are_refused_in_clear_words(
    world: World, tmp_path: Path
) -> None:
    """Those of version 1 had other parts and no number."""
    network = networks_of(ensemble(world, 1))[0]
    tensors = {MODEL + name: value for name, value in network.state_dict().items()}
    path, names = tmp_path / "seed-1.safetensors", world.features.features
    save_file(tensors, path)
    files = MemberFiles(name="network", paths=(path,), blocks=(tuple(sorted(network.blocks)),))
    loaded = Ensemble.load([files], world.config, names)
    window = window_of(world, int(world.split.test[3]))
    assert np.array_equal(
        loaded.rank(window, H).score_MH, ensemble(world, 1).rank(window, H).score_MH
    )
    del tensors[MODEL + "network"]
    save_file(tensors | {MODEL + "gat.out_norm.weight": torch.ones(8)}, path)
    with pytest.raises(GateError, match="weights of network 1, this version runs network 2"):
        Ensemble.load([files], world.config, names)


def test_contributions_are_the_slope_times_the_input(world: World) -> None:
    """Against moving one feature of one stock by a little."""
    window = one_way(window_of(world, int(world.split.test[5])))
    one, row = ensemble(world, 1), 4
    told = one.explain(window, H, np.array([row])).contribution_RF[0]
    network = networks_of(one)[0]
    with torch.inference_mode():
        deviation = float(network(_batch_of(window)).score_MH[:, H].double().std())
    for f in np.argsort(-np.abs(told))[:3]:
        values = []
        for step in (-0.01, 0.01):
            x_MTF = window.x_MTF.copy()
            x_MTF[row, :, f] *= 1.0 + step
            with torch.inference_mode():
                score_M = network(_batch_of(replace(window, x_MTF=x_MTF))).score_MH[:, H]
            values.append(float(score_M[row]))
        slope = (values[1] - values[0]) / 0.02
        assert abs(told[f]) > 1e-3
        assert np.isclose(told[f], slope / deviation, rtol=0.05, atol=1e-3)


def fitted(world: World) -> FittedMember:
    """A line on the stocks' own columns and their neighbours' means; it knows one horizon of four."""
    width = 2 * len(world.features.features)
    line, horizon = RidgeModel(), world.features.horizons[H]
    weight_F = np.random.default_rng(5).standard_normal(width)
    line.restore({f"{horizon}.weight": weight_F, f"{horizon}.constant": np.array(0.3)})
    return FittedMember(
        name="ridge",
        models=FittedModels([line], (horizon,)),
        horizons=world.features.horizons,
        columns=with_heard_names(world.features.features),
        view=View(last=True, heard=np.dtype(np.float16)),
    )


def test_a_fitted_member_sees_the_columns_of_its_training(world: World) -> None:
    """The last session's own columns and, behind them, the neighbours' means as the rivals see them."""
    session = int(world.split.test[5])
    window, member = window_of(world, session), fitted(world)
    seen = member.view.of(window)
    heard = with_neighbours(world.features, world.graphs)
    assert seen.x_MTF.shape[1] == 1
    np.testing.assert_array_equal(
        seen.x_MTF[:, 0], np.asarray(heard.x_SNF[session])[window.axis_M].astype(np.float32)
    )


def test_of_several_members_the_ranks_are_averaged_where_a_score_is_known(world: World) -> None:
    window = window_of(world, int(world.split.test[5]))
    (network,), line = ensemble(world, 2).members, fitted(world)
    both = Ensemble((network, line)).rank(window, H)
    ours, theirs = network.score(window, H), line.score(window, H)
    mean_M = (rankdata(ours.score_MH[:, H]) + rankdata(theirs.score_MH[:, H])) / 2
    np.testing.assert_allclose(both.score_MH[:, H], (mean_M - 0.5) / mean_M.size - 0.5, atol=1e-6)
    alone_M = rankdata(ours.score_MH[:, 0])
    np.testing.assert_allclose(both.score_MH[:, 0], (alone_M - 0.5) / alone_M.size - 0.5, atol=1e-6)
    assert both.deviation == pytest.approx((ours.deviation * theirs.deviation) ** 0.5)
    assert len(both.alpha) == 2


def test_a_blend_without_a_neighbour_is_that_of_a_graph_without_the_edge(world: World) -> None:
    """The network does not listen to it and the line's mean lacks it: against one pass for each edge."""
    window = one_way(window_of(world, int(world.split.test[5])))
    (network,), line = ensemble(world, 1).members, fitted(world)
    told = Ensemble((network, line)).explain(window, H, np.array([5, 20]))
    assert set(told.member_R) == {"network", "ridge"}
    assert told.contribution_RF.shape[1] == 2 * len(world.features.features)
    assert isinstance(line, FittedMember)
    assert isinstance(network, NetworkMember)
    for edge, score in zip(told.edge_X, told.score_X, strict=True):
        target = int(window.edge_index_2E[1, edge])
        alone = without_edge(window, int(edge))
        ranks = []
        for member in (network, line):
            raw, without = raw_score(member, window), raw_score(member, alone)
            raw[target] = without[target]
            ranks.append((rankdata(raw)[target] - 0.5) / raw.size - 0.5)
        assert score == pytest.approx(float(np.mean(ranks)), abs=1e-9)


def raw_score(member: NetworkMember | FittedMember, window: DayWindow) -> NDArray[np.float64]:
    if isinstance(member, FittedMember):
        return member.models.score(member._day(window))[:, H]
    with torch.inference_mode():
        score_M: NDArray[np.float64] = (
            member.networks[0](_batch_of(window)).score_MH[:, H].double().numpy()
        )
    return score_M
