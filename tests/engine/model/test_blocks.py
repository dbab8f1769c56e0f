"""Each block alone: what it computes, that off is the identity, and that nothing depends on neighbours
in the batch.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.nn import GATv2Conv

from engine.config import Config, ModelConfig
from engine.dataset.batch import Batch, make_batch, neighbour_table
from engine.errors import ConfigError
from engine.model.atft_gat_fan import ATFTGATFAN, _QuantileHeads, build_model, parameter_table
from engine.model.graph_attention import GraphAttention, Neighbourhood, ResidualBypass, _gatv2
from engine.model.layers import GatedResidual
from engine.model.normalization import FrequencyAdaptiveNorm, SliceAdaptiveNorm
from engine.model.temporal import LastStepAttention
from engine.training.step import _rank_ic, gradient_norms
from tests.conftest import World


@pytest.fixture
def batch(world: World) -> Batch:
    return make_batch(world.features, world.graphs, (int(world.split.train[-1]),), 8)


@pytest.fixture
def model(world: World) -> ATFTGATFAN:
    torch.manual_seed(0)
    return build_model(world.config, len(world.features.features)).eval()


def edges_of(pairs: list[tuple[int, int]], rows: int, attributes: torch.Tensor) -> Neighbourhood:
    """Pairs (source, target) and a line of attributes for each."""
    index = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    table = neighbour_table(index, attributes.numpy(), rows)
    return Neighbourhood(
        neighbour_MK=torch.from_numpy(table.row_MK),
        attr_MKP=torch.from_numpy(table.attr_MKP),
        heard_MK=torch.from_numpy(table.heard_MK),
    )


@pytest.mark.parametrize("window", [5, 8, 20])
def test_fan_splits_exactly_and_takes_out_what_is_strongest(window: int) -> None:
    torch.manual_seed(0)
    fan = FrequencyAdaptiveNorm(window, 1, 4, k=1)
    t = torch.arange(window) / window
    strong = 5 * torch.cos(2 * torch.pi * 2 * t)
    x = (strong + 0.1 * torch.cos(2 * torch.pi * t)).view(1, window, 1)
    residual, dominant = fan.split(x)
    torch.testing.assert_close(residual + dominant, x)
    torch.testing.assert_close(dominant.flatten(), strong, atol=1e-4, rtol=0)


def test_fan_equals_torch_fft() -> None:
    torch.manual_seed(1)
    x = torch.randn(6, 20, 3)
    _, dominant = FrequencyAdaptiveNorm(20, 3, 4, k=3).split(x)
    spectrum = torch.fft.rfft(x, dim=1)
    top = spectrum.abs().topk(3, dim=1).indices
    kept = torch.zeros_like(spectrum).scatter(1, top, spectrum.gather(1, top))
    torch.testing.assert_close(dominant, torch.fft.irfft(kept, n=20, dim=1), atol=1e-5, rtol=0)


def test_san_removes_the_statistics_of_each_slice_and_fills_every_position() -> None:
    torch.manual_seed(0)
    san = SliceAdaptiveNorm(10, 2, 4, slices=3)
    with torch.no_grad():
        san.share.logit.fill_(50.0)
    x = torch.randn(5, 10, 2) * 3 + 7
    out, _, share = san(x)
    assert float(share) == pytest.approx(1.0)
    for part in torch.tensor_split(torch.arange(10), 3):
        piece = x[:, part]
        variance = piece.var(dim=1, unbiased=False, keepdim=True)
        expected = (piece - piece.mean(dim=1, keepdim=True)) / (variance + san.EPSILON).sqrt()
        torch.testing.assert_close(out[:, part], expected, atol=1e-4, rtol=1e-4)
    assert (out[:, -1].abs() > 1e-3).all(), "the last step of a window is never padding"


def test_normalisation_uses_the_sample_alone() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 8, 3)
    for block in (FrequencyAdaptiveNorm(8, 3, 4, 2), SliceAdaptiveNorm(8, 3, 4, 2)):
        alone = block(x[:1])[0]
        torch.testing.assert_close(block(x)[0][:1], alone)


def test_gate_starts_where_it_is_told_and_alpha_weights_the_projected_stream() -> None:
    bypass = ResidualBypass(4, alpha_init=0.25, graph_scale=3.0)
    h, g = torch.randn(3, 4), torch.randn(3, 4)
    out, alpha = bypass(h, g)
    projected = bypass.project(torch.cat([h, g], dim=-1))
    assert float(alpha) == pytest.approx(0.25)
    torch.testing.assert_close(out, 0.25 * projected + 0.75 * g)
    torch.testing.assert_close(bypass(h, torch.zeros(3, 4))[0], h)


def test_graph_columns_are_scaled_once() -> None:
    torch.manual_seed(0)
    plain = ResidualBypass(16, 0.5, 1.0).project.weight
    torch.manual_seed(0)
    scaled = ResidualBypass(16, 0.5, 3.0).project.weight
    torch.testing.assert_close(scaled[:, 16:], 3.0 * plain[:, 16:])
    torch.testing.assert_close(scaled[:, :16], 2.0 * torch.eye(16))


def test_quantiles_never_cross_and_the_median_is_in_its_place() -> None:
    torch.manual_seed(0)
    head = _QuantileHeads(8, 3, (0.1, 0.25, 0.5, 0.75, 0.9), 0.0)
    out, student = head(torch.randn(50, 8) * 10)
    assert student is None
    assert out.shape == (50, 3, 5)
    assert (out.diff(dim=-1) >= 0).all()


def test_student_head_has_a_positive_scale_and_a_variance() -> None:
    torch.manual_seed(0)
    head = _QuantileHeads(8, 3, (0.1, 0.5, 0.9), 0.0, student_t=True)
    _, student = head(torch.randn(50, 8) * 100)
    assert student is not None
    scale, freedom = student.unbind(-1)
    assert scale.shape == (50, 3)
    assert (scale > 0).all()
    assert (freedom >= 2).all()


def test_attention_ignores_masked_sessions() -> None:
    torch.manual_seed(0)
    attention = LastStepAttention(8, 2, 0.0).eval()
    h, mask = torch.randn(3, 6, 8), torch.ones(3, 6)
    mask[:, :3] = 0
    other = h.clone()
    other[:, :3] = 99.0
    torch.testing.assert_close(attention(h, mask), attention(other, mask))


@pytest.mark.parametrize(("heads", "concat"), [(4, True), (2, False)])
def test_gat_equals_the_layer_of_torch_geometric(heads: int, concat: bool) -> None:
    """Values, attention and every gradient, from the same parameters; stocks with 0 to 3 neighbours."""
    torch.manual_seed(0)
    layer = GATv2Conv(8, 4, heads=heads, concat=concat, edge_dim=3, add_self_loops=False)
    pairs = [(1, 0), (2, 0), (3, 0), (0, 2), (4, 2), (0, 3)]
    h, attributes = torch.randn(5, 8, requires_grad=True), torch.rand(6, 3)
    theirs, (_, weight_EA) = layer(
        h, torch.tensor(pairs).T, attributes, return_attention_weights=True
    )
    ours, weight_MKA = _gatv2(layer, h, edges_of(pairs, 5, attributes))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    heard = [weight_MKA[0, 0], weight_MKA[0, 1], weight_MKA[0, 2], *weight_MKA[2, :2]]
    torch.testing.assert_close(torch.stack([*heard, weight_MKA[3, 0]]), weight_EA)
    assert float(weight_MKA.detach()[[1, 4]].abs().max()) == 0.0
    weighting = torch.randn(theirs.shape)
    inputs = [h, *layer.parameters()]
    for a, b in zip(
        torch.autograd.grad((ours * weighting).sum(), inputs),
        torch.autograd.grad((theirs * weighting).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_gat_without_edges_says_nothing_and_tells_how_attention_is_shared() -> None:
    torch.manual_seed(0)
    gat = GraphAttention(8, (2, 2), 3, 0.0).eval()
    h = torch.randn(5, 8)
    alone, use = gat(h, edges_of([], 5, torch.empty(0, 3)))
    assert use is not None
    assert torch.equal(alone, torch.zeros(5, 8))
    assert float(use.entropy) == 0.0
    heard, use = gat(h, edges_of([(1, 0), (2, 0)], 5, torch.rand(2, 3)))
    assert use is not None
    assert float(heard[0].abs().max()) > 0.01
    assert torch.equal(heard[1:], alone[1:])
    assert 0.0 < float(use.entropy) <= 1.0


def test_attention_use_by_hand() -> None:
    """Attention vectors of zero weigh all alike: 1/2 each on two neighbours."""
    gat = GraphAttention(4, (1,), 3, 0.0).eval()
    with torch.no_grad():
        gat.layers[0].att.zero_()  # type: ignore[operator]
    rho = torch.tensor([[0.2, 0.2, 0.0], [-0.5, 0.5, 1.0]])
    _, use = gat(torch.randn(3, 4), edges_of([(1, 0), (2, 0)], 3, rho))
    assert use is not None
    assert float(use.entropy) == pytest.approx(1.0, abs=1e-5)
    assert float(use.weak_share) == pytest.approx((0.8 + 0.5) / 2, abs=1e-5)


@pytest.mark.parametrize("heads", [(2,), (4, 2), (4, 4, 2)])
def test_gat_depth_is_how_far_news_travels(heads: tuple[int, ...]) -> None:
    """A chain 3 -> 2 -> 1 -> 0: after L layers stock 0 hears stocks up to L edges away, no further."""
    torch.manual_seed(0)
    gat = GraphAttention(8, heads, 3, 0.0).eval()
    h, edges = torch.randn(5, 8), edges_of([(1, 0), (2, 1), (3, 2)], 5, torch.rand(3, 3))
    before = gat(h, edges)[0][0]
    for hops in (1, 2, 3):
        other = h.clone()
        other[hops] = torch.randn(8)
        moved = not torch.equal(gat(other, edges)[0][0], before)
        assert moved == (hops <= len(heads))


def test_attention_is_watched_in_training_only_on_request() -> None:
    h, edges = torch.randn(3, 8), edges_of([(1, 0)], 3, torch.rand(1, 3))
    assert GraphAttention(8, (2, 2), 3, 0.0)(h, edges)[1] is None
    _, use = GraphAttention(8, (2, 2), 3, 0.0, watch=True)(h, edges)
    assert use is not None
    assert use.entropy.requires_grad


def test_gradient_of_the_graph_passes_through_edges_only(model: ATFTGATFAN, batch: Batch) -> None:
    def norm(chosen: Batch) -> float:
        model.zero_grad()
        model(chosen).score_MH.square().sum().backward()
        return float(gradient_norms(model.module_groups())["gat"])

    assert norm(batch) > 1e-3
    assert norm(batch.without_edges()) == 0.0


def test_alpha_is_not_its_complement(model: ATFTGATFAN, batch: Batch) -> None:
    """At alpha 1 the stock's own state speaks, at alpha 0 the neighbours alone."""
    scores = {}
    for alpha in (0.001, 0.5, 0.999):
        with torch.no_grad():
            model.bypass.alpha.logit.copy_(torch.logit(torch.tensor(alpha)))
            scores[alpha] = model(batch).score_MH[:, 1]
    assert float(_rank_ic(scores[0.5], scores[0.999])) > 0.9
    assert abs(float(_rank_ic(scores[0.5], scores[0.001]))) < 0.5


def test_gated_residual_closes() -> None:
    layer = GatedResidual(4, 0.0)
    with torch.no_grad():
        layer.linear.bias[4:] = -60.0
        layer.linear.weight[4:] = 0.0
    skip = torch.randn(3, 4)
    torch.testing.assert_close(layer(torch.randn(3, 4), skip), layer.norm(skip))


def test_with_every_block_off_only_the_last_session_counts(model: ATFTGATFAN, batch: Batch) -> None:
    model.set_blocks([])
    other = batch.x_MTF.clone()
    other[:, :-1] = 3.0
    assert torch.equal(model(batch).score_MH, model(replace(batch, x_MTF=other)).score_MH)
    assert model(batch).gates == {}


def test_without_gat_edges_do_not_matter(model: ATFTGATFAN, batch: Batch) -> None:
    no_edges = batch.without_edges()
    with_graph = model(batch).score_MH
    assert not torch.allclose(with_graph, model(no_edges).score_MH)
    model.set_blocks(["selection", "temporal"])
    assert torch.equal(model(batch).score_MH, model(no_edges).score_MH)


@pytest.mark.parametrize("block", ["temporal", "attention", "gat"])
def test_a_block_enters_gently(model: ATFTGATFAN, batch: Batch, block: str) -> None:
    """Its first scores are nearly those of the network without it: rank correlation above 0.98."""
    model.set_blocks([])
    before = model(batch).score_MH[:, 1].detach()
    model.set_blocks([block, "bypass"] if block == "gat" else [block])
    after = model(batch).score_MH[:, 1].detach()
    assert not torch.equal(before, after)
    assert float(_rank_ic(after, before)) > 0.98


def test_selection_starts_as_the_identity_and_its_weights_average_to_one(
    model: ATFTGATFAN, batch: Batch
) -> None:
    torch.testing.assert_close(model(batch).selection_F, torch.ones(model.n_features))
    with torch.no_grad():
        model.selection.scorer[-1].weight.normal_()  # type: ignore[operator]
    weights = model(batch).selection_F
    assert weights.shape == (model.n_features,)
    assert float(weights.std()) > 0.01
    assert float(weights.mean()) == pytest.approx(1.0, abs=1e-5)
    model.set_blocks([])
    assert torch.equal(model(batch).selection_F, torch.ones(model.n_features))


def test_wrong_feature_count_is_refused(model: ATFTGATFAN, batch: Batch) -> None:
    with pytest.raises(ConfigError, match="8 x 44"):
        model(replace(batch, x_MTF=batch.x_MTF[..., :44]))


def test_a_phase_cannot_switch_on_what_the_model_leaves_out(world: World) -> None:
    config = world.config.model_copy(
        update={
            "model": ModelConfig.model_validate(
                {"hidden": 8, "blocks": ["selection"], "attention_heads": 2, "gat_heads": [2, 2]}
            )
        }
    )
    model = build_model(config, 45)
    with pytest.raises(ConfigError, match="gat"):
        model.set_blocks(["gat"])
    assert set(parameter_table(model)) == {"selection", "heads"}


def test_parameter_table_adds_up_and_selection_does_not_explode() -> None:
    small, large = (sum(parameter_table(build_model(Config(), f)).values()) for f in (45, 200))
    model = build_model(Config(), 45)
    assert sum(parameter_table(model).values()) == sum(p.numel() for p in model.parameters())
    assert large < 3 * small


def test_bf16_keeps_the_order_of_scores_which_stay_float32(model: ATFTGATFAN, batch: Batch) -> None:
    with torch.no_grad():
        exact = model(batch).score_MH[:, 0]
        rough_MH = model(batch, half=True).score_MH
    assert rough_MH.dtype == torch.float32
    assert not torch.equal(exact, rough_MH[:, 0])
    assert np.corrcoef(exact, rough_MH[:, 0])[0, 1] > 0.95
