"""The conversion as a command: a training file to the clean form and back, official entries, mistakes as one line."""

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.weights.files import read_weights, write_weights
from model.gfpgan.clean import GFPGANClean
from model.gfpgan.network import GFPGANBilinear
from tools import convert_gfpgan


def convert(source, target, form):
    convert_gfpgan.main(["--input", str(source), "--output", str(target), "--to", form])
    return read_weights(target)


def test_there_and_back(tmp_path):
    paddle.seed(0)
    arrays = {key: value.numpy() for key, value in GFPGANBilinear(16, 8, 1, 1, 1 / 32).state_dict().items()}
    others = {"discriminator/conv_body.0.0.weight": np.zeros(3, np.float32)}
    write_weights(tmp_path / "latest.pdparams", {f"generator/{key}": a for key, a in arrays.items()} | others)
    clean = convert(tmp_path / "latest.pdparams", tmp_path / "clean.pdparams", "clean")
    assert {key: a.shape for key, a in clean.items()} == {
        key: tuple(value.shape) for key, value in GFPGANClean(16, 8, 1, 1, 1 / 32).state_dict().items()
    }
    write_weights(tmp_path / "official.pdparams", {f"params_ema/{key}": array for key, array in clean.items()})
    back = convert(tmp_path / "official.pdparams", tmp_path / "back.pdparams", "bilinear")
    assert back.keys() == arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_allclose(back[key], array, rtol=3e-7, err_msg=key)


def test_mistakes_are_one_line(tmp_path):
    write_weights(tmp_path / "other.pdparams", {"features.0.weight": np.zeros([1, 3, 3, 3], np.float32)})
    with pytest.raises(InputError, match="other.pdparams: features.0.weight: no key of GFP-GAN's bilinear form"):
        convert(tmp_path / "other.pdparams", tmp_path / "x.pdparams", "clean")
    assert not (tmp_path / "x.pdparams").exists()
    with pytest.raises(InputError, match="--input FILE and --output FILE"):
        convert_gfpgan.main([])
