"""A grown generator sees and restores as the small one, at twice its size; what does not fit is told."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from engine.errors import InputError
from engine.weights.files import read_weights
from model.gfpgan.growing import grown
from model.gfpgan.network import GFPGANOriginal
from tests.script_calls import call

SMALL = "weights/lite/gfpgan_lite.pdparams"
WORDS = ["-c", "configs/gfpgan_128_lite.yaml", "--pretrained"]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    path = tmp_path_factory.mktemp("grown") / "start.pdparams"
    done = call("tools/grow_weights", *WORDS, SMALL, "--output", path)
    assert done.returncode in (0, None), done.stderr
    return path


def network(size, path):
    made = GFPGANOriginal(size, style_dim=128, n_mlp=4, narrow=0.125)
    arrays = {key.removeprefix("generator/"): paddle.to_tensor(value) for key, value in read_weights(path).items()}
    assert made.set_state_dict({key: value for key, value in arrays.items() if "discriminator" not in key}) == ([], [])
    made.eval()
    return made


def test_grown_network_restores_as_the_small_one(start):
    small, large = network(64, SMALL), network(128, start)
    noisy = np.random.default_rng(0).uniform(-1, 1, [2, 3, 16, 16]).astype(np.float32)
    image = F.interpolate(paddle.to_tensor(noisy), size=[128, 128], mode="bicubic")
    half = F.avg_pool2d(image, 2)
    with paddle.no_grad():
        seen, wanted = large.conv_body_down[0](large.conv_body_first(image)), small.conv_body_first(half)
        restored, picture = F.avg_pool2d(large(image)[0], 2), small(half)[0]
    assert float((seen - wanted).abs().mean()) < 0.05 * float(wanted.abs().mean())
    assert float((restored - picture).abs().mean()) < 0.1 * float(picture.abs().mean())


def test_networks_of_other_widths_are_refused(tmp_path):
    done = call("tools/grow_weights", *WORDS, SMALL, "--output", tmp_path / "x", "-o", "recipe.narrow=0.25")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_another_system_is_refused(tmp_path):
    done = call("tools/grow_weights", "-c", "configs/gpen_lite.yaml", "--pretrained", SMALL, "--output", tmp_path / "x")
    assert done.returncode == 2
    assert "expected system.gfpgan.GFPGAN" in done.stderr


def test_a_layer_without_counterpart_is_named():
    small, large = (
        {key: value.numpy() for key, value in GFPGANOriginal(size, 16, 2, narrow=0.03125).state_dict().items()}
        for size in (16, 64)
    )
    with pytest.raises(InputError, match="final_linear.weight: found"):
        grown(small, large)
