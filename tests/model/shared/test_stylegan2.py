import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from engine.errors import ConfigError
from model.shared.stylegan2 import (
    ConvLayer,
    EqualLinear,
    ModulatedConv2D,
    channel_table,
    minibatch_stddev,
    spread_styles,
)
from tests.parity import case_lines

GOLDEN = Path(__file__).parents[2] / "assets" / "golden"
CASES = json.loads((GOLDEN / "meta.json").read_text())["cases"]


@pytest.mark.parametrize("case", [name for name in CASES if name.startswith(("basicsr_", "ops_"))])
def test_outputs_and_gradients_are_the_official_ones(case):
    lines = list(case_lines(GOLDEN, case, CASES[case]))
    assert [line for line in lines if not line["ok"]] == []


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_modulated_activations_are_modulated_weights(up, demodulate):
    """Each sample alone, through the formula of the paper: scale the weight, normalise it, convolve."""
    paddle.seed(0)
    layer = ModulatedConv2D(4, 3, 3, 5, demodulate=demodulate, up=up).to(dtype="float64")
    plain = ModulatedConv2D(4, 3, 3, 5, demodulate=False, up=up).to(dtype="float64")
    plain.modulation.weight.set_value(paddle.zeros([4, 5], "float64"))  # the style is one everywhere
    x, style = paddle.randn([2, 4, 6, 6], "float64"), paddle.randn([2, 5], "float64")
    out = layer(x, style).numpy()
    for sample in range(2):
        s = layer.modulation(style[sample : sample + 1]).reshape([1, 1, 4, 1, 1])
        weight = layer.weight * s / 6  # sqrt(4 * 3 * 3)
        if demodulate:
            weight = weight / ((weight * weight).sum(axis=[2, 3, 4], keepdim=True) + 1e-8).sqrt()
        plain.weight.set_value(weight * 6)
        alone = plain(x[sample : sample + 1], style[:1]).numpy()
        np.testing.assert_allclose(out[sample : sample + 1], alone, atol=1e-10)


def test_channel_table_is_the_official_one():
    assert list(channel_table(1, 0.5).values()) == [256, 256, 256, 256, 128, 64, 32, 16, 8, 4]
    assert list(channel_table(1, 0.5)) == [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]
    assert channel_table(2, 1)[64] == 512 and channel_table(2, 1)[2048] == 16


def test_equal_linear_scales_weight_and_bias():
    layer = EqualLinear(4, 3, bias_init=2.0, lr_mul=0.01)
    x = paddle.randn([5, 4])
    expected = x.numpy() @ layer.weight.numpy().T * 0.01 / 2 + 0.02
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_down_layer_halves(kernel_size):
    assert ConvLayer(3, 5, kernel_size, down=True)(paddle.zeros([1, 3, 16, 16])).shape == [1, 5, 8, 8]


def test_deviation_channel_compares_the_right_samples():
    x = paddle.to_tensor(np.random.default_rng(0).normal(size=(8, 3, 4, 4)))
    for group in (4, 8):
        out = minibatch_stddev(x, group).numpy()
        assert out.shape == (8, 4, 4, 4)
        np.testing.assert_array_equal(out[:, :3], x.numpy())
        for sample in range(8):
            members = x.numpy()[sample % (8 // group) :: 8 // group]
            np.testing.assert_allclose(out[sample, 3], members.std(axis=0).mean(), rtol=1e-6)


def test_deviation_group_must_divide_the_batch():
    with pytest.raises(ConfigError, match="groups of 4"):
        minibatch_stddev(paddle.zeros([6, 1, 4, 4]), 4)


def test_styles_mix_at_the_index_and_truncate_towards_the_mean():
    first, second, mean = paddle.full([2, 3], 1.0), paddle.full([2, 3], 3.0), paddle.full([1, 3], 5.0)
    mixed = spread_styles([first, second], 4, inject_index=1, truncation=0.5, truncation_latent=mean).numpy()
    np.testing.assert_array_equal(mixed[0, :, 0], [3, 4, 4, 4])


def test_neighbours_in_groups_are_what_processes_see():
    """Groups of two neighbours of a joint batch: the deviation of each process's batch of two."""
    x = paddle.randn([6, 3, 4, 4])
    joint = minibatch_stddev(x, 2, neighbours=True).numpy()
    parts = [minibatch_stddev(x[first : first + 2], 2).numpy() for first in (0, 2, 4)]
    np.testing.assert_allclose(joint, np.concatenate(parts), rtol=1e-6)
    assert abs(joint - minibatch_stddev(x, 2).numpy()).max() > 1e-3
