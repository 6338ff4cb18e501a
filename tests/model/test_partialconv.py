"""The layer is a partial convolution; the U-Net has the published sizes, options that start as the plain network."""

import json
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle.amp.amp_lists import white_list

from model.partialconv.network import PartialConv2D, PartialConvUNet, doubled, filled, padded
from model.partialconv.settings import UNetSettings
from tests.parity import case_lines

GOLDEN = Path(__file__).parents[1] / "assets" / "golden" / "partialconv"
CASES = json.loads((GOLDEN / "meta.json").read_text())["cases"]
PARAMETERS = {6: 18_699_860, 7: 25_779_796, 8: 32_859_732}  # of naoto0804's network, without running statistics


def drawn(shape, seed=0):
    return paddle.to_tensor(np.random.default_rng(seed).standard_normal(shape).astype("float32"))


def holes(shape, seed=0, share=0.5):
    return paddle.to_tensor((np.random.default_rng(seed).random(shape) > share).astype("float32"))


def layer(parts, out=4, kernel=3, stride=1, bias=True, seed=0):
    paddle.seed(seed)
    it = PartialConv2D(parts, out, kernel, stride, bias)
    if bias:
        it.bias.set_value(drawn([out], seed + 1))
    return it


def unet(**options):
    paddle.seed(0)
    return PartialConvUNet(UNetSettings(**{"size": 16, "width": 4} | options))


def by_definition(x, valid, weight, bias, stride):
    """Equations (1) and (2), window by window; `valid` has as many channels as `x`."""
    n, _, height, width = x.shape
    out, _, k, _ = weight.shape
    margin = [(0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)]
    x, valid = np.pad(x, margin), np.pad(valid, margin)
    rows, columns = range(0, height, stride), range(0, width, stride)
    y, after = np.zeros((n, out, len(rows), len(columns))), np.zeros((n, 1, len(rows), len(columns)))
    for b in range(n):
        for i, top in enumerate(rows):
            for j, left in enumerate(columns):
                window = valid[b, :, top : top + k, left : left + k]
                if window.sum() > 0:
                    known = x[b, :, top : top + k, left : left + k] * window
                    y[b, :, i, j] = (weight * known).sum(axis=(1, 2, 3)) * window.size / window.sum() + bias
                    after[b, 0, i, j] = 1
    return y, after


@pytest.mark.parametrize(("parts", "kernel", "stride"), [((3,), 3, 1), ((3,), 7, 2), ((2,), 5, 2), ((3, 2), 3, 1)])
@pytest.mark.parametrize("training", [True, False])
def test_layer_is_the_definition(parts, kernel, stride, training):
    """Renormalised by window / valid inputs, bias added after it, zero where nothing is valid, one mask a part."""
    it = layer(parts, kernel=kernel, stride=stride)
    it.train() if training else it.eval()
    features = [drawn([2, channels, 9, 12], seed) for seed, channels in enumerate(parts)]
    valid = [holes([2, 1, 9, 12], seed, 0.7) for seed in range(len(parts))]
    for mask in valid:
        mask[:, :, :, 6:] = 0
    y, after = it(features, valid)
    whole = np.concatenate([mask.expand_as(part).numpy() for part, mask in zip(features, valid, strict=True)], axis=1)
    wanted = by_definition(np.concatenate(features, axis=1), whole, it.weight.numpy(), it.bias.numpy(), stride)
    np.testing.assert_allclose(y.numpy(), wanted[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(after.numpy(), wanted[1])
    assert 0 < wanted[1].mean() < 1


@pytest.mark.parametrize(("stride", "padding", "training"), [(1, 2, True), (2, 2, False), (1, 0, False), (1, 3, True)])
def test_dilated_layer_is_a_layer_of_a_kernel_with_gaps(stride, padding, training):
    """Dilation 2 is the 5 x 5 kernel with zeros between; what lies under the zeros counts as valid by nobody."""
    it = PartialConv2D([3], 4, 3, stride, bias=False, dilation=2, padding=padding)
    it.train() if training else it.eval()
    x, valid = drawn([2, 3, 9, 8]), holes([2, 1, 9, 8], share=0.7)
    y, after = it([x], [valid])
    spread, ones = np.zeros((4, 3, 5, 5)), np.zeros((1, 1, 5, 5), np.float32)
    spread[:, :, ::2, ::2], ones[:, :, ::2, ::2] = it.weight.numpy(), 1
    spread = paddle.to_tensor(np.float32(spread))
    count = F.conv2d(valid, paddle.to_tensor(ones), stride=stride, padding=padding)
    wanted = F.conv2d(x * valid, spread, stride=stride, padding=padding) * (9 / count.clip(min=1.0))
    np.testing.assert_array_equal(after.numpy(), (count > 0).astype("float32").numpy())
    np.testing.assert_allclose(y.numpy(), wanted.numpy(), atol=1e-5)


def test_weights_in_the_window_scale_are_larger_by_the_window():
    one, other = layer((3, 2)), PartialConv2D((3, 2), 4, 3, bias=True, scale="window")
    other.weight.set_value(one.weight * 45)
    other.bias.set_value(one.bias)
    parts, valid = [drawn([2, 3, 6, 6]), drawn([2, 2, 6, 6], 1)], [holes([2, 1, 6, 6]), holes([2, 1, 6, 6], 1)]
    for ours, theirs in zip(one(parts, valid), other(parts, valid), strict=True):
        np.testing.assert_allclose(theirs.numpy(), ours.numpy(), atol=1e-5)
    assert other.state_dict()["window"].item() == 45 and "window" not in one.state_dict()


def test_values_under_the_hole_have_no_influence():
    it, valid = layer((3,), stride=2, kernel=5), holes([1, 1, 8, 8])
    x = drawn([1, 3, 8, 8])
    other = x * valid + 1e3 * (1 - valid)
    np.testing.assert_array_equal(it([x], [valid])[0].numpy(), it([other], [valid])[0].numpy())
    x.stop_gradient = False
    (it([x], [valid])[0] ** 2).sum().backward()
    assert float((x.grad * (1 - valid)).abs().max()) == 0 < float((x.grad * valid).abs().max())


def test_all_valid_is_an_ordinary_convolution_inside_and_renormalised_at_the_border():
    it, x = layer((3,)), drawn([1, 3, 6, 6])
    y, after = it([x], [paddle.ones([1, 1, 6, 6])])
    plain = F.conv2d(x, it.weight, it.bias, padding=1)
    np.testing.assert_allclose(y[:, :, 1:-1, 1:-1].numpy(), plain[:, :, 1:-1, 1:-1].numpy(), atol=1e-5)
    corner = (F.conv2d(x, it.weight, padding=1)[0, :, 0, 0] * 9 / 4 + it.bias).numpy()
    np.testing.assert_allclose(y[0, :, 0, 0].numpy(), corner, atol=1e-5)
    assert float(after.min()) == 1


def test_hole_without_any_valid_pixel_stays_a_hole():
    it = layer((3,))
    valid = paddle.ones([1, 1, 9, 9])
    valid[:, :, 2:7, 2:7] = 0
    y, after = it([drawn([1, 3, 9, 9])], [valid])
    assert (after.numpy()[0, 0] == 0).sum() == 9  # 5 x 5 shrinks by one pixel a side
    assert float((y * (1 - after)).abs().max()) == 0


def test_mask_sums_stay_float32_under_autocast(monkeypatch):
    """Autocast lowers what is on its white list; pooling is not on it, and nothing else touches the masks.

    Sums reach 1024 * 9 = 9216, and half precision is exact to 2048.
    """
    lowered = white_list()["float16"]["O1"] | white_list()["bfloat16"]["O1"]
    assert "conv2d" in lowered and not lowered & {"pool2d", "avg_pool2d", "multiply", "elementwise_mul", "add"}
    used, pool = [], F.avg_pool2d
    monkeypatch.setattr(F, "avg_pool2d", lambda x, *rest, **words: used.append(x.dtype) or pool(x, *rest, **words))
    it, valid = layer((512, 512), out=2), [holes([1, 1, 8, 8], seed) for seed in (1, 2)]
    monkeypatch.setattr(F, "conv2d", None)
    assert it.valid_share(valid).dtype == paddle.float32 and used == [paddle.float32] * 2


@pytest.mark.parametrize("case", [pytest.param(name, marks=[pytest.mark.slow] * ("unet" in name)) for name in CASES])
def test_outputs_and_gradients_are_the_official_ones(case):
    lines = list(case_lines(GOLDEN, case, CASES[case]))
    assert [line for line in lines if not line["ok"]] == []
    assert len(lines) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("layers", PARAMETERS)
def test_number_of_parameters(layers, monkeypatch):
    monkeypatch.setattr(paddle.nn.initializer, "KaimingNormal", lambda: paddle.nn.initializer.Constant(0.0))
    network = PartialConvUNet(UNetSettings(size=256, layers=layers))
    assert sum(p.size for p in network.parameters() if not p.stop_gradient) == PARAMETERS[layers]


def test_depth_follows_from_the_size():
    assert [UNetSettings(size=size).depth for size in (4, 64, 100, 256, 512)] == [1, 5, 5, 7, 8]
    assert UNetSettings(size=512, layers=3).depth == 3


def test_bias_where_it_is_asked_for():
    def biased(bias):
        keys = unet(bias=bias, layers=2).state_dict()
        return {key.partition(".conv")[0] for key in keys if key.endswith("conv.bias")}

    assert biased("last") == {"dec_1"}
    assert biased("unnormalised") == {"enc_1", "dec_1"}
    assert biased("all") == {"enc_1", "enc_2", "dec_2", "dec_1"}


def test_network_ignores_the_hole_and_says_what_it_reached():
    it, x = unet(layers=2), drawn([2, 3, 16, 16])
    valid = holes([2, 1, 16, 16])
    valid[1] = 0
    it.eval()
    output, reached = it(x, valid)
    np.testing.assert_array_equal(output.numpy(), it(x * valid + 7 * (1 - valid), valid)[0].numpy())
    assert float(reached[0].min()) == 1 and float(reached[1].max()) == 0
    assert float(output[1].abs().max()) == 0


@pytest.mark.parametrize(("size", "padded_size"), [((16, 16), (16, 16)), ((13, 16), (16, 16)), ((11, 6), (12, 8))])
def test_any_size_is_padded_with_holes(size, padded_size):
    """The same comes out of the picture of the next multiple whose rest, of any values, is a hole."""
    it = unet(layers=2)
    it.eval()
    large, large_valid = drawn([1, 3, *padded_size]), holes([1, 1, *padded_size])
    large_valid[:, :, size[0] :] = 0
    large_valid[:, :, :, size[1] :] = 0
    x, valid = (whole[:, :, : size[0], : size[1]] for whole in (large, large_valid))
    output, reached = it(x, valid)
    assert output.shape == [1, 3, *size] and reached.shape == [1, 1, *size]
    np.testing.assert_allclose(output.numpy(), it(large, large_valid)[0].numpy()[:, :, : size[0], : size[1]], atol=1e-5)


def test_padding_reaches_the_next_multiple_and_adds_nothing_to_a_multiple():
    x = paddle.ones([1, 2, 8, 9])
    wide = padded(x, 8)
    assert wide.shape == [1, 2, 8, 16] and float(wide.sum()) == 2 * 72
    assert padded(x[:, :, :, :8], 8).shape == [1, 2, 8, 8]


def test_doubling_repeats():
    x = drawn([2, 3, 2, 3])
    np.testing.assert_array_equal(doubled(x).numpy(), x.numpy().repeat(2, axis=2).repeat(2, axis=3))


def test_doubled_masks_stay_float32_where_autocast_lowers_convolutions(monkeypatch):
    whole = F.conv2d_transpose
    monkeypatch.setattr(F, "conv2d_transpose", lambda *args, **words: whole(*args, **words).astype("float16"))
    mask = holes([1, 1, 4, 4])
    found = doubled(mask)
    assert found.dtype == paddle.float32
    np.testing.assert_array_equal(found.numpy(), mask.numpy().repeat(2, axis=2).repeat(2, axis=3))


@pytest.mark.parametrize("frozen", ["none", "statistics", "all"])
def test_frozen_norms_keep_what_they_should(frozen):
    it = unet(frozen_norm=frozen, layers=3)
    it.eval()
    it.train()  # what the trainer does after each evaluation
    before = {key: value.numpy().copy() for key, value in it.state_dict().items()}
    it(drawn([2, 3, 16, 16]) + 1, holes([2, 1, 16, 16]))
    moved = {key for key, value in it.state_dict().items() if not np.array_equal(before[key], value.numpy())}
    encoder = {f"enc_{number}.bn.{name}" for number in (2, 3) for name in ("_mean", "_variance")}
    assert moved & encoder == (encoder if frozen == "none" else set())
    assert {"dec_2.bn._mean", "dec_3.bn._variance"} <= moved
    resting = {name for name, parameter in it.named_parameters() if parameter.stop_gradient and "bn._" not in name}
    affine = {f"enc_{number}.bn.{name}" for number in (2, 3) for name in ("weight", "bias")}
    assert resting == (affine if frozen == "all" else set())


@pytest.mark.parametrize("residual", ["gamma", "swap"])
def test_residual_branch_starts_closed(residual):
    """gamma = 0: "gamma" is the plain network, "swap" an ordinary convolution of the unmasked feature."""
    it, plain = unet(encoder_residual=residual), unet()
    it.eval(), plain.eval()
    arrays = it.state_dict()
    plain.set_state_dict({key: arrays[key] for key in plain.state_dict()})
    x, valid = drawn([1, 3, 16, 16]), holes([1, 1, 16, 16])
    stage, before = it.stage("enc", 2), it.stage("enc", 1)
    feature, mask = before([x], [valid])
    y, after = stage([feature], [mask])
    if residual == "gamma":
        np.testing.assert_array_equal(it(x, valid)[0].numpy(), plain(x, valid)[0].numpy())
    else:
        conv = F.conv2d(feature, stage.plain, stride=2, padding=2)
        np.testing.assert_allclose(y.numpy(), F.relu(stage.bn(conv)).numpy(), atol=1e-6)
    stage.gamma.set_value(paddle.full_like(stage.gamma, 0.5))
    assert np.abs(stage([feature], [mask])[0].numpy() - y.numpy()).max() > 1e-3
    np.testing.assert_array_equal(after.numpy(), plain.stage("enc", 2)([feature], [mask])[1].numpy())
    assert not hasattr(it.stage("enc", 1), "gamma")


def test_residual_branch_reads_under_the_hole():
    it = unet(encoder_residual="gamma")
    it.eval()
    stage, valid = it.stage("enc", 2), holes([1, 1, 8, 8])
    stage.gamma.set_value(paddle.ones_like(stage.gamma))
    x = drawn([1, 4, 8, 8])
    other = x * valid + 3 * (1 - valid)
    assert np.abs(stage([x], [valid])[0].numpy() - stage([other], [valid])[0].numpy()).max() > 1e-2


def test_filled_cells_are_the_mean_of_the_valid_ones():
    feature, valid = drawn([2, 3, 2, 2]), paddle.to_tensor([[[[1.0, 1], [0, 0]]], [[[0, 0], [0, 0]]]])
    found, after = filled(feature, valid)
    np.testing.assert_allclose(found[0, :, 1, 0].numpy(), feature[0, :, 0].mean(-1).numpy(), rtol=1e-5)
    np.testing.assert_array_equal(found[0, :, 0].numpy(), feature[0, :, 0].numpy())
    assert float(found[1].abs().max()) == 0 and float(after.min()) == 1


def test_bottleneck_fill_closes_what_the_encoder_could_not():
    x, valid = drawn([1, 3, 64, 64]), paddle.zeros([1, 1, 64, 64])
    valid[:, :, :8, :8] = 1
    plain, fill = unet(layers=2), unet(layers=2, bottleneck_fill="mean")
    plain.eval(), fill.eval()
    assert float(plain(x, valid)[1].mean()) < 1
    assert float(fill(x, valid)[1].min()) == 1
    arrays = plain.state_dict()
    assert fill.state_dict().keys() == arrays.keys()


def test_raw_skips_give_the_decoder_the_holes():
    """With no hole the two are one; with a hole the decoder's renormalisation counts the skip's cells as valid."""
    masked, raw = unet(layers=2), unet(layers=2, skips="raw")
    masked.eval(), raw.eval()
    x, valid = drawn([1, 3, 16, 16]), paddle.ones([1, 1, 16, 16])
    np.testing.assert_array_equal(masked(x, valid)[0].numpy(), raw(x, valid)[0].numpy())
    valid[:, :, 2:14, 2:14] = 0
    assert np.abs(masked(x, valid)[0].numpy() - raw(x, valid)[0].numpy()).max() > 1e-3
