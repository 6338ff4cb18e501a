"""Published checkpoints of inpainting networks in the form of ours: names, and the scale of the weights.

Source: the state_dicts of naoto0804/pytorch-inpainting-with-partial-conv net.py, of open-mmlab/mmagic's PConvEncoder
and PConvDecoder, and of maruru-hub/PartialConv-paddle model/Encoder.py and Decoder.py.
"""

import re

import numpy as np

from engine.weights.known import Network
from engine.weights.shapes import count, width

TORCH_NORM = {"running_mean": "_mean", "running_var": "_variance"}
DROPPED = ("num_batches_tracked", "mask_conv.weight", "weight_mask_updater")
MMAGIC = re.compile(r"(?:generator\.)?(?:encoder|decoder)\.(enc|dec)(\d+)\.(conv|bn)\.(\w+)")
WINDOW = ".window"  # end of the key that says what a convolution's weights are larger by than in the paper's scale
UNUSED_NORMS = ("ec_1.norm_layer.", "ec_6.norm_layer.")  # stored by the first and the last layer, used by neither


def from_naoto(arrays):
    """naoto0804's network. Its windows are divided by their valid inputs and not multiplied by the window's size.

    So its weights are larger by Cin * k * k than those of the published rule; biases are the same. The quotients are
    float64, so that `in_scale_of` finds the very weights again.

    Source: net.py, PartialConv.forward; Liu et al. 2018, equation (1).
    """
    found = {}
    for key, array in arrays.items():
        if key.endswith(DROPPED):
            continue
        if key.endswith("input_conv.weight"):
            array = np.float64(array) / array[0].size
        found[_torch_norm(key.replace("input_conv.", ""))] = array
    return found


def from_mmagic(arrays):
    """MMEditing's and mmagic's PConvEncoderDecoder; what belongs to other networks of its file is left out.

    Source: mmagic models/editors/pconv.
    """
    found = {}
    for key, array in arrays.items():
        match = MMAGIC.fullmatch(key)
        if match and not key.endswith(DROPPED):
            kind, number, layer, name = match.groups()
            found[_torch_norm(f"{kind}_{number}.{layer}.{name}")] = array
    return found


def from_maruru(encoder, decoder):
    """The two files of maruru-hub/PartialConv-paddle as the one `model.partialconv.maruru.MaskedUNet` has.

    Source: model/base_model.py, save_epoch: N_en.pdparams and N_de.pdparams.
    """
    kept = {
        key: array for key, array in encoder.items() if not key.endswith(DROPPED) and not key.startswith(UNUSED_NORMS)
    }
    kept = {key.replace("input_conv.", ""): array for key, array in kept.items()}
    return {f"encoder.{key}": array for key, array in kept.items()} | {
        f"decoder.{key}": array for key, array in decoder.items()
    }


def _torch_norm(key):
    """PyTorch's name of a running statistic -> Paddle's."""
    head, _, last = key.rpartition(".")
    return f"{head}.{TORCH_NORM.get(last, last)}"


def one_of_three(arrays):
    """A PartialConv U-Net of naoto0804, MMEditing or ours under our keys, its weights in the paper's scale."""
    if NAOTO[0] in arrays:
        return from_naoto(arrays)
    if MMEDITING[0] in arrays:
        return from_mmagic(arrays)
    found = {key: array for key, array in arrays.items() if not key.endswith(WINDOW)}
    for key, size in arrays.items():
        if key.endswith(WINDOW):
            weight = f"{key.removesuffix(WINDOW)}.weight"
            found[weight] = np.float64(found[weight]) / size
    return found


def is_in_window_scale(arrays):
    """Whether a file's arrays, under whatever beginnings of keys, are a U-Net in naoto0804's scale, his or ours."""
    return any(key.endswith(("enc_1.conv.input_conv.weight", f"enc_1.conv{WINDOW}")) for key in arrays)


def in_scale_of(layer, arrays):
    """Arrays in the paper's scale as a network of either scale holds them."""
    windows = {key: tensor for key, tensor in layer.state_dict().items() if key.endswith(WINDOW)}
    found = dict(arrays)
    for key, size in windows.items():
        weight, found[key] = f"{key.removesuffix(WINDOW)}.weight", size.numpy()
        if weight in found:
            found[weight] = np.float64(found[weight]) * size.item()
    return found


def one_of_maruru(arrays):
    """The two files of maruru-hub/PartialConv-paddle together, as they are or each behind its name, or our one."""
    if JOINED[0] in arrays:
        arrays = {key.removeprefix("encoder.").removeprefix("decoder."): array for key, array in arrays.items()}
    if HALVES[0] not in arrays:
        return dict(arrays)
    decoder = {key: array for key, array in arrays.items() if key.startswith("dc_")}
    return from_maruru({key: arrays[key] for key in arrays if key not in decoder}, decoder)


def as_in(layer, arrays):
    """Parts of a network that a file may lack: its scale, and a residual branch, which starts closed."""
    closed = {key: tensor.numpy() for key, tensor in layer.state_dict().items() if key.endswith((".gamma", ".plain"))}
    return closed | in_scale_of(layer, arrays)


def unet(arrays):
    """A PartialConv U-Net under our keys: depth, channels, which convolutions have a bias, residual in the encoder."""
    layers = count(arrays, r"enc_\d+\.conv\.weight")
    bias = "all" if "enc_2.conv.bias" in arrays else "unnormalised" if "enc_1.conv.bias" in arrays else "last"
    found = {"size": 2 << layers, "layers": layers, "width": width(arrays, "enc_1.conv.weight"), "bias": bias}
    return found | ({"encoder_residual": "gamma"} if "enc_2.gamma" in arrays else {})


def maruru_unet(arrays):
    """The U-Net of maruru-hub/PartialConv-paddle under our keys: depth, channels, residual blocks."""
    layers = count(arrays, r"encoder\.ec_\d+\.conv\.weight")
    blocks = count(arrays, r"encoder\.middle\.\d+\.conv_block\.1\.weight")
    return {"size": 4 << layers, "layers": layers, "width": width(arrays, "encoder.ec_1.conv.weight"), "blocks": blocks}


NAOTO = ("enc_1.conv.input_conv.weight", "dec_1.conv.input_conv.weight")
MMEDITING = ("encoder.enc1.conv.weight", "decoder.dec1.conv.weight")
HALVES = ("ec_1.conv.input_conv.weight", "dc_1.model.1.weight")
JOINED = ("encoder.ec_1.conv.input_conv.weight", "decoder.dc_1.model.1.weight")
NETWORKS = (
    Network(
        "partialconv", "PartialConv U-Net", "model.partialconv.network.PartialConvUNet",
        (NAOTO, MMEDITING, ("enc_1.conv.weight", "dec_1.conv.weight")), unet, {"size": 8, "layers": 2, "width": 2},
        renamed=one_of_three, completed=as_in, goes_back=False,
        settings="model.partialconv.settings.UNetSettings",
    ),
    Network(
        "maruru_unet", "masked-convolution U-Net of maruru-hub/PartialConv-paddle",
        "model.partialconv.maruru.MaskedUNet",
        (HALVES, JOINED, ("encoder.ec_1.conv.weight", "decoder.dc_1.model.1.weight")), maruru_unet,
        {"size": 16, "layers": 2, "width": 2, "blocks": 1}, renamed=one_of_maruru, goes_back=False,
        settings="model.partialconv.settings.MaruruSettings",
    ),
    Network(
        "maruru_half", "half of the U-Net of maruru-hub/PartialConv-paddle", "",
        ((HALVES[0],), ("dc_1.model.1.weight", "dc_1.model.2.weight")),
        note="give both files to read, N_en.pdparams and N_de.pdparams, --as maruru_unet",
    ),
)  # fmt: skip
