"""maruru-hub's network: its sizes, that its layer is the published one, every sample's own mask, its critic's norm."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from model.partialconv.maruru import Critic, Decoder, Encoder, MaskedConv2D, MaskedUNet, SpectralNorm
from model.partialconv.settings import MaruruSettings

SMALL = {"size": 32, "layers": 3, "width": 4, "blocks": 1}


def network(**options):
    paddle.seed(0)
    it = MaskedUNet(MaruruSettings(**SMALL | options))
    it.eval()
    return it


def picture(shape, seed=0):
    return paddle.to_tensor(np.random.default_rng(seed).standard_normal(shape).astype("float32"))


def box(batch=1):
    valid = paddle.ones([batch, 1, 32, 32])
    valid[:, :, 4:28, 8:24] = 0
    return valid


@pytest.mark.slow
def test_number_of_parameters(monkeypatch):
    """Published: 25,820,160 and 18,098,499; the encoder's first and last norm, 2 * (64 + 512), are used nowhere."""
    zero = paddle.nn.initializer.Constant(0.0)
    monkeypatch.setattr(paddle.nn.initializer, "Normal", lambda *_: zero)
    monkeypatch.setattr(paddle.nn.initializer, "XavierUniform", lambda *_: zero)
    settings = MaruruSettings(size=256)
    encoder = Encoder(settings)
    counts = [
        sum(p.size for p in part.parameters() if not p.stop_gradient)
        for part in (encoder, Decoder(settings, encoder.channels))
    ]
    assert counts == [25_820_160 - 2 * (64 + 512), 18_098_499]


def test_layer_masks_keeps_its_bias_everywhere_and_spreads():
    paddle.seed(0)
    it, x, valid = MaskedConv2D(3, 4, 3, stride=2, padding=1), picture([1, 3, 32, 32]), box()
    it.bias.set_value(picture([4], 1))
    y, after = it(x, valid)
    np.testing.assert_allclose(y.numpy(), F.conv2d(x * valid, it.weight, it.bias, 2, 1).numpy(), atol=1e-6)
    wanted = F.conv2d(valid, paddle.ones([1, 1, 3, 3]), stride=2, padding=1).clip(0, 1)
    np.testing.assert_array_equal(after.numpy(), wanted.numpy())
    empty = (after == 0).expand_as(y)
    assert empty.any()
    np.testing.assert_allclose(y.numpy()[0, :, 8, 8], it.bias.numpy(), rtol=1e-6)


def test_every_sample_has_its_own_mask():
    it, x = network(), picture([2, 3, 32, 32])
    valid = paddle.concat([box(), paddle.ones([1, 1, 32, 32])])
    together = it(x, valid)[0].numpy()
    for i in range(2):
        np.testing.assert_allclose(together[i], it(x[i : i + 1], valid[i : i + 1])[0].numpy()[0], atol=1e-5)


def test_output_is_signed_of_the_input_size_and_blind_to_the_hole():
    it, x, valid = network(), picture([1, 3, 30, 32]), box()[:, :, :30]
    output, reached = it(x, valid)
    assert output.shape == [1, 3, 30, 32] and float(output.abs().max()) <= 1 and float(reached.min()) == 1
    np.testing.assert_array_equal(output.numpy(), it(x * valid + 5 * (1 - valid), valid)[0].numpy())


def test_masked_skips_keep_the_bias_in_empty_cells_from_the_decoder():
    """Same keys; alike without a hole, different with one."""
    raw, masked = network(), network(skips="masked")
    assert raw.state_dict().keys() == masked.state_dict().keys()
    for it in (raw, masked):
        it.encoder.ec_1.conv.bias.set_value(picture([4], 3))
    x, whole = picture([1, 3, 32, 32]), paddle.ones([1, 1, 32, 32])
    np.testing.assert_array_equal(raw(x, whole)[0].numpy(), masked(x, whole)[0].numpy())
    assert np.abs(raw(x, box())[0].numpy() - masked(x, box())[0].numpy()).max() > 1e-4


def test_spectral_norm_finds_the_largest_singular_value_of_the_inputs_rows():
    paddle.seed(0)
    weight, norm = picture([8, 3, 4, 4]), SpectralNorm(3, 128)
    for _ in range(50):
        found = norm(weight)
    rows = found.numpy().transpose(1, 0, 2, 3).reshape(3, -1)
    assert np.linalg.svd(rows, compute_uv=False)[0] == pytest.approx(1, abs=1e-4)
    norm.eval()
    before = norm.weight_u.numpy().copy()
    np.testing.assert_allclose(norm(weight).numpy(), found.numpy(), atol=1e-5)
    np.testing.assert_array_equal(norm.weight_u.numpy(), before)


def test_critic_has_the_published_keys():
    it = Critic(width=4)
    names = ("weight_orig", "spectral_norm.weight_u", "spectral_norm.weight_v", "layer.bias")
    assert set(it.state_dict()) == {f"model.{i}.{name}" for i in (0, 2, 4, 6, 8) for name in names}
    assert it(picture([2, 3, 64, 64])).shape == [2, 1, 2, 2]
