"""Blocks written for speed against the plain form of the same formula: values and gradients."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.model.dropout import Dropout, MaskStream, StepMasks, masks_from
from engine.model.layers import GatedResidual
from engine.model.normalization import FrequencyAdaptiveNorm, SliceAdaptiveNorm, _keep_strongest
from engine.model.temporal import _BLOCK_ROWS, LastStepAttention, _WindowLSTM


def gradients(outputs: list[Tensor], inputs: list[Tensor]) -> list[Tensor]:
    """Of a fixed random weighting of all outputs."""
    generator = torch.Generator().manual_seed(0)
    total = sum(
        ((out * torch.randn(out.shape, generator=generator)).sum() for out in outputs),
        torch.zeros(()),
    )
    return list(torch.autograd.grad(total, inputs))


def assert_same(ours: list[Tensor], plain: list[Tensor]) -> None:
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(
            a, b, atol=1e-5 * max(1.0, float(b.detach().abs().max())), rtol=1e-5
        )


def plain_san(x: Tensor, share: Tensor, slices: int) -> list[Tensor]:
    """The same slice by slice, from the definition; the statistics are constants."""
    parts = []
    for part in torch.tensor_split(x, slices, dim=1):
        mean = part.detach().mean(dim=1, keepdim=True)
        part_variance = part.detach().var(dim=1, unbiased=False, keepdim=True)
        scale = (part_variance + SliceAdaptiveNorm.EPSILON).sqrt()
        parts.append((part - mean) / scale)
    normal = torch.cat(parts, dim=1)
    return [x + share * (normal - x), torch.cat([mean[:, 0], scale[:, 0]], dim=-1)]


@settings(max_examples=25)
@given(
    st.integers(1, 5), st.integers(1, 21), st.integers(1, 4), st.integers(1, 6), st.integers(0, 99)
)
def test_san_equals_the_plain_form(rows: int, window: int, F: int, slices: int, seed: int) -> None:
    torch.manual_seed(seed)
    slices = min(slices, window)
    san = SliceAdaptiveNorm(window, F, 3, slices)
    san.message = nn.Identity()  # type: ignore[assignment]
    x = (torch.randn(rows, window, F) * 2 + 1).requires_grad_()
    out, message, _ = san(x)
    share = san.share()
    expected, summary = plain_san(x, share, slices)
    assert_same([out, message], [expected, share * summary])
    inputs = [x, san.share.logit]
    assert_same(gradients([out, message], inputs), gradients([expected, share * summary], inputs))


def test_san_needs_no_gradient_of_its_input() -> None:
    torch.manual_seed(0)
    san = SliceAdaptiveNorm(8, 3, 4, 3)
    x = torch.randn(5, 8, 3)
    both = [list(gradients(list(san(v)[:2]), [san.share.logit])) for v in (x, x.requires_grad_())]
    torch.testing.assert_close(both[0][0], both[1][0])


def test_fan_passes_gradient_to_share_and_input() -> None:
    torch.manual_seed(0)
    fan = FrequencyAdaptiveNorm(10, 2, 3, k=2)
    x = torch.randn(4, 10, 2, requires_grad=True)
    out, share = fan(x)[0], fan.share()
    spectrum = torch.fft.rfft(x, dim=1)
    keep = spectrum.abs() >= spectrum.abs().topk(2, dim=1).values[:, -1:]
    expected = x - share * torch.fft.irfft(spectrum * keep, n=10, dim=1)
    inputs = [x, fan.share.logit]
    assert_same(gradients([out], inputs), gradients([expected], inputs))


@pytest.mark.parametrize("rows", [3, _BLOCK_ROWS, 2 * _BLOCK_ROWS + 5])
def test_lstm_in_blocks_is_the_lstm(rows: int) -> None:
    torch.manual_seed(0)
    ours, plain = _WindowLSTM(4, 6), nn.LSTM(4, 6, batch_first=True)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(rows, 5, 4, requires_grad=True)
    mine, theirs = ours(x), plain(x)[0]
    assert_same([mine], [theirs])
    assert_same(
        gradients([mine], [x, *ours.parameters()]), gradients([theirs], [x, *plain.parameters()])
    )


def test_attention_without_keys_and_values_is_the_attention() -> None:
    """Against eq. 13-16 as written: keys, values, heads, then the mean of the heads' weights."""
    torch.manual_seed(0)
    block = LastStepAttention(8, 2, 0.0)
    h, mask = torch.randn(5, 6, 8, requires_grad=True), torch.ones(5, 6)
    mask[0, :2] = 0
    query = block.query(h[:, -1]).view(5, 2, 4, 1)
    key = block.key(h).view(5, 6, 2, 4).transpose(1, 2)
    logit = (key @ query).squeeze(-1) / 2.0 + (mask[:, None, :] - 1.0) * 1e4
    weight = torch.softmax(logit, dim=-1).mean(dim=1)
    plain = block.gate(block.out((weight[:, None] @ block.value(h)).squeeze(1)), h[:, -1])
    inputs = [h, *block.parameters()]
    assert_same([block(h, mask)], [plain])
    assert_same(gradients([block(h, mask)], inputs), gradients([plain], inputs))


def test_gated_residual_by_hand() -> None:
    layer = GatedResidual(2, 0.0)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, 0]]))
        layer.linear.bias.copy_(torch.tensor([0.0, 0, 0, 50]))
    out = layer(torch.tensor([[4.0, 3.0]]), torch.tensor([[1.0, 0.0]]))
    expected = layer.norm(torch.tensor([[1.0 + 4 * 0.5, 6.0]]))
    torch.testing.assert_close(out, expected)


def mask(rows: int, channels: int, p: float, seed: int = 0) -> Tensor:
    return MaskStream(StepMasks(seed, rows)).next_mask(torch.empty(rows, channels), p)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_dropout_keeps_the_right_share_and_the_mean(p: float) -> None:
    drawn = mask(401, 501, p)
    n, kept = drawn.numel(), float((drawn > 0).float().mean())
    assert abs(kept - (1 - p)) < 4.5 * (p * (1 - p) / n) ** 0.5
    assert torch.unique(drawn).numel() == 2
    assert float(drawn.max()) == pytest.approx(1 / (1 - p), rel=1e-3)
    lanes = drawn.flatten()[: n // 4 * 4].view(-1, 4).sign()
    assert (torch.corrcoef(lanes.T) - torch.eye(4)).abs().max() < 0.02


def test_calls_and_seeds_have_masks_of_their_own() -> None:
    stream = MaskStream(StepMasks(7, 50))
    x = torch.empty(50, 400)
    drawn = torch.stack([*(stream.next_mask(x, 0.5) for _ in range(3)), mask(50, 400, 0.5, 8)])
    correlation = torch.corrcoef(drawn.flatten(1))
    assert (correlation - torch.eye(4)).abs().max() < 0.03


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 9), st.integers(0, 2**63 - 1))
def test_a_part_of_the_rows_has_its_part_of_the_mask(
    rows: int, channels: int, first: int, seed: int
) -> None:
    part, masks = slice(first, first + 3), StepMasks(seed, rows)
    x = torch.randn(rows, channels)
    with masks_from(MaskStream(masks)):
        whole = Dropout(0.3)(x), Dropout(0.5)(x)
    with masks_from(MaskStream(masks, part)):
        cut = Dropout(0.3)(x[part]), Dropout(0.5)(x[part])
    for a, b in zip(cut, whole, strict=True):
        assert torch.equal(a, b[part])


@pytest.mark.parametrize("given_masks", [True, False])
def test_a_channel_is_dropped_for_all_sessions_of_a_stock(*, given_masks: bool) -> None:
    x = torch.ones(40, 6, 30)
    with masks_from(MaskStream(StepMasks(3, 40))) if given_masks else nullcontext():
        out = Dropout(0.4)(x)
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert torch.unique(out).numel() == 2
    assert not torch.equal(out[0], out[1])


def test_dropout_is_off_in_eval_mode_repeats_by_seed_and_gradient_has_the_same_mask() -> None:
    dropout = Dropout(0.4)
    x = torch.randn(7, 9, requires_grad=True)
    assert dropout.eval()(x) is x
    assert Dropout(0.0).train()(x) is x
    dropout.train()
    outs = []
    for _ in range(2):
        torch.manual_seed(3)
        outs.append(dropout(x))
    assert torch.equal(*outs)
    (grad,) = torch.autograd.grad(outs[0].sum(), x)
    torch.testing.assert_close(grad * x, outs[0])
    assert not torch.equal(dropout(x), outs[0])


def test_dropout_of_bfloat16_has_the_same_mask() -> None:
    x = torch.randn(9, 50)
    outs = []
    for kind in (torch.float32, torch.bfloat16):
        with masks_from(MaskStream(StepMasks(1, 9))):
            outs.append(Dropout(0.3).train()(x.to(kind)))
    assert outs[1].dtype == torch.bfloat16
    torch.testing.assert_close(outs[1].float(), outs[0], atol=0.0, rtol=2.0**-6)


@given(
    st.integers(1, 4), st.integers(1, 7), st.integers(1, 5), st.integers(1, 7), st.integers(0, 99)
)
def test_the_strongest_frequencies_are_those_of_topk(
    rows: int, L: int, F: int, k: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.randn(rows, 2, L, F, generator=generator)
    power, k = spectrum.square().sum(dim=1), min(k, L)
    floor = power.topk(k, dim=1).values[:, -1:]
    assert torch.equal(_keep_strongest(spectrum, k), power >= floor)


def test_equal_powers_are_kept_together_and_a_window_with_nan_keeps_nothing() -> None:
    """Powers 9, 4, 4, 1: the second largest is 4, so both are kept; of equal ones all."""
    power = torch.tensor([[9.0, 4.0, 4.0, 1.0], [0.0, 0.0, 0.0, 0.0], [torch.nan, 1.0, 1.0, 1.0]])
    spectrum = torch.stack([power.sqrt(), torch.zeros(3, 4)], dim=1)[..., None]
    kept = _keep_strongest(spectrum, 2)[..., 0]
    assert kept.tolist() == [[True, True, True, False], [True] * 4, [False] * 4]


def test_a_share_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.0"):
        Dropout(1.0)
