"""Published checkpoints of inpainting networks in the form of ours: names, and the scale of the weights.

Source: the state_dicts of naoto0804/pytorch-inpainting-with-partial-conv net.py, of open-mmlab/mmagic's PConvEncoder
and PConvDecoder, and of maruru-hub/PartialConv-paddle model/Encoder.py and Decoder.py.
"""

import re

TORCH_NORM = {"running_mean": "_mean", "running_var": "_variance"}
DROPPED = ("num_batches_tracked", "mask_conv.weight", "weight_mask_updater")
MMAGIC = re.compile(r"(?:generator\.)?(?:encoder|decoder)\.(enc|dec)(\d+)\.(conv|bn)\.(\w+)")
UNUSED_NORMS = ("ec_1.norm_layer.", "ec_6.norm_layer.")  # stored by the first and the last layer, used by neither


def from_published(arrays):
    """Weights of one of the known programs under our keys; anything else comes back as it is.

    Args:
        arrays: {key: array} as `read_weights` gives them, "model/..." and "state_dict/..." included.

    Source: ours.
    """
    inner = {
        key.partition("/")[2] or key: array
        for key, array in arrays.items()
        if key.partition("/")[0] in ("model", "state_dict") or "/" not in key
    }
    if "enc_1.conv.input_conv.weight" in inner:
        return from_naoto(inner)
    if any(MMAGIC.fullmatch(key) for key in inner):
        return from_mmagic(inner)
    if "encoder.ec_1.conv.input_conv.weight" in inner:
        return from_maruru(_part(inner, "encoder."), _part(inner, "decoder."))
    return arrays


def from_naoto(arrays):
    """naoto0804's network. Its windows are divided by their valid inputs and not multiplied by the window's size.

    So its weights are larger by Cin * k * k than those of the published rule; biases are the same.

    Source: net.py, PartialConv.forward; Liu et al. 2018, equation (1).
    """
    found = {}
    for key, array in arrays.items():
        if key.endswith(DROPPED):
            continue
        if key.endswith("input_conv.weight"):
            array = array / array[0].size
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


def _part(arrays, prefix):
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
