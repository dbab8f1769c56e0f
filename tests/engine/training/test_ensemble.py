"""The ensemble: its mean by hand, and explanations against taking each thing away one at a time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.dataset.batch import TENSORS, make_batch
from engine.errors import GateError
from engine.model.build import build_model
from engine.signals.window import DayWindow, assemble, day_slice, edge_slice
from engine.training.ensemble import Ensemble, batch_of, standardised
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
    return Ensemble(tuple(networks))


def test_slices_give_the_batch_that_training_sees(world: World) -> None:
    for session in (int(world.split.test[0]), int(world.split.test[-1])):
        window = window_of(world, session)
        ours = batch_of(window)
        theirs = make_batch(world.features, world.graphs, [session], world.config.split.window)
        assert ours.dates == theirs.dates
        assert [world.features.symbols[n] for n in theirs.symbol_M] == list(window.symbols)
        for name in set(TENSORS) - {"y_MH", "target_MH", "sample_DR"}:
            assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
        assert theirs.n_edges > 0


def test_the_score_is_the_mean_of_standardised_scores(world: World) -> None:
    window = window_of(world, int(world.split.test[3]))
    both = ensemble(world)
    ranked = both.rank(window, H)
    with torch.inference_mode():
        raw = [n(batch_of(window)).score_MH.double().numpy() for n in both.networks]
    by_hand = np.mean([(x - x.mean(axis=0)) / x.std(axis=0, ddof=1) for x in raw], axis=0)
    np.testing.assert_allclose(ranked.score_MH, by_hand, atol=1e-5)
    assert np.isclose(ranked.deviation, np.mean([x[:, H].std() for x in raw]))
    assert all(alpha is not None and 0.4 < alpha < 0.6 for alpha in ranked.alpha)
    np.testing.assert_allclose(standardised(raw[0]).std(axis=0, ddof=1), 1.0, rtol=1e-6)


def one_way(window: DayWindow) -> DayWindow:
    """Each stock listens to the three rows before it: what it hears never comes back to itself."""
    pairs = [(t - back, t) for t in range(len(window.symbols)) for back in (1, 2, 3) if t >= back]
    attributes = np.random.default_rng(0).uniform(0.2, 0.9, (len(pairs), 3)).astype(np.float32)
    return replace(
        window,
        edge_index_2E=np.array(pairs, dtype=np.int64).T.copy(),
        edge_attr_EK=attributes,
    )


def test_a_score_without_a_neighbour_is_that_of_a_graph_without_the_edge(world: World) -> None:
    """The copies in one batch, against one whole forward pass for each edge."""
    window = one_way(window_of(world, int(world.split.test[5])))
    one = ensemble(world, 1)
    told = one.explain(window, H, np.array([5, 20]))
    assert told.edge_X.size == 6
    network = one.networks[0]
    with torch.inference_mode():
        full = network(batch_of(window)).score_MH[:, H].double().numpy()
        for edge, score in zip(told.edge_X, told.score_X, strict=True):
            target = int(window.edge_index_2E[1, edge])
            keep = np.arange(window.edge_index_2E.shape[1]) != edge
            alone = replace(
                window,
                edge_index_2E=window.edge_index_2E[:, keep].copy(),
                edge_attr_EK=window.edge_attr_EK[keep],
            )
            value = float(network(batch_of(alone)).score_MH[target, H])
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
    network = ensemble(world, 1).networks[0]
    tensors = {MODEL + name: value for name, value in network.state_dict().items()}
    path, n_features = tmp_path / "seed-1.safetensors", len(world.features.features)
    save_file(tensors, path)
    loaded = Ensemble.load([path], [sorted(network.blocks)], world.config, n_features)
    window = window_of(world, int(world.split.test[3]))
    assert np.array_equal(
        loaded.rank(window, H).score_MH, Ensemble((network,)).rank(window, H).score_MH
    )
    del tensors[MODEL + "network"]
    save_file(tensors | {MODEL + "gat.out_norm.weight": torch.ones(8)}, path)
    with pytest.raises(GateError, match="weights of network 1, this version runs network 2"):
        Ensemble.load([path], [[]], world.config, n_features)


def test_contributions_are_the_slope_times_the_input(world: World) -> None:
    """Against moving one feature of one stock by a little."""
    window = one_way(window_of(world, int(world.split.test[5])))
    one, row = ensemble(world, 1), 4
    told = one.explain(window, H, np.array([row])).contribution_RF[0]
    network = one.networks[0]
    with torch.inference_mode():
        deviation = float(network(batch_of(window)).score_MH[:, H].double().std())
    for f in np.argsort(-np.abs(told))[:3]:
        values = []
        for step in (-0.01, 0.01):
            x_MTF = window.x_MTF.copy()
            x_MTF[row, :, f] *= 1.0 + step
            with torch.inference_mode():
                score_M = network(batch_of(replace(window, x_MTF=x_MTF))).score_MH[:, H]
            values.append(float(score_M[row]))
        slope = (values[1] - values[0]) / 0.02
        assert abs(told[f]) > 1e-3
        assert np.isclose(told[f], slope / deviation, rtol=0.05, atol=1e-3)
