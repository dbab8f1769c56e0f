"""Fused GATv2 messages: by hand, invariance, and torch-geometric as the second implementation."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.nn import GATv2Conv

from engine.model.fused_gatv2 import SortedEdges, fused_gatv2
from engine.model.graph_attention import GraphAttention


def layer(channels: int, heads: int, edge_dim: int, *, concat: bool) -> GATv2Conv:
    made = GATv2Conv(
        channels, 4, heads=heads, concat=concat, edge_dim=edge_dim, add_self_loops=False
    )
    torch.nn.init.normal_(made.bias)
    return made


def graph(rows: int, edges: int, edge_dim: int) -> tuple[Tensor, Tensor]:
    """Random edges, some of them twice, and rows that nobody speaks to."""
    return torch.randint(0, rows, (2, edges)), torch.randn(edges, edge_dim)


def fused(gat: GATv2Conv, h: Tensor, index: Tensor, attr: Tensor) -> Tensor:
    return fused_gatv2(gat, h, SortedEdges.of(index, attr, h.shape[0]))[0]


def test_one_head_of_one_channel_by_hand() -> None:
    """Scores: leaky(1 + 1 - 3) = -0.2 from row 0, leaky(2 + 1 + 1) = 4 from row 1; row 0 hears nobody."""
    gat = GATv2Conv(1, 1, heads=1, edge_dim=1, add_self_loops=False)
    with torch.no_grad():
        for weight in (gat.lin_l.weight, gat.lin_edge.weight, gat.att):
            weight.fill_(1.0)
        gat.lin_r.weight.fill_(0.5)
        for bias in (gat.lin_l.bias, gat.lin_r.bias, gat.bias):
            bias.zero_()
    h = torch.tensor([[1.0], [2.0]])
    edges = SortedEdges.of(torch.tensor([[0, 1], [1, 1]]), torch.tensor([[-3.0], [1.0]]), 2)
    out, weight = fused_gatv2(gat, h, edges)
    first = math.exp(-0.2) / (math.exp(-0.2) + math.exp(4.0))
    assert weight.flatten().tolist() == pytest.approx([first, 1.0 - first], rel=1e-6)
    assert out.flatten().tolist() == pytest.approx([0.0, first + 2.0 * (1.0 - first)], rel=1e-6)


def test_sorted_edges_by_hand() -> None:
    edges = SortedEdges.of(
        torch.tensor([[5, 6, 7, 8], [2, 0, 2, 0]]), torch.arange(4.0)[:, None], 4
    )
    assert edges.index_2E.tolist() == [[6, 8, 5, 7], [0, 0, 2, 2]]
    assert edges.attr_EK.flatten().tolist() == [1.0, 3.0, 0.0, 2.0]
    assert edges.first_M1.tolist() == [0, 2, 2, 4, 4]


def test_the_order_of_edges_does_not_matter_and_shares_add_to_one() -> None:
    torch.manual_seed(0)
    gat, h = layer(6, 2, 3, concat=True), torch.randn(9, 6)
    index, attr = graph(9, 40, 3)
    mixed = torch.randperm(40)
    a = fused(gat, h, index, attr)
    torch.testing.assert_close(fused(gat, h, index[:, mixed], attr[mixed]), a)
    edges = SortedEdges.of(index, attr, 9)
    share = torch.zeros(9, 2).index_add_(0, edges.index_2E[1], fused_gatv2(gat, h, edges)[1])
    heard = torch.bincount(index[1], minlength=9) > 0
    torch.testing.assert_close(share[heard], torch.ones_like(share[heard]))


def test_what_is_not_finite_stays_so() -> None:
    gat, h = layer(6, 2, 3, concat=True), torch.randn(3, 6)
    h[0] = torch.nan
    out = fused(gat, h, torch.tensor([[0, 1, 2], [1, 1, 2]]), torch.zeros(3, 3))
    assert out[1].isnan().all()
    assert out[2].isfinite().all()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 12), st.integers(0, 60), st.integers(1, 4), st.integers(1, 3), st.booleans(),
    st.integers(0, 99),
)  # fmt: skip
def test_equals_torch_geometric(
    rows: int, n_edges: int, heads: int, edge_dim: int, concat: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    gat = layer(5, heads, edge_dim, concat=concat)
    h = (2.0 * torch.randn(rows, 5)).requires_grad_()
    index, attr = graph(rows, n_edges, edge_dim)
    ours, theirs = fused(gat, h, index, attr), gat(h, index, attr)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    inputs, weights = [h, *gat.parameters()], torch.randn_like(theirs)
    for a, b in zip(
        torch.autograd.grad(ours, inputs, weights),
        torch.autograd.grad(theirs, inputs, weights),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=2e-5 * max(1.0, float(b.abs().max())), rtol=1e-5)


def test_the_block_is_the_same_whoever_convolves() -> None:
    """With ``watch``, training goes through torch-geometric, since a loss differentiates the weights."""
    torch.manual_seed(0)
    fast = GraphAttention(8, (2, 2), 3, 0.0)
    slow = GraphAttention(8, (2, 2), 3, 0.0, watch=True)
    slow.load_state_dict(fast.state_dict())
    h, (index, attr) = torch.randn(7, 8), graph(7, 20, 3)
    out, use = slow(h, index, attr)
    torch.testing.assert_close(fast(h, index, attr)[0], out, atol=1e-5, rtol=1e-5)
    assert use.entropy.requires_grad
    seen = fast.eval()(h, index, attr)[1]
    torch.testing.assert_close(seen.weight_EA, use.weight_EA.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen.entropy, use.entropy.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen.weak_share, use.weak_share.detach(), atol=1e-5, rtol=1e-5)
