"""Published checkpoint forms, generated: every key is taken, scales are converted, what is not ours is left out."""

import numpy as np
import paddle
import pytest

from engine.weights.files import load_into, read_weights, write_weights
from engine.weights.networks import load_layers
from model.partialconv.keys import from_maruru, from_naoto
from model.partialconv.maruru import MaskedUNet
from model.partialconv.network import PartialConv2D, PartialConvUNet
from model.partialconv.settings import MaruruSettings, UNetSettings


def unet(bias="last"):
    paddle.seed(1)
    return PartialConvUNet(UNetSettings(size=16, layers=3, width=2, bias=bias))


def torch_name(key):
    return key.replace("._mean", ".running_mean").replace("._variance", ".running_var")


def naoto_form(network):
    """What torch.save of naoto0804's training script holds, for the weights of `network`."""
    arrays = {}
    for key, tensor in network.state_dict().items():
        array, key = tensor.numpy(), torch_name(key.replace(".conv.", ".conv.input_conv."))
        if key.endswith("input_conv.weight"):
            arrays[key.replace("input_conv", "mask_conv")] = np.ones_like(array)
            array = array * np.prod(array.shape[1:])
        arrays[key] = array
        if key.endswith("running_var"):
            arrays[key.replace("running_var", "num_batches_tracked")] = np.zeros([])
    return {f"model/{key}": array for key, array in arrays.items()} | {"optimizer/state": np.zeros(1)}


def mmagic_form(network):
    arrays = {"generator_ema.step": np.zeros([]), "loss_percep.vgg.features.0.weight": np.zeros([2, 3, 3, 3])}
    for key, tensor in network.state_dict().items():
        kind, number = key.partition(".")[0].split("_")
        coder = {"enc": "encoder", "dec": "decoder"}[kind]
        key = torch_name(f"generator.{coder}.{kind}{number}.{key.partition('.')[2]}")
        arrays[f"state_dict/{key}"] = tensor.numpy()
        if key.endswith("conv.weight"):
            arrays[f"state_dict/{key}_mask_updater"] = np.ones(tensor.shape)
        if key.endswith("running_var"):
            arrays[f"state_dict/{key.replace('running_var', 'num_batches_tracked')}"] = np.zeros([])
    return arrays


@pytest.mark.parametrize(("form", "bias"), [(naoto_form, "last"), (mmagic_form, "unnormalised")])
def test_checkpoint_of_another_program_loads_strictly(form, bias, tmp_path):
    network, other = unet(bias), unet(bias)
    for parameter in other.parameters():
        parameter.set_value(paddle.rand(parameter.shape))
    write_weights(tmp_path / "file.pdparams", form(network))
    load_layers({"generator": other}, read_weights(tmp_path / "file.pdparams"), "file")
    for key, tensor in other.state_dict().items():
        np.testing.assert_allclose(tensor.numpy(), network.state_dict()[key].numpy(), rtol=1e-6)


def test_naoto_scale_is_the_window_of_all_inputs():
    weight = np.full([2, 3, 7, 7], 147.0, np.float32)
    found = from_naoto({"enc_1.conv.input_conv.weight": weight, "dec_1.conv.input_conv.bias": np.full(3, 147.0)})
    np.testing.assert_allclose(found["enc_1.conv.weight"], 1.0)
    np.testing.assert_allclose(found["dec_1.conv.bias"], 147.0)


def test_nvidia_layer_has_our_keys():
    layer = PartialConv2D([3], 4, 5, stride=2, bias=True)
    arrays = {"weight": np.ones([4, 3, 5, 5], np.float32), "bias": np.arange(4, dtype=np.float32)}
    load_into(layer, arrays, "layer")
    np.testing.assert_array_equal(layer.bias.numpy(), arrays["bias"])


def maruru_files(network):
    """en.pdparams and de.pdparams, unused norms and mask kernels included."""
    encoder, decoder = {}, {}
    for key, tensor in network.state_dict().items():
        part, _, key = key.partition(".")
        if part == "decoder":
            decoder[key] = tensor.numpy()
        elif key.startswith("ec_") and ".conv." in key:
            encoder[key.replace(".conv.", ".conv.input_conv.")] = tensor.numpy()
            encoder[f"{key.partition('.')[0]}.conv.mask_conv.weight"] = np.ones([1, 1, 3, 3])
        else:
            encoder[key] = tensor.numpy()
    for layer in ("ec_1", "ec_6"):
        encoder |= {f"{layer}.norm_layer.{name}": np.ones(2) for name in ("weight", "bias", "_mean", "_variance")}
    return encoder, decoder


def test_two_files_of_maruru_load_strictly():
    paddle.seed(2)
    network, other = (MaskedUNet(MaruruSettings(size=192, width=2, blocks=1)) for _ in range(2))
    encoder, decoder = maruru_files(network)
    assert len(encoder) == 66 - 18  # 18 of its 66 keys belong to the other three blocks of the middle
    assert len(decoder) == 32
    load_into(other, from_maruru(encoder, decoder), "two files")
    for key, tensor in other.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), network.state_dict()[key].numpy())
    joined = {f"encoder.{key}": array for key, array in encoder.items()}
    joined |= {f"decoder.{key}": array for key, array in decoder.items()}
    for parts in (joined, encoder | decoder):
        again = MaskedUNet(MaruruSettings(size=192, width=2, blocks=1))
        load_layers({"generator": again}, parts, "one file")
        for key, tensor in again.state_dict().items():
            np.testing.assert_array_equal(tensor.numpy(), network.state_dict()[key].numpy())
